//! The commands that start jobs and ask things of them.

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{CommitOptions, Job, JobOptions, MirrorOptions, Operation, Sync};
use serde_json::{Value, json};

use super::open::backing::relative_to;
use super::{Failed, Monitor, done, text};
use crate::command::Command;
use crate::command::job::{BlockCommit, BlockdevMirror, MirrorCopyMode, MirrorSyncMode};
use crate::{ErrorClass, QmpError};

/// The granularities that a mirror can have, in bytes.
///
/// Source: `blockdev_mirror_common` in `blockdev.c`, QEMU 10.0.
const GRANULARITIES: std::ops::RangeInclusive<u32> = 512..=64 << 20;

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_blockdev_mirror`, `blockdev_mirror_common` in `blockdev.c`, QEMU 10.0.
    pub(super) fn blockdev_mirror(&mut self, arguments: &BlockdevMirror) -> Result<Value, Failed> {
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
            job: JobOptions {
                id: arguments.job_id.clone().unwrap_or_default(),
                speed: arguments.speed.unwrap_or(0),
                auto_finalize: arguments.auto_finalize.unwrap_or(true),
                auto_dismiss: arguments.auto_dismiss.unwrap_or(true),
                filter_node_name: arguments.filter_node_name.clone(),
            },
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

    /// Source: `qmp_block_commit` in `blockdev.c`, QEMU 10.0.
    pub(super) fn block_commit(&mut self, arguments: &BlockCommit) -> Result<Value, Failed> {
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
            job: JobOptions {
                id: arguments.job_id.clone().unwrap_or_default(),
                speed: arguments.speed.unwrap_or(0),
                auto_finalize: arguments.auto_finalize.unwrap_or(true),
                auto_dismiss: arguments.auto_dismiss.unwrap_or(true),
                filter_node_name: arguments.filter_node_name.clone(),
            },
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

    /// The backing file below `top` whose image is called `filename`, seen from its overlay.
    ///
    /// Source: `bdrv_find_backing_image` in `block.c`, QEMU 10.0.
    fn backing_image(&self, top: NodeId, filename: &str) -> Option<NodeId> {
        let graph = &self.layer.graph;
        let is_called = |&(overlay, below): &(NodeId, NodeId)| {
            let named = self.filename(below);
            if self.is_backing_overridden(overlay) {
                return named == filename;
            }
            let asked = relative_to(&self.filename(overlay), filename);
            normalized(&named) == normalized(&asked)
        };
        let mut pairs = std::iter::successors(Some(graph.skip_filters(top)), |&overlay| {
            graph.backing_chain_next(overlay)
        })
        .filter_map(|overlay| Some((overlay, graph.backing_chain_next(overlay)?)));
        pairs.find(is_called).map(|(_, below)| below)
    }

    /// The verbs: commands that ask something of one job.
    pub(super) fn job_verb(&mut self, command: &Command) -> Result<Value, Failed> {
        let id = self.job_id(command)?;
        let layer = &mut self.layer;
        match command {
            Command::JobComplete(_) | Command::BlockJobComplete(_) => layer.complete(&id)?,
            Command::JobCancel(_) => layer.cancel(&id, true)?,
            Command::BlockJobCancel(cancel) => layer.cancel(&id, cancel.force.unwrap_or(false))?,
            Command::JobFinalize(_) | Command::BlockJobFinalize(_) => layer.finalize_job(&id)?,
            Command::JobDismiss(_) | Command::BlockJobDismiss(_) => layer.dismiss(&id)?,
            Command::JobPause(_) | Command::BlockJobPause(_) => layer.pause(&id)?,
            Command::JobResume(_) | Command::BlockJobResume(_) => layer.resume(&id)?,
            Command::BlockJobSetSpeed(speed) => layer.set_speed(&id, speed.speed)?,
            other => unreachable!("{} is not about one job", other.name()),
        }
        done()
    }

    /// The id of the job that the command is about, which exists.
    fn job_id(&self, command: &Command) -> Result<String, QmpError> {
        let (id, is_block_job) = match command {
            Command::JobComplete(job)
            | Command::JobCancel(job)
            | Command::JobFinalize(job)
            | Command::JobDismiss(job)
            | Command::JobPause(job)
            | Command::JobResume(job) => (&job.id, false),
            Command::BlockJobFinalize(job) | Command::BlockJobDismiss(job) => (&job.id, true),
            Command::BlockJobComplete(job)
            | Command::BlockJobPause(job)
            | Command::BlockJobResume(job) => (&job.device, true),
            Command::BlockJobCancel(job) => (&job.device, true),
            Command::BlockJobSetSpeed(job) => (&job.device, true),
            other => unreachable!("{} is not about one job", other.name()),
        };
        match (self.layer.job(id), is_block_job) {
            (Some(_), _) => Ok(id.clone()),
            (None, true) => {
                let desc = format!("Block job '{id}' not found");
                Err(QmpError::new(ErrorClass::DeviceNotActive, desc))
            }
            (None, false) => Err(QmpError::generic("Job not found")),
        }
    }

    /// Source: `qmp_query_jobs` in `job-qmp.c`, QEMU 10.0.
    pub(super) fn query_jobs(&self) -> Value {
        self.newest_first()
            .map(|job| {
                let progress = job.progress();
                let mut members = json!({
                    "id": job.id(),
                    "type": job.kind(),
                    "status": job.status().name(),
                    "current-progress": progress.offset,
                    "total-progress": progress.len,
                });
                if let Some(error) = job.error() {
                    members["error"] = json!(text::job_error(error));
                }
                members
            })
            .collect()
    }

    /// Source: `block_job_query_locked` in `blockjob.c`, QEMU 10.0.
    pub(super) fn query_block_jobs(&self) -> Value {
        self.newest_first()
            .map(|job| {
                let progress = job.progress();
                let mut members = json!({
                    "auto-finalize": job.auto_finalize(),
                    "io-status": "ok",
                    "device": job.id(),
                    "auto-dismiss": job.auto_dismiss(),
                    "busy": false,
                    "len": progress.len,
                    "offset": progress.offset,
                    "status": job.status().name(),
                    "paused": job.is_paused(),
                    "speed": progress.speed,
                    "ready": job.is_ready(),
                    "type": job.kind(),
                });
                if let Some(synced) = job.is_actively_synced() {
                    members["actively-synced"] = json!(synced);
                }
                if let Some(error) = job.error() {
                    members["error"] = json!(text::job_error(error));
                }
                members
            })
            .collect()
    }

    fn newest_first(&self) -> impl Iterator<Item = &Job> {
        self.layer.jobs().iter().rev()
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

/// A path without its empty and `.` components.
fn normalized(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let joined = parts.collect::<Vec<_>>().join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}
