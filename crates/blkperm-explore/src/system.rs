//! What can be searched: a universe under one rule, or under two at once.

use std::fmt::Debug;
use std::hash::Hash;

use blkperm_graph::Rule;

use crate::action::Action;
use crate::check::Trace;
use crate::command::Act;
use crate::finding::{Class, Outcome};
use crate::pack::Packed;
use crate::stage::{Kept, Stage, World};
use crate::wrong::{Memo, Remembered};

/// What states are told apart by.
pub trait Key:
    Copy + Eq + Hash + Default + Debug + Send + Sync + AsRef<[u64]> + AsMut<[u64]>
{
}

impl<T> Key for T where
    T: Copy + Eq + Hash + Default + Debug + Send + Sync + AsRef<[u64]> + AsMut<[u64]>
{
}

/// Something that a command has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its class.
    pub class: Class,
    /// The commands by which it goes on to go wrong, where it has not yet.
    pub then: Vec<Action>,
}

impl From<Class> for Found {
    fn from(class: Class) -> Found {
        Found { class, then: Vec::new() }
    }
}

/// What came of a command.
#[derive(Default, Debug)]
pub struct Came {
    /// Whether it was refused.
    pub refused: bool,
    /// Whether the search goes on from where it has led.
    pub goes_on: bool,
    /// What was found.
    pub found: Vec<Found>,
}

/// A set of states with commands that lead from one to another.
///
/// A world is a state that commands change. Each thread has a world of its own; what was kept of it is
/// good for that world alone.
pub trait System: Sync {
    /// A state that commands change.
    type World: Send;
    /// What a world goes back to.
    type Kept: Send;
    /// What states are told apart by.
    type Key: Key;
    /// What a thread has worked out once.
    type Memo: Remembered;

    /// The start.
    fn start(&self) -> Self::World;

    /// Keeps a state, so that the world can go back to it.
    fn keep(&self, world: &Self::World) -> Self::Kept;

    /// Makes the world what it was.
    fn go_back(&self, world: &mut Self::World, kept: &Self::Kept);

    /// The packed form of a state.
    fn key(&self, world: &Self::World) -> Self::Key;

    /// The commands that are tried.
    fn actions(&self, world: &Self::World) -> Vec<Action>;

    /// Does a command, and looks at nothing.
    fn replay(&self, world: &mut Self::World, action: Action);

    /// Does a command in a world that is as `before` says, and says what came of it.
    fn act(
        &self,
        world: &mut Self::World,
        before: &Self::Kept,
        memo: &mut Self::Memo,
        action: Action,
    ) -> Came;

    /// What a command that was refused has left of itself in a world that was as `before` says.
    fn trace(&self, world: &mut Self::World, before: &Self::Kept) -> Trace;

    /// What has to hold in every state and does not in this one, in a sentence each.
    fn check(&self, world: &mut Self::World) -> Vec<String>;

    /// The class of it that a command has broken a law.
    fn broken(&self, before: &Self::World, action: Action, law: String) -> Class;
}

/// A universe under one rule.
#[derive(Clone, Debug)]
pub struct Single<R: Rule> {
    /// The universe under the rule.
    pub stage: Stage<R>,
    /// Whether false accepts are looked for. It takes memory for every state, as much as there is.
    pub judges: bool,
}

impl<R> System for Single<R>
where
    R: Rule + Clone + Send + Sync,
    R::Hold: Send + Sync,
    R::Tally: Send + Sync,
{
    type World = World<R>;
    type Kept = Kept<R>;
    type Key = Packed;
    type Memo = Memo;

    fn start(&self) -> World<R> {
        self.stage.start()
    }

    fn keep(&self, world: &World<R>) -> Kept<R> {
        world.keep()
    }

    fn go_back(&self, world: &mut World<R>, kept: &Kept<R>) {
        world.go_back(kept);
    }

    fn key(&self, world: &World<R>) -> Packed {
        self.stage.pack(world)
    }

    fn actions(&self, world: &World<R>) -> Vec<Action> {
        self.stage.actions(world)
    }

    fn replay(&self, world: &mut World<R>, action: Action) {
        self.stage.act(world, action);
    }

    fn act(&self, world: &mut World<R>, before: &Kept<R>, memo: &mut Memo, action: Action) -> Came {
        let stuck = world.stuck_jobs();
        let judged = self.judges && !action.winds_down() && !self.stage.goes_wrong(world, memo);
        match self.stage.act(world, action) {
            Act::Refused(_) => Came { refused: true, goes_on: true, found: Vec::new() },
            Act::Aborted(_) => {
                let class = self.stage.class_with_reason(world, before, action, Outcome::Abort);
                Came { found: vec![class.into()], ..Came::default() }
            }
            Act::JobFailed(_) if world.stuck_jobs() > stuck => {
                let after = world.keep();
                let class = self.stage.class_with_reason(world, before, action, Outcome::Stuck);
                world.go_back(&after);
                Came { found: vec![class.into()], goes_on: true, refused: false }
            }
            Act::Done | Act::JobFailed(_) => {
                let mut came = Came { goes_on: true, ..Came::default() };
                if judged && self.stage.goes_wrong(world, memo) {
                    let after = world.keep();
                    let (then, wrong) = self.stage.way_to_wrong(world);
                    world.go_back(before);
                    let cause = format!("then {}: {}", wrong.command, wrong.cause);
                    let class = self.stage.class(world, action, Outcome::FalseAccept, cause);
                    let class = Class { job: wrong.job, ..class };
                    world.go_back(&after);
                    came.found.push(Found { class, then });
                }
                came
            }
        }
    }

    fn trace(&self, world: &mut World<R>, before: &Kept<R>) -> Trace {
        self.stage.trace(world, before)
    }

    fn check(&self, world: &mut World<R>) -> Vec<String> {
        self.stage.check(world)
    }

    fn broken(&self, before: &World<R>, action: Action, law: String) -> Class {
        self.stage.class(before, action, Outcome::Broken, law)
    }
}

impl<R: Rule> World<R> {
    /// How many jobs are stuck.
    pub(crate) fn stuck_jobs(&self) -> usize {
        self.layer.jobs().iter().filter(|job| job.is_stuck()).count()
    }
}
