//! The update of permissions: incremental, parents first, each affected node once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::driver::WRITE_AND_RESIZE;
use crate::list::NO_EDGE;
use crate::log::Undo;
use crate::{Demand, EdgeId, Graph, NodeId, Parent, Permissions, Rule, State};

/// Room that changes use again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// Nodes into which an edge has changed and that wait for their place in `queue`.
    pub(crate) dirty: Vec<NodeId>,
    /// Nodes that wait for their visit, by their place in the topological order.
    queue: BinaryHeap<Reverse<(i64, NodeId)>>,
    /// The nodes from which QEMU would begin this update, in its order.
    pub(crate) starts: Vec<NodeId>,
    /// The edges that the change has removed; they are in no list any more.
    pub(crate) removed: Vec<EdgeId>,
    /// The nodes that edges have left.
    pub(crate) left: Vec<NodeId>,
}

/// What an update has found.
#[derive(Default)]
struct Found {
    /// The nodes at fault.
    faulty: Vec<NodeId>,
    /// The nodes that lock a file.
    locking: Vec<NodeId>,
    /// The nodes that take themselves to have preallocated, and may write and resize.
    preallocating: Vec<NodeId>,
}

impl Found {
    #[inline(never)]
    fn add(&mut self, id: NodeId, in_conflict: bool, state: State, demand: Demand) {
        if state.contains(State::PREALLOCATED) && demand.take().contains(WRITE_AND_RESIZE) {
            self.preallocating.push(id);
        }
        if in_conflict || state_fault(state, demand.take()).is_some() {
            self.faulty.push(id);
        } else if state.contains(State::LOCKING) {
            self.locking.push(id);
        }
    }
}

impl<R: Rule> Graph<R> {
    /// Notes that the node has to be visited.
    pub(crate) fn enqueue(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.key()];
        if !node.queued {
            node.queued = true;
            self.scratch.dirty.push(id);
        }
    }

    /// Passes all changes down to where they end, and returns the nodes at fault.
    ///
    /// The update goes on below a fault, so that all of them are found.
    pub(crate) fn update(&mut self) -> Vec<NodeId> {
        let mut found = Found::default();
        if !self.stale.is_empty() {
            self.enqueue_stale();
        }
        while let Some(id) = self.next_to_visit() {
            self.visit(id, &mut found);
        }
        let Found { mut faulty, locking, preallocating } = found;
        // Two nodes with one file need not be above each other: their locks are compared when both
        // are final.
        faulty.extend(locking.into_iter().filter(|&id| self.lock_fault(id).is_some()));
        preallocating.into_iter().for_each(|id| self.regain(id));
        faulty
    }

    /// Passes down what only demands less. Where that meets a fault, what nodes demand stays as it was,
    /// and they are stale.
    pub(crate) fn update_ignoring_faults(&mut self) {
        let since = self.log.len();
        let mut stale = self.update();
        if stale.is_empty() {
            return;
        }
        while self.log.len() > since
            && let Some(undo) = self.log.pop()
        {
            if let Undo::Hold { edge, .. } = undo
                && let Parent::Node(parent) = self.parent_of(edge)
            {
                stale.push(parent);
            }
            self.undo(undo);
        }
        for node in stale {
            self.become_stale(node);
        }
    }

    /// Notes that those of the stale nodes have to be visited that QEMU would visit: the update begins
    /// at them or above them.
    fn enqueue_stale(&mut self) {
        for node in self.stale.clone() {
            let mut above = vec![node];
            let mut done = 0;
            while let Some(&id) = above.get(done) {
                if self.scratch.starts.contains(&id) {
                    self.enqueue(node);
                    break;
                }
                for edge in self.parents(id) {
                    if let Parent::Node(parent) = self.parent_of(edge)
                        && !above.contains(&parent)
                    {
                        above.push(parent);
                    }
                }
                done += 1;
            }
        }
    }

    /// Forgets what a change has left to do.
    pub(crate) fn forget_change(&mut self) {
        let Graph { nodes, scratch, .. } = self;
        for id in scratch.dirty.drain(..) {
            nodes[id.key()].queued = false;
        }
        scratch.starts.clear();
        scratch.removed.clear();
        scratch.left.clear();
    }

    #[inline]
    fn next_to_visit(&mut self) -> Option<NodeId> {
        let Scratch { dirty, queue, .. } = &mut self.scratch;
        if queue.is_empty() && dirty.len() <= 1 {
            return dirty.pop();
        }
        for id in dirty.drain(..) {
            queue.push(Reverse((self.nodes[id.key()].order, id)));
        }
        queue.pop().map(|Reverse((_, id))| id)
    }

    /// Judges one node, whose incoming edges are final, and passes its sum on.
    fn visit(&mut self, id: NodeId, found: &mut Found) {
        let Graph { rule, rows, nodes, edges, log, scratch, stale, .. } = self;
        let node = &mut nodes[id.key()];
        node.queued = false;
        let attached = node.is_attached();
        let (sum, in_conflict) = node.incoming.judge(rule);
        if in_conflict || !node.state.is_empty() {
            found.add(id, in_conflict, node.state, rule.demand(sum));
        }
        let was_stale = !stale.is_empty() && refresh(stale, log, id);
        if sum == node.sum && attached == node.attached && !was_stale {
            return;
        }
        node.sum = sum;
        node.attached = attached;
        let filter = node.owner;
        let mut next = node.first_child;
        while next != NO_EDGE {
            let edge_id = EdgeId(next);
            let edge = &mut edges[edge_id.key()];
            next = edge.among_children.next;
            let hold = rule.pass(rows, edge.row, sum, attached, filter);
            if hold == edge.hold {
                continue;
            }
            let old = std::mem::replace(&mut edge.hold, hold);
            log.push(Undo::Hold { edge: edge_id, old });
            let child = &mut nodes[edge.child.key()];
            child.incoming.replace(rule, old, hold);
            if !child.queued {
                child.queued = true;
                scratch.dirty.push(edge.child);
            }
        }
    }
}

/// Takes the node from those that are stale, if it is one of them.
#[inline(never)]
fn refresh<H>(stale: &mut Vec<NodeId>, log: &mut Vec<Undo<H>>, id: NodeId) -> bool {
    let place = stale.iter().position(|&stale| stale == id);
    if let Some(place) = place {
        stale.swap_remove(place);
        log.push(Undo::Refreshed { node: id });
    }
    place.is_some()
}

/// Why a node cannot give what its parents take together, whoever they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StateFault {
    /// It is not writable, and is written.
    ReadOnly,
    /// Its length would have to change when its end is written, and nobody may change it.
    Unaligned,
}

/// What a node's state does not allow.
///
/// QEMU's quirk 17: a node that cannot be written can be resized.
///
/// Source: `bdrv_node_refresh_perm` in `block.c`, QEMU 10.0.
pub(crate) fn state_fault(state: State, take: Permissions) -> Option<StateFault> {
    if !take.intersects(Permissions::ANY_WRITE) {
        None
    } else if !state.is_writable() {
        Some(StateFault::ReadOnly)
    } else if state.contains(State::UNALIGNED) && !take.contains(Permissions::RESIZE) {
        Some(StateFault::Unaligned)
    } else {
        None
    }
}
