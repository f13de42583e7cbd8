//! Which nodes the user has added by themselves, and which may have come with others.
//!
//! The queries do not tell. But nodes are listed in the order in which they were registered, and what
//! is opened with a node is registered with it, with nothing else in between: what is below its
//! `file` edge before the node, its other children after it.
//!
//! Source: `bdrv_open_inherit` and `bdrv_open_driver` in `block.c`, QEMU 10.0.

use std::ops::RangeInclusive;

use blkperm_jobs::Status;

use super::{Edge, Node, Parent, Survey};

/// How many nodes below a node are looked at that may have been put between it and its children.
const MOST_BETWEEN: usize = 64;

impl Node {
    /// Whether QEMU has made the name up: such names begin with `#`.
    fn is_unnamed(&self) -> bool {
        self.name.starts_with('#')
    }
}

impl Survey {
    /// Of each node: whether the user has added it by itself; with `others`, not if it may have come
    /// with another one.
    ///
    /// That it came with one that has let go of it, while others hold it, is not thought of.
    pub(super) fn added(&self, others: bool) -> Vec<bool> {
        let mut added: Vec<bool> = self.nodes.iter().map(|node| !node.is_unnamed()).collect();
        if !others {
            return added;
        }
        let spans = self.spans();
        for parent in 0..self.nodes.len() {
            for child in self.first_children(parent) {
                added[child] &= !spans[parent].contains(&child);
            }
            added[parent] &= !self.may_be_snapshot(parent);
        }
        for edge in &self.edges {
            let may_be_all = match edge.parent {
                Parent::Node(_) => false,
                // What a commit or a stream has taken out of its chain is held by the job alone then.
                Parent::Job(job) => self.jobs[job].status == Status::Concluded,
                Parent::Backend(backend) => self.backends[backend].is_drive,
            };
            if may_be_all {
                added[edge.child] = false;
            }
        }
        added
    }

    /// For each node the places of those that may have been opened with it, itself included.
    fn spans(&self) -> Vec<RangeInclusive<usize>> {
        let mut spans: Vec<RangeInclusive<usize>> =
            (0..self.nodes.len()).map(|node| node..=node).collect();
        for node in self.downwards().into_iter().rev() {
            let (mut first, mut last) = (node, node);
            let mut behind = Vec::new();
            for child in self.first_children(node) {
                let (start, end) = (*spans[child].start(), *spans[child].end());
                if child > node {
                    behind.push((start, end));
                } else if end + 1 >= node {
                    first = first.min(start);
                }
            }
            behind.sort_unstable();
            for (start, end) in behind {
                if start <= last + 1 {
                    last = last.max(end);
                }
            }
            spans[node] = first..=last;
        }
        spans
    }

    /// The nodes that may have been the children of a node when it was opened: its children, or what is
    /// below those that have been put in between since.
    fn first_children(&self, node: usize) -> Vec<usize> {
        let mut found = Vec::new();
        if self.nodes[node].job.is_some() {
            return found;
        }
        let edges = |node: usize| self.index.of_nodes[node].iter().map(|&edge| &self.edges[edge]);
        let mut waiting: Vec<(bool, usize)> =
            edges(node).map(|edge| (edge.name == "file", edge.child)).collect();
        let mut left = MOST_BETWEEN;
        while let Some((is_file, child)) = waiting.pop() {
            if (child < node) == is_file {
                found.push(child);
            }
            if child > node {
                let below = edges(child).map(|edge| (is_file, edge.child)).take(left);
                let before = waiting.len();
                waiting.extend(below);
                left -= waiting.len() - before;
            }
        }
        found
    }

    /// Whether the node may be what `blockdev-snapshot-sync` has made, which goes with its last
    /// parent: an overlay of an older node, with a file that was opened with it.
    fn may_be_snapshot(&self, node: usize) -> bool {
        let children = self.index.of_nodes[node].iter().map(|&edge| &self.edges[edge]);
        let is_old = |edge: &Edge| edge.name == "backing" && edge.child < node;
        let is_named = |edge: &Edge| edge.name == "file" && !self.nodes[edge.child].is_unnamed();
        !self.index.into[node].is_empty()
            && children.clone().any(is_old)
            && !children.clone().any(is_named)
    }
}

#[cfg(test)]
mod tests;
