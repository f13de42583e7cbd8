//! Witnesses played to live QEMU.

use super::error::Error;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use serde::Serialize;

/// What QEMU did with the last command of a witness.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confirmed {
    /// It died there, of this signal, with these words.
    Died {
        /// The signal.
        signal: String,
        /// What it said.
        message: String,
    },
    /// It lived.
    Lived,
    /// It died before the last command.
    DiedEarlier,
}

/// Plays a witness to QEMU.
pub(crate) fn confirm(programs: &Programs, witness: &Scenario) -> Result<Confirmed, Error> {
    let mut daemon = Daemon::start(programs)?;
    let transcript = play(&mut daemon, witness)?;
    let commands = witness.commands().count();
    Ok(match transcript.death() {
        None => Confirmed::Lived,
        Some(_) if transcript.steps.len() < commands => Confirmed::DiedEarlier,
        Some(death) => {
            Confirmed::Died { signal: death.signal.clone(), message: death.message.clone() }
        }
    })
}
