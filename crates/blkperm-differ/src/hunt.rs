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

use crate::contest::{Contest, Finding, MakeEndpoint, Outcome};
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
    pub(crate) fn of(transcript: &Transcript) -> Tally {
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

/// What a hunt tells of one script.
#[derive(Debug)]
pub struct Progress {
    /// The script's place in the run.
    pub plan: Plan,
    /// The commands that were played and compared.
    pub tally: Tally,
    /// The known oddity of QEMU before which the script ended, if it showed one.
    pub oddity: Option<&'static str>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a script.
#[derive(Debug)]
pub enum Verdict {
    /// The endpoints agree.
    Agreed,
    /// They differ, each time; no `Found` when it is like an earlier one.
    Differed(Option<Box<Found>>),
    /// They differed at first, in these words, or one could not be played to, but not each time.
    Flaky(String),
    /// The script could not be played at all: an endpoint hangs, for example.
    Unplayed {
        /// The script; empty when it could not even be written.
        script: Script,
        /// What went wrong, with its causes.
        error: String,
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
                    let progress = catch_unwind(AssertUnwindSafe(playing))
                        .unwrap_or_else(|_| unplayed(plan, "an endpoint panicked".into()));
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

/// How often a script is played again, each time to fresh endpoints, before what was seen counts: what
/// a busy machine does to a daemon does not happen every time.
const REPLAYS: usize = 3;

/// Plays one script, and shrinks it when it shows a difference of a new kind.
fn one(
    plan: Plan,
    contest: &Contest<'_>,
    reference: &MakeEndpoint<'_>,
    known: &Mutex<HashSet<String>>,
) -> Progress {
    let script = match reference().and_then(|mut endpoint| generate(plan, &mut *endpoint)) {
        Ok(script) => script,
        Err(error) => return unplayed(plan, error),
    };
    let first = contest.play(&script);
    let (tally, oddity) = first
        .as_ref()
        .map(|outcome| (Tally::of(&outcome.right), outcome.oddity))
        .unwrap_or_default();
    let verdict = match first {
        Ok(Outcome { finding: None, .. }) => Verdict::Agreed,
        Ok(Outcome { finding: Some(finding), .. }) if !repeats(&finding, &script, contest) => {
            Verdict::Flaky(finding.to_string())
        }
        Ok(Outcome { finding: Some(finding), .. }) => {
            let mut kinds = known.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = kinds.insert(kind(&finding));
            drop(kinds);
            let found = is_new.then(|| Box::new(shrunk(plan, script, finding, contest)));
            Verdict::Differed(found)
        }
        Err(error) if (0..REPLAYS).all(|_| contest.play(&script).is_err()) => {
            Verdict::Unplayed { script, error: causes(&error) }
        }
        Err(error) => Verdict::Flaky(causes(&error)),
    };
    Progress { plan, tally, oddity, verdict }
}

/// A script of which nothing is known.
fn unplayed(plan: Plan, error: EndpointError) -> Progress {
    let verdict = Verdict::Unplayed { script: Script::default(), error: causes(&error) };
    Progress { plan, tally: Tally::default(), oddity: None, verdict }
}

/// What went wrong, and why.
fn causes(error: &EndpointError) -> String {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        causes = format!("{causes}: {cause}");
        next = cause.source();
    }
    causes
}

/// Whether the script shows a finding like this one every time.
fn repeats(finding: &Finding, script: &Script, contest: &Contest<'_>) -> bool {
    (0..REPLAYS).all(|_| {
        let again = contest.play(script).ok().and_then(|outcome| outcome.finding);
        again.is_some_and(|again| again.is_like(finding))
    })
}

/// The smallest script with such a finding; the whole one where a smaller one shows it at times only.
fn shrunk(plan: Plan, script: Script, finding: Finding, contest: &Contest<'_>) -> Found {
    let mut last = finding.clone();
    let smallest = shrink(script.clone(), &mut |candidate| {
        let outcome = contest.play(candidate).ok().and_then(|outcome| outcome.finding);
        match outcome.filter(|other| other.is_like(&finding)) {
            Some(other) => {
                last = other;
                true
            }
            None => false,
        }
    });
    match repeats(&last, &smallest, contest) {
        true => Found { plan, script: smallest, finding: last },
        false => Found { plan, script, finding },
    }
}

/// What a finding has in common with others that most likely come from the same cause.
fn kind(finding: &Finding) -> String {
    let first = &finding.differences[0];
    let text = format!("{} {} {} {}", first.command, first.respect, first.left, first.right);
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
