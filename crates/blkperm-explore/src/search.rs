//! The search: breadth first, each state once, all commands from each.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::finding::{Class, Finding};
use crate::shard::Shard;
use crate::store::Store;
use crate::system::System;
use crate::worker::{Arrival, Seen, Worker, Yield, add_seen};

/// How many states are expanded between two merges of what was found.
const CHUNK: usize = 2048;

/// How many states a thread takes at a time.
const BLOCK: usize = 32;

/// When a search ends before everything is explored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest way from the start, in commands.
    pub depth: u32,
    /// The memory for states and for what is remembered of them, in bytes.
    pub bytes: usize,
}

/// Why a search has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Everything is explored.
    Complete,
    /// All ways of the longest length allowed are explored.
    Depth,
    /// The memory for states is used up.
    Memory,
    /// Whoever watched it said so.
    Stopped,
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
    /// How long it has taken, with earlier runs and all shards.
    pub elapsed: Duration,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many states there are.
    pub states: usize,
    /// How many of them have not been expanded.
    pub frontier: usize,
    /// How many commands were tried, refused ones included.
    pub transitions: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// The length of the longest way that was explored.
    pub depth: u32,
    /// How long it took; of shards, all their times together.
    pub elapsed: Duration,
    /// The memory for states, in bytes.
    pub bytes: usize,
    /// What was found, by class.
    pub findings: Vec<Finding>,
}

/// A search: what is explored, and what was found there.
///
/// States have numbers in the order in which they are found; they are expanded in that order, and what
/// threads or shards have found is put together in it. So the same search has the same numbers whoever
/// carries it out.
pub struct Search<'a, S: System> {
    pub(crate) system: &'a S,
    pub(crate) store: Store<S::Key>,
    pub(crate) seen: BTreeMap<Class, Seen>,
    pub(crate) transitions: u64,
    pub(crate) refused: u64,
    /// The first state that has not been expanded.
    pub(crate) next: usize,
    /// The first state that is one command farther than that.
    pub(crate) level_end: usize,
    /// How far the states before the last level are.
    pub(crate) depth: u32,
    pub(crate) elapsed: Duration,
}

impl<'a, S: System> Search<'a, S> {
    /// A search from the start of `system`.
    pub fn new(system: &'a S) -> Search<'a, S> {
        let store = Store::new(system.key(&system.start()));
        Search::of_store(system, store)
    }

    pub(crate) fn of_store(system: &'a S, store: Store<S::Key>) -> Search<'a, S> {
        Search {
            system,
            store,
            seen: BTreeMap::new(),
            transitions: 0,
            refused: 0,
            next: 0,
            level_end: 1,
            depth: 0,
            elapsed: Duration::ZERO,
        }
    }

    /// Whether everything is explored.
    pub fn is_complete(&self) -> bool {
        self.next == self.store.len()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            states: self.store.len(),
            frontier: self.store.len() - self.next,
            transitions: self.transitions,
            depth: self.depth + u32::from(!self.is_complete()),
            elapsed: self.elapsed,
        }
    }

    /// Explores until nothing is left, a limit is reached, or `watch`, which is told how far it is,
    /// does not want to go on. It may be run again after that.
    pub fn run(&mut self, limits: Limits, mut watch: impl FnMut(Progress) -> bool) -> Ended {
        let started = (Instant::now(), self.elapsed);
        let mut workers = self.workers();
        loop {
            if self.is_complete() {
                return Ended::Complete;
            }
            if self.depth >= limits.depth {
                return Ended::Depth;
            }
            let end = self.level_end.min(self.next + CHUNK);
            share(&mut workers, limits.bytes.saturating_sub(self.store.bytes()));
            let yields = self.expand(&mut workers, &(self.next..end).collect::<Vec<_>>());
            let arrivals = yields.iter().map(|of| of.arrivals.len()).sum();
            let needed = self.store.bytes_with(arrivals);
            if needed > limits.bytes || self.store.len() + arrivals > Store::<S::Key>::MOST {
                return Ended::Memory;
            }
            share(&mut workers, limits.bytes - needed);
            yields.into_iter().for_each(|of| self.merge(of));
            self.advance(end);
            self.elapsed = started.1 + started.0.elapsed();
            if !watch(self.progress()) {
                return Ended::Stopped;
            }
        }
    }

    /// Expands those states of the level in hand that are the shard's, without merging what comes of
    /// it. The depth is that of the level.
    ///
    /// # Errors
    ///
    /// Why it has ended early: the memory is used up, or `watch` does not want to go on.
    pub fn run_shard(
        &self,
        shard: Shard,
        bytes: usize,
        mut watch: impl FnMut(Progress) -> bool,
    ) -> Result<Part<S::Key>, Ended> {
        let started = Instant::now();
        let mut workers = self.workers();
        let is_own = |&id: &usize| shard.owns(FxBuildHasher.hash_one(self.store.key(id)));
        let own: Vec<usize> = (self.next..self.level_end).filter(is_own).collect();
        let mut part = Part { shard, elapsed: Duration::ZERO, work: Yield::default() };
        let mut known: HashSet<S::Key, FxBuildHasher> = HashSet::default();
        for chunk in own.chunks(CHUNK) {
            let arrivals = part.work.arrivals.capacity() * size_of::<Arrival<S::Key>>();
            let taken = self.store.bytes() + known.allocation_size() + arrivals;
            let room = bytes.checked_sub(taken).ok_or(Ended::Memory)?;
            share(&mut workers, room);
            for of in self.expand(&mut workers, chunk) {
                part.work.transitions += of.transitions;
                part.work.refused += of.refused;
                add_seen(&mut part.work.seen, of.seen);
                let new = of.arrivals.into_iter().filter(|arrival| known.insert(arrival.key));
                part.work.arrivals.extend(new);
            }
            part.elapsed = started.elapsed();
            let progress = Progress {
                states: self.store.len() + part.work.arrivals.len(),
                transitions: self.transitions + part.work.transitions,
                elapsed: self.elapsed + part.elapsed,
                ..self.progress()
            };
            if !watch(progress) {
                return Err(Ended::Stopped);
            }
        }
        Ok(part)
    }

    /// Puts together what all shards of one level have found.
    pub(crate) fn merge_parts(&mut self, parts: Vec<Part<S::Key>>) {
        let mut arrivals = Vec::new();
        for Part { work, elapsed, .. } in parts {
            self.elapsed += elapsed;
            self.transitions += work.transitions;
            self.refused += work.refused;
            add_seen(&mut self.seen, work.seen);
            arrivals.extend(work.arrivals);
        }
        arrivals.sort_by_key(|arrival| arrival.from);
        self.merge(Yield { arrivals, ..Yield::default() });
        self.advance(self.level_end);
    }

    fn workers(&self) -> Vec<Worker<'a, S>> {
        (0..rayon::current_num_threads()).map(|_| Worker::new(self.system)).collect()
    }

