//! What would happen: commands, and the ends of jobs, played on a fork of the monitor.

use std::collections::{HashMap, HashSet};
use std::fmt;

use blkperm_graph::{Parent, Refusal, Rule};
use blkperm_jobs::{Denied, Job, Status};
use blkperm_qmp::monitor::{Failed, Monitor};
use blkperm_qmp::{Command, CommandError, Phase, QmpError, Request};
use serde_json::{Value, json};

/// What becomes of something that is asked of a block layer.
#[derive(Clone, PartialEq, Debug)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is refused, and nothing has changed.
    Refused {
        /// What QEMU answers.
        error: QmpError,
        /// Why, where it is the block layer that refuses.
        denied: Option<Denied>,
    },
    /// It is done, but a job fails of it.
    Fails {
        /// The job's id.
        job: String,
        /// What QEMU says of it.
        error: String,
        /// What was refused that the job tried, where that is why.
        refusal: Option<Refusal>,
    },
    /// A job can neither complete nor be cancelled any more.
    Stuck {
        /// The job's id.
        job: String,
        /// What is refused.
        refusal: Option<Refusal>,
    },
    /// QEMU aborts.
    Aborts(Refusal),
}

impl Fate {
    /// Whether there is nothing in the way.
    pub fn is_done(&self) -> bool {
        matches!(self, Fate::Done)
    }

    /// What the graph refuses, where that is what it comes to.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Fate::Refused { denied: Some(Denied::Refused(refusal)), .. }
            | Fate::Aborts(refusal) => Some(refusal),
            Fate::Fails { refusal, .. } | Fate::Stuck { refusal, .. } => refusal.as_ref(),
            Fate::Done | Fate::Refused { .. } => None,
        }
    }
}

/// A command that can be tried: one that blkperm has a model of, or one that QEMU refuses for its
/// arguments.
#[derive(Clone, PartialEq, Debug)]
pub struct Tried {
    /// The request as QMP has it.
    pub request: Value,
    command: Result<Command, QmpError>,
}

/// A command that cannot be tried.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("what '{command}' would do is not known: {why}")]
pub struct Untried {
    /// The command's name.
    pub command: String,
    /// What is not modelled.
    pub why: String,
}

impl Tried {
    /// The command of a request.
    ///
    /// # Errors
    ///
    /// [`Untried`] for what is known to QEMU, but not to blkperm.
    pub fn new(request: Value) -> Result<Tried, Untried> {
        let parsed = Request::parse(&request, Phase::Commands { oob: false });
        let command = match parsed.command {
            Ok(command) => Ok(command),
            Err(CommandError::Qmp(error)) => Err(error),
            Err(unknown) => {
                let command = request["execute"].as_str().unwrap_or_default().to_owned();
                return Err(Untried { command, why: unknown.to_string() });
            }
        };
        Ok(Tried { request, command })
    }

    /// The command's name.
    pub fn name(&self) -> &str {
        self.request["execute"].as_str().unwrap_or_default()
    }

    /// The job that the command asks something of.
    fn job(&self) -> Option<&str> {
        let is_verb = self.name().starts_with("job-") || self.name().starts_with("block-job-");
        let arguments = &self.request["arguments"];
        arguments["id"].as_str().or(arguments["device"].as_str()).filter(|_| is_verb)
    }

    /// Carries the command out, and lets the job go on that it asks something of; `quit` ends all.
    pub fn play<R: Rule>(&self, monitor: &mut Monitor<R>) -> Fate {
        monitor.take_events();
        let command = match &self.command {
            Ok(command) => command,
            Err(error) => return Fate::Refused { error: error.clone(), denied: None },
        };
        match monitor.execute(command) {
            Ok(_) if monitor.is_quitting() => match monitor.shut_down() {
                Ok(()) => Fate::Done,
                Err(abort) => Fate::Aborts(abort.refusal),
            },
            Ok(_) => self.job().map_or(Fate::Done, |job| run_alone(monitor, job)),
            Err(Failed::Abort(abort)) => Fate::Aborts(abort.refusal),
            Err(failed) => {
                let denied = match &failed {
                    Failed::Denied(denied) => Some(denied.clone()),
                    _ => None,
                };
                match failed.into_answer() {
                    Ok(error) => Fate::Refused { error, denied },
                    Err(abort) => Fate::Aborts(abort.refusal),
                }
            }
        }
    }
}

/// Lets one job go on until it does not move by itself any more, while all others stand still.
pub(crate) fn run_alone<R: Rule>(monitor: &mut Monitor<R>, job: &str) -> Fate {
    monitor.layer_mut().take_setback();
    let result = monitor.run_job(job);
    let layer = monitor.layer_mut();
    let refusal = layer.take_setback();
    let is_stuck = layer.job(job).is_some_and(Job::is_stuck);
    let events = monitor.take_events();
    let mut failures = events
        .iter()
        .filter(|event| event.name == "BLOCK_JOB_COMPLETED" && event.data["device"] == job);
    let error = failures.find_map(|event| event.data["error"].as_str());
    match (result, error) {
        (Err(abort), _) => Fate::Aborts(abort.refusal),
        (Ok(()), _) if is_stuck => Fate::Stuck { job: job.to_owned(), refusal },
        (Ok(()), Some(error)) => {
            Fate::Fails { job: job.to_owned(), error: error.to_owned(), refusal }
        }
        (Ok(()), None) => Fate::Done,
    }
}

