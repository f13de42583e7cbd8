//! What real QEMU answers to a scenario.

use crate::error::Error;
use crate::source::Source;
use blkperm_qemu::{Daemon, Programs, Recorded, Version};
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::Transcript;
use clap::ValueEnum;
use serde::Serialize;

/// Where QEMU's answers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Qemu {
    /// Recorded where there is a recording, else live where QEMU is installed, else off
    #[default]
    Auto,
    /// From the qemu-storage-daemon that is in PATH
    Live,
    /// From the recording: built in, or NAME.qemu.json beside NAME.qmp
    Recorded,
    /// From nowhere: our own rules only
    Off,
}

/// How QEMU was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// Just now.
    Live,
    /// When the scenario was recorded.
    Recorded,
}

impl How {
    /// The word for it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            How::Live => "live",
            How::Recorded => "recorded",
        }
    }
}

/// What QEMU answered.
#[derive(Debug)]
pub(crate) struct Answers {
    /// How it was asked.
    pub(crate) how: How,
    /// Which QEMU it was.
    pub(crate) version: Version,
    /// Its answers.
    pub(crate) transcript: Transcript,
}

impl Qemu {
    /// What QEMU answers to the scenario; none where it is not asked.
    pub(crate) fn answers(self, source: &Source) -> Result<Option<Answers>, Error> {
        match self {
            Qemu::Off => Ok(None),
            Qemu::Live => live(&source.scenario, &Programs::find()?).map(Some),
            Qemu::Recorded => match recorded(source)? {
                Some(answers) => Ok(Some(answers)),
                None => Err(Error::NotRecorded(source.scenario.name.clone())),
            },
            Qemu::Auto => match (recorded(source)?, Programs::find()) {
                (Some(answers), _) => Ok(Some(answers)),
                (None, Ok(programs)) => live(&source.scenario, &programs).map(Some),
                (None, Err(_)) => Ok(None),
            },
        }
    }
}

fn live(scenario: &Scenario, programs: &Programs) -> Result<Answers, Error> {
    let how = How::Live;
    let mut daemon = Daemon::start(programs)?;
    let transcript =
        play(&mut daemon, scenario).map_err(|source| Error::AskQemu { how, source })?;
    Ok(Answers { how, version: daemon.version().clone(), transcript })
}

/// Plays the recording instead of taking its transcript, so that an old one is found out.
fn recorded(source: &Source) -> Result<Option<Answers>, Error> {
    let how = How::Recorded;
    let Some(recording) = source.recording()? else {
        return Ok(None);
    };
    let mut endpoint = Recorded::new(recording);
    let transcript =
        play(&mut endpoint, &source.scenario).map_err(|source| Error::AskQemu { how, source })?;
    Ok(Some(Answers { how, version: endpoint.version().clone(), transcript }))
}
