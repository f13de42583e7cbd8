//! Which nodes are inactive or may be, where only their edges are known.
//!
//! Below an active node all are active, so it takes to know what is above a node.

use blkperm_graph::{Permissions, State};

use super::edges::Fit;
use super::{Parent, Survey};

impl Survey {
    /// The nodes, each after all nodes above it. No order is right for nodes on a cycle, which no
    /// QEMU has: they come last.
    pub(super) fn downwards(&self) -> Vec<usize> {
        let is_node = |&&edge: &&usize| matches!(self.edges[edge].parent, Parent::Node(_));
        let into = self.index.into.iter();
        let mut above: Vec<usize> =
            into.map(|edges| edges.iter().filter(is_node).count()).collect();
        let mut order: Vec<usize> = (0..above.len()).filter(|&node| above[node] == 0).collect();
        let mut done = 0;
        while let Some(&node) = order.get(done) {
            for &edge in &self.index.of_nodes[node] {
                let child = self.edges[edge].child;
                above[child] -= 1;
                if above[child] == 0 {
                    order.push(child);
                }
            }
            done += 1;
        }
        order.extend((0..above.len()).filter(|&node| above[node] > 0));
        order
    }

    /// Whether what is above the node allows that it is inactive: all nodes may be, and nothing is
    /// demanded by those parents that are suspended then.
    pub(super) fn may_be_below_inactive(&self, node: usize) -> bool {
        self.index.into[node].iter().map(|&edge| &self.edges[edge]).all(|edge| match edge.parent {
            Parent::Node(parent) => {
                let parent = &self.nodes[parent];
                parent.may_be_inactive || parent.state.contains(State::INACTIVE)
            }
            Parent::Backend(_) => edge.demand.is_none(),
            Parent::Job(_) => Permissions::CONSISTENT_READ.contains(edge.demand.take()),
        })
    }

    /// Whether the node may be inactive with the very edges that it has, as far as is known.
    pub(super) fn may_be_inactive(
        &self,
        node: usize,
        active: &Fit,
        inactive: impl Fn(State) -> Fit,
    ) -> bool {
        let is_known = self.nodes[node].info.is_some() || self.nodes[node].job.is_some();
        if is_known || !self.may_be_below_inactive(node) {
            return false;
        }
        let other = inactive(active.state | State::INACTIVE);
        other.edges == active.edges
            && (other.options, other.most_options) == (active.options, active.most_options)
    }

    /// Makes inactive what is above nodes that can only be inactive.
    pub(super) fn make_ancestors_inactive(&mut self) {
        let is_found = |node: &usize| {
            let node = &self.nodes[*node];
            node.info.is_none() && node.state.contains(State::INACTIVE)
        };
        let mut waiting: Vec<usize> = (0..self.nodes.len()).filter(is_found).collect();
        while let Some(node) = waiting.pop() {
            for &edge in &self.index.into[node] {
                let Parent::Node(parent) = self.edges[edge].parent else { continue };
                if !self.nodes[parent].state.contains(State::INACTIVE) {
                    self.nodes[parent].state |= State::INACTIVE;
                    waiting.push(parent);
                }
            }
        }
    }
}
