//! Drained sections: when the graph changes, jobs stop for a moment, and say so.
//!
//! Every change of the graph happens while all jobs are paused, and many operations drain the nodes
//! that they are about to change before that. Each pause shows as two events of a job that was
//! running or ready.
//!
//! Source: `bdrv_drain_all_begin`, `bdrv_drained_begin` in `block/io.c` and `child_job_drained_begin`
//! in `blockjob.c`, QEMU 10.0; which operation drains what was found with the daemon.

use std::collections::HashSet;

use blkperm_graph::{NodeId, Parent, RootId, Rule};

use crate::event::Event;
use crate::job::Job;
use crate::layer::BlockLayer;

/// A drained section: what it drains, until [`BlockLayer::end_drain`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Everything.
    All,
    /// These nodes, and with them all that uses them.
    Nodes(Vec<NodeId>),
}

impl<R: Rule> BlockLayer<R> {
    /// Pauses every job for a moment, as each change of the graph does.
    pub fn drain_all(&mut self) {
        // A pause that ends at once does nothing else.
        if !self.tells_pauses {
            return;
        }
        let drained = self.begin_pause_of_all();
        self.end_drain(&drained);
    }

    /// Pauses every job until [`end_drain`](Self::end_drain).
    pub fn begin_pause_of_all(&mut self) -> Drained {
        self.begin(Drained::All)
    }

    /// Pauses the jobs that use a node or what lies above it, for a moment.
    pub fn drain(&mut self, node: NodeId) {
        self.drained(&[node], |_| ());
    }

    /// Does something while the jobs are paused that use one of the nodes, or what lies above them.
    pub fn drained<T>(&mut self, nodes: &[NodeId], act: impl FnOnce(&mut Self) -> T) -> T {
        let drained = self.begin_drain(nodes);
        let result = act(self);
        self.end_drain(&drained);
        result
    }

    /// Pauses the jobs that use one of the nodes, or what lies above them, until
    /// [`end_drain`](Self::end_drain). Who comes to use them meanwhile is paused as well, and who
    /// uses them no more goes on.
    pub fn begin_drain(&mut self, nodes: &[NodeId]) -> Drained {
        self.begin(Drained::Nodes(nodes.to_vec()))
    }

    fn begin(&mut self, drained: Drained) -> Drained {
        self.follow_drains();
        self.drained.push(drained.clone());
        self.follow_drains();
        drained
    }

    /// Lets the jobs of a drained section go on that no other one holds.
    pub fn end_drain(&mut self, drained: &Drained) {
        self.follow_drains();
        if let Some(place) = self.drained.iter().rposition(|it| it == drained) {
            self.drained.remove(place);
        }
        self.follow_drains();
    }

    /// Pauses and lets go on as the graph has it by now: who uses what is drained.
    pub(crate) fn follow_drains(&mut self) {
        let mut nodes = Vec::new();
        let mut all = false;
        for drained in &self.drained {
            match drained {
                Drained::All => all = true,
                Drained::Nodes(some) => nodes.extend(some),
            }
        }
        nodes.retain(|&node| self.graph.contains_node(node));
        let users = if all { HashSet::new() } else { self.users(nodes) };
        for place in 0..self.jobs.len() {
            let is_drained = all || users.contains(&self.jobs[place].root);
            self.hold(place, |job| job.is_drained = is_drained);
        }
    }

    /// Pauses jobs as when a BlockBackend goes that has an edge.
    pub(crate) fn drain_backend(&mut self, backend: RootId) {
        let edge = self.graph.children(backend).next();
        if let Some(node) = edge.map(|edge| self.graph.child_of(edge)) {
            self.drain(node);
            self.drain(node);
            self.drain_all();
        }
    }

    /// The parents, other than nodes, of one of the nodes or of a node above them.
    fn users(&self, mut nodes: Vec<NodeId>) -> HashSet<RootId> {
        let mut above: HashSet<NodeId> = nodes.iter().copied().collect();
        let mut roots = HashSet::new();
        while let Some(node) = nodes.pop() {
            for edge in self.graph.parents(node) {
                match self.graph.parent_of(edge) {
                    Parent::Node(parent) if above.insert(parent) => nodes.push(parent),
                    Parent::Node(_) => {}
                    Parent::Root(root) => drop(roots.insert(root)),
                }
            }
        }
        roots
    }

    /// Changes what holds a job, and says so if it is thereby paused, or goes on.
    pub(crate) fn hold(&mut self, place: usize, change: impl FnOnce(&mut Job)) {
        let job = &mut self.jobs[place];
        let before = job.status();
        change(job);
        let status = job.status();
        if status != before && self.tells_pauses {
            self.events.push(Event::StatusChange { job: job.id.clone(), status });
        }
    }
}
