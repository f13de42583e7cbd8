//! Drained sections: when the graph changes, jobs stop for a moment, and say so.
//!
//! Every change of the graph happens while all jobs are paused, and many operations drain the nodes
//! that they are about to change before that. Each pause shows as two events of a job that was
//! running or ready.
//!
//! Source: `bdrv_drain_all_begin`, `bdrv_drained_begin` in `block/io.c` and `child_job_drained_begin`
//! in `blockjob.c`, QEMU 10.0; which operation drains what was found with the daemon.

use blkperm_graph::{NodeId, Parent, RootId, Rule};

use crate::event::Event;
use crate::job::Job;
use crate::layer::BlockLayer;

/// The jobs that a drained section has paused, by their own parent of nodes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Drained(Vec<RootId>);

impl Drained {
    /// Pauses one more job, which was created within the section and does not run yet.
    pub(crate) fn add(&mut self, job: &mut Job) {
        self.0.push(job.root);
        job.drains += 1;
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Pauses every job for a moment, as each change of the graph does.
    pub fn drain_all(&mut self) {
        let drained = self.begin_pause_of_all();
        self.end_drain(&drained);
    }

    /// Pauses every job until [`end_drain`](Self::end_drain).
    pub fn begin_pause_of_all(&mut self) -> Drained {
        let all = self.jobs.iter().map(|job| job.root).collect();
        self.begin_pause(all)
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
    /// [`end_drain`](Self::end_drain).
    pub fn begin_drain(&mut self, nodes: &[NodeId]) -> Drained {
        let users = self.users(nodes);
        self.begin_pause(users)
    }

    /// Lets the jobs of a drained section go on; those that are gone since are not missed.
    pub fn end_drain(&mut self, drained: &Drained) {
        for place in 0..self.jobs.len() {
            if drained.0.contains(&self.jobs[place].root) {
                self.hold(place, |job| job.drains -= 1);
            }
        }
    }

    /// Pauses the newest job if it uses what another one keeps drained that is about to end.
    pub(crate) fn join_drains(&mut self) {
        let Some(newest) = self.jobs.len().checked_sub(1) else { return };
        let root = self.jobs[newest].root;
        for place in 0..newest {
            let drained = self.jobs[place].drained.is_some();
            let source = self.jobs[place].source().filter(|_| drained);
            if source.is_some_and(|source| self.users(&[source]).contains(&root)) {
                let drained = self.jobs[place].drained.get_or_insert_default();
                drained.0.push(root);
                self.hold(newest, |job| job.drains += 1);
            }
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

    /// The jobs that have an edge to one of the nodes or to a node above them.
    fn users(&self, nodes: &[NodeId]) -> Vec<RootId> {
        let mut above: Vec<NodeId> = nodes.to_vec();
        let mut roots = Vec::new();
        let mut done = 0;
        while done < above.len() {
            for edge in self.graph.parents(above[done]).collect::<Vec<_>>() {
                match self.graph.parent_of(edge) {
                    Parent::Node(parent) if !above.contains(&parent) => above.push(parent),
                    Parent::Node(_) => {}
                    Parent::Root(root) => roots.push(root),
                }
            }
            done += 1;
        }
        let uses = |root: &RootId| roots.contains(root);
        self.jobs.iter().map(|job| job.root).filter(uses).collect()
    }

    fn begin_pause(&mut self, roots: Vec<RootId>) -> Drained {
        for place in 0..self.jobs.len() {
            if roots.contains(&self.jobs[place].root) {
                self.hold(place, |job| job.drains += 1);
            }
        }
        Drained(roots)
    }

    /// Changes what holds a job, and says so if it is thereby paused, or goes on.
    pub(crate) fn hold(&mut self, place: usize, change: impl FnOnce(&mut Job)) {
        let job = &mut self.jobs[place];
        let before = job.status();
        change(job);
        let status = job.status();
        if status != before {
            self.events.push(Event::StatusChange { job: job.id.clone(), status });
        }
    }
}
