//! Refusals: why a change was not accepted, as data.

use std::fmt;

use rustc_hash::FxHashSet;

use crate::change::Change;
use crate::log::Undo;
use crate::update::{StateFault, state_fault};
use crate::why::Step;
use crate::{Demand, EdgeId, Graph, Holder, NodeId, Parent, Permissions, Rule, Slot};

/// How many faults a refusal lists: two parents make one, and a thousand could make a million.
pub const MOST_FAULTS: usize = 1_000;

/// Why a change was refused.
///
/// Texts in QEMU's words are made from this by `blkperm-qmp`; the [`Display`](fmt::Display) here is
/// the library's own.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Nodes would be at fault; the first is the one that QEMU reports. Never empty, and not longer
    /// than [`MOST_FAULTS`] by much.
    #[error("{}", .0[0])]
    Permissions(Vec<Fault>),
    /// The edge would close a cycle.
    #[error("node '{child}' as '{edge}' child of '{parent}' would close a cycle")]
    Cycle {
        /// The name of the node that would be the parent.
        parent: String,
        /// The name of the node that would be the child.
        child: String,
        /// What the parent would call the edge.
        edge: String,
    },
    /// The edge is frozen.
    #[error("edge '{edge}' to node '{child}' is frozen by a job")]
    Frozen {
        /// What the parent calls the edge.
        edge: String,
        /// The name of the node where the edge ends.
        child: String,
    },
    /// What is read there could change if one node took the other's place.
    #[error("'{by}' in the place of '{replaced}' could change what is read there")]
    Replacing {
        /// The name of the node that would be replaced.
        replaced: String,
        /// The name of the node that would take its place.
        by: String,
    },
    /// An active node would get an inactive child.
    #[error("inactive node '{child}' cannot be the '{edge}' child of active node '{parent}'")]
    InactiveChild {
        /// The name of the active node.
        parent: String,
        /// The name of the inactive node.
        child: String,
        /// What the parent would call the edge.
        edge: String,
    },
    /// More than consistent reads would be taken on an inactive node.
    #[error("an inactive node does not give {permissions}")]
    InactiveNode {
        /// All that would be taken.
        permissions: Permissions,
    },
}

/// What is wrong at one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Two edges into the node conflict.
    Conflict(Box<Conflict>),
    /// The node would be written and cannot be.
    ReadOnly {
        /// The node's name.
        node: String,
        /// Whether it can be written now, and the change would take that away.
        was_writable: bool,
    },
    /// The node would demand of its file what another node with the same file does not allow.
    Locked {
        /// The node's name.
        node: String,
        /// The first thing that it would demand in vain.
        slot: Slot,
        /// All those who must let go of the file, the nearest first. Empty where the graph does not
        /// tell.
        sources: Vec<ParentName>,
    },
    /// The node would be written without the right to resize it, and its length is not a multiple
    /// of its request alignment.
    Unaligned {
        /// The node's name.
        node: String,
    },
}

/// Two edges into one node, one of which takes what the other unshares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The node's name.
    pub node: String,
    /// The permissions in question.
    pub permissions: Permissions,
    /// The edge that takes them.
    pub requirer: Party,
    /// The edge that unshares them.
    pub unsharer: Party,
}

/// One edge of a conflict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Who the parent is.
    pub parent: ParentName,
    /// What the parent calls the edge.
    pub edge: String,
    /// All that the edge demands.
    pub demand: Demand,
    /// From where the edge has what it is at fault for, nearest step first; for the first of the
    /// permissions in question. Empty where the graph [does not tell](Graph::set_tells_why).
    pub why: Vec<Step>,
    /// All those who must let go before the edge is not at fault any more, the nearest first: see
    /// [`Graph::sources`]. Empty where the graph does not tell.
    pub sources: Vec<ParentName>,
}

/// Who a parent is, by name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ParentName {
    /// A node, by its node-name.
    Node(String),
    /// A parent that is not a node.
    Root(Holder),
}

impl fmt::Display for ParentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParentName::Node(name) => write!(f, "node '{name}'"),
            ParentName::Root(holder) => holder.fmt(f),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Conflict(conflict) => conflict.fmt(f),
            Fault::ReadOnly { node, .. } => write!(f, "node '{node}' is read-only"),
            Fault::Locked { node, slot, .. } => write!(
                f,
                "the file of node '{node}' is locked by another node: it cannot {} {}",
                if slot.is_take() { "take" } else { "unshare" },
                slot.permission().qmp_name()
            ),
            Fault::Unaligned { node } => {
                write!(f, "the length of node '{node}' is not a multiple of its request alignment")
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.permissions.iter().map(Permissions::qmp_name).collect();
        let Conflict { node, requirer, unsharer, .. } = self;
        let names = names.join(", ");
        write!(
            f,
            "{names} on node '{node}': taken by {} and unshared by {}",
            requirer.parent, unsharer.parent
        )
    }
}

/// A change that was refused, still in the refused state; dropping it takes the change back.
#[derive(Debug)]
pub struct Refused<'g, R: Rule> {
    pub(crate) change: Change<'g, R>,
    pub(crate) faulty: Vec<NodeId>,
}

