//! Op blockers: which operations a node's parents forbid on it.
//!
//! QEMU keeps lists of blockers; every one of them belongs to an edge, or to a mirror that completes,
//! and comes and goes with it, so that here they follow from edges and jobs.

use blkperm_graph::{EdgeId, Graph, Holder, NodeId, Parent, Role, Rule};

use crate::denied::Denied;
use crate::layer::BlockLayer;

/// An operation that can be blocked on a node.
///
/// Source: `BlockOpType` in `include/block/block-common.h`, QEMU 10.0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Deleting the node.
    BlockdevDel,
    /// Committing from the node.
    CommitSource,
    /// Committing into, or out of, the node.
    CommitTarget,
    /// Mirroring from the node.
    MirrorSource,
    /// Mirroring to the node.
    MirrorTarget,
    /// Putting a mirror's target in the node's place.
    Replace,
    /// Putting an overlay in the node's place.
    ExternalSnapshot,
    /// Making the node longer or shorter.
    Resize,
    /// Streaming from the node, or into it.
    Stream,
    /// Saving the node's content.
    BackupSource,
    /// Saving another node's content in the node.
    BackupTarget,
}

/// Why an operation is blocked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Blocker {
    /// The node is the backing file of the node with this name.
    BackingOf(String),
    /// A job of this type uses the node.
    Job(&'static str),
    /// A mirror that completes will put its target in the node's place.
    JobComplete,
}

impl Operation {
    /// Whether the operation is allowed on a node that is a backing file.
    ///
    /// Source: `bdrv_backing_attach` in `block.c`, QEMU 10.0.
    fn is_allowed_on_backing_file(self) -> bool {
        use Operation::{BackupSource, BackupTarget, CommitTarget, Stream};
        matches!(self, CommitTarget | Stream | BackupSource | BackupTarget)
    }
}

fn blocker_of_edge<R: Rule>(
    graph: &Graph<R>,
    edge: EdgeId,
    operation: Operation,
) -> Option<Blocker> {
    match graph.parent_of(edge) {
        Parent::Node(parent) if graph.role(edge).contains(Role::COW) => {
            let blocked = !operation.is_allowed_on_backing_file();
            blocked.then(|| Blocker::BackingOf(graph.name(parent).to_owned()))
        }
        Parent::Node(_) => None,
        Parent::Root(root) => match graph.holder(root) {
            Holder::Job { kind, .. } => Some(Blocker::Job(kind)),
            _ => None,
        },
    }
}

impl<R: Rule> BlockLayer<R> {
    /// What blocks `operation` on `node`, if anything does: a mirror that completes, or else the
    /// newest edge that does so.
    ///
    /// Source: `bdrv_op_is_blocked` in `block.c`, QEMU 10.0.
    pub fn blocker(&self, node: NodeId, operation: Operation) -> Option<Blocker> {
        if self.jobs().iter().any(|job| job.is_replacing(node)) {
            return Some(Blocker::JobComplete);
        }
        let mut parents = self.graph.parents(node);
        parents.find_map(|edge| blocker_of_edge(&self.graph, edge, operation))
    }

    /// Requires that nothing blocks the operation on the node.
    ///
    /// # Errors
    ///
    /// [`Denied::Busy`].
    pub fn require_unblocked(&self, node: NodeId, operation: Operation) -> Result<(), Denied> {
        match self.blocker(node, operation) {
            None => Ok(()),
            Some(blocker) => Err(Denied::Busy { node: self.graph.name(node).to_owned(), blocker }),
        }
    }

    /// Requires that only BlockBackends are parents of the node.
    ///
    /// Source: `bdrv_is_root_node` in `block.c`, QEMU 10.0.
    ///
    /// QEMU's quirk 20: a job is no BlockBackend. Where this is not asked, the node is found busy.
    ///
    /// # Errors
    ///
    /// [`Denied::NeedRootNode`].
    pub fn require_root(&self, node: NodeId) -> Result<(), Denied> {
        let is_backend = |edge| {
            matches!(self.graph.parent_of(edge), Parent::Root(_)) && !self.graph.stays_at_node(edge)
        };
        if self.graph.parents(node).all(is_backend) { Ok(()) } else { Err(Denied::NeedRootNode) }
    }
}
