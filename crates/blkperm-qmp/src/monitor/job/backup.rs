//! `blockdev-backup`.
//!
//! As in QEMU it is a transaction with one action, and an action has parts that a transaction with
//! more of them does for all: see [`BackupStart`].

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{BackupOptions, BackupStart, Operation, Sync};
use serde_json::Value;

use super::job_options;
use crate::command::job::{BitmapSyncMode, BlockdevBackup, MirrorSyncMode};
use crate::monitor::open::can_compress;
use crate::monitor::{Failed, Monitor, done};

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_blockdev_backup` in `blockdev.c`, QEMU 10.0.
    pub(in crate::monitor) fn blockdev_backup(
        &mut self,
        arguments: &BlockdevBackup,
    ) -> Result<Value, Failed> {
        self.layer.drain_all();
        let (source, target) = self.backup_nodes(arguments)?;
        let mut start = self.layer.begin_backup(source);
        let created = self.create_backup(&mut start, source, target, arguments);
        if created.is_ok() {
            self.layer.run_backup(&start);
        }
        self.layer.end_backup(start);
        created?;
        done()
    }

    /// The source and the target of a backup.
    ///
    /// Source: `blockdev_backup_action` in `blockdev.c`, QEMU 10.0.
    pub(in crate::monitor) fn backup_nodes(
        &self,
        arguments: &BlockdevBackup,
    ) -> Result<(NodeId, NodeId), Failed> {
        let source = self.look_up(&arguments.device, &arguments.device)?;
        Ok((source, self.look_up(&arguments.target, &arguments.target)?))
    }

    /// Creates the job of a backup whose source is drained.
    ///
    /// Source: `do_backup_common` in `blockdev.c`, `backup_job_create` in `block/backup.c`, QEMU 10.0.
    pub(in crate::monitor) fn create_backup(
        &mut self,
        start: &mut BackupStart,
        source: NodeId,
        target: NodeId,
        arguments: &BlockdevBackup,
    ) -> Result<(), Failed> {
        let sync = backup_sync(arguments)?;
        if source == target {
            return Err(Failed::generic("Source and target cannot be the same"));
        }
        if arguments.compress == Some(true) && !self.compresses(target) {
            return Err(Failed::generic("Compression is not supported for this drive "));
        }
        self.layer.require_unblocked(source, Operation::BackupSource)?;
        self.layer.require_unblocked(target, Operation::BackupTarget)?;
        let perf = arguments.x_perf.clone().unwrap_or_default();
        if perf.max_workers.is_some_and(|workers| !(1..=i64::from(i32::MAX)).contains(&workers)) {
            let desc = format!("max-workers must be between 1 and {}", i32::MAX);
            return Err(Failed::generic(desc));
        }
        let Ok(max_chunk) = u64::try_from(perf.max_chunk.unwrap_or(0)) else {
            let desc = "max-chunk must be zero (which means no limit) or positive";
            return Err(Failed::generic(desc));
        };
        if self.layer.graph.length(source) != self.layer.graph.length(target) {
            return Err(Failed::generic("Source and target image have different sizes"));
        }
        let min_cluster_size = perf.min_cluster_size.unwrap_or(0);
        if i64::try_from(min_cluster_size).is_err() {
            let most = i64::MAX;
            let desc = format!("min-cluster-size too large: {min_cluster_size} > {most}");
            return Err(Failed::generic(desc));
        }
        let options = BackupOptions {
            job: job_options!(arguments),
            source,
            target,
            sync,
            discard_source: arguments.discard_source == Some(true),
            max_chunk,
            min_cluster_size,
        };
        Ok(self.layer.create_backup(start, &options)?)
    }

    /// Whether what is written to the node can be compressed.
    ///
    /// Source: `bdrv_supports_compressed_writes` in `block.c`, QEMU 10.0.
    fn compresses(&self, node: NodeId) -> bool {
        let graph = &self.layer.graph;
        let filtered = |&node: &NodeId| graph.filtered_edge(node).map(|edge| graph.child_of(edge));
        let mut nodes = std::iter::successors(Some(node), filtered);
        nodes.all(|node| can_compress(graph.driver(node).name))
    }
}

/// What is copied; there are no bitmaps that could say it.
fn backup_sync(arguments: &BlockdevBackup) -> Result<Sync, Failed> {
    let sync = arguments.sync;
    let by_bitmap = matches!(sync, MirrorSyncMode::Bitmap | MirrorSyncMode::Incremental);
    if by_bitmap && arguments.bitmap.is_none() {
        let desc = format!("must provide a valid bitmap name for '{sync}' sync mode");
        return Err(Failed::generic(desc));
    }
    let on_success = BitmapSyncMode::OnSuccess;
    if sync == MirrorSyncMode::Incremental
        && arguments.bitmap_mode.is_some_and(|mode| mode != on_success)
    {
        let desc = format!("Bitmap sync mode must be '{on_success}' when using sync mode '{sync}'");
        return Err(Failed::generic(desc));
    }
    if let Some(bitmap) = &arguments.bitmap {
        return Err(Failed::generic(format!("Bitmap '{bitmap}' could not be found")));
    }
    if arguments.bitmap_mode.is_some() {
        return Err(Failed::generic("Cannot specify bitmap sync mode without a bitmap"));
    }
    Ok(match sync {
        MirrorSyncMode::Top => Sync::Top,
        MirrorSyncMode::None => Sync::None,
        MirrorSyncMode::Full | MirrorSyncMode::Bitmap | MirrorSyncMode::Incremental => Sync::Full,
    })
}
