//! The smallest script of which something is still true.

use blkperm_qmp::scenario::Action;
use serde_json::Value;

use crate::rename::renumbered;
use crate::script::Script;

/// Shrinks a script as long as `holds` is true of it: leaves out lines, then members of arguments
/// and items of lists, and numbers the names anew.
///
/// What comes out is minimal: no single line, member or item can be left out of it.
pub fn shrink(script: Script, holds: &mut dyn FnMut(&Script) -> bool) -> Script {
    let mut smallest = script;
    loop {
        let before = smallest.clone();
        smallest = without_lines(smallest, holds);
        smallest = without_members(smallest, holds);
        if smallest == before {
            break;
        }
    }
    let renumbered = renumbered(&smallest);
    if holds(&renumbered) { renumbered } else { smallest }
}

/// Leaves out lines: halves first, then ever smaller pieces (Zeller, "Yesterday, my program
/// worked", 1999), the last ones first, since nothing depends on them.
fn without_lines(mut script: Script, holds: &mut dyn FnMut(&Script) -> bool) -> Script {
    let mut size = script.actions.len().div_ceil(2);
    while size > 0 {
        let mut end = script.actions.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let mut shorter = script.clone();
            shorter.actions.drain(start..end);
            if !shorter.actions.is_empty() && holds(&shorter) {
                script = shorter;
            }
            end = start;
        }
        size /= 2;
    }
    script
}

/// Leaves out members of arguments, and items of lists.
fn without_members(mut script: Script, holds: &mut dyn FnMut(&Script) -> bool) -> Script {
    for line in 0..script.actions.len() {
        let mut place = 0;
        while let Some(simpler) = without_member(&script, line, place) {
            if holds(&simpler) {
                script = simpler;
            } else {
                place += 1;
            }
        }
    }
    script
}

/// The script without that member or item of its line, counted in depth; none behind the last.
fn without_member(script: &Script, line: usize, place: usize) -> Option<Script> {
    let mut script = script.clone();
    let Action::Command(command) = &mut script.actions[line] else { return None };
    let arguments = command.get_mut("arguments")?;
    let mut left = place;
    remove(arguments, &mut left).then_some(script)
}

/// Removes the member or item after `left` others; says whether there is one.
fn remove(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Object(members) => {
            for key in members.keys().cloned().collect::<Vec<_>>() {
                if *left == 0 {
                    members.shift_remove(&key);
                    return true;
                }
                *left -= 1;
                if members.get_mut(&key).is_some_and(|member| remove(member, left)) {
                    return true;
                }
            }
            false
        }
        // A list is left out as a member; QEMU crashes on some that are empty.
        Value::Array(items) => {
            let removable = if items.len() > 1 { items.len() } else { 0 };
            if *left < removable {
                items.remove(*left);
                return true;
            }
            *left -= removable;
            items.iter_mut().any(|item| remove(item, left))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
