//! A block job: what all types have in common.

use blkperm_graph::{EdgeId, NodeId, Owner, RootId};

use crate::drain::Drained;
use crate::event::{JobError, Progress};
use crate::status::Status;
use crate::work::Work;

/// What every block job is given when it is made.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The job's id.
    pub id: String,
    /// The most bytes per second; 0 for no limit.
    pub speed: i64,
    /// Whether the job finalizes itself.
    pub auto_finalize: bool,
    /// Whether the job goes away when it is concluded.
    pub auto_dismiss: bool,
    /// The name of the node that the job puts into the graph; made up when absent.
    pub filter_node_name: Option<String>,
}

impl JobOptions {
    /// A job of that id with QEMU's defaults.
    pub fn new(id: impl Into<String>) -> JobOptions {
        JobOptions {
            id: id.into(),
            speed: 0,
            auto_finalize: true,
            auto_dismiss: true,
            filter_node_name: None,
        }
    }
}

/// How a job has been asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// By `complete`: with all its effects.
    Complete,
    /// By a graceful `cancel` of a job that is ready: without taking the source's place.
    Graceful,
    /// By a forced `cancel`.
    Forced,
}

/// A block job.
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// The status, but for pauses: neither `paused` nor `standby`.
    pub(crate) status: Status,
    /// Whether the user has paused the job.
    pub(crate) user_paused: bool,
    pub(crate) auto_finalize: bool,
    pub(crate) auto_dismiss: bool,
    pub(crate) speed: u64,
    pub(crate) len: u64,
    pub(crate) offset: u64,
    pub(crate) error: Option<JobError>,
    /// Whether something that the job uses was drained when that was looked at last.
    pub(crate) is_drained: bool,
    /// The section in which this job ends, from when it does.
    pub(crate) drained: Option<Drained>,
    pub(crate) ending: Option<Ending>,
    /// Whether the job can neither complete nor be cancelled as the graph stands.
    pub(crate) stuck: bool,
    /// Whether it holds the nodes that it is about, having been cut short as it left the graph.
    pub(crate) keeps_nodes: bool,
    /// Whether it was started.
    pub(crate) has_run: bool,
    /// The jobs with which it ends, or not at all: the first of them, until it has ended.
    pub(crate) group: Option<RootId>,
    /// The mark of all that the job puts into the graph.
    pub(crate) owner: Owner,
    /// The job itself as a parent of nodes.
    pub(crate) root: RootId,
    /// The edges of the chain that nobody else may change.
    pub(crate) frozen: Vec<EdgeId>,
    /// Its BlockBackends.
    pub(crate) backends: Vec<RootId>,
    /// The node that it puts into the graph, while it is there.
    pub(crate) filter: Option<NodeId>,
    pub(crate) work: Work,
}

/// What tells a job from others from the beginning.
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) owner: Owner,
    pub(crate) root: RootId,
    pub(crate) work: Work,
}

impl Job {
    /// A job that was created just now, and is known to nobody yet.
    pub(crate) fn new(identity: Identity) -> Job {
        let Identity { id, kind, owner, root, work } = identity;
        Job {
            id,
            kind,
            status: Status::Created,
            user_paused: false,
            auto_finalize: true,
            auto_dismiss: true,
            speed: 0,
            len: 0,
            offset: 0,
            error: None,
            is_drained: false,
            drained: None,
            ending: None,
            stuck: false,
            keeps_nodes: false,
            has_run: false,
            group: None,
            owner,
            root,
            frozen: Vec::new(),
            backends: Vec::new(),
            filter: None,
            work,
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// QEMU's name of the type, for example `mirror`; an active commit's is `commit`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The mark of all that the job puts into the graph.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The job itself as a parent of nodes.
    pub fn root(&self) -> RootId {
        self.root
    }

    /// The job's BlockBackends, until it has left the graph.
    pub fn backends(&self) -> &[RootId] {
        &self.backends
    }

    /// The status.
    pub fn status(&self) -> Status {
        match self.status {
            Status::Running if self.is_held() => Status::Paused,
            Status::Ready if self.is_held() => Status::Standby,
            status => status,
        }
    }

    /// Whether the job finalizes itself.
    pub fn auto_finalize(&self) -> bool {
        self.auto_finalize
    }

    /// Whether the job goes away when it is concluded.
    pub fn auto_dismiss(&self) -> bool {
        self.auto_dismiss
    }

    /// Why the job failed, if it did.
    pub fn error(&self) -> Option<JobError> {
        self.error
    }

    /// Whether the mirror driver is at work: a mirror, or an active commit.
    pub fn is_mirror(&self) -> bool {
        matches!(self.work, Work::Mirror(_))
    }

    /// Of a mirror: the node that it copies.
    pub(crate) fn source(&self) -> Option<NodeId> {
        match &self.work {
            Work::Mirror(mirror) => Some(mirror.source),
            Work::Commit(_) | Work::Stream(_) | Work::Backup(_) => None,
        }
    }

    /// Whether the job completes, is not over, and was told whose place its target takes.
    pub(crate) fn is_replacing(&self, node: NodeId) -> bool {
        matches!(&self.work, Work::Mirror(mirror) if mirror.replaced == Some(node))
    }

    /// Of a mirror that is no active commit: whether every write reaches the target at once.
    pub fn is_actively_synced(&self) -> Option<bool> {
        match &self.work {
            Work::Mirror(mirror) if self.kind == "mirror" => Some(mirror.actively_synced),
            _ => None,
        }
    }

    /// Whether the job may be completed.
    pub fn is_ready(&self) -> bool {
        self.status == Status::Ready
    }

    /// Whether the user has paused the job, or what it uses is drained.
    pub fn is_held(&self) -> bool {
        self.user_paused || self.is_drained
    }

    /// Whether the job can neither complete nor be cancelled as the graph stands; it tries again
    /// whenever jobs run.
    pub fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Whether the job moves even where it is held.
    pub(crate) fn is_compelled(&self) -> bool {
        self.stuck || self.ending == Some(Ending::Forced) || self.status == Status::Aborting
    }

    /// What the job goes by besides its status, its options and its edges, below 128: how it was asked
    /// to end, and what holds it. Jobs that are equal in all of these do the same from here on.
    pub fn standing(&self) -> u8 {
        let ending = match self.ending {
            None => 0,
            Some(Ending::Complete) => 1,
            Some(Ending::Graceful) => 2,
            Some(Ending::Forced) => 3,
        };
        ending
            | u8::from(self.user_paused) << 2
            | u8::from(self.drained.is_some()) << 3
            | u8::from(self.is_drained) << 4
    }

    /// How far the job is.
    pub fn progress(&self) -> Progress {
        Progress {
            job: self.id.clone(),
            kind: self.kind,
            len: self.len,
            offset: self.offset,
            speed: self.speed,
        }
    }
}