    /// Expands states, as many threads as there are workers; what comes of it is in the states' order.
    fn expand(&self, workers: &mut [Worker<'a, S>], ids: &[usize]) -> Vec<Yield<S::Key>> {
        let next = AtomicUsize::new(0);
        let blocks: Vec<&[usize]> = ids.chunks(BLOCK).collect();
        let mut yields: Vec<(usize, Yield<S::Key>)> = workers
            .par_iter_mut()
            .with_max_len(1)
            .flat_map_iter(|worker| {
                std::iter::from_fn(|| {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let block = blocks.get(number)?;
                    let mut of_block = Yield::default();
                    block.iter().for_each(|&id| worker.expand(&self.store, id, &mut of_block));
                    Some((number, of_block))
                })
                .collect::<Vec<_>>()
            })
            .collect();
        yields.sort_unstable_by_key(|(number, _)| *number);
        yields.into_iter().map(|(_, of_block)| of_block).collect()
    }

    fn merge(&mut self, of: Yield<S::Key>) {
        self.transitions += of.transitions;
        self.refused += of.refused;
        add_seen(&mut self.seen, of.seen);
        for arrival in of.arrivals {
            self.store.insert(arrival.key, arrival.from as usize, arrival.action);
        }
    }

    /// Takes note that all states before `end` are expanded.
    fn advance(&mut self, end: usize) {
        self.next = end;
        if self.next == self.level_end {
            self.level_end = self.store.len();
            self.depth += 1;
        }
    }

    /// What it has found so far.
    pub fn report(&self) -> Report {
        let finding = |(class, seen): (&Class, &Seen)| {
            let mut witness = self.store.path(seen.from as usize);
            witness.push(seen.action);
            Finding { class: class.clone(), count: seen.count, witness, then: seen.then.clone() }
        };
        Report {
            states: self.store.len(),
            frontier: self.store.len() - self.next,
            transitions: self.transitions,
            refused: self.refused,
            depth: self.depth,
            elapsed: self.elapsed,
            bytes: self.store.bytes(),
            findings: self.seen.iter().map(finding).collect(),
        }
    }
}

/// Shares the memory that states leave among workers, for what they remember.
fn share<S: System>(workers: &mut [Worker<'_, S>], bytes: usize) {
    let each = bytes / workers.len();
    workers.iter_mut().for_each(|worker| worker.give_room(each));
}

/// What one of several shards has found at one level.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<K> {
    pub(crate) shard: Shard,
    pub(crate) elapsed: Duration,
    pub(crate) work: Yield<K>,
}
