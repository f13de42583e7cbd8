//! Whether something goes wrong after a state, though nothing new comes.

use std::collections::VecDeque;

use blkperm_graph::Rule;
use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::action::Action;
use crate::command::Act;
use crate::finding::{Class, Outcome};
use crate::pack::Packed;
use crate::stage::{Kept, Stage, World};

/// What a thread has worked out and can work out again.
pub trait Remembered: Default + Send {
    /// The memory that it takes, in bytes.
    fn bytes(&self) -> usize;
}

/// For states that were asked about: whether something goes wrong after them.
#[derive(Clone, Default, Debug)]
pub struct Memo(HashMap<Packed, bool, FxBuildHasher>);

impl Remembered for Memo {
    fn bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

impl Remembered for (Memo, Memo) {
    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes()
    }
}

/// A step on the way down: from where, by which command.
struct Descent<R: Rule> {
    kept: Kept<R>,
    from: Option<(usize, Action)>,
}

impl<R: Rule + Clone> Stage<R> {
    /// Whether there is a way from here to an abort or to a job that is stuck on which jobs are asked
    /// for something and things are removed, and nothing else. The world stays as it is.
    pub(crate) fn goes_wrong(&self, world: &mut World<R>, memo: &mut Memo) -> bool {
        let start = self.pack(world);
        if let Some(&known) = memo.0.get(&start) {
            return known;
        }
        let here = world.keep();
        let mut seen = FxHashSet::from_iter([start]);
        let mut waiting = vec![world.keep()];
        let mut wrong = false;
        while let Some(kept) = waiting.pop().filter(|_| !wrong) {
            world.go_back(&kept);
            for action in self.ways_down(world) {
                world.go_back(&kept);
                let stuck = world.stuck_jobs();
                let act = self.act(world, action);
                wrong |= matches!(act, Act::Aborted(_)) || world.stuck_jobs() > stuck;
                let key = self.pack(world);
                match memo.0.get(&key) {
                    Some(known) => wrong |= known,
                    None if seen.insert(key) => waiting.push(world.keep()),
                    None => {}
                }
                if wrong {
                    break;
                }
            }
        }
        world.go_back(&here);
        if wrong {
            memo.0.insert(start, true);
        } else {
            // All of these lead to nothing but each other.
            memo.0.extend(seen.into_iter().map(|key| (key, false)));
        }
        wrong
    }

    /// A shortest such way from here, and what it ends in. The world is anywhere after that.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub(crate) fn way_to_wrong(&self, world: &mut World<R>) -> (Vec<Action>, Class) {
        let mut seen = FxHashSet::from_iter([self.pack(world)]);
        let mut steps = vec![Descent { kept: world.keep(), from: None }];
        let mut waiting = VecDeque::from([0]);
        while let Some(place) = waiting.pop_front() {
            world.go_back(&steps[place].kept);
            for action in self.ways_down(world) {
                world.go_back(&steps[place].kept);
                let stuck = world.stuck_jobs();
                let outcome = match self.act(world, action) {
                    Act::Aborted(_) => Outcome::Abort,
                    _ if world.stuck_jobs() > stuck => Outcome::Stuck,
                    _ => {
                        if seen.insert(self.pack(world)) {
                            waiting.push_back(steps.len());
                            let from = Some((place, action));
                            steps.push(Descent { kept: world.keep(), from });
                        }
                        continue;
                    }
                };
                let class = self.class_with_reason(world, &steps[place].kept, action, outcome);
                return (way(&steps, place, action), class);
            }
        }
        unreachable!("something goes wrong after this state")
    }

    fn ways_down(&self, world: &World<R>) -> Vec<Action> {
        let mut actions = self.actions(world);
        actions.retain(|action| action.winds_down());
        actions
    }
}

fn way<R: Rule>(steps: &[Descent<R>], mut place: usize, last: Action) -> Vec<Action> {
    let mut way = vec![last];
    while let Some((before, action)) = steps[place].from {
        way.push(action);
        place = before;
    }
    way.reverse();
    way
}
