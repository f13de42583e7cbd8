//! A universe under two rules at once: where their verdicts part.

use blkperm_graph::Rule;

use crate::action::Action;
use crate::check::Trace;
use crate::command::Act;
use crate::finding::{Class, Outcome};
use crate::pack::Packed;
use crate::stage::{Kept, Stage, World};
use crate::system::{Came, Found, System};
use crate::wrong::Memo;

/// A universe under a rule and, beside it, under another one. The same is done under both, as long as
/// both say the same to it; what one rule says and the other does not is a finding about the first.
#[derive(Clone, Debug)]
pub struct Pair<A: Rule, B: Rule> {
    /// The universe under the rule that is judged.
    pub judged: Stage<A>,
    /// The universe under the rule that it is judged by.
    pub other: Stage<B>,
}

/// What a rule says to a command, from bad to good for who asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    /// The process ends.
    Aborted,
    /// A job is stuck from now on.
    Stuck,
    /// Refused.
    Refused,
    /// Done, but a job failed.
    JobFailed,
    /// Done.
    Done,
}

impl Verdict {
    fn of<R: Rule + Clone>(stage: &Stage<R>, world: &mut World<R>, action: Action) -> Verdict {
        let stuck = world.stuck_jobs();
        match stage.act(world, action) {
            Act::Done => Verdict::Done,
            Act::JobFailed(_) if world.stuck_jobs() > stuck => Verdict::Stuck,
            Act::JobFailed(_) => Verdict::JobFailed,
            Act::Refused(_) => Verdict::Refused,
            Act::Aborted(_) => Verdict::Aborted,
        }
    }

    fn is_wrong(self) -> bool {
        matches!(self, Verdict::Aborted | Verdict::Stuck)
    }
}

impl<A, B> System for Pair<A, B>
where
    A: Rule + Clone + Send + Sync,
    A::Hold: Send + Sync,
    A::Tally: Send + Sync,
    B: Rule + Clone + Send + Sync,
    B::Hold: Send + Sync,
    B::Tally: Send + Sync,
{
    type World = (World<A>, World<B>);
    type Kept = (Kept<A>, Kept<B>);
    type Key = [u64; 2 * size_of::<Packed>() / size_of::<u64>()];
    type Memo = (Memo, Memo);

    fn start(&self) -> Self::World {
        (self.judged.start(), self.other.start())
    }

    fn keep(&self, (judged, other): &Self::World) -> Self::Kept {
        (judged.keep(), other.keep())
    }

    fn go_back(&self, (judged, other): &mut Self::World, kept: &Self::Kept) {
        judged.go_back(&kept.0);
        other.go_back(&kept.1);
    }

    fn key(&self, (judged, other): &Self::World) -> Self::Key {
        let packed = [self.judged.pack(judged), self.other.pack(other)];
        let mut key = Self::Key::default();
        key.iter_mut().zip(packed.as_flattened()).for_each(|(word, &one)| *word = one);
        key
    }

    /// Both worlds have the same things in them, as long as the verdicts are the same.
    fn actions(&self, (judged, _): &Self::World) -> Vec<Action> {
        self.judged.actions(judged)
    }

    fn replay(&self, (judged, other): &mut Self::World, action: Action) {
        self.judged.act(judged, action);
        self.other.act(other, action);
    }

    fn act(
        &self,
        world: &mut Self::World,
        before: &Self::Kept,
        memo: &mut Self::Memo,
        action: Action,
    ) -> Came {
        let judged = Verdict::of(&self.judged, &mut world.0, action);
        let other = Verdict::of(&self.other, &mut world.1, action);
        let refused = judged == Verdict::Refused;
        if judged == other {
            return Came { refused, goes_on: !judged.is_wrong(), found: Vec::new() };
        }
        let (outcome, then) = self.parted(world, memo, judged, other);
        let class = if judged < other {
            self.judged.class_with_reason(&mut world.0, &before.0, action, outcome)
        } else {
            self.other.class_with_reason(&mut world.1, &before.1, action, outcome)
        };
        Came { refused, goes_on: false, found: vec![Found { class, then }] }
    }

    fn trace(&self, (judged, other): &mut Self::World, before: &Self::Kept) -> Trace {
        let trace = self.judged.trace(judged, &before.0);
        match self.other.trace(other, &before.1) {
            Trace::Nothing => trace,
            // What the other rule breaks is no finding about the one that is judged.
            Trace::Backend | Trace::Edges => trace.max(Trace::Backend),
        }
    }

    fn check(&self, (judged, _): &mut Self::World) -> Vec<String> {
        self.judged.check(judged)
    }

    fn broken(&self, before: &Self::World, action: Action, law: String) -> Class {
        self.judged.class(&before.0, action, Outcome::Broken, law)
    }
}

impl<A: Rule + Clone, B: Rule + Clone> Pair<A, B> {
    /// What it means that the two have said different things, and the way on which it goes wrong where
    /// one of them lets it.
    fn parted(
        &self,
        (judged, other): &mut (World<A>, World<B>),
        memo: &mut (Memo, Memo),
        here: Verdict,
        there: Verdict,
    ) -> (Outcome, Vec<Action>) {
        match (here, there) {
            (Verdict::Aborted, _) => (Outcome::Abort, Vec::new()),
            (Verdict::Stuck, _) => (Outcome::Stuck, Vec::new()),
            (_, Verdict::Aborted | Verdict::Stuck) => (Outcome::Averted, Vec::new()),
            _ if here < there => match self.other.goes_wrong(other, &mut memo.1) {
                true => (Outcome::Averted, self.other.way_to_wrong(other).0),
                false => (Outcome::FalseRefusal, Vec::new()),
            },
            _ => match self.judged.goes_wrong(judged, &mut memo.0) {
                true => (Outcome::FalseAccept, self.judged.way_to_wrong(judged).0),
                false => (Outcome::Allowed, Vec::new()),
            },
        }
    }
}
