//! What images hold, as far as jobs tell how much they copy.

use std::collections::HashMap;
use std::ops::Range;

use blkperm_graph::driver::{
    BLKDEBUG, COMPRESS, COPY_BEFORE_WRITE, COPY_ON_READ, FILE, NULL_AIO, NULL_CO, PREALLOCATE,
    QCOW2, QUORUM, RAW, RAW_OFFSET, RAW_SIZED, THROTTLE,
};
use blkperm_graph::{Driver, Graph, NodeId, Role, Rule};

use crate::layer::BlockLayer;
use crate::status::Status;
use crate::work::Work;

/// The drivers that can make their nodes read as zeroes without writing them.
const CLEARING: [&Driver; 2] = [&FILE, &QCOW2];

/// The drivers whose nodes can be made so where their main child can.
const PASSING_ON: [&Driver; 9] = [
    &BLKDEBUG,
    &COMPRESS,
    &COPY_BEFORE_WRITE,
    &COPY_ON_READ,
    &PREALLOCATE,
    &RAW,
    &RAW_OFFSET,
    &RAW_SIZED,
    &THROTTLE,
];

/// Bytes of a node: ranges in their order, none of which touch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Extents(Vec<Range<u64>>);

impl From<Range<u64>> for Extents {
    fn from(range: Range<u64>) -> Extents {
        let mut extents = Extents::default();
        extents.insert(range);
        extents
    }
}

impl Extents {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// The blocks of `size` bytes in which there is any of the bytes, the last one up to `end`.
    pub(crate) fn blocks(&self, size: u64, end: u64) -> Extents {
        let mut blocks = Extents::default();
        for range in &self.0 {
            let start = range.start / size * size;
            blocks.insert(start..range.end.next_multiple_of(size).min(end));
        }
        blocks
    }

    /// Adds a range.
    fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        let touches = |other: &Range<u64>| other.start <= range.end && range.start <= other.end;
        for other in self.0.iter().filter(|other| touches(other)) {
            (start, end) = (start.min(other.start), end.max(other.end));
        }
        self.0.retain(|other| !touches(other));
        let place = self.0.partition_point(|other| other.start < start);
        self.0.insert(place, start..end);
    }

    /// Takes out what lies behind that end; what has no end stays so.
    fn cut(&mut self, end: u64) {
        for range in self.0.iter_mut().filter(|range| range.end < u64::MAX) {
            range.end = range.end.min(end);
        }
        self.0.retain(|range| !range.is_empty());
    }

    /// The bytes that both have.
    fn common(&self, other: &Extents) -> Extents {
        let mut common = Extents::default();
        for one in &self.0 {
            for range in &other.0 {
                common.insert(one.start.max(range.start)..one.end.min(range.end));
            }
        }
        common
    }

    /// Adds all of another's that lies before `end`.
    pub(crate) fn insert_all(&mut self, other: &Extents, end: u64) {
        for range in &other.0 {
            self.insert(range.start..range.end.min(end));
        }
    }
}

/// What nodes that may leave bytes to their backing files have of their own. New images are empty,
/// unless they map all of their data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents(HashMap<NodeId, Extents>);

impl Contents {
    /// Forgets what was written to a node behind that length.
    pub(crate) fn cut(&mut self, node: NodeId, length: u64) {
        if let Some(written) = self.0.get_mut(&node) {
            written.cut(length);
        }
    }

    /// Forgets the nodes that are gone, whose ids may come again.
    pub(crate) fn forget_gone<R: Rule>(&mut self, graph: &Graph<R>) {
        self.0.retain(|&node, _| graph.contains_node(node));
    }
}

impl<R: Rule> BlockLayer<R> {
    /// The bytes that the chain has from `top` down to `last`, inclusive, or to its end.
    ///
    /// What a shorter node does not have counts as zeroes that it has.
    ///
    /// Source: `bdrv_co_common_block_status_above` in `block/io.c`, QEMU 10.0.
    pub(crate) fn allocated(&self, top: NodeId, last: Option<NodeId>) -> Extents {
        let graph = &self.graph;
        let mut found = Extents::default();
        let mut end = graph.length(top);
        for node in graph.chain(top) {
            let length = graph.length(node).min(end);
            found.insert(length..end);
            end = length;
            if !graph.driver(node).is_filter {
                match self.content(node) {
                    Some(content) => found.insert_all(&content, end),
                    None => found.insert(0..end),
                }
            }
            if Some(node) == last {
                break;
            }
        }
        found
    }

    /// Writes to a node, and thus through the filters of jobs that are on the way to its data. What
    /// would lie behind its end is not written.
    pub(crate) fn write(&mut self, node: NodeId, extents: &Extents) {
        let mut within = Extents::default();
        within.insert_all(extents, self.graph.length(node));
        let extents = &within;
        if extents.is_empty() {
            return;
        }
        let way = self.way_to_storage(node);
        way.iter().for_each(|&node| self.look_at_end(node));
        for job in self.jobs.iter_mut().filter(|job| job.filter.is_some_and(|it| way.contains(&it)))
        {
            match &mut job.work {
                Work::Mirror(mirror) => mirror.fall_behind(extents),
                Work::Backup(backup) if job.status == Status::Running => {
                    job.offset = backup.save(extents);
                }
                // A backup that has copied all has nothing left to save.
                Work::Backup(_) | Work::Commit(_) | Work::Stream(_) => {}
            }
        }
        let storage = self.storage(node);
        if !is_null(self.graph.driver(storage)) {
            self.contents.0.entry(storage).or_default().insert_all(extents, u64::MAX);
            self.changed.push(storage);
        }
    }

