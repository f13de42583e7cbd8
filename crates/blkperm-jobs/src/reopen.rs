//! Nodes that become read-only or read-write, and those that follow them.

use std::collections::{HashMap, HashSet};

use blkperm_graph::{Change, EdgeId, Graph, NodeId, Role, Rule, State};

use crate::denied::Denied;
use crate::layer::BlockLayer;

/// Which nodes were opened for a parent, whose options they take over where they have none of their
/// own.
///
/// Source: `inherits_from` of `BlockDriverState`, `bdrv_inherited_options` in `block.c`, QEMU 10.0.
#[derive(Clone, Debug, Default)]
pub struct Heirs {
    parents: HashMap<NodeId, NodeId>,
    /// The nodes for which it was said whether they are read-only.
    decided: HashSet<NodeId>,
    /// The nodes that cannot be reopened, with the reason.
    obstacles: HashMap<NodeId, Denied>,
}

impl Heirs {
    /// The node for which the node was opened, if it was.
    pub fn parent_of(&self, node: NodeId) -> Option<NodeId> {
        self.parents.get(&node).copied()
    }

    /// Takes note of the node for which the node was opened; none if it stands for itself.
    pub fn set_parent(&mut self, node: NodeId, parent: Option<NodeId>) {
        match parent {
            Some(parent) => self.parents.insert(node, parent),
            None => self.parents.remove(&node),
        };
    }

    /// Whether the node was opened for `above`, or for one that was, and so on.
    ///
    /// Source: `bdrv_inherits_from_recursive`.
    pub fn is_below(&self, node: NodeId, above: NodeId) -> bool {
        std::iter::successors(self.parent_of(node), |&node| self.parent_of(node))
            .any(|parent| parent == above)
    }

    /// Whether it was said of the node whether it is read-only.
    pub fn has_own_read_only(&self, node: NodeId) -> bool {
        self.decided.contains(&node)
    }

    /// Takes note whether it is said of the node whether it is read-only.
    pub fn set_own_read_only(&mut self, node: NodeId, own: bool) {
        if own {
            self.decided.insert(node);
        } else {
            self.decided.remove(&node);
        }
    }

    /// Takes note that the node cannot be reopened, and why.
    pub fn set_obstacle(&mut self, node: NodeId, denied: Denied) {
        self.obstacles.insert(node, denied);
    }

    /// Lets the node, and those below it, stand for themselves that were opened for `root` and are
    /// no longer its children once `edge` is gone.
    ///
    /// Source: `bdrv_unset_inherits_from`.
    pub fn disinherit<R: Rule>(&mut self, graph: &Graph<R>, root: NodeId, edge: EdgeId) {
        let child = graph.child_of(edge);
        let is_other = |other: EdgeId| other != edge && graph.child_of(other) == child;
        if self.parent_of(child) == Some(root) && !graph.children(root).any(is_other) {
            self.set_parent(child, None);
        }
        graph.children(child).for_each(|edge| self.disinherit(graph, root, edge));
    }

    /// Forgets the nodes that are gone, whose ids may come again.
    pub(crate) fn forget_gone<R: Rule>(&mut self, graph: &Graph<R>) {
        let is_there = |&node: &NodeId| graph.contains_node(node);
        self.parents.retain(|child, parent| is_there(child) && is_there(parent));
        self.decided.retain(is_there);
        self.obstacles.retain(|node, _| is_there(node));
    }

    /// The node that is to be read-only or read-write, and those below it that were opened for it,
    /// each with whether it is to be read-only.
    pub(crate) fn reopened<R: Rule>(
        &self,
        graph: &Graph<R>,
        node: NodeId,
        read_only: bool,
    ) -> Vec<(NodeId, bool)> {
        let mut reopened = vec![(node, read_only)];
        let mut done = 0;
        while let Some(&(parent, read_only)) = reopened.get(done) {
            for edge in graph.children(parent) {
                let child = graph.child_of(edge);
                if self.parent_of(child) != Some(parent) {
                    continue;
                }
                // A backing file is read-only, whatever its overlay is.
                let read_only = match self.has_own_read_only(child) {
                    true => graph.state(child).contains(State::READ_ONLY),
                    false => read_only || graph.role(edge).contains(Role::COW),
                };
                reopened.push((child, read_only));
            }
            done += 1;
        }
        reopened
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Makes a node read-only or read-write, with those that follow it, unless it is so already.
    ///
    /// # Errors
    ///
    /// Those of [`set_read_only`](Self::set_read_only).
    pub(crate) fn require_read_only(
        &mut self,
        node: NodeId,
        read_only: bool,
    ) -> Result<(), Denied> {
        if self.graph.state(node).contains(State::READ_ONLY) == read_only {
            return Ok(());
        }
        self.set_read_only(node, read_only)
    }

    /// Makes a node read-only or read-write, with those that follow it.
    ///
    /// Source: `bdrv_reopen_set_read_only` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// The refusal; the nodes are then as before.
    pub fn set_read_only(&mut self, node: NodeId, read_only: bool) -> Result<(), Denied> {
        let reopened = self.heirs.reopened(&self.graph, node, read_only);
        self.drained(&nodes(&reopened), |layer| {
            layer.drain_all();
            require_changeable(&layer.graph, &layer.heirs, &reopened)?;
            layer.graph.transact(|change| {
                set_all(change, &reopened);
                Ok(())
            })?;
            Ok::<(), Denied>(())
        })?;
        // From now on this is the node's own option.
        self.heirs.set_own_read_only(node, true);
        Ok(())
    }
}

/// Requires that nodes can be reopened, whoever uses them.
///
/// # Errors
///
/// What keeps the first of them from it; [`Denied::CannotChangeOption`]: QEMU's quirk: it compares
/// what is force-shared with the word that this was read from.
pub(crate) fn require_changeable<R: Rule>(
    graph: &Graph<R>,
    heirs: &Heirs,
    reopened: &[(NodeId, bool)],
) -> Result<(), Denied> {
    reopened.iter().try_for_each(|&(node, _)| {
        if let Some(denied) = heirs.obstacles.get(&node) {
            return Err(denied.clone());
        }
        match graph.state(node).contains(State::FORCE_SHARE) {
            true => Err(Denied::CannotChangeOption("force-share")),
            false => Ok(()),
        }
    })
}

fn nodes(reopened: &[(NodeId, bool)]) -> Vec<NodeId> {
    reopened.iter().map(|&(node, _)| node).collect()
}

/// Says of each node whether it is read-only.
pub(crate) fn set_all<R: Rule>(change: &mut Change<'_, R>, reopened: &[(NodeId, bool)]) {
    for &(node, read_only) in reopened {
        let mut state = change.graph().state(node);
        state.set(State::READ_ONLY, read_only);
        change.set_state(node, state);
    }
}
