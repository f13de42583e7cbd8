//! Three algorithms that bring a graph's edges up to date after a change, behind one interface: the
//! product's and QEMU's two.
//!
//! All three judge a change in its final state and give the same edges; they differ in how they get
//! there, and so in what it costs. The product's is [`Graph`](blkperm_graph::Graph) itself. QEMU's
//! two are written from their description on a plain [`Network`], where every node has two lists of
//! edges and nothing is kept that could be recomputed.

mod incremental;
mod list;
mod network;
mod recursive;
mod topological;

pub use network::{Network, NetworkChange, Update};
pub use recursive::Recursive;
pub use topological::Topological;

use std::fmt::Debug;

use blkperm_graph::{Claim, Demand, Holder, NewNode, Owner, Role, Row, Rule, State};

/// A graph that one of the algorithms keeps up to date.
pub trait Algorithm: Sized {
    /// The permission rule.
    type Rule: Rule;
    /// A node.
    type Node: Copy + PartialEq + Debug;
    /// A parent that is not a node.
    type Root: Copy + Debug;
    /// An edge.
    type Edge: Copy + Debug;
    /// A change in progress.
    type Change<'a>: Steps<Self>
    where
        Self: 'a;

    /// What the algorithm is called.
    const NAME: &'static str;

    /// An empty graph under `rule`.
    fn empty(rule: Self::Rule) -> Self;

    /// The rule.
    fn permission_rule(&self) -> &Self::Rule;

    /// A new owner.
    fn add_owner(&mut self) -> Owner;

    /// Adds a node without edges.
    fn add_new_node(&mut self, new: NewNode<'_>) -> Self::Node;

    /// Adds a parent that is not a node, and has no edges.
    fn add_parent(&mut self, holder: Holder, owner: Option<Owner>) -> Self::Root;

    /// Begins a change; dropped without a commit, it is taken back.
    fn begin(&mut self) -> Self::Change<'_>;

    /// What the edge holds.
    fn held(&self, edge: Self::Edge) -> <Self::Rule as Rule>::Hold;

    /// The claims of the edge, ascending.
    fn claims(&self, edge: Self::Edge) -> Vec<Claim> {
        self.permission_rule().claims(self.held(edge))
    }
}

/// The steps of a change of an `A`.
pub trait Steps<A: Algorithm> {
    /// A node gets a child by the row `row`; none where that would close a cycle.
    fn attach(&mut self, parent: A::Node, child: A::Node, role: Role, row: Row) -> Option<A::Edge>;

    /// A node gets a parent that is not a node.
    fn attach_root(&mut self, root: A::Root, child: A::Node, demand: Demand) -> A::Edge;

    /// An edge of a parent that is not a node demands something else.
    fn set_demand(&mut self, edge: A::Edge, demand: Demand);

    /// An edge goes.
    fn detach(&mut self, edge: A::Edge);

    /// An edge ends at another node, by its parent's driver; returns false, and does nothing, where
    /// that would close a cycle.
    #[must_use]
    fn move_edge(&mut self, edge: A::Edge, to: A::Node) -> bool;

    /// A node gets another state; its children are its driver's from then on.
    fn set_state(&mut self, node: A::Node, state: State);

    /// Makes the change final where the rule accepts it, and otherwise takes it back.
    #[must_use]
    fn commit(self) -> bool;
}
