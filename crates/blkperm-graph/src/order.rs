//! The topological order of the nodes, kept while edges come and go.
//!
//! Every node has a place in the order that is below the place of each of its parents, so that an
//! update can visit parents first without looking at the whole graph, and a new edge that already
//! goes down the order cannot close a cycle. An edge that goes up makes only the nodes between its
//! two ends change places (Pearce and Kelly, "A dynamic topological sort algorithm for directed
//! acyclic graphs", 2006).

use rustc_hash::FxHashSet;

use crate::log::Undo;
use crate::{Graph, NodeId, Parent, Rule};

/// An edge would close a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cycle;

impl<R: Rule> Graph<R> {
    /// Makes the order allow an edge from `parent` to `child`.
    pub(crate) fn order_edge(&mut self, parent: NodeId, child: NodeId) -> Result<(), Cycle> {
        if parent == child {
            return Err(Cycle);
        }
        let (upper, lower) = (self.node(parent).order, self.node(child).order);
        if upper < lower {
            return Ok(());
        }
        // The two common cases: a node with nothing above goes to the top, one with nothing below
        // to the bottom.
        if !self.has_node_parent(parent) {
            self.order_bounds.0 -= 1;
            self.set_order(parent, self.order_bounds.0);
            return Ok(());
        }
        if self.children(child).next().is_none() {
            self.order_bounds.1 += 1;
            self.set_order(child, self.order_bounds.1);
            return Ok(());
        }
        let below = self.reachable(child, |graph, node, found| {
            found.extend(graph.children(node).map(|edge| graph.child_of(edge)));
            found.retain(|&node| graph.node(node).order <= upper);
        });
        if below.contains(&parent) {
            return Err(Cycle);
        }
        let above = self.reachable(parent, |graph, node, found| {
            found.extend(graph.node_parents(node));
            found.retain(|&node| graph.node(node).order >= lower);
        });
        self.interleave(above, below);
        Ok(())
    }

    /// Shares out the places of both sets anew: all of `above` come before all of `below`.
    fn interleave(&mut self, mut above: Vec<NodeId>, mut below: Vec<NodeId>) {
        above.sort_unstable_by_key(|&node| self.node(node).order);
        below.sort_unstable_by_key(|&node| self.node(node).order);
        above.append(&mut below);
        let mut places: Vec<i64> = above.iter().map(|&node| self.node(node).order).collect();
        places.sort_unstable();
        for (node, place) in above.into_iter().zip(places) {
            self.set_order(node, place);
        }
    }

    fn set_order(&mut self, node: NodeId, place: i64) {
        let old = std::mem::replace(&mut self.node_mut(node).order, place);
        self.log.push(Undo::Order { node, old });
    }

    /// The nodes that `step` leads to from `start`, each once, `start` among them.
    fn reachable(
        &self,
        start: NodeId,
        step: impl Fn(&Self, NodeId, &mut Vec<NodeId>),
    ) -> Vec<NodeId> {
        let mut seen = FxHashSet::from_iter([start]);
        let mut reached = vec![start];
        let mut found = Vec::new();
        let mut done = 0;
        while done < reached.len() {
            step(self, reached[done], &mut found);
            reached.extend(found.drain(..).filter(|&node| seen.insert(node)));
            done += 1;
        }
        reached
    }

    /// The nodes below `node` along any edges, `node` among them, each once.
    pub fn subtree(&self, node: NodeId) -> Vec<NodeId> {
        self.reachable(node, |graph, node, found| {
            found.extend(graph.children(node).map(|edge| graph.child_of(edge)));
        })
    }

    fn has_node_parent(&self, node: NodeId) -> bool {
        self.node_parents(node).next().is_some()
    }

    /// The parents of `node` that are nodes, newest edge first.
    pub fn node_parents(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.parents(node).filter_map(|edge| match self.parent_of(edge) {
            Parent::Node(parent) => Some(parent),
            Parent::Root(_) => None,
        })
    }
}