impl<R: Rule> Refused<'_, R> {
    /// The graph in the refused state.
    pub fn graph(&self) -> &Graph<R> {
        self.change.graph()
    }

    /// All that is wrong with the refused state, and whence; the change is taken back.
    ///
    /// Takes time with the number of edges into the nodes at fault.
    pub fn refusal(mut self) -> Refusal {
        self.judge()
    }

    /// The same; the change is taken back as QEMU does: see [`Graph::transact`].
    pub(crate) fn give_up(mut self) -> Refusal {
        let refusal = self.judge();
        self.change.give_up();
        refusal
    }

    fn judge(&mut self) -> Refusal {
        let graph = self.change.graph_mut();
        if self.faulty.len() > 1 {
            let order = graph.reporting_order();
            let place = |id: &NodeId| order.iter().position(|node| node == id);
            self.faulty.sort_by_key(place);
        }
        let mut faults = Vec::new();
        for &node in &self.faulty {
            graph.conflicts_at(node, &mut faults);
            faults.extend(graph.state_fault_at(node));
            faults.extend(graph.lock_fault_at(node));
        }
        Refusal::Permissions(faults)
    }
}

impl<R: Rule> Graph<R> {
    /// The order in which QEMU looks at nodes: depth first from where the update starts, each node
    /// put before those that were finished earlier.
    ///
    /// Source: `bdrv_topological_dfs` in `block.c`, QEMU 10.0.
    fn reporting_order(&self) -> Vec<NodeId> {
        enum Visit {
            Enter(NodeId),
            Leave(NodeId),
        }
        let mut seen = FxHashSet::default();
        let mut finished = Vec::new();
        for &start in &self.scratch.starts {
            let mut stack = vec![Visit::Enter(start)];
            while let Some(visit) = stack.pop() {
                match visit {
                    Visit::Enter(node) if seen.insert(node) => {
                        stack.push(Visit::Leave(node));
                        let children: Vec<EdgeId> = self.children(node).collect();
                        let enter = |&edge: &EdgeId| Visit::Enter(self.child_of(edge));
                        stack.extend(children.iter().rev().map(enter));
                    }
                    Visit::Enter(_) => {}
                    Visit::Leave(node) => finished.push(node),
                }
            }
        }
        finished.reverse();
        finished
    }

    /// Adds every pair of edges into `node` that conflict, up to [`MOST_FAULTS`]: by the one that
    /// unshares, then by the one that takes, each newest first.
    ///
    /// Source: `bdrv_parent_perms_conflict` in `block.c`, QEMU 10.0.
    fn conflicts_at(&mut self, node: NodeId, faults: &mut Vec<Fault>) {
        let edges: Vec<EdgeId> = self.parents(node).collect();
        let all = edges.iter().map(|&edge| self.demand(edge)).fold(Demand::NONE, Demand::union);
        let contested = all.take() & all.unshare();
        let with = |graph: &Self, holds: fn(Demand) -> Permissions| -> Vec<EdgeId> {
            let is_one = |&edge: &EdgeId| holds(graph.demand(edge)).intersects(contested);
            edges.iter().copied().filter(is_one).collect()
        };
        let (unsharers, requirers) = (with(self, Demand::unshare), with(self, Demand::take));
        for &unsharer in &unsharers {
            for &requirer in &requirers {
                if faults.len() >= MOST_FAULTS {
                    return;
                }
                let permissions = self.conflict(requirer, unsharer);
                if requirer != unsharer && !permissions.is_empty() {
                    faults.push(Fault::Conflict(Box::new(Conflict {
                        node: self.name(node).to_owned(),
                        permissions,
                        requirer: self.party(requirer, Demand::taking(permissions)),
                        unsharer: self.party(unsharer, Demand::unsharing(permissions)),
                    })));
                }
            }
        }
    }

    fn party(&self, edge: EdgeId, at_fault: Demand) -> Party {
        let asked = at_fault.slots().next().filter(|_| self.tells_why);
        let why = asked.map(|slot: Slot| self.why(edge, slot));
        let sources = asked.map(|_| self.sources(edge, at_fault)).unwrap_or_default();
        Party {
            parent: self.parent_name(edge),
            edge: self.edge_name(edge).to_owned(),
            demand: self.demand(edge),
            why: why.unwrap_or_default(),
            sources,
        }
    }

    /// Who the parent of the edge is.
    pub fn parent_name(&self, edge: EdgeId) -> ParentName {
        match self.parent_of(edge) {
            Parent::Node(parent) => ParentName::Node(self.name(parent).to_owned()),
            Parent::Root(root) => ParentName::Root(self.holder(root).clone()),
        }
    }

    fn state_fault_at(&self, id: NodeId) -> Option<Fault> {
        let node = self.name(id).to_owned();
        Some(match state_fault(self.state(id), self.demand_on(id).take())? {
            StateFault::ReadOnly => {
                Fault::ReadOnly { node, was_writable: self.was_writable_before_change(id) }
            }
            StateFault::Unaligned => Fault::Unaligned { node },
        })
    }

    fn was_writable_before_change(&self, id: NodeId) -> bool {
        self.log.iter().any(|undo| {
            matches!(undo, Undo::Node { node, state, .. } if *node == id && state.is_writable())
        })
    }
}
