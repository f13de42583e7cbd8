//! What QEMU answered, kept in a file beside the scenario.

use crate::{Error, Version};
use blkperm_qmp::play::{Endpoint, EndpointError, Stop};
use blkperm_qmp::scenario::Image;
use blkperm_qmp::transcript::{Death, Event, GraphDump, Job, Reply, Step, Transcript};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A transcript of a real QEMU, and its version.
///
/// The file is JSON with one line for each step. A step that left the graph as it was has no
/// `graph`, nor has one in which QEMU died.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recording {
    /// The version that answered.
    #[serde(flatten)]
    pub version: Version,
    /// What it answered.
    #[serde(rename = "steps")]
    pub transcript: Transcript,
}

impl Recording {
    /// Where the recording of a scenario is: `NAME.qemu.json` beside `NAME.qmp`.
    pub fn path(scenario: &Path) -> PathBuf {
        scenario.with_extension("qemu.json")
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or is not a recording.
    pub fn load(file: &Path) -> Result<Recording, Error> {
        let what = format!("read '{}'", file.display());
        let text = fs::read_to_string(file).map_err(Error::io(what))?;
        Recording::parse(file, &text)
    }

    /// Reads the text of a recording; `file` gives errors their place.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a recording.
    pub fn parse(file: &Path, text: &str) -> Result<Recording, Error> {
        let mut recording: Recording = serde_json::from_str(text)
            .map_err(|source| Error::BadRecording { file: file.to_owned(), source })?;
        let mut graph = None;
        for step in &mut recording.transcript.steps {
            match (&step.graph, &step.death) {
                (Some(changed), _) => graph = Some(changed.clone()),
                (None, None) => step.graph.clone_from(&graph),
                (None, Some(_)) => {}
            }
        }
        Ok(recording)
    }

    /// Writes the recording, unless the file has the same from the same version already, at the
    /// same lines; says whether it wrote.
    ///
    /// Generated names are random, so a new recording that means the same leaves no difference.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<bool, Error> {
        let lines = self.transcript.steps.iter().map(|step| step.line);
        let same = Recording::load(file).is_ok_and(|old| {
            old.version == self.version
                && old.transcript.differences(&self.transcript).is_empty()
                && old.transcript.steps.iter().map(|step| step.line).eq(lines)
        });
        if !same {
            let what = format!("write '{}'", file.display());
            fs::write(file, self.to_string()).map_err(Error::io(what))?;
        }
        Ok(!same)
    }
}

/// Writes the text of the file.
impl std::fmt::Display for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = |value: &str| Value::from(value);
        writeln!(f, "{{\"qemu\": {},", json(&self.version.qemu))?;
        writeln!(f, " \"package\": {},", json(&self.version.package))?;
        write!(f, " \"steps\": [")?;
        let mut graph = None;
        for (number, step) in self.transcript.steps.iter().enumerate() {
            let mut step = step.clone();
            if step.graph == graph {
                step.graph = None;
            } else if step.death.is_none() {
                graph.clone_from(&step.graph);
            }
            let step = serde_json::to_string(&step).map_err(|_| std::fmt::Error)?;
            write!(f, "{}\n{step}", if number > 0 { "," } else { "" })?;
        }
        writeln!(f, "\n]}}")
    }
}

/// A recording as an endpoint: it answers the recorded commands in their order, and no others.
#[derive(Clone, Debug)]
pub struct Recorded {
    recording: Recording,
    next: usize,
    told: bool,
}

impl Recorded {
    /// Replays a recording from its start.
    pub fn new(recording: Recording) -> Recorded {
        Recorded { recording, next: 0, told: false }
    }

    /// The version that answered.
    pub fn version(&self) -> &Version {
        &self.recording.version
    }

    /// The step of the last command.
    fn step(&self) -> Option<&Step> {
        self.recording.transcript.steps.get(self.next.checked_sub(1)?)
    }

    fn died(&self) -> Result<(), Stop> {
        let death: Option<&Death> = self.step().and_then(|step| step.death.as_ref());
        death.map_or(Ok(()), |death| Err(Stop::Died(death.clone())))
    }
}

impl Endpoint for Recorded {
    fn create_image(&mut self, _: &Image) -> Result<(), EndpointError> {
        Ok(())
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        self.died()?;
        let next = self.recording.transcript.steps.get(self.next);
        let Some(step) = next.filter(|step| step.command == *command) else {
            return Err(Error::Stale { command: command.to_string() }.into());
        };
        let reply = step.reply.clone();
        (self.next, self.told) = (self.next + 1, false);
        match reply {
            Some(reply) => Ok(reply),
            None => {
                self.died()?;
                Err(Error::Stale { command: command.to_string() }.into())
            }
        }
    }

    fn settle(&mut self) -> Result<(), Stop> {
        self.died()
    }

    fn take_events(&mut self) -> Vec<Event> {
        if std::mem::replace(&mut self.told, true) {
            return Vec::new();
        }
        self.step().map(|step| step.events.clone()).unwrap_or_default()
    }

    fn jobs(&mut self) -> Result<Vec<Job>, Stop> {
        self.died()?;
        Ok(self.step().map(|step| step.jobs.clone()).unwrap_or_default())
    }

    fn graph(&mut self) -> Result<GraphDump, Stop> {
        self.died()?;
        Ok(self.step().and_then(|step| step.graph.clone()).unwrap_or_default())
    }
}
