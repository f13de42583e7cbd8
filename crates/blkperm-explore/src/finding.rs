//! What was found, in classes.

use std::borrow::Cow;
use std::fmt;

use blkperm_graph::{Conflict, Fault, Holder, NodeId, ParentName, Party, Refusal, Rule};
use blkperm_jobs::{Denied, Job};
use serde::{Deserialize, Serialize};

use crate::action::{Action, Place, Verb};
use crate::command::Act;
use crate::stage::{Kept, Stage, World, slot_of_filter, slot_of_job, stranger_name};

/// What was found.
///
/// *Something goes wrong* after a command if there is a way to an abort, or to a job that is stuck, on
/// which jobs are asked for something and things are removed, but nothing new comes: whatever comes
/// could be refused when it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// QEMU's process would have ended.
    Abort,
    /// A job can neither complete nor be cancelled.
    Stuck,
    /// A law or an invariant does not hold.
    Broken,
    /// A command was done after which something goes wrong, and before which nothing did.
    FalseAccept,
    /// A command was refused, or a job failed, that the other rule lets succeed, and nothing goes
    /// wrong after it.
    FalseRefusal,
    /// A command was refused, or a job failed, that the other rule lets succeed, and something goes
    /// wrong after it.
    Averted,
    /// A command was done, or a job succeeded, that the other rule refuses, and nothing goes wrong
    /// after it.
    Allowed,
}

impl Outcome {
    /// The name of it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Abort => "abort",
            Outcome::Stuck => "stuck",
            Outcome::Broken => "broken",
            Outcome::FalseAccept => "false accept",
            Outcome::FalseRefusal => "false refusal",
            Outcome::Averted => "averted",
            Outcome::Allowed => "allowed",
        }
    }

    /// Whether it speaks against a rule.
    pub fn is_wrong(self) -> bool {
        !matches!(self, Outcome::Averted | Outcome::Allowed)
    }
}

/// What findings have in common that are the same mistake.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Class {
    /// What it is.
    pub outcome: Outcome,
    /// The type of the job that the last command is about, that is in its way, or that is there; empty
    /// where there is none.
    pub job: Cow<'static, str>,
    /// The last command.
    pub command: Cow<'static, str>,
    /// Who took what, who unshared it, and where that was before the last command; or what does not
    /// hold.
    pub cause: String,
}

/// `abort: active commit, job-complete: consistent-read, ...`
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = if self.job.is_empty() { "no job" } else { &self.job };
        write!(f, "{}: {job}, {}: {}", self.outcome.name(), self.command, self.cause)
    }
}

/// All findings of one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The class.
    pub class: Class,
    /// How many transitions belong to it.
    pub count: u64,
    /// The commands of a shortest way to it.
    pub witness: Vec<Action>,
    /// The commands after that by which something goes wrong, where the witness does not end in it.
    pub then: Vec<Action>,
}

impl<R: Rule + Clone> Stage<R> {
    /// Why a command is not done, or what it breaks: it is done again in a world that goes back to
    /// `before`, whose refusals now say whence edges have what they hold.
    pub(crate) fn reason(
        &self,
        world: &mut World<R>,
        before: &Kept<R>,
        action: Action,
    ) -> Option<Denied> {
        world.go_back(before);
        world.layer.graph.set_tells_why(true);
        let act = self.act(world, action);
        world.layer.graph.set_tells_why(false);
        world.go_back(before);
        match act {
            Act::Done => None,
            Act::Refused(denied) => Some(denied),
            Act::JobFailed(refusal) | Act::Aborted(refusal) => Some(Denied::Refused(refusal)),
        }
    }

    /// The class of a command that was not done, or that has gone wrong; the world goes back to
    /// `before`.
    pub(crate) fn class_with_reason(
        &self,
        world: &mut World<R>,
        before: &Kept<R>,
        action: Action,
        outcome: Outcome,
    ) -> Class {
        let reason = self.reason(world, before, action).expect("what is not done has a reason");
        let about = self.subject(world, action, in_the_way(&reason));
        let cause = self.cause(world, action, about, &reason);
        let job = Cow::Borrowed(job_type(about, action));
        Class { outcome, job, command: Cow::Borrowed(command(action)), cause }
    }
}

