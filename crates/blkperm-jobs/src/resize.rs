//! Nodes that become longer or shorter.

use blkperm_graph::driver::{Length, PREALLOCATE, QCOW2};
use blkperm_graph::{NodeId, Role, Rule, State};

use crate::content::Extents;
use crate::event::JobError;
use crate::layer::BlockLayer;

impl<R: Rule> BlockLayer<R> {
    /// Makes a node as long as `other`, if it is shorter.
    ///
    /// What lies above the node learns nothing of it, as in QEMU.
    ///
    /// Source: `bdrv_co_truncate` in `block/io.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`JobError::NotSupported`] where what stores the node's data has a fixed length, or
    /// [cannot grow](Self::can_grow).
    pub(crate) fn grow(&mut self, node: NodeId, other: NodeId) -> Result<(), JobError> {
        let length = self.graph.length(other);
        if self.graph.length(node) >= length {
            return Ok(());
        }
        let storage = |&(node, length): &(NodeId, u64)| {
            let child = || self.graph.child_by_role(node, Role::PRIMARY);
            let child = || child().map(|edge| self.graph.child_of(edge));
            let before = |child| self.graph.length(child).saturating_sub(self.graph.length(node));
            match self.graph.driver(node).length {
                Length::Own | Length::Fixed | Length::Children => None,
                Length::Child => child().map(|child| (child, length)),
                Length::Rest => child().map(|child| (child, length + before(child))),
            }
        };
        let nodes: Vec<_> = std::iter::successors(Some((node, length)), storage).collect();
        let &(last, _) = nodes.last().expect("the node itself");
        let grows = self.graph.driver(last).length == Length::Own && self.can_grow(last);
        for (node, length) in nodes {
            if grows {
                self.resize(node, length);
            }
            self.note_resize(node, grows);
        }
        if grows { Ok(()) } else { Err(JobError::NotSupported) }
    }

    /// Lets a `preallocate` node learn that what it filters was resized, or could not be.
    ///
    /// QEMU's quirk: it takes the error for the end of what it has preallocated, and so keeps its child
    /// to itself from the next update on.
    ///
    /// Source: `preallocate_co_truncate` in `block/preallocate.c`, QEMU 10.0.
    pub fn note_resize(&mut self, node: NodeId, succeeded: bool) {
        if succeeded {
            self.look_at_end(node);
        } else if self.graph.driver(node) == &PREALLOCATE {
            self.graph.set_preallocated(node, true);
        }
    }

    /// Lets a `preallocate` node that keeps its child to itself, though it could not be resized, learn
    /// where its data really ends: then it lets go with the next update.
    ///
    /// Source: `handle_write`, `preallocate_co_getlength` in `block/preallocate.c`, QEMU 10.0.
    pub fn look_at_end(&mut self, node: NodeId) {
        let is_preallocated = self.graph.state(node).contains(State::PREALLOCATED);
        // It learns nothing while its demands are not met.
        if is_preallocated && self.has_child_to_itself(node) {
            self.graph.set_preallocated(node, false);
        }
    }

    /// Gives a node another length, and lets it forget what lay behind that.
    pub fn resize(&mut self, node: NodeId, length: u64) {
        let end = self.graph.length(node);
        self.contents.cut(node, length);
        self.graph.set_length(node, length);
        self.clear_new_area(node, end);
        self.changed.push(node);
    }

    /// Whether a node that could be resized can become longer: what its backing file has behind its
    /// end must not show, and only a qcow2 image can grow by zeroes of its own.
    ///
    /// Source: `bdrv_co_truncate` in `block/io.c`, `supported_truncate_flags` of each `BlockDriver`,
    /// QEMU 10.0.
    pub fn can_grow(&self, node: NodeId) -> bool {
        self.graph.driver(node) == &QCOW2
            || !self.backing_reaches_beyond(node, self.graph.length(node))
    }

    /// Whether the backing file of a node has anything behind that end.
    fn backing_reaches_beyond(&self, node: NodeId, end: u64) -> bool {
        let backing = self.graph.backing_edge(node).map(|edge| self.graph.child_of(edge));
        backing.is_some_and(|backing| self.graph.length(backing) > end)
    }

    /// Writes zeroes behind the end that a node had, where its backing file would show otherwise.
    fn clear_new_area(&mut self, node: NodeId, end: u64) {
        if self.backing_reaches_beyond(node, end) {
            self.write(node, &Extents::from(end..self.graph.length(node)));
        }
    }
}
