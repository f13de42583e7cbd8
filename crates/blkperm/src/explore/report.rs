//! What a search has found, for people and programs.

use super::confirm::Confirmed;
use blkperm_explore::Outcome;
use blkperm_qmp::scenario::Scenario;
use serde::{Serialize, Serializer};
use std::fmt::Write;
use std::path::Path;

/// What a search has found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The universe, as it was named.
    pub(crate) universe: String,
    /// The rule and the completion.
    pub(crate) combination: String,
    /// How many states there are.
    pub(crate) states: usize,
    /// How many commands were tried.
    pub(crate) transitions: u64,
    /// How many of them were refused.
    pub(crate) refused: u64,
    /// The longest sequence of commands.
    pub(crate) depth: u32,
    /// Whether everything was explored.
    pub(crate) is_complete: bool,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What goes wrong.
    pub(crate) classes: Vec<Class>,
}

/// One class of what goes wrong.
#[derive(Debug, Serialize)]
pub(crate) struct Class {
    #[serde(serialize_with = "outcome")]
    pub(crate) outcome: Outcome,
    /// What it is.
    pub(crate) title: String,
    /// How many transitions belong to it.
    pub(crate) count: u64,
    /// How many commands its witness has.
    pub(crate) length: usize,
    /// What QEMU did, where it was asked.
    pub(crate) confirmed: Option<Confirmed>,
    #[serde(skip)]
    pub(crate) scenario: Scenario,
    /// The witness, as the text of a scenario.
    #[serde(rename = "witness")]
    pub(crate) text: String,
}

fn outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match outcome {
        Outcome::Abort => "abort",
        Outcome::Stuck => "stuck",
        Outcome::Broken => "broken",
    })
}

impl Report {
    /// The universe's name, for file names.
    pub(crate) fn universe_stem(&self) -> String {
        let stem = Path::new(&self.universe).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// It for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}, {}\n", self.universe, self.combination);
        let covered = match self.is_complete {
            true => "everything was explored".to_owned(),
            false => format!("explored up to {} commands, not everything", self.depth),
        };
        let rate = self.transitions as f64 / self.seconds.max(1e-3);
        let _ = writeln!(
            text,
            "{} states, {} transitions, {} of them refused; {covered}; {:.1} s, {rate:.0} a second",
            self.states, self.transitions, self.refused, self.seconds
        );
        if self.classes.is_empty() {
            text.push_str("nothing goes wrong\n");
        }
        for Class { title, count, length, confirmed, .. } in &self.classes {
            let _ = writeln!(text, "  {title}\n    {count} times, first after {length} commands");
            match confirmed {
                Some(Confirmed::Died { signal, message }) => {
                    let _ = writeln!(text, "    QEMU: {signal}: {message}");
                }
                Some(Confirmed::Lived) => text.push_str("    QEMU lived\n"),
                Some(Confirmed::DiedEarlier) => text.push_str("    QEMU died earlier\n"),
                None => {}
            }
        }
        text
    }
}