    /// Notes which bytes a new node has of its own though nobody has written them: the zeroes of a
    /// null node (`read-zeroes`), or what an image maps from the beginning; without an end, all that
    /// it will ever have.
    pub fn add_own_bytes(&mut self, node: NodeId, bytes: Range<u64>) {
        self.contents.0.entry(node).or_default().insert(bytes);
    }

    /// The bytes that a node has of its own, if it may leave any to a backing file.
    pub fn own_bytes(&self, node: NodeId) -> Vec<Range<u64>> {
        self.contents.0.get(&node).map(|own| own.0.clone()).unwrap_or_default()
    }

    /// Whether a node can be made to read as zeroes without being written.
    ///
    /// Source: `bdrv_can_write_zeroes_with_unmap` in `block.c`, `supported_zero_flags` of each
    /// `BlockDriver`, QEMU 10.0.
    pub(crate) fn can_clear(&self, node: NodeId) -> bool {
        let driver = self.graph.driver(node);
        if CLEARING.contains(&driver) {
            return true;
        }
        if driver == &QUORUM {
            let mut children = self.graph.children(node).map(|edge| self.graph.child_of(edge));
            return children.all(|child| self.can_clear(child));
        }
        let main = self.graph.child_by_role(node, Role::PRIMARY);
        let main = main.filter(|_| PASSING_ON.contains(&driver));
        main.is_some_and(|edge| self.can_clear(self.graph.child_of(edge)))
    }

    /// What a mirror of `source` writes to its target of what it is to copy. What is nowhere in the chain is discarded
    /// there: what it leaves to a null node that does not say that it reads as zeroes.
    ///
    /// QEMU's quirk: also what a raw node presents of an image that leaves it to its backing file,
    /// since the chain ends at the raw node.
    ///
    /// Source: `mirror_iteration` in `block/mirror.c`, QEMU 10.0.
    pub(crate) fn copied(&self, source: NodeId, dirty: &Extents) -> Extents {
        let last = self.graph.chain(source).last().unwrap_or(source);
        let storage = self.storage(last);
        let hides_backing = storage != last && self.graph.backing_edge(storage).is_some();
        if hides_backing || is_null(self.graph.driver(storage)) {
            return self.allocated(source, None).common(dirty);
        }
        dirty.clone()
    }

    /// Whether what is discarded in a node that passes that on becomes zeroes that its image has:
    /// otherwise its backing file would show.
    ///
    /// Source: `discard_in_l2_slice` in `block/qcow2-cluster.c`, QEMU 10.0.
    pub(crate) fn keeps_discarded(&self, node: NodeId) -> bool {
        let storage = self.storage(node);
        self.graph.driver(storage) == &QCOW2 && self.graph.backing_edge(storage).is_some()
    }

    /// What a node has of its own; none when that is all. A null node has nothing, whatever is
    /// written to it, but zeroes where it was told to have them.
    fn content(&self, node: NodeId) -> Option<Extents> {
        let storage = self.storage(node);
        let driver = self.graph.driver(storage);
        let may_lack = driver.supports_backing || is_null(driver);
        may_lack.then(|| self.contents.0.get(&storage).cloned().unwrap_or_default())
    }

    /// The node that decides what is there, below filters and raw nodes.
    fn storage(&self, node: NodeId) -> NodeId {
        self.way_to_storage(node).last().copied().unwrap_or(node)
    }

    /// The nodes from this one down to the one that decides what is there.
    fn way_to_storage(&self, node: NodeId) -> Vec<NodeId> {
        let below = |&node: &NodeId| {
            let passes_on = !self.graph.driver(node).supports_backing;
            let edge = self.graph.child_by_role(node, Role::PRIMARY).filter(|_| passes_on)?;
            Some(self.graph.child_of(edge))
        };
        std::iter::successors(Some(node), below).collect()
    }
}

fn is_null(driver: &Driver) -> bool {
    [&NULL_CO, &NULL_AIO].contains(&driver)
}

#[cfg(test)]
mod tests {
    use super::Extents;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut extents = Extents::from(0..2);
        extents.insert(4..6);
        assert_eq!(extents.0, [0..2, 4..6]);
        extents.insert(2..4);
        assert_eq!((extents.0.len(), &extents.0[0], extents.len()), (1, &(0..6), 6));
        extents.insert(8..8);
        assert_eq!(extents.len(), 6);
        let mut other = Extents::from(1..3);
        other.insert(5..9);
        assert_eq!(extents.common(&other).0, [1..3, 5..6]);
        assert!(extents.common(&Extents::from(7..9)).is_empty());
    }
}
