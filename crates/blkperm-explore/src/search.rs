//! The search: breadth first, each state once, all commands from each.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use blkperm_graph::{Refusal, Rule};
use hashbrown::HashTable;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHasher};

use crate::action::Action;
use crate::finding::{Class, Finding, Outcome};
use crate::pack::Packed;
use crate::stage::{Act, Stage, World};

/// How many states are expanded between two merges of what was found.
const CHUNK: usize = 4096;

const _: () = assert!(size_of::<Packed>() + size_of::<u32>() + size_of::<Option<Action>>() <= 48);

/// When a search ends before everything is explored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest way from the start, in commands.
    pub depth: u32,
    /// The most states that are kept.
    pub states: usize,
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many states were found.
    pub states: usize,
    /// How many of them have not been expanded.
    pub frontier: usize,
    /// How many commands were tried.
    pub transitions: u64,
    /// The length of the ways that are being explored.
    pub depth: u32,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many states there are.
    pub states: usize,
    /// How many commands were tried, refused ones included.
    pub transitions: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// The length of the longest way that was explored.
    pub depth: u32,
    /// Whether everything was explored: no limit was reached.
    pub is_complete: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// What went wrong, by class.
    pub findings: Vec<Finding>,
}

/// The states that were found, and from where. With its place in the table a state takes fewer than
/// 64 bytes, of which the table has at most a quarter.
#[derive(Debug, Default)]
struct Store {
    packed: Vec<Packed>,
    parent: Vec<u32>,
    action: Vec<Option<Action>>,
    table: HashTable<u32>,
}

impl Store {
    fn contains(&self, packed: &Packed) -> bool {
        let hash = FxBuildHasher.hash_one(packed);
        self.table.find(hash, |&id| self.packed[id as usize] == *packed).is_some()
    }

    fn insert(&mut self, packed: Packed, parent: u32, action: Option<Action>) {
        let Store { packed: known, table, .. } = self;
        let hash = FxBuildHasher.hash_one(packed);
        let id = u32::try_from(known.len()).expect("the limit of states is below 2^32");
        let is = |&id: &u32| known[id as usize] == packed;
        let rehash = |&id: &u32| FxBuildHasher.hash_one(known[id as usize]);
        if let hashbrown::hash_table::Entry::Vacant(place) = table.entry(hash, is, rehash) {
            place.insert(id);
            self.packed.push(packed);
            self.parent.push(parent);
            self.action.push(action);
        }
    }

    /// The commands by which a state was found first.
    fn path(&self, mut id: usize) -> Vec<Action> {
        let mut path = Vec::new();
        while let Some(action) = self.action[id] {
            path.push(action);
            id = self.parent[id] as usize;
        }
        path.reverse();
        path
    }
}

/// What came of expanding one state.
#[derive(Default)]
struct Expanded {
    next: Vec<(Packed, Action)>,
    found: Vec<(Class, Action)>,
    transitions: u64,
    refused: u64,
}

/// How many findings of one class there are, and the first: from which state, by which command.
struct Seen {
    count: u64,
    from: usize,
    action: Action,
}

/// A search in progress.
pub struct Search<'a, R: Rule> {
    stage: &'a Stage<R>,
    limits: Limits,
    store: Store,
    seen: BTreeMap<Class, Seen>,
    transitions: u64,
    refused: u64,
}

