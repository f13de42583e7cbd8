//! One thread of a search: it goes to states, and tries every command from each.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::check::Trace;
use crate::finding::Class;
use crate::store::Store;
use crate::system::{Found, System};
use crate::wrong::Remembered;

/// How many findings of one class there are, and the first: from which state, by which command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) count: u64,
    pub(crate) from: u32,
    pub(crate) action: Action,
    pub(crate) then: Vec<Action>,
}

/// A state that was come to, from which one, and by which command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival<K> {
    pub(crate) key: K,
    pub(crate) from: u32,
    pub(crate) action: Action,
}

/// What came of expanding states, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Yield<K> {
    pub(crate) arrivals: Vec<Arrival<K>>,
    pub(crate) seen: BTreeMap<Class, Seen>,
    pub(crate) transitions: u64,
    pub(crate) refused: u64,
}

impl<K> Default for Yield<K> {
    fn default() -> Self {
        Yield { arrivals: Vec::new(), seen: BTreeMap::new(), transitions: 0, refused: 0 }
    }
}

impl<K> Yield<K> {
    fn find(&mut self, from: usize, action: Action, Found { class, then }: Found) {
        let seen = self.seen.entry(class);
        seen.or_insert(Seen { count: 0, from: from as u32, action, then }).count += 1;
    }
}

/// Adds what was found to what was found before.
pub(crate) fn add_seen(all: &mut BTreeMap<Class, Seen>, more: BTreeMap<Class, Seen>) {
    for (class, seen) in more {
        match all.get_mut(&class) {
            Some(known) => {
                let count = known.count + seen.count;
                if seen.from < known.from {
                    *known = seen;
                }
                known.count = count;
            }
            None => drop(all.insert(class, seen)),
        }
    }
}

/// A world, and the states on the way to where it is.
///
/// States that were found one after another have most of their ways in common, so that a worker that
/// goes from one to the next has one command to do.
pub(crate) struct Worker<'a, S: System> {
    system: &'a S,
    world: S::World,
    memo: S::Memo,
    /// The memory for what is remembered, in bytes.
    room: usize,
    start: S::Kept,
    way: Vec<(Action, S::Kept)>,
}

impl<'a, S: System> Worker<'a, S> {
    pub(crate) fn new(system: &'a S) -> Worker<'a, S> {
        let world = system.start();
        let start = system.keep(&world);
        Worker { system, world, memo: S::Memo::default(), room: usize::MAX, start, way: Vec::new() }
    }

    /// Gives it so much memory for what it remembers, in bytes; when that is used up, it forgets.
    pub(crate) fn give_room(&mut self, bytes: usize) {
        self.room = bytes;
        self.forget_if_full();
    }

    fn forget_if_full(&mut self) {
        if self.memo.bytes() > self.room {
            self.memo = S::Memo::default();
        }
    }

    /// Makes the world the state at the end of `path`.
    fn go_to(&mut self, path: &[Action]) {
        let known = self.way.iter().zip(path).take_while(|((done, _), next)| done == *next).count();
        self.way.truncate(known);
        let last = self.way.last().map_or(&self.start, |(_, kept)| kept);
        self.system.go_back(&mut self.world, last);
        for &action in &path[known..] {
            self.system.replay(&mut self.world, action);
            self.way.push((action, self.system.keep(&self.world)));
        }
    }

    /// Tries every command from a state.
    pub(crate) fn expand(&mut self, store: &Store<S::Key>, id: usize, into: &mut Yield<S::Key>) {
        self.forget_if_full();
        self.go_to(&store.path(id));
        let Worker { system, world, memo, start, way, .. } = self;
        let here = way.last().map_or(&*start, |(_, kept)| kept);
        let origin = store.key(id);
        debug_assert_eq!(system.key(world), origin, "a state is its way");
        // Going back takes longer than many commands: it is left out where a command has done nothing.
        for action in system.actions(world) {
            into.transitions += 1;
            let came = system.act(world, here, memo, action);
            into.refused += u64::from(came.refused);
            came.found.into_iter().for_each(|found| into.find(id, action, found));
            if !came.goes_on {
                system.go_back(world, here);
                continue;
            }
            let key = system.key(world);
            let mut broken = Vec::new();
            if came.refused {
                match system.trace(world, here) {
                    Trace::Nothing if key == origin => continue,
                    Trace::Nothing | Trace::Backend => {}
                    Trace::Edges => broken.push("law 5: a refused command left a trace".to_owned()),
                }
            }
            if !store.contains(&key) {
                broken.extend(system.check(world));
                into.arrivals.push(Arrival { key, from: id as u32, action });
            }
            system.go_back(world, here);
            for law in broken {
                into.find(id, action, system.broken(world, action, law).into());
            }
        }
    }
}
