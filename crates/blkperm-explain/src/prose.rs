//! Derivations in words: why an edge takes or unshares something, step by step.

use blkperm_graph::{Conflict, Driver, ParentName, Permissions, Reason, Role, Slot, Step};

/// What an edge does with a permission, for example `takes write`.
pub fn deed(slot: Slot) -> String {
    let verb = if slot.is_take() { "takes" } else { "unshares" };
    format!("{verb} {}", slot.permission().qmp_name())
}

/// The steps of a derivation in words, from where it began down to the edge that was asked for.
///
/// `steps` are as [`Graph::why`](blkperm_graph::Graph::why) gives them, the edge itself first.
pub fn derivation(steps: &[Step]) -> Vec<String> {
    let above = |place: usize| steps.get(place + 1).map(|step| step.slot);
    let sentences = steps.iter().enumerate().map(|(place, step)| sentence(step, above(place)));
    let mut sentences: Vec<String> = sentences.collect();
    sentences.reverse();
    sentences
}

fn sentence(step: &Step, from: Option<Slot>) -> String {
    let Step { parent, edge, child, slot, .. } = step;
    let what = deed(*slot);
    let Some(driver) = step.driver else {
        return match parent {
            ParentName::Root(blkperm_graph::Holder::Job { .. }) => {
                format!("{parent} {what} on '{child}' ({edge}), for its own work")
            }
            _ => format!("{parent} {what} on '{child}'"),
        };
    };
    let because = match step.reason {
        Reason::ItsOwn => "it demands that for itself".to_owned(),
        Reason::Driver | Reason::DriverWhileAttached => by_itself(driver, step.role, *slot),
        Reason::Follows | Reason::FollowsTogether => follows(driver, step.role, *slot, from),
    };
    format!("{parent} {what} on '{child}' ({edge}), because {because}")
}

/// Why a node's driver demands something whatever is demanded of the node.
fn by_itself(driver: &Driver, role: Role, slot: Slot) -> String {
    let name = driver.name;
    let unshares = !slot.is_take();
    match name {
        "blkdebug" => {
            return format!(
                "its option {}-child-perms says so",
                if unshares { "unshare" } else { "take" }
            );
        }
        "copy-on-read" => return "it writes there what it has read from further below".to_owned(),
        "copy-before-write" if role.contains(Role::FILTERED) => {
            return match unshares {
                true => "what it has not yet saved must not change behind its back".to_owned(),
                false => "it saves what is about to be overwritten".to_owned(),
            };
        }
        "copy-before-write" => return "it saves there what is about to be overwritten".to_owned(),
        "quorum" if unshares => return "all children of a quorum must stay the same".to_owned(),
        "quorum" => return "it rewrites children that differ".to_owned(),
        _ => {}
    }
    if role.contains(Role::METADATA) {
        return match (slot.is_take(), slot.permission()) {
            (true, Permissions::CONSISTENT_READ) => {
                format!("a {name} node relies on the metadata in it")
            }
            (true, _) => format!("a {name} node that is opened read-write may write metadata"),
            (false, _) => format!("nobody else may change the metadata of a {name} node"),
        };
    }
    if role.contains(Role::DATA) && unshares {
        return format!("nobody else may resize what a {name} node keeps its data in");
    }
    format!("the driver {name} always does")
}

/// Why a node demands something because of what is demanded of it.
fn follows(driver: &Driver, role: Role, slot: Slot, from: Option<Slot>) -> String {
    let name = driver.name;
    if role.contains(Role::COW) {
        return match slot.is_take() {
            true => "what it does not hold itself it reads from its backing file".to_owned(),
            false => "who relies on what it shows relies on its backing file too".to_owned(),
        };
    }
    if from.is_some_and(|from| from != slot) {
        return match name {
            "preallocate" => "who writes and resizes through it lets it grow the file".to_owned(),
            _ => "a write may have to allocate, which writes and grows what is below".to_owned(),
        };
    }
    if role.contains(Role::FILTERED) {
        return format!("a {name} node passes on what is asked of it");
    }
    format!("a {name} node keeps its data there")
}

/// Both sides of a conflict, each with its derivation.
pub fn sides(conflict: &Conflict) -> [(String, Vec<String>); 2] {
    let side = |party: &blkperm_graph::Party, verb: &str| {
        let names: Vec<&str> = conflict.permissions.iter().map(Permissions::qmp_name).collect();
        let title = format!(
            "{} {verb} {} on '{}' ({})",
            party.parent,
            names.join(", "),
            conflict.node,
            party.edge
        );
        (title, derivation(&party.why))
    };
    [side(&conflict.requirer, "takes"), side(&conflict.unsharer, "unshares")]
}