impl<'a, R> Search<'a, R>
where
    R: Rule + Clone + Send + Sync,
    R::Hold: Send + Sync,
    R::Tally: Send + Sync,
{
    /// A search from the start of `stage`.
    pub fn new(stage: &'a Stage<R>, limits: Limits) -> Search<'a, R> {
        let mut store = Store::default();
        store.insert(stage.pack(&stage.start()), 0, None);
        let seen = BTreeMap::new();
        Search { stage, limits, store, seen, transitions: 0, refused: 0 }
    }

    /// Explores until nothing is left or a limit is reached; `watch` is told how far it is.
    pub fn run(mut self, mut watch: impl FnMut(Progress)) -> Report {
        let started = Instant::now();
        let (mut next, mut depth) = (0, 0);
        let mut level_end = self.store.packed.len();
        while next < self.store.packed.len() && depth < self.limits.depth {
            if self.store.packed.len() >= self.limits.states {
                break;
            }
            let end = level_end.min(next + CHUNK);
            let expanded: Vec<Expanded> =
                (next..end).into_par_iter().map(|id| self.expand(id)).collect();
            for (id, expanded) in (next..end).zip(expanded) {
                self.merge(id, expanded);
            }
            next = end;
            watch(Progress {
                states: self.store.packed.len(),
                frontier: self.store.packed.len() - next,
                transitions: self.transitions,
                depth: depth + 1,
            });
            if next == level_end {
                level_end = self.store.packed.len();
                depth += 1;
            }
        }
        let is_complete = next == self.store.packed.len();
        self.report(depth, is_complete, started.elapsed())
    }

    fn report(self, depth: u32, is_complete: bool, elapsed: Duration) -> Report {
        let Search { store, seen, transitions, refused, .. } = self;
        let finding = |(class, seen): (Class, Seen)| {
            let mut witness = store.path(seen.from);
            witness.push(seen.action);
            Finding { class, count: seen.count, witness }
        };
        let findings = seen.into_iter().map(finding).collect();
        let states = store.packed.len();
        Report { states, transitions, refused, depth, is_complete, elapsed, findings }
    }

    fn merge(&mut self, id: usize, expanded: Expanded) {
        self.transitions += expanded.transitions;
        self.refused += expanded.refused;
        for (packed, action) in expanded.next {
            self.store.insert(packed, id as u32, Some(action));
        }
        for (class, action) in expanded.found {
            self.seen.entry(class).or_insert(Seen { count: 0, from: id, action }).count += 1;
        }
    }

    /// Tries every command from a state.
    fn expand(&self, id: usize) -> Expanded {
        let mut world = self.stage.start();
        for action in self.store.path(id) {
            self.stage.act(&mut world, action);
        }
        debug_assert_eq!(self.stage.pack(&world), self.store.packed[id], "a state is its way");
        let origin = (self.store.packed[id], held(&world));
        let is_origin = |after: &World<R>| (self.stage.pack(after), held(after)) == origin;
        let mut expanded = Expanded::default();
        // Copying a state takes longer than most commands: a copy on which a command was refused, or
        // was taken back, is used again.
        let mut copy: Option<World<R>> = None;
        for action in self.stage.actions(&world) {
            let mut after = copy.take().unwrap_or_else(|| world.clone());
            let act = self.stage.act(&mut after, action);
            expanded.transitions += 1;
            match act {
                Act::Aborted(refusal) => {
                    let abort = (Outcome::Abort, Some(&refusal));
                    expanded.found.push((self.class(&world, action, abort), action));
                }
                Act::Refused(_) if self.stage.pack(&after) == origin.0 => {
                    expanded.refused += 1;
                    if is_origin(&after) {
                        copy = Some(after);
                    } else {
                        let law = "law 5: a refused command left a trace";
                        expanded.found.push((self.broken(&world, action, law), action));
                    }
                }
                // A command may be refused after a part of it is done, as when a job does not start.
                Act::Refused(_) | Act::Done => {
                    self.arrive(&world, &mut after, action, &mut expanded);
                    if let Some(inverse) = action.inverse() {
                        self.stage.act(&mut after, inverse);
                        copy = is_origin(&after).then_some(after);
                    }
                }
            }
        }
        expanded
    }

    /// Takes note of the state to which a command has led.
    fn arrive(
        &self,
        before: &World<R>,
        after: &mut World<R>,
        action: Action,
        expanded: &mut Expanded,
    ) {
        let packed = self.stage.pack(after);
        let stuck = |world: &World<R>| world.layer.jobs().iter().filter(|j| j.is_stuck()).count();
        if stuck(after) > stuck(before) {
            let class = self.class(before, action, (Outcome::Stuck, None));
            expanded.found.push((class, action));
        }
        if self.store.contains(&packed) {
            return;
        }
        if let Err(law) = after.check() {
            expanded.found.push((self.broken(before, action, &law), action));
        }
        expanded.next.push((packed, action));
    }

    fn class(
        &self,
        before: &World<R>,
        action: Action,
        (outcome, refusal): (Outcome, Option<&Refusal>),
    ) -> Class {
        self.stage.class(before, action, outcome, refusal)
    }

    fn broken(&self, before: &World<R>, action: Action, law: &str) -> Class {
        let class = self.class(before, action, (Outcome::Broken, None));
        Class { cause: law.to_owned(), ..class }
    }
}

/// A number that changes when any edge demands something else, or ends elsewhere.
fn held<R: Rule>(world: &World<R>) -> u64 {
    let graph = &world.layer.graph;
    let mut hasher = FxHasher::default();
    for node in graph.nodes() {
        for edge in graph.parents(node) {
            hasher.write_usize(graph.demand(edge).index());
        }
        hasher.write_u8(0);
    }
    hasher.finish()
}
