//! `block-stream`.

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{Operation, StreamEnd, StreamOptions};
use serde_json::Value;

use super::job_options;
use crate::command::job::BlockStream;
use crate::monitor::{Failed, Monitor, done};

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_block_stream` in `blockdev.c`, QEMU 10.0.
    pub(in crate::monitor) fn block_stream(
        &mut self,
        arguments: &BlockStream,
    ) -> Result<Value, Failed> {
        let BlockStream { base, base_node, bottom, .. } = arguments;
        for (one, other, both) in [
            (base, base_node, "'base' and 'base-node'"),
            (base, bottom, "'base' and 'bottom'"),
            (base_node, bottom, "'bottom' and 'base-node'"),
        ] {
            if one.is_some() && other.is_some() {
                let desc = format!("{both} cannot be specified at the same time");
                return Err(Failed::generic(desc));
            }
        }
        let device = self.look_up(&arguments.device, &arguments.device)?;
        let end = self.stream_end(device, arguments)?;
        self.require_streamable(device, end)?;
        if !matches!(end, StreamEnd::Base(_)) && arguments.backing_file.is_some() {
            let desc = "backing file specified, but streaming the entire chain";
            return Err(Failed::generic(desc));
        }
        self.layer.start_stream(&StreamOptions {
            job: job_options!(arguments),
            device,
            end,
            backing_name: arguments.backing_file.clone(),
        })?;
        done()
    }

    fn stream_end(&self, device: NodeId, arguments: &BlockStream) -> Result<StreamEnd, Failed> {
        let graph = &self.layer.graph;
        let is_below = |node| graph.chain_contains(device, node);
        if let Some(filename) = &arguments.base {
            let found = self.backing_image(device, filename).map(StreamEnd::Base);
            return found.ok_or_else(|| {
                Failed::generic(format!("Can't find '{filename}' in the backing chain"))
            });
        }
        if let Some(name) = &arguments.base_node {
            let base = self.look_up("", name)?;
            if base == device || !is_below(base) {
                let device = &arguments.device;
                let desc = format!("Node '{name}' is not a backing image of '{device}'");
                return Err(Failed::generic(desc));
            }
            return Ok(StreamEnd::Base(base));
        }
        let Some(name) = &arguments.bottom else { return Ok(StreamEnd::Chain) };
        let bottom = self.look_up("", name)?;
        if graph.driver(bottom).is_filter {
            let desc = format!("Node '{name}' is a filter, use a non-filter node as 'bottom'");
            return Err(Failed::generic(desc));
        }
        if !is_below(bottom) {
            let device = &arguments.device;
            let desc = format!("Node '{name}' is not in a chain starting from '{device}'");
            return Err(Failed::generic(desc));
        }
        Ok(StreamEnd::Bottom(bottom))
    }

    /// Requires that nothing blocks a stream on any of the nodes that it is about.
    fn require_streamable(&self, device: NodeId, end: StreamEnd) -> Result<(), Failed> {
        let graph = &self.layer.graph;
        let below = match end {
            StreamEnd::Chain => None,
            StreamEnd::Base(base) => Some(base),
            StreamEnd::Bottom(bottom) => graph.chain(bottom).nth(1),
        };
        for node in graph.chain(device).take_while(|&node| Some(node) != below) {
            self.layer.require_unblocked(node, Operation::Stream)?;
        }
        Ok(())
    }
}