/// Lets the jobs go on, one by one, that are not among those with the ids `known`.
pub fn run_new_jobs<R: Rule>(monitor: &mut Monitor<R>, known: &[String]) -> Fate {
    let jobs = monitor.layer().jobs().iter().map(|job| job.id().to_owned());
    let new: Vec<String> = jobs.filter(|id| !known.contains(id)).collect();
    let fates = new.iter().map(|id| run_alone(monitor, id));
    fates.into_iter().find(|fate| !fate.is_done()).unwrap_or(Fate::Done)
}

/// A way in which a job can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It finishes by itself.
    ByItself,
    /// `job-complete`, as soon as it is ready.
    Complete,
    /// `job-finalize`.
    Finalize,
    /// `block-job-cancel` of a mirror that is ready, which then only stops to mirror.
    CancelGracefully,
    /// `job-cancel`.
    Cancel,
}

/// Writes the command, or that there is none.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::ByItself => "finishing by itself",
            Way::Complete => "job-complete",
            Way::Finalize => "job-finalize",
            Way::CancelGracefully => "block-job-cancel",
            Way::Cancel => "job-cancel",
        })
    }
}

/// A job that ends now in one of its ways.
#[derive(Clone, PartialEq, Debug)]
pub struct Ending {
    /// The job's id.
    pub job: String,
    /// QEMU's name of its type.
    pub kind: &'static str,
    /// How it ends.
    pub way: Way,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} job '{}': {}", self.kind, self.job, self.way)
    }
}

/// Each way in which a job can end, for every job that is not over.
pub fn endings<R: Rule>(monitor: &Monitor<R>) -> Vec<Ending> {
    let endings = monitor.layer().jobs().iter().flat_map(|job| {
        let ending = |way| Ending { job: job.id().to_owned(), kind: job.kind(), way };
        ways(job).into_iter().map(ending)
    });
    endings.collect()
}

fn ways(job: &Job) -> Vec<Way> {
    match job.status() {
        Status::Concluded | Status::Aborting | Status::Null => Vec::new(),
        Status::Pending => vec![Way::Finalize, Way::Cancel],
        Status::Ready | Status::Standby => vec![Way::Complete, Way::CancelGracefully, Way::Cancel],
        _ if job.is_mirror() => vec![Way::Complete, Way::Cancel],
        _ => vec![Way::ByItself, Way::Cancel],
    }
}

/// What becomes of each ending, asked of forks. Those of jobs that have nothing to do with each other
/// share a fork.
pub fn foresee<R: Rule + Clone>(monitor: &Monitor<R>, endings: &[Ending]) -> Vec<Fate> {
    let layer = monitor.layer();
    let ids = layer.jobs().iter().map(Job::id);
    let parts: HashMap<&str, Parent> = ids.zip(layer.parts_of_jobs()).collect();
    let mut fates: Vec<Option<Fate>> = vec![None; endings.len()];
    while fates.contains(&None) {
        let mut fork = monitor.clone();
        let mut touched: HashSet<Parent> = HashSet::new();
        for (ending, fate) in endings.iter().zip(&mut fates).filter(|(_, fate)| fate.is_none()) {
            if !touched.insert(parts[ending.job.as_str()]) {
                continue;
            }
            let became = fate.insert(ending.play(&mut fork));
            // Nothing else is to be asked of a QEMU that is no more, or of jobs that try for ever.
            if matches!(became, Fate::Aborts(_) | Fate::Stuck { .. }) {
                break;
            }
        }
    }
    fates.into_iter().flatten().collect()
}

impl Ending {
    /// Ends the job.
    pub fn play<R: Rule>(&self, monitor: &mut Monitor<R>) -> Fate {
        let Ending { job, way, .. } = self;
        let status = monitor.layer().job(job).map(Job::status);
        if matches!(status, Some(Status::Paused | Status::Standby)) && *way != Way::Cancel {
            // It is held by nobody but the user.
            let _ = monitor.layer_mut().resume(job);
        }
        let fate = match way {
            Way::ByItself => run_alone(monitor, job),
            Way::Complete => match run_alone(monitor, job) {
                Fate::Done => ask(monitor, "job-complete", json!({"id": job})),
                fate => fate,
            },
            Way::Finalize => ask(monitor, "job-finalize", json!({"id": job})),
            Way::CancelGracefully => ask(monitor, "block-job-cancel", json!({"device": job})),
            Way::Cancel => ask(monitor, "job-cancel", json!({"id": job})),
        };
        let status = monitor.layer().job(job).map(Job::status);
        if fate.is_done() && status == Some(Status::Pending) {
            return ask(monitor, "job-finalize", json!({"id": job}));
        }
        fate
    }
}

/// Asks something of a job, and lets it go on.
pub(crate) fn ask<R: Rule>(monitor: &mut Monitor<R>, verb: &str, arguments: Value) -> Fate {
    let request = json!({"execute": verb, "arguments": arguments});
    Tried::new(request).expect("verbs are modelled").play(monitor)
}
