//! `block-commit`.

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{CommitOptions, Operation};
use serde_json::Value;

use super::job_options;
use crate::command::job::BlockCommit;
use crate::monitor::{Failed, Monitor, done};
use crate::{ErrorClass, QmpError};

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_block_commit` in `blockdev.c`, QEMU 10.0.
    pub(in crate::monitor) fn block_commit(
        &mut self,
        arguments: &BlockCommit,
    ) -> Result<Value, Failed> {
        let name = &arguments.device;
        let device = self.layer.graph.node_by_name(name).ok_or_else(|| {
            QmpError::new(ErrorClass::DeviceNotFound, format!("Device '{name}' not found"))
        })?;
        self.layer.require_root(device)?;
        self.layer.require_unblocked(device, Operation::CommitSource)?;
        let top = self.commit_top(device, arguments)?;
        let base = self.commit_base(top, arguments)?;
        let chain = self.layer.graph.chain(top);
        let above = chain.take_while(|&node| node != base).collect::<Vec<_>>();
        for node in above.into_iter().chain([base]) {
            self.layer.require_unblocked(node, Operation::CommitTarget)?;
        }
        if top == base {
            return Err(Failed::generic("cannot commit an image into itself"));
        }
        let graph = &self.layer.graph;
        if self.layer.is_active_commit(device, top) {
            if arguments.backing_file.is_some() {
                let is_active_layer = graph.skip_filters(top) == graph.skip_filters(device);
                let whose =
                    if is_active_layer { "is the active layer" } else { "has a writer on it" };
                let desc = format!("'backing-file' specified, but 'top' {whose}");
                return Err(Failed::generic(desc));
            }
        } else {
            if let Some(overlay) = graph.overlay_of(device, top) {
                self.layer.require_unblocked(overlay, Operation::CommitTarget)?;
            }
            if graph.skip_filters(top) == graph.skip_filters(base) {
                return Err(Failed::generic("Invalid files for merge: top and base are the same"));
            }
        }
        self.layer.start_commit(&CommitOptions {
            job: job_options!(arguments),
            device,
            top,
            base,
            backing_name: arguments.backing_file.clone(),
        })?;
        done()
    }

    fn commit_top(&self, device: NodeId, arguments: &BlockCommit) -> Result<NodeId, Failed> {
        match (&arguments.top_node, &arguments.top) {
            (Some(_), Some(_)) => {
                Err(Failed::generic("'top-node' and 'top' are mutually exclusive"))
            }
            (Some(name), None) => self.node_in_chain(device, name),
            (None, Some(filename)) => {
                let is_device = self.filename(device) == *filename;
                let found =
                    if is_device { Some(device) } else { self.backing_image(device, filename) };
                found.ok_or_else(|| Failed::generic(format!("Top image file {filename} not found")))
            }
            (None, None) => Ok(device),
        }
    }

    fn commit_base(&self, top: NodeId, arguments: &BlockCommit) -> Result<NodeId, Failed> {
        match (&arguments.base_node, &arguments.base) {
            (Some(_), Some(_)) => {
                Err(Failed::generic("'base-node' and 'base' are mutually exclusive"))
            }
            (Some(name), None) => self.node_in_chain(top, name),
            (None, Some(filename)) => self.backing_image(top, filename).ok_or_else(|| {
                Failed::generic(format!("Can't find '{filename}' in the backing chain"))
            }),
            (None, None) => Ok(self.layer.graph.chain(top).last().unwrap_or(top)),
        }
    }

    fn node_in_chain(&self, top: NodeId, name: &str) -> Result<NodeId, Failed> {
        let node = self.look_up("", name)?;
        if self.layer.graph.chain_contains(top, node) {
            return Ok(node);
        }
        Err(Failed::generic(format!("'{name}' is not in this backing file chain")))
    }
}
