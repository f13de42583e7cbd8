//! The backup driver: copies a node as it is at the start, with a filter that saves what is about to
//! be overwritten.
//!
//! A backup is always an action of a transaction in QEMU, also when it is alone. So its start is in
//! parts, which are done one after the other for all actions of a transaction:
//! [`begin_backup`](BlockLayer::begin_backup), [`create_backup`](BlockLayer::create_backup), then
//! [`run_backup`](BlockLayer::run_backup) for all or [`abort_backup`](BlockLayer::abort_backup) for
//! all, and [`end_backup`](BlockLayer::end_backup).

use blkperm_graph::driver::COPY_BEFORE_WRITE;
use blkperm_graph::{Change, Demand, Graph, NewNode, NodeId, Permissions, Role, RootId, Rule};

use crate::content::Extents;
use crate::denied::{Abort, Denied, Failure};
use crate::drain::Drained;
use crate::event::{Event, JobError};
use crate::exit::{IfRefused, Pause, Step, detach_all, drop_filter};
use crate::filter::FILTERED;
use crate::job::{Job, JobOptions};
use crate::layer::{BlockLayer, NewJob};
use crate::mirror::Sync;
use crate::status::Status;
use crate::work::Work;

/// The least size of what is copied at once, in bytes; that is larger where the clusters of the target
/// are.
///
/// Source: `BLOCK_COPY_CLUSTER_SIZE_DEFAULT`, `block_copy_calculate_cluster_size` in `block/block-copy.c`, QEMU 10.0.
const CLUSTER_SIZE: u64 = 64 << 10;

/// The greatest cluster size that the filter can keep track of, in bytes.
const MAX_CLUSTER_SIZE: u64 = 1 << 31;

/// What a backup is asked to do.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// What every job is given.
    pub job: JobOptions,
    /// The node whose content is saved.
    pub source: NodeId,
    /// The node to which it is saved.
    pub target: NodeId,
    /// Which data is copied; with [`Sync::None`] only what is overwritten.
    pub sync: Sync,
    /// Whether what is saved is discarded in the source.
    pub discard_source: bool,
    /// The most bytes that are copied at once; 0 for no limit.
    pub max_chunk: u64,
    /// The least size of what is copied at once, in bytes.
    pub min_cluster_size: u64,
}

/// A backup at work.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) source: NodeId,
    pub(crate) target: NodeId,
    sync: Sync,
    cluster_size: u64,
    /// Whether it only waits for what is overwritten.
    pub(crate) waiting: bool,
    /// What was saved because it was overwritten, in clusters.
    saved: Extents,
}

/// The start of a backup, from when its source is drained to when it goes on.
#[derive(Debug)]
#[must_use = "the source is drained until `end_backup`"]
pub struct BackupStart {
    drained: Drained,
    job: Option<RootId>,
}

