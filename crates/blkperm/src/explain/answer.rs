//! What a rule answers: to the commands that are tried, and to what they lead to.

use blkperm_explain::{
    Doubt, Ending, Fate, Proposals, Tried, Untold, endings, foresee, proposals, run_new_jobs,
};
use blkperm_graph::{Refusal, Rule};
use blkperm_qmp::Monitor;
use serde_json::Value;

use super::subject::Subject;
use crate::label::label;
use crate::registry::{Combination, WithRule, with_rule};

/// What a rule answers.
pub(crate) struct Answer {
    /// The rule.
    pub(crate) combination: Combination,
    /// Why the graph as it is could not have come about under the rule, where that is so.
    pub(crate) impossible: Option<Refusal>,
    /// What became of each command, up to the first that is not done.
    pub(crate) tried: Vec<Foreseen<Value>>,
    /// What the end of each job would lead to after that; nothing where a command is not done.
    pub(crate) endings: Vec<Foreseen<Ending>>,
}

/// What would become of something: of a command, or of a job that ends in one of its ways.
pub(crate) struct Foreseen<T> {
    /// What is asked about.
    pub(crate) what: T,
    /// What becomes of it.
    pub(crate) outcome: Outcome,
}

/// What becomes of something, and what to do.
pub(crate) struct Outcome {
    /// What becomes of it.
    pub(crate) fate: Fate,
    /// What would let it pass, where it does not.
    pub(crate) proposals: Proposals,
    /// What else may become of it, by what the answers of QEMU do not tell.
    pub(crate) doubt: Option<(Untold, Fate)>,
}

/// The worst that would happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Worst {
    /// Nothing is in the way.
    Nothing,
    /// Something is refused.
    Refused,
    /// QEMU aborts.
    Aborts,
}

impl Worst {
    fn of(fate: &Fate) -> Worst {
        match fate {
            Fate::Done => Worst::Nothing,
            Fate::Refused { .. } | Fate::Fails { .. } | Fate::Stuck { .. } => Worst::Refused,
            Fate::Aborts(_) => Worst::Aborts,
        }
    }
}

impl Answer {
    /// What the rule answers.
    pub(crate) fn of(subject: &Subject, combination: Combination, tried: &[Tried]) -> Answer {
        with_rule(combination.rule, Question { subject, combination, tried })
    }

    /// All that was asked, in words, and what becomes of it: commands first.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (String, &Outcome)> {
        let tried = self.tried.iter().map(|one| (label(&one.what), &one.outcome));
        let ended = self.endings.iter().map(|one| (one.what.to_string(), &one.outcome));
        tried.chain(ended)
    }

    /// The worst that would happen.
    pub(crate) fn worst(&self) -> Worst {
        let fates = self.outcomes().map(|(_, outcome)| Worst::of(&outcome.fate));
        let worst = fates.max().unwrap_or(Worst::Nothing);
        if self.impossible.is_some() { worst.max(Worst::Refused) } else { worst }
    }
}

struct Question<'a> {
    subject: &'a Subject,
    combination: Combination,
    tried: &'a [Tried],
}

impl WithRule for Question<'_> {
    type Output = Answer;

    fn run<R>(self, rule: R) -> Answer
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync,
    {
        let Question { subject, combination, tried } = self;
        let completion = combination.completion.completion();
        let mut answer =
            Answer { combination, impossible: None, tried: Vec::new(), endings: Vec::new() };
        let mut doubts = subject.doubts(&rule, completion);
        let mut monitor = match subject.monitor(rule, completion) {
            Ok(monitor) => monitor,
            Err(refusal) => return Answer { impossible: Some(refusal), ..answer },
        };
        let jobs = monitor.layer().jobs().iter();
        let known: Vec<String> = jobs.map(|job| job.id().to_owned()).collect();
        for command in tried {
            let (before, doubts_before) = (monitor.clone(), doubts.clone());
            // Between commands time passes, in which the jobs that were started get on.
            let play = |fork: &mut Monitor<R>| match run_new_jobs(fork, &known) {
                Fate::Done => command.play(fork),
                fate => fate,
            };
            let fate = play(&mut monitor);
            let is_done = fate.is_done();
            let proposals = proposals_for(&fate, &before, &doubts_before, &play);
            let mut doubt = None;
            doubts.retain_mut(|fork| {
                let other = play(&mut fork.monitor);
                let (differs, goes_on) = (other.is_done() != is_done, other.is_done());
                doubt = doubt.take().or(differs.then_some((fork.untold, other)));
                goes_on
            });
            let outcome = Outcome { fate, proposals, doubt };
            answer.tried.push(Foreseen { what: command.request.clone(), outcome });
            if !is_done {
                return answer;
            }
        }
        let endings = endings(&monitor);
        let fates = foresee(&monitor, &endings);
        let others: Vec<(Untold, Vec<Fate>)> =
            doubts.iter().map(|fork| (fork.untold, foresee(&fork.monitor, &endings))).collect();
        let outcome = |(place, (ending, fate)): (usize, (Ending, Fate))| {
            let question = |fork: &mut Monitor<R>| ending.play(fork);
            let proposals = proposals_for(&fate, &monitor, &doubts, &question);
            let mut others = others.iter().map(|(untold, fates)| (*untold, &fates[place]));
            let doubt = others.find(|(_, other)| other.is_done() != fate.is_done());
            let doubt = doubt.map(|(untold, other)| (untold, other.clone()));
            Foreseen { outcome: Outcome { fate, proposals, doubt }, what: ending }
        };
        answer.endings = endings.into_iter().zip(fates).enumerate().map(outcome).collect();
        answer
    }
}

/// What would let something pass, where it does not.
fn proposals_for<R: Rule + Clone>(
    fate: &Fate,
    monitor: &Monitor<R>,
    doubts: &[Doubt<R>],
    question: &dyn Fn(&mut Monitor<R>) -> Fate,
) -> Proposals {
    match fate {
        Fate::Done => Proposals::default(),
        _ => proposals(monitor, doubts, question),
    }
}
