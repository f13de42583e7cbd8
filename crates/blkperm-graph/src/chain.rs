//! Walking backing chains and filters.

use crate::{EdgeId, Graph, NodeId, Role, Rule};

impl<R: Rule> Graph<R> {
    /// The edge to the node's backing file, if it has one.
    ///
    /// Source: `bdrv_cow_child` in `block.c`, QEMU 10.0.
    pub fn backing_edge(&self, node: NodeId) -> Option<EdgeId> {
        self.child_by_role(node, Role::COW)
    }

    /// The edge to the child that a filter node filters; none where the node is not a filter.
    ///
    /// Source: `bdrv_filter_child`.
    pub fn filtered_edge(&self, node: NodeId) -> Option<EdgeId> {
        if self.driver(node).is_filter { self.child_by_role(node, Role::FILTERED) } else { None }
    }

    /// The edge to what lies below the node in its chain: what it filters, or its backing file.
    ///
    /// Source: `bdrv_filter_or_cow_child`.
    pub fn chain_edge(&self, node: NodeId) -> Option<EdgeId> {
        self.filtered_edge(node).or_else(|| self.backing_edge(node))
    }

    /// The chain from `node` down, `node` first.
    pub fn chain(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(node), |&node| {
            self.chain_edge(node).map(|edge| self.child_of(edge))
        })
    }

    /// The edges of the chain from `node` down to `last`; all of them where `last` is not in it.
    pub fn chain_edges(&self, node: NodeId, last: NodeId) -> Vec<EdgeId> {
        let above = self.chain(node).take_while(move |&node| node != last);
        above.filter_map(|node| self.chain_edge(node)).collect()
    }

    /// Whether `below` is in the chain of `node`, or is `node` itself.
    pub fn chain_contains(&self, node: NodeId, below: NodeId) -> bool {
        self.chain(node).any(|node| node == below)
    }

    /// The first node from `node` down that is no filter.
    ///
    /// Source: `bdrv_skip_filters`.
    pub fn skip_filters(&self, node: NodeId) -> NodeId {
        let filtered = |&node: &NodeId| self.filtered_edge(node).map(|edge| self.child_of(edge));
        std::iter::successors(Some(node), filtered).last().unwrap_or(node)
    }

    /// The node's backing file below all filters, if it has one.
    ///
    /// Source: `bdrv_backing_chain_next`.
    pub fn backing_chain_next(&self, node: NodeId) -> Option<NodeId> {
        let backing = self.backing_edge(self.skip_filters(node))?;
        Some(self.skip_filters(self.child_of(backing)))
    }

    /// The node in the chain from `top` down whose chain edge ends at `below`, filters skipped.
    ///
    /// Source: `bdrv_find_overlay`.
    pub fn overlay_of(&self, top: NodeId, below: NodeId) -> Option<NodeId> {
        let below = self.skip_filters(below);
        self.chain(top).find(|&node| {
            self.backing_edge(node)
                .is_some_and(|edge| self.skip_filters(self.child_of(edge)) == below)
        })
    }
}
