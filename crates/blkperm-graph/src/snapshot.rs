//! Snapshots: a graph's state, kept so that the graph can go back to it.

use hashbrown::HashTable;
use slab::Slab;

use crate::graph::{Edge, Node, Root};
use crate::lock::Locks;
use crate::{Graph, NodeId, Rule};

/// The state of a graph: all but what its rule, its rows and its names were worked out to once.
///
/// It is good for the graph that it was taken of, at whatever later time: those tables only grow, and
/// what a snapshot says it says by their numbers. Thus it takes a fraction of a clone's time.
#[derive(Clone, Debug)]
pub struct Snapshot<R: Rule> {
    nodes: Slab<Node<R>>,
    edges: Slab<Edge<R::Hold>>,
    roots: Slab<Root>,
    by_name: HashTable<NodeId>,
    registrations: u32,
    owners: u32,
    order_bounds: (i64, i64),
    locks: Locks,
    stale: Vec<NodeId>,
}

impl<R: Rule + Clone> Graph<R> {
    /// The state of the graph.
    ///
    /// # Panics
    ///
    /// This and [`Graph::restore`] panic while a change is in progress.
    pub fn snapshot(&self) -> Snapshot<R> {
        self.assert_at_rest();
        Snapshot {
            nodes: self.nodes.clone(),
            edges: self.edges.clone(),
            roots: self.roots.clone(),
            by_name: self.by_name.clone(),
            registrations: self.registrations,
            owners: self.owners,
            order_bounds: self.order_bounds,
            locks: self.locks.clone(),
            stale: self.stale.clone(),
        }
    }

    /// Makes the graph what it was when `snapshot` was taken of it.
    pub fn restore(&mut self, snapshot: &Snapshot<R>) {
        self.assert_at_rest();
        self.nodes.clone_from(&snapshot.nodes);
        self.edges.clone_from(&snapshot.edges);
        self.roots.clone_from(&snapshot.roots);
        self.by_name.clone_from(&snapshot.by_name);
        self.registrations = snapshot.registrations;
        self.owners = snapshot.owners;
        self.order_bounds = snapshot.order_bounds;
        self.locks.clone_from(&snapshot.locks);
        self.stale.clone_from(&snapshot.stale);
    }

    /// Whether every edge is there that was when `snapshot` was taken, between the same ends, with the
    /// same row and holding the same, and no other.
    pub fn has_edges_of(&self, snapshot: &Snapshot<R>) -> bool {
        let parts = |edge: &Edge<R::Hold>| {
            let Edge { parent, child, hold, row, role, frozen, .. } = *edge;
            (parent, child, hold, row, role, frozen)
        };
        let now = self.edges.iter().map(|(key, edge)| (key, parts(edge)));
        now.eq(snapshot.edges.iter().map(|(key, edge)| (key, parts(edge))))
    }

    fn assert_at_rest(&self) {
        assert!(self.log.is_empty() && self.scratch.dirty.is_empty(), "a change is in progress");
    }
}
