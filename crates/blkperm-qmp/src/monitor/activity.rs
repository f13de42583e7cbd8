//! `blockdev-set-active`: gives images away to another process, and takes them back.

use blkperm_graph::{NodeId, Refusal, Rule};
use blkperm_jobs::{BlockLayer, Denied};
use serde_json::Value;

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
            self.activate(|layer, activated| layer.activate(node, activated))?;
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
            self.activate(|layer, activated| layer.activate_all(&owned, activated))?;
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

    /// Makes nodes active, and looks anew at how long those are that became so.
    ///
    /// Source: `bdrv_activate` in `block.c`, QEMU 10.0.
    pub(super) fn activate(
        &mut self,
        activate: impl FnOnce(&mut BlockLayer<R>, &mut Vec<NodeId>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut activated = Vec::new();
        let result = activate(&mut self.layer, &mut activated);
        activated.into_iter().for_each(|node| self.refresh_length(node));
        result
    }
}
