//! A universe under two rules at once: where their verdicts part.

use blkperm_graph::{Refusal, Rule};
use blkperm_jobs::Denied;

use crate::action::Action;
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

/// Under one of the rules: what it says, and why.
struct Said {
    verdict: Verdict,
    why: Option<Denied>,
}

impl Said {
    fn of<R: Rule + Clone>(stage: &Stage<R>, world: &mut World<R>, action: Action) -> Said {
        let stuck = world.stuck_jobs();
        let refused = |refusal: Refusal| Some(Denied::Refused(refusal));
        let (verdict, why) = match stage.act(world, action) {
            Act::Done => (Verdict::Done, None),
            Act::JobFailed(refusal) if world.stuck_jobs() > stuck => {
                (Verdict::Stuck, refused(refusal))
            }
            Act::JobFailed(refusal) => (Verdict::JobFailed, refused(refusal)),
            Act::Refused(denied) => (Verdict::Refused, Some(denied)),
            Act::Aborted(refusal) => (Verdict::Aborted, refused(refusal)),
        };
        Said { verdict, why }
    }

    fn is_wrong(&self) -> bool {
        matches!(self.verdict, Verdict::Aborted | Verdict::Stuck)
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
        let said = Said::of(&self.judged, &mut world.0, action);
        let other = Said::of(&self.other, &mut world.1, action);
        if said.verdict == other.verdict {
            let refused = said.verdict == Verdict::Refused;
            return Came { refused, goes_on: !said.is_wrong(), found: Vec::new() };
        }
        let mut then = Vec::new();
        let outcome = match (said.verdict, other.verdict) {
            (Verdict::Aborted, _) => Outcome::Abort,
            (Verdict::Stuck, _) => Outcome::Stuck,
            (_, Verdict::Aborted | Verdict::Stuck) => Outcome::Averted,
            (here, there) if here < there => {
                let wrong = self.other.goes_wrong(&mut world.1, &mut memo.1);
                if wrong {
                    then = self.other.way_to_wrong(&mut world.1).0;
                }
                if wrong { Outcome::Averted } else { Outcome::FalseRefusal }
            }
            _ => {
                let wrong = self.judged.goes_wrong(&mut world.0, &mut memo.0);
                if wrong {
                    then = self.judged.way_to_wrong(&mut world.0).0;
                }
                if wrong { Outcome::FalseAccept } else { Outcome::Allowed }
            }
        };
        self.go_back(world, before);
        let (stage, why) =
            if said.verdict < other.verdict { (true, said.why) } else { (false, other.why) };
        let why = why.expect("what is not done has a reason");
        let cause = if stage {
            self.judged.cause_of_denied(&world.0, action, &why)
        } else {
            self.other.cause_of_denied(&world.1, action, &why)
        };
        let class = self.judged.class(&world.0, action, outcome, cause);
        Came {
            refused: said.verdict == Verdict::Refused,
            goes_on: false,
            found: vec![Found { class, then }],
        }
    }

    fn has_edges_of(&self, (judged, other): &Self::World, kept: &Self::Kept) -> bool {
        let judged = judged.layer.graph.has_edges_of(kept.0.layer.graph());
        judged && other.layer.graph.has_edges_of(kept.1.layer.graph())
    }

    fn check(&self, (judged, other): &mut Self::World) -> Result<(), String> {
        self.judged.check(judged)?;
        self.other.check(other)
    }

    fn broken(&self, before: &Self::World, action: Action, law: String) -> Class {
        self.judged.class(&before.0, action, Outcome::Broken, law)
    }
}
