//! What a search has found, for people and programs.

use super::confirm::Confirmed;
use super::error::Error;
use crate::label::label;
use crate::output::Format;
use blkperm_explore::{Ended, Outcome, Subject, Universe, scenario};
use blkperm_qmp::scenario::Scenario;
use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// What a search has found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The universe, as it was named.
    pub(super) universe: String,
    /// The rule and the completion.
    pub(super) combination: String,
    /// Those that they are compared with.
    pub(super) against: Option<String>,
    /// How many states there are.
    pub(super) states: usize,
    /// How many of them were not explored.
    pub(super) frontier: usize,
    /// How many commands were tried.
    pub(super) transitions: u64,
    /// How many of them were refused.
    pub(super) refused: u64,
    /// The longest sequence of commands.
    pub(super) depth: u32,
    /// Why it has ended.
    #[serde(serialize_with = "ended")]
    pub(super) ended: Ended,
    /// How long it took.
    pub(super) seconds: f64,
    /// The memory for states.
    pub(super) bytes: usize,
    /// What was found.
    pub(super) classes: Vec<Class>,
}

/// One class of what was found.
#[derive(Debug, Serialize)]
pub(super) struct Class {
    pub(super) outcome: Outcome,
    /// What it is.
    pub(super) title: String,
    /// How many transitions belong to it.
    pub(super) count: u64,
    /// How many commands it takes.
    pub(super) length: usize,
    /// By how many more something goes wrong, where it has not yet.
    pub(super) then: usize,
    /// What QEMU did, where it was asked.
    pub(super) confirmed: Option<Confirmed>,
    #[serde(skip)]
    pub(super) scenario: Scenario,
    /// The witness, as the text of a scenario.
    #[serde(rename = "witness")]
    pub(super) text: String,
}

impl Class {
    /// The witness in few words: the commands that come after all images are open.
    pub(super) fn commands(&self) -> impl Iterator<Item = String> {
        let total = self.scenario.commands().count();
        let commands = self.scenario.commands().skip(total - self.length - self.then);
        commands.map(|(_, command)| label(command))
    }
}

fn ended<S: Serializer>(ended: &Ended, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match ended {
        Ended::Complete => "complete",
        Ended::Depth => "depth",
        Ended::Memory => "memory",
        Ended::Stopped => "stopped",
    })
}

impl Report {
    /// What a search has found that was about `subject`.
    pub(super) fn new(
        subject: &Subject,
        found: &blkperm_explore::Report,
        ended: Ended,
    ) -> Result<Report, Error> {
        let universe = Universe::parse(&subject.universe)?;
        let class = |finding: &blkperm_explore::Finding| {
            let title = finding.class.to_string();
            let actions = [&*finding.witness, &*finding.then].concat();
            let text = scenario(&universe, &title, &actions);
            let scenario = Scenario::parse(Path::new("witness"), &text);
            Class {
                outcome: finding.class.outcome,
                title,
                count: finding.count,
                length: finding.witness.len(),
                then: finding.then.len(),
                confirmed: None,
                scenario: scenario.expect("what the search writes is well formed"),
                text,
            }
        };
        Ok(Report {
            universe: subject.name.clone(),
            combination: subject.judged.clone(),
            against: subject.against.clone(),
            states: found.states,
            frontier: found.frontier,
            transitions: found.transitions,
            refused: found.refused,
            depth: found.depth,
            ended,
            seconds: found.elapsed.as_secs_f64(),
            bytes: found.bytes,
            classes: found.findings.iter().map(class).collect(),
        })
    }

    /// Whether anything speaks against the rule.
    pub(super) fn goes_wrong(&self) -> bool {
        self.classes.iter().any(|class| class.outcome.is_wrong())
    }

    /// How many transitions there were in a second.
    pub(super) fn rate(&self) -> f64 {
        self.transitions as f64 / self.seconds.max(1e-3)
    }

    /// The memory for a state, in bytes.
    pub(super) fn bytes_a_state(&self) -> usize {
        self.bytes / self.states
    }

    /// Shows it.
    pub(super) fn show(&self, format: Format) -> Result<(), Error> {
        let mut out = anstream::stdout().lock();
        match format {
            Format::Text => write!(out, "{}", self.text())?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, self)?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(())
    }

    /// What was covered, in a sentence.
    pub(super) fn covered(&self) -> String {
        let Report { frontier, depth, .. } = self;
        match self.ended {
            Ended::Complete => "everything is explored".to_owned(),
            Ended::Depth => format!(
                "all sequences of up to {depth} commands are explored, not the {frontier} states \
                 they end in"
            ),
            Ended::Memory => format!(
                "the memory is used up: all sequences of up to {depth} commands are explored, and \
                 {frontier} states are not; give --memory more, or --depth"
            ),
            Ended::Stopped => format!(
                "stopped: all sequences of up to {depth} commands are explored, and {frontier} \
                 states are not"
            ),
        }
    }

    /// It for people.
    fn text(&self) -> String {
        let against = self.against.as_ref().map(|other| format!(" against {other}"));
        let mut text =
            format!("{}, {}{}\n", self.universe, self.combination, against.unwrap_or_default());
        let Report { states, transitions, refused, seconds, .. } = self;
        let (rate, per_state) = (self.rate(), self.bytes_a_state());
        let _ = writeln!(text, "{}", self.covered());
        let _ = writeln!(
            text,
            "{states} states, {transitions} transitions, {refused} of them refused; {seconds:.1} s, \
             {rate:.0} a second; {per_state} bytes a state"
        );
        if self.classes.is_empty() {
            text.push_str(match self.against {
                Some(_) => "the verdicts part nowhere\n",
                None => "nothing goes wrong\n",
            });
        }
        for Class { title, count, length, then, confirmed, .. } in &self.classes {
            let _ = write!(text, "  {title}\n    {count} times, first after {length} commands");
            text.push_str(&if *then > 0 { format!(", wrong {then} later\n") } else { "\n".into() });
            match confirmed {
                Some(Confirmed::Died { signal, message, foretold }) => {
                    let _ = match foretold {
                        None => writeln!(text, "    QEMU: {signal}, as foretold: {message}"),
                        Some(other) => writeln!(
                            text,
                            "    QEMU: {signal}: {message}\n    and not, as foretold: {other}"
                        ),
                    };
                }
                Some(Confirmed::Lived) => text.push_str("    QEMU lived\n"),
                Some(Confirmed::DiedEarlier) => text.push_str("    QEMU died earlier\n"),
                None => {}
            }
        }
        text
    }
}
