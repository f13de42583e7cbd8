//! How large the clusters of images are, as a node's own image says or one that it presents.

use std::collections::HashMap;

use blkperm_graph::{Graph, NodeId, Role, Rule};

use crate::layer::BlockLayer;

/// The cluster sizes in bytes of the nodes whose images have clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clusters(HashMap<NodeId, u64>);

impl Clusters {
    /// Forgets the nodes that are gone, whose ids may come again.
    pub(crate) fn forget_gone<R: Rule>(&mut self, graph: &Graph<R>) {
        self.0.retain(|&node, _| graph.contains_node(node));
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Notes how large the clusters of a new node's image are, in bytes.
    pub fn set_cluster_size(&mut self, node: NodeId, size: u64) {
        self.clusters.0.insert(node, size);
    }

    /// How large the clusters are that a node says to have, in bytes; none where it knows of none.
    /// Filters and raw nodes ask their main child.
    ///
    /// Source: `bdrv_co_get_info` in `block.c` and of each `BlockDriver`, QEMU 10.0.
    pub fn cluster_size(&self, node: NodeId) -> Option<u64> {
        let asked = |&node: &NodeId| {
            let driver = self.graph.driver(node);
            let edge = self.graph.child_by_role(node, Role::PRIMARY);
            let edge = edge.filter(|_| driver.is_filter || driver.name == "raw")?;
            Some(self.graph.child_of(edge))
        };
        let image = std::iter::successors(Some(node), asked).last()?;
        self.clusters.0.get(&image).copied()
    }
}
