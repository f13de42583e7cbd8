//! Many scripts, on several threads.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use blkperm_qmp::play::EndpointError;
use blkperm_qmp::transcript::{Reply, Transcript};

use crate::contest::{Contest, Finding, MakeEndpoint};
use crate::generate::{Plan, generate};
use crate::script::Script;
use crate::shrink::shrink;

/// Which scripts are played, and by how many threads.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The seed from which they all follow.
    pub seed: u64,
    /// Their numbers.
    pub scripts: Range<u64>,
    /// How many commands each has.
    pub length: usize,
    /// When to stop, if that comes first.
    pub deadline: Option<Instant>,
    /// How many are played at once.
    pub threads: NonZero<usize>,
}

/// How often a command was carried out, and how often not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// It was carried out.
    pub accepted: u64,
    /// It was refused.
    pub refused: u64,
    /// It, or what followed from it, was the endpoint's end.
    pub fatal: u64,
}

/// How often each command was played.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally(pub BTreeMap<String, Counts>);

impl Tally {
    /// The commands of one transcript.
    fn of(transcript: &Transcript) -> Tally {
        let mut tally = Tally::default();
        for step in &transcript.steps {
            let counts = tally.0.entry(step.command_name().to_owned()).or_default();
            counts.fatal += u64::from(step.death.is_some());
            match &step.reply {
                Some(Reply::Return(_)) => counts.accepted += 1,
                Some(Reply::Error { .. }) => counts.refused += 1,
                None => {}
            }
        }
        tally
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Tally) {
        for (command, counts) in &other.0 {
            let sum = self.0.entry(command.clone()).or_default();
            sum.accepted += counts.accepted;
            sum.refused += counts.refused;
            sum.fatal += counts.fatal;
        }
    }
}

/// A script on which the endpoints differ.
#[derive(Clone, Debug)]
pub struct Found {
    /// The script's place in the run.
    pub plan: Plan,
    /// The script, shrunk.
    pub script: Script,
    /// In what they differ.
    pub finding: Finding,
}

/// What a hunt tells on its way.
#[derive(Debug)]
pub enum Progress {
    /// A script was played without a difference.
    Agreed(Tally),
    /// A script was played with a difference; no `Found` when it is like an earlier one.
    Differed(Tally, Option<Box<Found>>),
    /// A script could not be played: an endpoint hangs, for example.
    Failed {
        /// The script's place in the run.
        plan: Plan,
        /// The script.
        script: Script,
        /// What went wrong.
        error: EndpointError,
    },
}

/// Plays the scripts; the `reference` is what they are written with.
///
/// `report` is told of each script when it is done; those of several threads in no order.
pub fn hunt(
    hunt: &Hunt,
    contest: &Contest<'_>,
    reference: &MakeEndpoint<'_>,
    report: &mut dyn FnMut(Progress),
) {
    let next = AtomicU64::new(hunt.scripts.start);
    let known = Mutex::new(HashSet::new());
    let stopped = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..hunt.threads.get() {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let late = hunt.deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    if index >= hunt.scripts.end || late || stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    let plan = Plan { seed: hunt.seed, index, length: hunt.length };
                    let playing = || one(plan, contest, reference, &known);
                    // An endpoint that panics is no reason to leave the others unplayed.
                    let progress = catch_unwind(AssertUnwindSafe(playing)).unwrap_or_else(|_| {
                        let (script, error) = (Script::default(), "an endpoint panicked".into());
                        Progress::Failed { plan, script, error }
                    });
                    if sender.send(progress).is_err() {
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().for_each(report);
    });
}

/// Plays one script, and shrinks it when it shows a difference of a new kind.
fn one(
    plan: Plan,
    contest: &Contest<'_>,
    reference: &MakeEndpoint<'_>,
    known: &Mutex<HashSet<String>>,
) -> Progress {
    let script = match reference().and_then(|mut endpoint| generate(plan, &mut *endpoint)) {
        Ok(script) => script,
        Err(error) => return Progress::Failed { plan, script: Script::default(), error },
    };
    let outcome = match contest.play(&script) {
        Ok(outcome) => outcome,
        Err(error) => return Progress::Failed { plan, script, error },
    };
    let tally = Tally::of(&outcome.right);
    let Some(finding) = outcome.finding else { return Progress::Agreed(tally) };
    let mut kinds = known.lock().unwrap_or_else(PoisonError::into_inner);
    if !kinds.insert(kind(&finding)) {
        return Progress::Differed(tally, None);
    }
    drop(kinds);
    let found = shrunk(plan, script, finding, contest);
    Progress::Differed(tally, Some(Box::new(found)))
}

fn shrunk(plan: Plan, script: Script, finding: Finding, contest: &Contest<'_>) -> Found {
    let original = finding.clone();
    let mut last = finding;
    let mut smallest = script.clone();
    let script = shrink(script, &mut |candidate| {
        let outcome = contest.play(candidate).ok().and_then(|outcome| outcome.finding);
        match outcome.filter(|finding| finding.is_like(&original)) {
            Some(finding) => {
                (last, smallest) = (finding, candidate.clone());
                true
            }
            None => false,
        }
    });
    debug_assert_eq!(script, smallest, "the last script that held is the smallest");
    Found { plan, script, finding: last }
}

/// What a finding has in common with others that most likely come from the same cause.
fn kind(finding: &Finding) -> String {
    let first = &finding.differences[0];
    let text = format!("{} {} {} {}", first.command, first.respect, first.left, first.right);
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
