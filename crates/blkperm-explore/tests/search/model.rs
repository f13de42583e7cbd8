//! The same universes, searched by stateright.

use std::hash::{Hash, Hasher};

use blkperm_baseline::Baseline;
use blkperm_explore::{Act, Action, Packed, Stage, World};
use stateright::{Checker, Model, Property};

use crate::{chain, explore, pair, qemu};

/// A state for stateright, told from others by its packed form.
#[derive(Clone, Debug)]
struct Seen {
    packed: Packed,
    world: World<Baseline>,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.packed == other.packed
    }
}

impl Eq for Seen {}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.packed.hash(state);
    }
}

struct Watched(Stage<Baseline>);

impl Watched {
    fn seen(&self, world: World<Baseline>) -> Seen {
        Seen { packed: self.0.pack(&world), world }
    }
}

impl Model for Watched {
    type State = Seen;
    type Action = Action;

    fn init_states(&self) -> Vec<Seen> {
        vec![self.seen(self.0.start())]
    }

    fn actions(&self, state: &Seen, actions: &mut Vec<Action>) {
        actions.extend(self.0.actions(&state.world));
    }

    fn next_state(&self, state: &Seen, action: Action) -> Option<Seen> {
        let mut world = state.world.clone();
        let act = self.0.act(&mut world, action);
        (!matches!(act, Act::Aborted(_))).then(|| self.seen(world))
    }

    fn properties(&self) -> Vec<Property<Watched>> {
        vec![Property::always("it goes on", |_, _| true)]
    }
}

#[test]
fn it_finds_as_many_states_as_stateright() {
    for (universe, pinned) in [(chain(), 787), (pair(), 157)] {
        let system = qemu(universe);
        let ours = explore(&system);
        let theirs = Watched(system.stage).checker().spawn_bfs().join();
        assert_eq!(ours.states, theirs.unique_state_count());
        assert_eq!(ours.states, pinned);
    }
}
