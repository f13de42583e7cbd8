//! `blockdev-set-active`: gives images away to another process, and takes them back.

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::Denied;
use serde_json::Value;

use super::length::refresh_length;
use super::{Failed, Monitor, done};
use crate::command::blockdev::BlockdevSetActive;

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_blockdev_set_active` in `blockdev.c`, QEMU 10.0.
    pub(super) fn blockdev_set_active(
        &mut self,
        arguments: &BlockdevSetActive,
    ) -> Result<Value, Failed> {
        let Some(name) = &arguments.node_name else { return self.set_all_active(arguments.active) };
        let Some(node) = self.layer.graph.node_by_name(name) else {
            let desc = format!("Failed to find node with node-name='{name}'");
            return Err(Failed::generic(desc));
        };
        if arguments.active {
            self.activate(node)?;
        } else {
            self.layer.inactivate(node)?;
        }
        done()
    }

    fn set_all_active(&mut self, active: bool) -> Result<Value, Failed> {
        let graph = &self.layer.graph;
        let mut owned: Vec<NodeId> = graph.nodes();
        owned.retain(|&node| self.is_deletable(graph.name(node)));
        if active {
            let Monitor { layer, nodes, .. } = self;
            let mut look = |layer: &mut _, node| refresh_length(layer, nodes, node);
            layer.activate_all(&owned, &mut look)?;
            return done();
        }
        match self.layer.inactivate_all(&owned) {
            Ok(()) => done(),
            Err(Denied::StillWritten) => {
                Err(Failed::generic("Failed to inactivate all nodes: Operation not permitted"))
            }
            Err(denied) => Err(denied.into()),
        }
    }

    /// Makes a node active with those below it, and looks anew at how long those are that became so.
    ///
    /// Source: `bdrv_activate` in `block.c`, QEMU 10.0.
    pub(super) fn activate(&mut self, node: NodeId) -> Result<(), Denied> {
        let Monitor { layer, nodes, .. } = self;
        layer.activate(node, &mut |layer, node| refresh_length(layer, nodes, node))
    }
}
