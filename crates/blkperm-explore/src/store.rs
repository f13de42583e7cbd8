//! The states that were found, and from where.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::action::Action;

/// A vector that grows by segments of one size: nothing is copied as it grows, and at most one
/// segment is not full. The first one grows as it is filled, so that what is small takes little.
#[derive(Debug)]
struct Segments<T>(Vec<Vec<T>>);

impl<T: Copy> Segments<T> {
    const SIZE: usize = 1 << 16;
    const LEAST: usize = 4;

    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * Self::SIZE + last.len())
    }

    fn get(&self, index: usize) -> T {
        self.0[index / Self::SIZE][index % Self::SIZE]
    }

    fn push(&mut self, value: T) {
        if self.0.last().is_none_or(|last| last.len() == Self::SIZE) {
            let capacity = if self.0.is_empty() { Self::LEAST } else { Self::SIZE };
            self.0.push(Vec::with_capacity(capacity));
        }
        self.0.last_mut().expect("there is room").push(value);
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|segment| segment.capacity() * size_of::<T>()).sum()
    }

    /// The memory that it takes at most while so many more are added, in bytes: the first segment is
    /// copied as it grows.
    fn bytes_with(&self, more: usize) -> usize {
        let len = self.len() + more;
        let room = match len.div_ceil(Self::SIZE) {
            0 | 1 => len.next_power_of_two().max(Self::LEAST),
            segments => segments * Self::SIZE,
        };
        let copied = if self.0.len() <= 1 { self.bytes() } else { 0 };
        copied + room * size_of::<T>()
    }
}

/// Each state once, by the order in which it was found, with the command and the state from which it
/// was found first. The first is the start.
///
/// States are told apart exactly: the table holds their numbers, and they are compared as a whole.
#[derive(Debug)]
pub(crate) struct Store<K> {
    keys: Segments<K>,
    parents: Segments<u32>,
    actions: Segments<u32>,
    table: HashTable<u32>,
}

impl<K: Copy + Eq + Hash> Store<K> {
    /// How many states there may be.
    pub(crate) const MOST: usize = u32::MAX as usize;

    pub(crate) fn new(start: K) -> Store<K> {
        let mut store = Store {
            keys: Segments(Vec::new()),
            parents: Segments(Vec::new()),
            actions: Segments(Vec::new()),
            table: HashTable::new(),
        };
        store.insert_code(start, 0, 0);
        store
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn key(&self, id: usize) -> K {
        self.keys.get(id)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        let hash = FxBuildHasher.hash_one(key);
        self.table.find(hash, |&id| self.keys.get(id as usize) == *key).is_some()
    }

    /// Adds a state unless it is known.
    pub(crate) fn insert(&mut self, key: K, parent: usize, action: Action) {
        self.insert_code(key, parent as u32, action.code());
    }

    /// [`Store::insert`] with the command's code.
    pub(crate) fn insert_code(&mut self, key: K, parent: u32, action: u32) {
        let Store { keys, table, .. } = self;
        let hash = FxBuildHasher.hash_one(key);
        let id = u32::try_from(keys.len()).expect("a search ends before there are 2^32 states");
        let is = |&id: &u32| keys.get(id as usize) == key;
        let rehash = |&id: &u32| FxBuildHasher.hash_one(keys.get(id as usize));
        if let Entry::Vacant(place) = table.entry(hash, is, rehash) {
            place.insert(id);
            self.keys.push(key);
            self.parents.push(parent);
            self.actions.push(action);
        }
    }

    /// From which state, by which command's code, a state was found first.
    pub(crate) fn origin(&self, id: usize) -> (u32, u32) {
        (self.parents.get(id), self.actions.get(id))
    }

    /// The commands by which a state was found first.
    pub(crate) fn path(&self, mut id: usize) -> Vec<Action> {
        let mut path = Vec::new();
        while id != 0 {
            let (parent, action) = self.origin(id);
            path.push(Action::from_code(action).expect("it was put in as a command"));
            id = parent as usize;
        }
        path.reverse();
        path
    }

    /// The memory that all of it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.keys.bytes() + self.parents.bytes() + self.actions.bytes();
        columns + self.table.allocation_size()
    }

    /// The memory that it takes at most while so many more are added, in bytes: when the table is
    /// full, a second one of twice its size is there beside it for a moment.
    pub(crate) fn bytes_with(&self, more: usize) -> usize {
        let Store { keys, parents, actions, table } = self;
        let columns = keys.bytes_with(more) + parents.bytes_with(more) + actions.bytes_with(more);
        let room = table.capacity() - table.len();
        let growth = if more > room { 2 * table.allocation_size() } else { 0 };
        columns + table.allocation_size() + growth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Verb;

    #[test]
    fn a_state_is_kept_once_with_its_shortest_way() {
        let mut store = Store::new([0_u64; 4]);
        let (first, second) = (Action::RemoveExport(1), Action::Verb(1, Verb::Pause));
        store.insert([1; 4], 0, first);
        store.insert([2; 4], 1, second);
        store.insert([2; 4], 0, first);
        assert_eq!((store.len(), store.path(2)), (3, vec![first, second]));
        assert!(store.contains(&[2; 4]) && !store.contains(&[3; 4]));
    }

    /// What is said beforehand is enough, and of few states little is said.
    #[test]
    fn the_memory_that_is_needed_is_known_before() {
        let mut store = Store::new([0_u64; 4]);
        assert!(store.bytes() < 512, "{}", store.bytes());
        for number in 1..200_000_u64 {
            let said = store.bytes_with(1);
            store.insert([number; 4], 0, Action::RemoveExport(0));
            assert!(store.bytes() <= said, "{number}: {} of {said}", store.bytes());
        }
    }

    /// Fewer than 64 bytes a state, whenever there are many.
    #[test]
    fn a_state_takes_fewer_than_64_bytes() {
        let mut store = Store::new([0_u64; 4]);
        for number in 1..1_000_000_u64 {
            store.insert([number; 4], 0, Action::RemoveExport(0));
            if number % 10_000 == 0 && number > 500_000 {
                assert!(store.bytes() < 64 * store.len(), "{}", store.bytes() / store.len());
            }
        }
    }
}