/// The two edges that something was refused for, where that is why.
fn conflict(denied: &Denied) -> Option<&Conflict> {
    let refusal = match denied {
        Denied::Refused(refusal) | Denied::FilterNotInserted(refusal) => refusal,
        Denied::FilterNotCreated(why) => return conflict(why),
        _ => return None,
    };
    let Refusal::Permissions(faults) = refusal else { return None };
    match &faults[0] {
        Fault::Conflict(conflict) => Some(conflict),
        _ => None,
    }
}

/// The number of the job that holds one of the two edges, or through whose filter one came to be.
fn in_the_way(denied: &Denied) -> Option<u8> {
    let Conflict { requirer, unsharer, .. } = conflict(denied)?;
    let parents = [requirer, unsharer].into_iter().flat_map(|party| {
        [&party.parent].into_iter().chain(party.why.iter().map(|step| &step.parent))
    });
    parents.into_iter().find_map(|parent| match parent {
        ParentName::Node(name) => slot_of_filter(name),
        ParentName::Root(Holder::Job { id, .. }) => slot_of_job(|job| job == id),
        ParentName::Root(Holder::Backend { purpose }) => {
            slot_of_job(|job| purpose.contains(&format!("'{job}'")))
        }
        ParentName::Root(_) => None,
    })
}

impl<R: Rule> Stage<R> {
    /// The class of what a command has come to from the state `before`.
    pub(crate) fn class(
        &self,
        before: &World<R>,
        action: Action,
        outcome: Outcome,
        cause: String,
    ) -> Class {
        let job = Cow::Borrowed(job_type(self.subject(before, action, None), action));
        Class { outcome, job, command: Cow::Borrowed(command(action)), cause }
    }

    /// Why something was refused, in terms of who stands where to the job that it is about.
    fn cause(
        &self,
        before: &World<R>,
        action: Action,
        about: Option<&Job>,
        denied: &Denied,
    ) -> String {
        let Some(conflict) = conflict(denied) else { return denied.to_string() };
        let permissions: Vec<&str> = conflict.permissions.iter().map(|p| p.qmp_name()).collect();
        let party = |party: &Party| self.party(before, action, about, party);
        let (taker, unsharer) = (party(&conflict.requirer), party(&conflict.unsharer));
        format!("{}, taken by {taker}, unshared by {unsharer}", permissions.join(" and "))
    }

    /// Who holds one of two edges that conflict, and on behalf of whom.
    fn party(
        &self,
        before: &World<R>,
        action: Action,
        about: Option<&Job>,
        party: &Party,
    ) -> String {
        let name = |parent: &ParentName| self.parent(before, action, about, parent);
        let holder = name(&party.parent);
        match party.why.last().filter(|origin| origin.parent != party.parent) {
            Some(origin) => format!("{} through {holder}", name(&origin.parent)),
            None => holder,
        }
    }

    fn parent(
        &self,
        before: &World<R>,
        action: Action,
        about: Option<&Job>,
        parent: &ParentName,
    ) -> String {
        match parent {
            ParentName::Node(name) if name.starts_with("stranger") => {
                let node = self.below_stranger(before, action, name);
                let role = node.map_or("nothing", |below| self.role(before, action, about, below));
                format!("a stranger on {role}")
            }
            ParentName::Node(name) if name.starts_with("filter") => "a job's filter".to_owned(),
            ParentName::Node(_) => "an image".to_owned(),
            ParentName::Root(Holder::Export { .. }) => "an export".to_owned(),
            ParentName::Root(_) => "a job".to_owned(),
        }
    }

    /// The node on which the stranger of that name stands, or is to stand.
    fn below_stranger(&self, before: &World<R>, action: Action, name: &str) -> Option<NodeId> {
        let graph = &before.layer.graph;
        match action {
            Action::AddStranger { slot, place, .. } if stranger_name(slot) == name => {
                self.node(before, place)
            }
            _ => {
                let edge = graph.filtered_edge(graph.node_by_name(name)?)?;
                Some(graph.child_of(edge))
            }
        }
    }

