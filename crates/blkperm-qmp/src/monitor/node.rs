//! What the monitor knows of nodes besides the graph, and `blockdev-del`.

use std::collections::HashMap;
use std::sync::Arc;

use blkperm_graph::{EdgeId, Graph, NodeId, Parent, Rule};
use blkperm_jobs::{Denied, Operation};
use serde_json::Value;

use super::image::BackingName;
use super::{Failed, Monitor, done};
use crate::command::blockdev::{BlockdevCacheOptions, BlockdevDetectZeroesOptions};
use crate::qapi::flat::Options;

/// What the monitor knows of one node besides the graph.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeDetail {
    /// Whether the user has added the node by name, and so can delete it.
    pub(super) monitor_owned: bool,
    /// Of a `file` node: the path.
    pub(super) filename: Option<String>,
    /// The options that the node was given, without those of its children.
    ///
    /// Source: `explicit_options` of `BlockDriverState`, QEMU 10.0.
    pub(super) explicit: Options,
    /// What the backing file is called that is opened with the node's image unless told otherwise;
    /// empty for none.
    ///
    /// Source: `auto_backing_file` of `BlockDriverState`, QEMU 10.0.
    pub(super) auto_backing: String,
    /// What the node's image calls its backing file.
    ///
    /// Source: `backing_file`, `backing_format` of `BlockDriverState`, QEMU 10.0.
    pub(super) backing_name: Option<BackingName>,
    /// Of an encrypted image: where in its file the data begins.
    pub(super) payload: Option<u64>,
    /// The alignment of its requests in bytes, as it was when the node was opened, if its driver sets
    /// one.
    ///
    /// Source: `request_alignment` of `BlockLimits`, QEMU 10.0.
    pub(super) alignment: Option<u64>,
    /// Of a quorum: the number of its next child.
    pub(super) next_child: usize,
    /// Whether what is discarded there is passed on.
    pub(super) unmaps: bool,
    /// The chain that the node keeps as it is, from its child down: of a `copy-on-read` node with a
    /// `bottom`, which it holds.
    pub(super) pinned: Vec<NodeId>,
    /// How it was asked to be cached.
    pub(super) cache: Option<BlockdevCacheOptions>,
    /// What it was asked to do with zeroes.
    pub(super) detect_zeroes: Option<BlockdevDetectZeroesOptions>,
}

/// The details of all nodes that users have added, by node-name. Forks of a monitor have them in
/// common until they change them.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeDetails(HashMap<Arc<str>, Arc<NodeDetail>>);

impl NodeDetails {
    /// The details of the node of that name; a job's filter has none.
    pub(super) fn get(&self, name: &str) -> Option<&NodeDetail> {
        self.0.get(name).map(Arc::as_ref)
    }

    /// The details of the node of that name, to be filled in.
    pub(super) fn get_mut(&mut self, name: &str) -> &mut NodeDetail {
        Arc::make_mut(self.0.entry(name.into()).or_default())
    }

    /// Whether any node was opened with that option.
    pub(super) fn any_has_option(&self, option: &str, value: &Value) -> bool {
        self.0.values().any(|detail| detail.explicit.get(option) == Some(value))
    }

    /// Takes out the details of nodes that are gone.
    fn take_gone<R: Rule>(&mut self, graph: &mut Graph<R>) -> Vec<Arc<NodeDetail>> {
        let mut gone = Vec::new();
        for name in graph.take_gone() {
            if graph.node_by_name(&name).is_none() {
                gone.extend(self.0.remove(&*name));
            }
        }
        gone
    }
}

impl<R: Rule> Monitor<R> {
    /// Forgets what is known of nodes that are gone, and lets go of what they kept.
    pub(super) fn forget_gone_nodes(&mut self) {
        loop {
            let gone = self.nodes.take_gone(&mut self.layer.graph);
            if gone.is_empty() {
                return;
            }
            for detail in gone {
                self.unpin(&detail.pinned);
            }
        }
    }

    /// Freezes the chain from a node down to `bottom`, which stays for as long as the node does.
    ///
    /// Source: `cor_open` in `block/copy-on-read.c`, QEMU 10.0.
    pub(super) fn pin(&mut self, node: NodeId, bottom: NodeId) -> Result<(), Failed> {
        let graph = &mut self.layer.graph;
        let edges = graph.chain_edges(node, bottom);
        if let Some(&edge) = edges.iter().find(|&&edge| graph.is_frozen(edge)) {
            let Parent::Node(parent) = graph.parent_of(edge) else { unreachable!("in a chain") };
            return Err(Failed::generic(format!(
                "Cannot change frozen '{}' link from '{}' to '{}'",
                graph.edge_name(edge),
                graph.name(parent),
                graph.name(graph.child_of(edge)),
            )));
        }
        graph.transact(|change| {
            edges.iter().for_each(|&edge| change.set_frozen(edge, true));
            Ok(())
        })?;
        graph.keep(bottom);
        let pinned = edges.iter().map(|&edge| graph.child_of(edge)).collect();
        let name = graph.name(node).to_owned();
        self.nodes.get_mut(&name).pinned = pinned;
        Ok(())
    }

    /// Thaws a chain that was pinned, as far as it is still there, and lets go of its last node.
    fn unpin(&mut self, chain: &[NodeId]) {
        let Some((&bottom, above)) = chain.split_last() else { return };
        let graph = &mut self.layer.graph;
        let present = above.iter().filter(|&&node| graph.contains_node(node));
        let edges: Vec<EdgeId> = present.filter_map(|&node| graph.chain_edge(node)).collect();
        // Thawing demands nothing.
        let _ = graph.transact(|change| {
            edges.iter().for_each(|&edge| change.set_frozen(edge, false));
            Ok(())
        });
        self.layer.release(bottom);
    }

    /// QEMU's quirk 21: of an export and a job that use the node, the export is told.
    ///
    /// Source: `qmp_blockdev_del` in `blockdev.c`, QEMU 10.0.
    pub(super) fn blockdev_del(&mut self, name: &str) -> Result<Value, Failed> {
        let graph = &self.layer.graph;
        let Some(node) = graph.node_by_name(name) else {
            let desc = format!("Failed to find node with node-name='{name}'");
            return Err(Failed::generic(desc));
        };
        if self.has_backend(node) {
            return Err(Denied::InUse { node: name.to_owned(), by_backend: true }.into());
        }
        if let Some(blocker) = self.layer.blocker(node, Operation::BlockdevDel) {
            return Err(Denied::Busy { node: name.to_owned(), blocker }.into());
        }
        if !self.is_deletable(name) {
            return Err(Failed::generic(format!("Node {name} is not owned by the monitor")));
        }
        if graph.parents(node).next().is_some() {
            return Err(Denied::InUse { node: name.to_owned(), by_backend: false }.into());
        }
        self.layer.release(node);
        done()
    }

    /// Whether the user has added the node by its name, and so can delete it.
    pub fn is_deletable(&self, name: &str) -> bool {
        self.nodes.get(name).is_some_and(|detail| detail.monitor_owned)
    }

    fn has_backend(&self, node: NodeId) -> bool {
        let graph = &self.layer.graph;
        graph.parents(node).any(|edge| {
            matches!(graph.parent_of(edge), Parent::Root(_)) && !graph.stays_at_node(edge)
        })
    }
}
