//! What came of a command, and of a whole scenario, in a few words.

mod conflict;
#[cfg(test)]
pub(crate) mod sample;

pub(crate) use conflict::Conflict;

use blkperm_qmp::transcript::{Death, Reply, Step, Transcript};
use comfy_table::Color;
use serde::Serialize;
use std::fmt;

/// The kinds of outcomes, from the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The command was carried out.
    Done,
    /// The command was refused.
    Refused,
    /// The command was carried out, and a job failed.
    JobFailed,
    /// A job can neither be completed nor cancelled any more.
    Stuck,
    /// The process died.
    Abort,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 5] =
        [Kind::Done, Kind::Refused, Kind::JobFailed, Kind::Stuck, Kind::Abort];

    /// What it is called when it is the outcome of a whole scenario.
    pub(crate) fn of_scenario(self) -> &'static str {
        match self {
            Kind::Done => "succeeded",
            Kind::Refused => "refused",
            Kind::JobFailed => "job failed",
            Kind::Stuck => "stuck",
            Kind::Abort => "ABORT",
        }
    }

    /// The colour in which it is shown; none for what needs no attention.
    pub(crate) fn color(self) -> Option<Color> {
        match self {
            Kind::Done => None,
            Kind::Refused => Some(Color::Cyan),
            Kind::JobFailed => Some(Color::Yellow),
            Kind::Stuck => Some(Color::Magenta),
            Kind::Abort => Some(Color::Red),
        }
    }
}

/// What came of one command.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Outcome {
    /// It was carried out.
    Done,
    /// It was refused, with this text.
    Refused(String),
    /// It was carried out, and a job failed of it.
    JobFailed {
        /// The job's id.
        job: String,
        /// Why it failed.
        error: String,
    },
    /// Jobs can neither be completed nor cancelled since.
    Stuck(Vec<String>),
    /// The process died of it.
    Died(Death),
}

impl Outcome {
    /// What came of each command of a transcript.
    pub(crate) fn of(transcript: &Transcript) -> Vec<Outcome> {
        let mut stuck: &[String] = &[];
        let steps = transcript.steps.iter().map(|step| {
            let before = std::mem::replace(&mut stuck, &step.stuck);
            Outcome::of_step(step, before)
        });
        steps.collect()
    }

    /// What came of one command, when the jobs `before` were stuck already; the worst counts.
    fn of_step(step: &Step, before: &[String]) -> Outcome {
        if let Some(death) = step.death.as_ref().filter(|death| !death.is_exit()) {
            return Outcome::Died(death.clone());
        }
        let stuck: Vec<String> =
            step.stuck.iter().filter(|job| !before.contains(job)).cloned().collect();
        if !stuck.is_empty() {
            return Outcome::Stuck(stuck);
        }
        let failed = step.events.iter().find_map(|event| match event.name.as_str() {
            "BLOCK_JOB_COMPLETED" => Some((event.job()?, event.data["error"].as_str()?)),
            _ => None,
        });
        match (failed, &step.reply) {
            (Some((job, error)), _) => {
                Outcome::JobFailed { job: job.to_owned(), error: error.to_owned() }
            }
            (None, Some(Reply::Error { desc, .. })) => Outcome::Refused(desc.clone()),
            (None, _) => Outcome::Done,
        }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Outcome::Done => Kind::Done,
            Outcome::Refused(_) => Kind::Refused,
            Outcome::JobFailed { .. } => Kind::JobFailed,
            Outcome::Stuck(_) => Kind::Stuck,
            Outcome::Died(_) => Kind::Abort,
        }
    }

    /// The words that came with it, uncut; none where its short form says all.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Outcome::Refused(text) => Some(text),
            Outcome::Died(death) if !death.message.is_empty() => Some(&death.message),
            Outcome::Died(_) | Outcome::Done | Outcome::JobFailed { .. } | Outcome::Stuck(_) => {
                None
            }
        }
    }

    /// Who is against whom, where it is a permission conflict.
    pub(crate) fn conflict(&self) -> Option<Conflict<'_>> {
        Conflict::in_text(self.text()?)
    }
}

/// Writes the outcome as short as a table's cell must be.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.conflict()) {
            (Outcome::Done, _) => f.write_str("done"),
            (Outcome::Refused(_), Some(conflict)) => write!(f, "refused: {conflict}"),
            (Outcome::Refused(text), None) => write!(f, "refused: {}", gist(text)),
            (Outcome::JobFailed { error, .. }, _) => write!(f, "job failed: {error}"),
            (Outcome::Stuck(jobs), _) => write!(f, "stuck: {}", jobs.join(", ")),
            (Outcome::Died(Death { signal, .. }), _) if signal == "SIGABRT" => f.write_str("ABORT"),
            (Outcome::Died(Death { signal, .. }), _) => write!(f, "died: {signal}"),
        }
    }
}

/// The part of a text before QEMU goes into details.
fn gist(text: &str) -> &str {
    text.split(": ").next().unwrap_or(text)
}

/// What came of a whole scenario: the worst that came of its commands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Verdict {
    /// The worst.
    pub(crate) worst: Kind,
    /// Of which command first, counted from 0.
    pub(crate) at: usize,
    /// How many commands were refused.
    pub(crate) refused: usize,
}

impl Verdict {
    /// The worst of these outcomes.
    pub(crate) fn of(outcomes: &[Outcome]) -> Verdict {
        let kinds = || outcomes.iter().map(Outcome::kind);
        let worst = kinds().max().unwrap_or(Kind::Done);
        Verdict {
            worst,
            at: kinds().position(|kind| kind == worst).unwrap_or_default(),
            refused: kinds().filter(|kind| *kind == Kind::Refused).count(),
        }
    }
}

/// Writes `succeeded`, `refused 2`, `job failed, refused 2`, `stuck` or `ABORT`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.worst.of_scenario())?;
        match (self.worst, self.refused) {
            (_, 0) => Ok(()),
            (Kind::Refused, count) => write!(f, " {count}"),
            (_, count) => write!(f, ", refused {count}"),
        }
    }
}

#[cfg(test)]
mod tests;
