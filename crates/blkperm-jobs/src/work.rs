//! What a job does, by its type.

use blkperm_graph::driver::{QCOW2, QED};
use blkperm_graph::{Graph, NodeId, Rule};

use crate::backup::Backup;
use crate::commit::Commit;
use crate::exit::Step;
use crate::job::{Ending, Job};
use crate::layer::{BlockLayer, Relinked};
use crate::mirror::Mirror;
use crate::stream::Stream;
use crate::{backup, commit, mirror, stream};

/// What a job is doing, by its type.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Mirror(Mirror),
    Commit(Commit),
    Stream(Stream),
    Backup(Backup),
}

impl Work {
    /// The nodes that stay until the job has left the graph. A backup's source is not among them: it
    /// may be the filter of another job, which goes before.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        match self {
            Work::Mirror(mirror) => vec![mirror.source, mirror.target],
            Work::Commit(commit) => vec![commit.top, commit.base],
            Work::Stream(stream) => vec![stream.device, stream.above_base],
            Work::Backup(backup) => vec![backup.target],
        }
    }

    /// Whether the images can be told what their backing files are.
    ///
    /// Source: `bdrv_change_backing_file` in `block.c`, QEMU 10.0.
    pub(crate) fn can_tell<R: Rule>(&self, graph: &Graph<R>, relinked: &[Relinked]) -> bool {
        let can_tell = |it: &Relinked| [&QCOW2, &QED].contains(&graph.driver(it.overlay));
        !matches!(self, Work::Stream(_)) || relinked.iter().all(can_tell)
    }

    /// Whether the job only waits for what others do, and so does not go on by itself.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Work::Backup(backup) if backup.waiting)
    }
}

impl<R: Rule> BlockLayer<R> {
    /// The steps with which a job leaves the graph with its effect.
    pub(crate) fn completing_steps(&self, job: &Job) -> Vec<Step<R>> {
        match &job.work {
            Work::Mirror(mirror) => {
                let completing = job.ending == Some(Ending::Complete);
                mirror::exit_steps(self, job, mirror, completing)
            }
            Work::Commit(commit) => commit::completing_steps(self, job, commit),
            Work::Stream(stream) => stream::completing_steps(self, job, stream),
            Work::Backup(_) => backup::exit_steps(&self.graph, job),
        }
    }

    /// The steps with which a job leaves the graph without effect.
    pub(crate) fn cancelling_steps(&self, job: &Job) -> Vec<Step<R>> {
        match &job.work {
            Work::Mirror(mirror) => mirror::exit_steps(self, job, mirror, false),
            Work::Commit(commit) => commit::cancelling_steps(self, job, commit),
            Work::Stream(stream) => stream::cancelling_steps(self, job, stream),
            Work::Backup(_) => backup::exit_steps(&self.graph, job),
        }
    }

    /// The node that follows another one than before when the job completes, and which: what was
    /// opened for a node between is from then on as if it had been opened for the one above.
    ///
    /// Source: `update_inherits_from` of `bdrv_drop_intermediate` and
    /// `bdrv_set_file_or_backing_noperm` in `block.c`, QEMU 10.0.
    pub(crate) fn heir(&self, job: &Job) -> Option<(NodeId, Option<NodeId>)> {
        let (node, above, parent) = match &job.work {
            Work::Commit(commit) => (commit.base, commit.top, self.heirs.parent_of(commit.top)),
            Work::Stream(stream) => {
                let overlay = self.graph.skip_filters(stream.device);
                (stream.base(&self.graph)?, overlay, Some(overlay))
            }
            Work::Mirror(_) | Work::Backup(_) => return None,
        };
        self.heirs.is_below(node, above).then_some((node, parent))
    }

    /// The overlays into whose images a job that completes writes what their backing file is.
    pub(crate) fn relinked(&self, job: &Job) -> Vec<Relinked> {
        match (&job.work, job.filter) {
            (Work::Commit(commit), Some(filter)) => commit.relinked(&self.graph, filter),
            (Work::Stream(stream), _) => stream.relinked(&self.graph).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
