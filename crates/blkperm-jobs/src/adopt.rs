//! Jobs that are found in a graph, as QEMU's queries show them.

use blkperm_graph::{Graph, NodeId, Owner, Role, RootId, Rule};

use crate::backup::Backup;
use crate::commit::Commit;
use crate::job::{Ending, Identity, Job};
use crate::layer::BlockLayer;
use crate::mirror::Mirror;
use crate::status::Status;
use crate::stream::Stream;
use crate::work::Work;

/// A job of a graph that was made elsewhere: its edges are there, the job itself is not yet.
#[derive(Clone, Debug)]
pub struct FoundJob {
    /// The job's id.
    pub id: String,
    /// QEMU's name of its type, for example `mirror`.
    pub kind: &'static str,
    /// Its status.
    pub status: Status,
    /// Whether it finalizes itself.
    pub auto_finalize: bool,
    /// Whether it goes away when it is concluded.
    pub auto_dismiss: bool,
    /// The most bytes per second; 0 for no limit.
    pub speed: u64,
    /// Whether the node that it writes was read-only before.
    pub was_read_only: bool,
    /// Whether a mirror that is to be finalized was cancelled when it was ready, so that it leaves
    /// without taking the source's place.
    pub was_cancelled: bool,
    /// The mark of all that it has put into the graph.
    pub owner: Owner,
    /// The job as a parent of nodes.
    pub root: RootId,
    /// The node that it has put into the graph, while it is there.
    pub filter: Option<NodeId>,
    /// Its BlockBackends, in the order in which it makes them.
    pub backends: Vec<RootId>,
}

/// Why something is no job of QEMU's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAJob {
    /// No job has this type.
    #[error("no block job is of the type '{0}'")]
    Type(String),
    /// A job of this type has an edge of this name.
    #[error("it has no edge '{0}'")]
    Edge(&'static str),
    /// A job of this type has a filter above a node, as long as it is not over.
    #[error("its filter node is not there")]
    Filter,
    /// A job of this type has another BlockBackend, as long as it is not over.
    #[error("its BlockBackend is not there")]
    Backend,
}

impl<R: Rule> BlockLayer<R> {
    /// Takes a job over whose edges, filter and BlockBackends are in the graph already.
    ///
    /// What the graph does not show is assumed: that all data is to be copied, and that nothing but
    /// the source is to be replaced.
    ///
    /// # Errors
    ///
    /// Says what a job of that type lacks.
    pub fn adopt_job(&mut self, found: FoundJob) -> Result<(), NotAJob> {
        let work = Work::found(&self.graph, &found)?;
        let is_over = found.status == Status::Concluded;
        if !is_over && found.backends.len() < work.least_backends() {
            return Err(NotAJob::Backend);
        }
        let (status, user_paused) = match found.status {
            Status::Paused => (Status::Running, true),
            Status::Standby => (Status::Ready, true),
            status => (status, false),
        };
        let ending = matches!(status, Status::Waiting | Status::Pending)
            .then_some(if found.was_cancelled { Ending::Graceful } else { Ending::Complete });
        let FoundJob { id, kind, owner, root, .. } = found;
        let is_mirror = matches!(work, Work::Mirror(_));
        let mut job = Job {
            status,
            user_paused,
            auto_finalize: found.auto_finalize,
            auto_dismiss: found.auto_dismiss,
            speed: found.speed,
            has_run: true,
            // Other jobs end by themselves.
            ending: ending.filter(|_| is_mirror),
            backends: found.backends,
            filter: found.filter.filter(|_| !is_over),
            ..Job::new(Identity { id, kind, owner, root, work })
        };
        if let (Some(filter), Some(last)) = (job.filter, job.work.frozen_down_to(&self.graph)) {
            job.frozen = self.graph.chain_edges(filter, last);
            self.set_frozen(&job.frozen, true);
        }
        self.jobs.push(job);
        Ok(())
    }
}

impl Work {
    /// What the job is doing, by its edges.
    fn found<R: Rule>(graph: &Graph<R>, found: &FoundJob) -> Result<Work, NotAJob> {
        let is_over = found.status == Status::Concluded;
        // A job that is over does nothing any more: which nodes it was about is of no account.
        let anything = *graph.nodes().first().ok_or(NotAJob::Filter)?;
        let filtered = match found.filter.and_then(|it| graph.child_by_role(it, Role::FILTERED)) {
            Some(edge) => graph.child_of(edge),
            None if is_over => anything,
            None => return Err(NotAJob::Filter),
        };
        let child = |name: &'static str| match graph.child_edge(found.root, name) {
            Some(edge) => Ok(graph.child_of(edge)),
            None if is_over => Ok(anything),
            None => Err(NotAJob::Edge(name)),
        };
        let is_active = graph.child_edge(found.root, "base").is_none();
        let work = match found.kind {
            "stream" => {
                let device = child("active node")?;
                let lowest = graph.children(found.root).next().map(|edge| graph.child_of(edge));
                let lowest = lowest.unwrap_or(device);
                Work::Stream(Stream::found(graph, device, lowest, found.was_read_only))
            }
            "backup" => Work::Backup(Backup::found(filtered, child("target")?)),
            "commit" if !is_active => {
                let top = topmost_intermediate(graph, found.root)?;
                Work::Commit(Commit::found(top, child("base")?, found.was_read_only))
            }
            "mirror" | "commit" => {
                let (source, target) = (child("source")?, child("target")?);
                Work::Mirror(Mirror::found(graph, source, target, found.was_read_only))
            }
            other => return Err(NotAJob::Type(other.to_owned())),
        };
        Ok(work)
    }

    /// How many BlockBackends the job needs to leave the graph.
    fn least_backends(&self) -> usize {
        match self {
            Work::Mirror(_) | Work::Commit(_) | Work::Stream(_) => 1,
            Work::Backup(_) => 0,
        }
    }

    /// The node down to which the job keeps its chain frozen, if it does.
    fn frozen_down_to<R: Rule>(&self, graph: &Graph<R>) -> Option<NodeId> {
        match self {
            Work::Mirror(mirror) => {
                Some(mirror.target).filter(|&target| graph.chain_contains(mirror.source, target))
            }
            Work::Commit(commit) => Some(commit.base),
            Work::Stream(stream) => Some(stream.base_overlay),
            Work::Backup(_) => None,
        }
    }
}

/// The first of the nodes between the filter of a commit and its base.
fn topmost_intermediate<R: Rule>(graph: &Graph<R>, root: RootId) -> Result<NodeId, NotAJob> {
    let intermediate =
        graph.children(root).filter(|&edge| graph.edge_name(edge) == "intermediate node");
    // Edges are listed newest first, and were attached from the top down.
    intermediate.last().map(|edge| graph.child_of(edge)).ok_or(NotAJob::Edge("intermediate node"))
}
