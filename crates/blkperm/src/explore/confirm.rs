//! Witnesses played to live QEMU.

use super::error::Error;
use super::report::{Class, Report};
use crate::registry::Combination;
use blkperm_explore::Outcome;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use serde::Serialize;

/// What QEMU did with a witness.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confirmed {
    /// It died of the last command.
    Died {
        /// The signal.
        signal: String,
        /// What it said.
        message: String,
        /// What our baseline says when it dies there, if that is something else.
        #[serde(skip_serializing_if = "Option::is_none")]
        foretold: Option<String>,
    },
    /// It lived.
    Lived,
    /// It died before the last command.
    DiedEarlier,
}

/// Plays the witnesses of all classes that say something about QEMU's own rule.
pub(super) fn confirm_all(programs: &Programs, report: &mut Report) -> Result<(), Error> {
    let qemu = Combination::QEMU.to_string();
    let (is_judged, is_other) =
        (report.combination == qemu, report.against.as_ref() == Some(&qemu));
    for class in &mut report.classes {
        if is_judged || is_other && tells_of_other(class) {
            class.confirmed = Some(confirm(programs, &class.scenario)?);
        }
    }
    Ok(())
}

/// Whether what was found is what the other rule does.
fn tells_of_other(class: &Class) -> bool {
    matches!(class.outcome, Outcome::FalseRefusal | Outcome::Averted | Outcome::Allowed)
}

fn confirm(programs: &Programs, witness: &Scenario) -> Result<Confirmed, Error> {
    let mut daemon = Daemon::start(programs)?;
    let transcript = play(&mut daemon, witness)?;
    let commands = witness.commands().count();
    let Some(death) = transcript.death() else { return Ok(Confirmed::Lived) };
    if transcript.steps.len() < commands {
        return Ok(Confirmed::DiedEarlier);
    }
    let ours = play(&mut *Combination::QEMU.endpoint(), witness)?;
    let foretold = ours.death().map_or("(it lives)", |ours| &ours.message);
    Ok(Confirmed::Died {
        signal: death.signal.clone(),
        message: death.message.clone(),
        foretold: (foretold != death.message).then(|| foretold.to_owned()),
    })
}
