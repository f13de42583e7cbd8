//! Why a command about nodes or jobs is not carried out.

use blkperm_graph::Refusal;

use crate::blocker::Blocker;
use crate::status::{Status, Verb};

/// An expected answer: the command is not carried out, and nothing has changed.
///
/// Texts in QEMU's words are made from this by `blkperm-qmp`; the [`Display`](std::fmt::Display)
/// here is the library's own.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// The name is not one that users may give to a node.
    #[error("'{0}' is not a valid node name")]
    InvalidNodeName(String),
    /// A node of that name exists.
    #[error("a node '{0}' exists")]
    DuplicateNodeName(String),
    /// The name is longer than [`MAX_NODE_NAME`](crate::MAX_NODE_NAME).
    #[error("node name '{0}' is too long")]
    NodeNameTooLong(String),
    /// The id is not one that users may give to a job.
    #[error("'{0}' is not a valid job id")]
    InvalidJobId(String),
    /// A job of that id exists.
    #[error("a job '{0}' exists")]
    JobIdInUse(String),
    /// The speed is negative.
    #[error("a speed is not negative")]
    NegativeSpeed,
    /// The node has parents that are not BlockBackends.
    #[error("the node has other parents than BlockBackends")]
    NeedRootNode,
    /// The node cannot be deleted while it has parents.
    #[error("node '{node}' is in use")]
    InUse {
        /// The node's name.
        node: String,
        /// Whether one of them is a BlockBackend.
        by_backend: bool,
    },
    /// A node that is above another and active keeps that active.
    #[error("an active node is above it")]
    ActiveParent,
    /// The children of a node that all have its data are of different lengths.
    #[error("the node's children are of different lengths")]
    NoLength,
    /// A node cannot become inactive while it is written to.
    #[error("it is still written to")]
    StillWritten,
    /// An edge into the node forbids the operation.
    #[error("node '{node}' is in use")]
    Busy {
        /// The node's name.
        node: String,
        /// What forbids it.
        blocker: Blocker,
    },
    /// Source and target of a mirror are one node.
    #[error("a node cannot be mirrored into itself")]
    MirrorIntoItself,
    /// The target of a mirror is a filter on top of a node of the source's chain.
    #[error("the target filters a node of the source's chain")]
    TargetFiltersChain,
    /// The node is not in the chain of the node from which it is looked for.
    #[error("'{node}' is not in the backing chain of '{top}'")]
    NotBelow {
        /// The node's name.
        node: String,
        /// The name of the node with the chain.
        top: String,
    },
    /// The option of that name keeps a node from being reopened.
    #[error("option '{0}' cannot be changed")]
    CannotChangeOption(&'static str),
    /// A node cannot be reopened without the option with which it was opened.
    #[error("option '{0}' cannot be left out again")]
    CannotResetOption(&'static str),
    /// A node's driver has no means to reopen it.
    #[error("node '{node}' of driver {driver} cannot be reopened")]
    CannotReopen {
        /// The driver's name.
        driver: &'static str,
        /// The node's name.
        node: String,
    },
    /// The filter of a job could not be opened.
    #[error("the job's filter could not be opened: {0}")]
    FilterNotCreated(#[source] Box<Denied>),
    /// The filter of a job could not be put above its node.
    #[error("the job's filter could not be inserted: {0}")]
    FilterNotInserted(#[source] Refusal),
    /// An edge of the chain is frozen by something else.
    #[error("the '{edge}' edge from '{parent}' to '{child}' is frozen")]
    FrozenLink {
        /// What the parent calls the edge.
        edge: String,
        /// The parent's name.
        parent: String,
        /// The child's name.
        child: String,
    },
    /// An edge of the chain leads to a filter that its job has to be able to take out.
    #[error("the '{edge}' edge to '{child}' cannot be frozen")]
    UnfreezableLink {
        /// What the parent calls the edge.
        edge: String,
        /// The child's name.
        child: String,
    },
    /// The least size of what a backup copies at once is no power of two, or too great.
    #[error("a cluster size is a power of two, and at most 2 GiB")]
    ClusterSize,
    /// A backup is to copy less at once than it can.
    #[error("{max_chunk} bytes at once are less than a cluster of {cluster_size}")]
    ChunkBelowCluster {
        /// The most bytes that were to be copied at once.
        max_chunk: u64,
        /// The cluster size in bytes.
        cluster_size: u64,
    },
    /// Putting the target of a mirror in the place of that node might change what is read there.
    #[error("'{replaced}' cannot be replaced by a mirror of '{source_node}'")]
    CannotReplace {
        /// The name of the node to be replaced.
        replaced: String,
        /// The name of the mirror's source.
        source_node: String,
    },
    /// The target of a mirror would take the place of a node of another size.
    #[error("the node to be replaced has another size")]
    ReplacesOtherSize,
    /// The node is gone whose place the target of a mirror was to take.
    #[error("there is no node '{0}' to be replaced")]
    NoSuchReplaced(String),
    /// The graph refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The job's status does not allow the verb.
    #[error("job '{job}' is {status}: it cannot {verb}")]
    WrongStatus {
        /// The job's id.
        job: String,
        /// Its status.
        status: Status,
        /// What was asked of it.
        verb: Verb,
    },
    /// The job is being cancelled, or is of a type that ends by itself.
    #[error("job '{0}' cannot be completed")]
    CannotComplete(String),
    /// The user has paused the job, which only a forced cancel overcomes.
    #[error("job '{0}' is paused: resume it, or cancel it by force")]
    Paused(String),
    /// The user has paused the job before.
    #[error("the job is paused already")]
    AlreadyPaused,
    /// Nothing can be changed of a job of this type.
    #[error("nothing can be changed of a job of this type")]
    CannotChange,
    /// A mirror's writes wait for its target, and cannot stop to.
    #[error("writes that wait for the mirror's target cannot stop to")]
    CannotStopBlocking,
    /// The user has not paused the job.
    #[error("the job is not paused")]
    NotPaused,
}

/// A step that QEMU assumes to succeed was refused: QEMU's process ends there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("QEMU would {}: {refusal}", if *.crashes { "crash" } else { "abort" })]
pub struct Abort {
    /// The refusal.
    pub refusal: Refusal,
    /// Whether QEMU notices the refusal, and crashes (`SIGSEGV`) by what it does then.
    pub crashes: bool,
}

impl Abort {
    /// The end where nothing but success is provided for: `abort()`, with the refusal's text.
    pub fn of(refusal: Refusal) -> Abort {
        Abort { refusal, crashes: false }
    }
}

/// Why a command or a job's step did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// It was not carried out, and nothing has changed.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The process is over.
    #[error(transparent)]
    Abort(#[from] Abort),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Denied(Denied::Refused(refusal))
    }
}