    /// What a node is to the job that something is about, or to the one that a command is to start.
    fn role(
        &self,
        before: &World<R>,
        action: Action,
        about: Option<&Job>,
        node: NodeId,
    ) -> &'static str {
        let graph = &before.layer.graph;
        if graph.filter_owner(node).is_some() {
            return "a filter";
        }
        if self.files.contains(&Some(node)) {
            return "a file";
        }
        if let Some(job) = about {
            return role_in_job(before, job, node).unwrap_or("another node");
        }
        let at = |place: Place| self.node(before, place) == Some(node);
        match action {
            Action::Mirror { source, .. } | Action::Backup { source, .. } if at(source) => {
                "the source"
            }
            Action::Mirror { target, .. } | Action::Backup { target, .. } if at(target) => {
                "the target"
            }
            Action::Stream { device, .. } if at(device) => "the device",
            Action::Stream { base: Some(base), .. } if at(base) => "the base",
            Action::Commit { base, .. } if at(base) => "the base",
            Action::Commit { top, .. } if at(top) => "the top",
            Action::Commit { device, .. } if at(device) => "the device",
            _ if action.job().is_some() => "another node",
            _ => "a node",
        }
    }

    /// The job that a command is about; else the one in the way; else the first that is there.
    fn subject<'w>(
        &self,
        before: &'w World<R>,
        action: Action,
        in_the_way: Option<u8>,
    ) -> Option<&'w Job> {
        let job = |slot| Stage::job(&before.layer, slot);
        match action.job() {
            Some(slot) => job(slot),
            None => in_the_way.and_then(job).or(before.layer.jobs().first()),
        }
    }
}

/// The type of a job, or else of the one that a command is to start.
fn job_type(job: Option<&Job>, action: Action) -> &'static str {
    match (job, action) {
        (Some(job), _) if job.kind() == "commit" && job.is_mirror() => "active commit",
        (Some(job), _) => job.kind(),
        (None, Action::Mirror { .. }) => "mirror",
        (None, Action::Commit { .. }) => "commit",
        (None, Action::Stream { .. }) => "stream",
        (None, Action::Backup { .. }) => "backup",
        (None, _) => "",
    }
}

/// What a node is to a job whose edges end there.
fn role_in_job<R: Rule>(world: &World<R>, job: &Job, node: NodeId) -> Option<&'static str> {
    let graph = &world.layer.graph;
    let edges = graph.children(job.root()).filter(|&edge| graph.child_of(edge) == node);
    let names: Vec<&str> = edges.map(|edge| graph.edge_name(edge)).collect();
    let mut filters = world.cast.filters.into_iter().flatten();
    let filter = filters.find(|&filter| graph.filter_owner(filter) == Some(job.owner()));
    let filtered = filter.and_then(|filter| graph.filtered_edge(filter));
    let is_filtered = filtered.is_some_and(|edge| graph.child_of(edge) == node);
    let is_active_commit = job.is_mirror() && job.kind() == "commit";
    Some(match names.as_slice() {
        [] if is_filtered && job.kind() == "backup" => "the source",
        [] => return None,
        names if names.contains(&"source") => "the source",
        names if names.contains(&"target") && is_active_commit => "the base",
        names if names.contains(&"target") => "the target",
        names if names.contains(&"base") => "the base",
        names if names.contains(&"intermediate node") => "an intermediate node",
        _ => "the device",
    })
}

fn command(action: Action) -> &'static str {
    match action {
        Action::AddStranger { .. } => "blockdev-add",
        Action::RemoveStranger(_) => "blockdev-del",
        Action::AddExport { .. } => "block-export-add",
        Action::RemoveExport(_) => "block-export-del",
        Action::Mirror { .. } => "blockdev-mirror",
        Action::Commit { .. } => "block-commit",
        Action::Stream { .. } => "block-stream",
        Action::Backup { .. } => "blockdev-backup",
        // Graceful or not, a cancelled job leaves in the same way.
        Action::Verb(_, Verb::Cancel) => Verb::ForceCancel.command(),
        Action::Verb(_, verb) => verb.command(),
    }
}
