//! Nodes that become read-only or read-write, and those that follow them.

use std::collections::HashMap;

use blkperm_graph::{Change, Graph, NodeId, Rule, State};

use crate::denied::Denied;
use crate::exit::{IfRefused, Pause, Step};
use crate::layer::BlockLayer;

/// Which nodes are read-only as long as the node is for which they were opened.
///
/// Source: `inherits_from` of `BlockDriverState`, `bdrv_inherited_options` in `block.c`, QEMU 10.0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers(HashMap<NodeId, NodeId>);

impl Followers {
    /// Forgets the nodes that are gone, whose ids may come again.
    pub(crate) fn forget_gone<R: Rule>(&mut self, graph: &Graph<R>) {
        self.0.retain(|&child, parent| graph.contains_node(child) && graph.contains_node(*parent));
    }

    /// The node, and those below it that follow it.
    fn of<R: Rule>(&self, graph: &Graph<R>, node: NodeId) -> Vec<NodeId> {
        let mut found = vec![node];
        let mut done = 0;
        while let Some(&parent) = found.get(done) {
            let children = graph.children(parent).map(|edge| graph.child_of(edge));
            let followers = children.filter(|child| self.0.get(child) == Some(&parent));
            found.extend(followers.collect::<Vec<_>>());
            done += 1;
        }
        found
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Lets `child` be read-only whenever `parent` becomes so, for which it was opened, and
    /// read-write likewise.
    pub fn follow(&mut self, child: NodeId, parent: NodeId) {
        self.followers.0.insert(child, parent);
    }

    /// Makes a node read-only or read-write, with those that follow it.
    ///
    /// Source: `bdrv_reopen_set_read_only` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// The refusal; the nodes are then as before.
    pub(crate) fn set_read_only(&mut self, node: NodeId, read_only: bool) -> Result<(), Denied> {
        if self.graph.state(node).contains(State::READ_ONLY) == read_only {
            return Ok(());
        }
        let nodes = self.followers.of(&self.graph, node);
        self.drained(&nodes, |layer| {
            layer.require_changeable(&nodes, read_only)?;
            layer.drain_all();
            layer.graph.transact(|change| {
                set_all(change, &nodes, read_only);
                Ok(())
            })?;
            Ok::<(), Denied>(())
        })?;
        // From now on this is the node's own option.
        self.followers.0.remove(&node);
        Ok(())
    }

    /// Requires that the nodes can become read-only or read-write, whoever uses them.
    ///
    /// # Errors
    ///
    /// [`Denied::CannotChangeOption`]: what is force-shared stays read-only.
    fn require_changeable(&self, nodes: &[NodeId], read_only: bool) -> Result<(), Denied> {
        let is_shared = |&node: &NodeId| self.graph.state(node).contains(State::FORCE_SHARE);
        if read_only || !nodes.iter().any(is_shared) {
            return Ok(());
        }
        Err(Denied::CannotChangeOption("force-share"))
    }

    /// The step that does so where it can be done.
    pub(crate) fn reopen(&self, node: NodeId, read_only: bool) -> Step<R> {
        let nodes = self.followers.of(&self.graph, node);
        let section = nodes.clone();
        if self.require_changeable(&nodes, read_only).is_err() {
            return Step::new(IfRefused::Ignore, Pause::None, |_| Ok(())).within(&section);
        }
        let reopen = Step::new(IfRefused::Ignore, Pause::Change, move |change| {
            set_all(change, &nodes, read_only);
            Ok(())
        });
        reopen.within(&section)
    }
}

fn set_all<R: Rule>(change: &mut Change<'_, R>, nodes: &[NodeId], read_only: bool) {
    for &node in nodes {
        let mut state = change.graph().state(node);
        state.set(State::READ_ONLY, read_only);
        change.set_state(node, state);
    }
}