impl BackupStart {
    /// The job as a parent of nodes, once it is created.
    pub(crate) fn job(&self) -> Option<RootId> {
        self.job
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Starts a backup that is in no transaction with others. That nothing blocks it is the caller's
    /// to check.
    ///
    /// # Errors
    ///
    /// Those of [`create_backup`](Self::create_backup).
    pub fn start_backup(&mut self, options: &BackupOptions) -> Result<(), Failure> {
        let mut start = self.begin_backup(options.source);
        let created = self.create_backup(&mut start, options);
        if created.is_ok() {
            self.run_backup(&start);
        }
        self.end_backup(start);
        created
    }

    /// Drains the source of a backup that is to start.
    ///
    /// Source: `blockdev_backup_action` in `blockdev.c`, QEMU 10.0.
    pub fn begin_backup(&mut self, source: NodeId) -> BackupStart {
        BackupStart { drained: self.begin_drain(&[source]), job: None }
    }

    /// Creates the job, which does not run yet.
    ///
    /// Source: `backup_job_create` in `block/backup.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Failure::Denied`], with the graph as before; [`Failure::Abort`] when the job's filter could
    /// not be taken out again after that.
    pub fn create_backup(
        &mut self,
        start: &mut BackupStart,
        options: &BackupOptions,
    ) -> Result<(), Failure> {
        let &BackupOptions { source, target, sync, max_chunk, .. } = options;
        let owner = self.graph.new_owner();
        let mut reading = Demand::NONE;
        if options.discard_source {
            reading = Demand::taking(Permissions::WRITE);
        }
        let new = NewNode {
            length: self.graph.length(source),
            owner: Some(owner),
            options: reading,
            ..NewNode::new("", &COPY_BEFORE_WRITE)
        };
        let given = options.job.filter_node_name.as_deref();
        let (filter, ()) = self.insert_filter(given, new, source, |layer, filter| {
            layer.attach_child(filter, source, "file", FILTERED)?;
            layer.attach_child(filter, target, "target", Role::DATA)?;
            require_cluster_size(options.min_cluster_size)
        })?;
        let clusters = [Some(options.min_cluster_size), self.cluster_size(target)];
        let cluster_size = clusters.into_iter().flatten().fold(CLUSTER_SIZE, u64::max);
        let created = require_chunk(max_chunk, cluster_size).and_then(|()| {
            let saved = Extents::default();
            let work = Backup { source, target, sync, cluster_size, waiting: false, saved };
            let new = NewJob {
                kind: "backup",
                owner,
                filter: Some(filter),
                main_node: filter,
                main_demand: Demand::NONE,
                work: Work::Backup(work),
            };
            self.create_job(&options.job, new)
        });
        let job = match created {
            Ok(job) => job,
            Err(denied) => {
                self.drop_filter(filter)?;
                return Err(denied.into());
            }
        };
        self.drain_all();
        // An edge that demands nothing is never refused.
        self.add_job_edge(&job, target, "target", Demand::NONE)?;
        start.job = Some(job.root);
        self.jobs.push(job);
        self.follow_drains();
        Ok(())
    }

    /// Lets a backup run that was created, once its source is drained no more.
    ///
    /// Source: `blockdev_backup_commit` in `blockdev.c`, QEMU 10.0.
    pub fn run_backup(&mut self, start: &BackupStart) {
        let place = self.created(start);
        let mut job = self.jobs.remove(place);
        self.set_status(&mut job, Status::Running);
        if job.is_held() {
            let status = job.status();
            self.events.push(Event::StatusChange { job: job.id.clone(), status });
        }
        self.jobs.insert(place, job);
    }

    /// Cancels a backup that was created and does not run yet; does nothing where there is none.
    ///
    /// Source: `blockdev_backup_abort` in `blockdev.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Abort`]: the process is over.
    pub fn abort_backup(&mut self, start: &BackupStart) -> Result<(), Abort> {
        if start.job.is_none() {
            return Ok(());
        }
        let place = self.created(start);
        let job = self.jobs.remove(place);
        let cancel = |layer: &mut Self, job: &mut Job| layer.fail(job, JobError::Cancelled);
        let (job, result) = self.with_job(job, cancel);
        if let Some(job) = job {
            self.jobs.insert(place, job);
        }
        result
    }

    /// Lets the source go on.
    ///
    /// Source: `blockdev_backup_clean` in `blockdev.c`, QEMU 10.0.
    pub fn end_backup(&mut self, start: BackupStart) {
        self.end_drain(&start.drained);
    }

    fn created(&self, start: &BackupStart) -> usize {
        let is_created = |job: &Job| Some(job.root) == start.job;
        self.jobs.iter().position(is_created).expect("the job was created")
    }
}

/// Source: `block_copy_calculate_cluster_size` in `block/block-copy.c`, QEMU 10.0. There a size that
/// is too great for a dirty bitmap ends the process.
fn require_cluster_size(min_cluster_size: u64) -> Result<(), Denied> {
    if min_cluster_size == 0
        || min_cluster_size.is_power_of_two() && min_cluster_size <= MAX_CLUSTER_SIZE
    {
        return Ok(());
    }
    Err(Denied::ClusterSize)
}

fn require_chunk(max_chunk: u64, cluster_size: u64) -> Result<(), Denied> {
    if max_chunk == 0 || max_chunk >= cluster_size {
        return Ok(());
    }
    Err(Denied::ChunkBelowCluster { max_chunk, cluster_size })
}

/// How the backup leaves the graph, completed or cancelled.
///
/// Source: `backup_clean` in `block/backup.c`, QEMU 10.0.
pub(crate) fn exit_steps<R: Rule>(graph: &Graph<R>, job: &Job) -> Vec<Step<R>> {
    let root = job.root;
    let detach = move |change: &mut Change<'_, R>| detach_all(change, root);
    let filter = job.filter.expect("a backup that has not left has its filter");
    let filtered: Vec<NodeId> =
        graph.filtered_edge(filter).map(|edge| graph.child_of(edge)).into_iter().collect();
    let drop = move |change: &mut Change<'_, R>| drop_filter(change, filter);
    vec![
        Step::new(IfRefused::Abort, Pause::Change, detach),
        Step::new(IfRefused::Abort, Pause::Change, drop).within(&filtered),
    ]
}

impl Backup {
    /// A backup that is found in a graph.
    pub(crate) fn found(source: NodeId, target: NodeId) -> Backup {
        Backup {
            source,
            target,
            sync: Sync::Full,
            cluster_size: CLUSTER_SIZE,
            waiting: false,
            saved: Extents::default(),
        }
    }

    /// What there is to copy, in clusters.
    ///
    /// Source: `backup_run` in `block/backup.c`, QEMU 10.0.
    pub(crate) fn dirty<R: Rule>(&self, layer: &BlockLayer<R>) -> Extents {
        let graph = &layer.graph;
        let length = graph.length(self.source);
        let data = match self.sync {
            Sync::Full | Sync::None => Extents::from(0..length),
            Sync::Top => layer.allocated(self.source, Some(graph.skip_filters(self.source))),
        };
        data.blocks(self.cluster_size, length.next_multiple_of(self.cluster_size))
    }

    /// Takes note of what was written to the source; gives how many bytes have been saved so far.
    pub(crate) fn save(&mut self, written: &Extents) -> u64 {
        self.saved.insert_all(&written.blocks(self.cluster_size, u64::MAX), u64::MAX);
        self.saved.len()
    }

    /// Whether it only waits for what is overwritten, once it has begun.
    pub(crate) fn waits(&self) -> bool {
        self.sync == Sync::None
    }
}
