//! `blockdev-mirror`.

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{MirrorOptions, Operation, Sync};
use serde_json::Value;

use super::job_options;
use crate::command::job::{BlockdevMirror, MirrorCopyMode, MirrorSyncMode};
use crate::monitor::{Failed, Monitor, done};

/// The granularities that a mirror can have, in bytes.
///
/// Source: `blockdev_mirror_common` in `blockdev.c`, QEMU 10.0.
const GRANULARITIES: std::ops::RangeInclusive<u32> = 512..=64 << 20;

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_blockdev_mirror`, `blockdev_mirror_common` in `blockdev.c`, QEMU 10.0.
    pub(in crate::monitor) fn blockdev_mirror(
        &mut self,
        arguments: &BlockdevMirror,
    ) -> Result<Value, Failed> {
        let device = self.look_up(&arguments.device, &arguments.device)?;
        self.layer.require_root(device)?;
        let target = self.look_up(&arguments.target, &arguments.target)?;
        check_granularity(arguments.granularity.unwrap_or(0))?;
        self.layer.require_unblocked(device, Operation::MirrorSource)?;
        self.layer.require_unblocked(target, Operation::MirrorTarget)?;
        let replaces = arguments.replaces.as_deref();
        let replaces = replaces.map(|name| self.find_replaced(device, name)).transpose()?;
        let sync = match arguments.sync {
            MirrorSyncMode::Full => Sync::Full,
            MirrorSyncMode::Top => Sync::Top,
            MirrorSyncMode::None => Sync::None,
            MirrorSyncMode::Incremental | MirrorSyncMode::Bitmap => {
                let desc = format!("Sync mode '{}' not supported", arguments.sync);
                return Err(Failed::generic(desc));
            }
        };
        if arguments.buf_size.is_some_and(|size| size < 0) {
            return Err(Failed::generic("Invalid parameter 'buf-size'"));
        }
        self.layer.start_mirror(&MirrorOptions {
            job: job_options!(arguments),
            device,
            target,
            sync,
            replaces,
            target_unmaps: self.nodes.get(&arguments.target).is_some_and(|detail| detail.unmaps),
            write_blocking: arguments.copy_mode == Some(MirrorCopyMode::WriteBlocking),
        })?;
        done()
    }

    fn find_replaced(&self, device: NodeId, name: &str) -> Result<NodeId, Failed> {
        let Some(replaced) = self.layer.graph.node_by_name(name) else {
            let desc = format!("Failed to find node with node-name='{name}'");
            return Err(Failed::generic(desc));
        };
        self.layer.require_unblocked(replaced, Operation::Replace)?;
        self.layer.require_replaceable(device, replaced)?;
        Ok(replaced)
    }
}

fn check_granularity(granularity: u32) -> Result<(), Failed> {
    if granularity != 0 && !GRANULARITIES.contains(&granularity) {
        let desc = "Parameter 'granularity' expects a value in range [512B, 64MB]";
        return Err(Failed::generic(desc));
    }
    if granularity & granularity.wrapping_sub(1) != 0 {
        return Err(Failed::generic("Parameter 'granularity' expects a power of 2"));
    }
    Ok(())
}
