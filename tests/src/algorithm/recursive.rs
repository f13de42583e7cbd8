//! QEMU's algorithm of 2019: a check down every path, then set or abort down every path.

use blkperm_graph::Rule;

use super::list::List;
use super::network::{Network, Start, Update};

/// Down every path from where a change begins, as often as there are paths: what an edge would hold
/// is compared with the other edges of its child, written into the edge beside a backup, and handed
/// on; then everything is computed once more, or the backups are put back.
///
/// Source: `bdrv_child_check_perm`, `bdrv_child_set_perm` and `bdrv_child_abort_perm_update` in
/// `block.c`, QEMU 4.1. That stopped at the first conflict that it met, although an edge may still
/// be as it was before the change when it is met; here what was met is looked at again at the end,
/// so that all algorithms judge alike.
#[derive(Clone, Copy, Debug)]
pub struct Recursive;

/// What a check met.
enum Suspect {
    Pair(usize, usize),
    Written(usize),
}

impl Update for Recursive {
    const NAME: &'static str = "recursive";

    fn update<R: Rule>(network: &mut Network<R, Recursive>, starts: &[Start]) -> bool {
        let mut suspects = Vec::new();
        for &start in starts {
            match start {
                Start::Edge(edge) => network.check_edge(edge, &List::EMPTY, &mut suspects),
                Start::Node(node) => network.check_node(node, &List::EMPTY, &mut suspects),
            }
        }
        let accepted = !suspects.iter().any(|suspect| network.is_at_fault(suspect));
        for &start in starts {
            let node = match start {
                Start::Edge(edge) => network.edges[edge].child,
                Start::Node(node) => node,
            };
            if accepted { network.set(node) } else { network.abort(node) }
        }
        accepted
    }
}

impl<R: Rule> Network<R, Recursive> {
    /// `above` are the edges by which the check came, which it ignores.
    fn check_edge(&mut self, edge: usize, above: &List<usize>, suspects: &mut Vec<Suspect>) {
        // QEMU copies the list for every edge.
        let mut ignored = above.clone();
        ignored.prepend(edge);
        let child = self.edges[edge].child;
        for place in 0..self.nodes[child].parents.len() {
            let other = self.nodes[child].parents[place];
            if !ignored.iter().any(|&edge| edge == other) && self.conflict(edge, other) {
                suspects.push(Suspect::Pair(edge, other));
            }
        }
        self.check_node(child, &ignored, suspects);
    }

    fn check_node(&mut self, node: usize, above: &List<usize>, suspects: &mut Vec<Suspect>) {
        let sum = self.sum(node);
        if self.is_written_in_vain(node, sum) {
            suspects.push(Suspect::Written(node));
        }
        for place in 0..self.nodes[node].children.len() {
            let edge = self.nodes[node].children[place];
            let hold = self.passed(node, edge, sum);
            let old = std::mem::replace(&mut self.edges[edge].hold, hold);
            self.edges[edge].backup.get_or_insert(old);
            self.check_edge(edge, above, suspects);
        }
    }

    fn is_at_fault(&mut self, suspect: &Suspect) -> bool {
        match *suspect {
            Suspect::Pair(one, other) => self.conflict(one, other),
            Suspect::Written(node) => {
                let sum = self.sum(node);
                self.is_written_in_vain(node, sum)
            }
        }
    }

    fn set(&mut self, node: usize) {
        let sum = self.sum(node);
        for place in 0..self.nodes[node].children.len() {
            let edge = self.nodes[node].children[place];
            self.edges[edge].hold = self.passed(node, edge, sum);
            self.edges[edge].backup = None;
            self.set(self.edges[edge].child);
        }
    }

    fn abort(&mut self, node: usize) {
        for place in 0..self.nodes[node].children.len() {
            let edge = self.nodes[node].children[place];
            if let Some(old) = self.edges[edge].backup.take() {
                self.edges[edge].hold = old;
            }
            self.abort(self.edges[edge].child);
        }
    }
}
