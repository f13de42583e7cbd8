//! The commit driver: an ordinary commit, below the active layer.

use blkperm_graph::{
    Demand, Graph, NewNode, NodeId, Parent, Permissions, Role, RootId, Rule, State,
};

use crate::content::Extents;
use crate::denied::{Denied, Failure};
use crate::event::JobError;
use crate::exit::{Completion, IfRefused, Pause, Step, detach_all, release, thaw};
use crate::filter::COMMIT_TOP;
use crate::job::{Job, JobOptions};
use crate::layer::{BlockLayer, NewJob, Relinked};
use crate::work::Work;

/// What a commit is asked to do.
#[derive(Clone, Debug)]
pub struct CommitOptions {
    /// What every job is given.
    pub job: JobOptions,
    /// The active layer.
    pub device: NodeId,
    /// The topmost node whose data is committed, in the chain of `device`.
    pub top: NodeId,
    /// The node into which it is committed, in the chain of `top`.
    pub base: NodeId,
    /// How the overlay of `top` is to call its new backing file in its image (`backing-file`).
    pub backing_name: Option<String>,
}

/// An ordinary commit at work.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) top: NodeId,
    pub(crate) base: NodeId,
    base_was_read_only: bool,
    backing_name: Option<String>,
}

impl<R: Rule> BlockLayer<R> {
    /// Whether a commit of `top` below `device` is an active one: nothing is above the top, or
    /// somebody writes to it.
    ///
    /// Source: `qmp_block_commit` in `blockdev.c`, QEMU 10.0.
    pub fn is_active_commit(&self, device: NodeId, top: NodeId) -> bool {
        self.graph.demand_on(top).take().contains(Permissions::WRITE)
            || self.graph.skip_filters(top) == self.graph.skip_filters(device)
    }

    /// Starts a commit; an active one becomes a mirror of `top` into `base`.
    ///
    /// Source: `qmp_block_commit` in `blockdev.c`, `commit_start` in `block/commit.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Failure::Denied`], with the graph as before; [`Failure::Abort`] when the job's filter could
    /// not be taken out again after that.
    pub fn start_commit(&mut self, options: &CommitOptions) -> Result<(), Failure> {
        let CommitOptions { ref job, device, top, base, ref backing_name } = *options;
        if self.is_active_commit(device, top) {
            return self.start_active_commit(job, top, base);
        }
        let base_was_read_only = self.graph.state(base).contains(State::READ_ONLY);
        let owner = self.graph.new_owner();
        let mut job = self.create_job(
            job,
            NewJob {
                kind: "commit",
                owner,
                filter: None,
                main_node: device,
                main_demand: Demand::NONE,
                work: Work::Commit(Commit {
                    top,
                    base,
                    base_was_read_only,
                    backing_name: backing_name.clone(),
                }),
            },
        )?;
        match self.attach_commit(&mut job, options) {
            Ok(()) => {
                self.start_job(job);
                Ok(())
            }
            Err(denied) => {
                if base_was_read_only {
                    // QEMU does this also where the base was never writable, and ignores a failure.
                    let _ = self.set_read_only(base, true);
                }
                self.undo_start(job)?;
                Err(Failure::Denied(denied))
            }
        }
    }

    /// Makes the base writable, inserts the filter, adds the job's edges and freezes the chain.
    fn attach_commit(&mut self, job: &mut Job, options: &CommitOptions) -> Result<(), Denied> {
        use Permissions as P;
        let &CommitOptions { top, base, .. } = options;
        self.require_read_only(base, false)?;
        let new = NewNode {
            length: self.graph.length(top),
            state: State::READ_ONLY,
            owner: Some(job.owner),
            ..NewNode::new("", &COMMIT_TOP)
        };
        let filter = self.add_filter(options.job.filter_node_name.as_deref(), new, top)?;
        job.filter = Some(filter);
        self.drain_all();
        self.add_job_edge(job, top, "intermediate node", self.intermediate_demand(top, base))?;
        for node in self.between(top, base) {
            let demand = self.intermediate_demand(node, base);
            self.add_job_edge(job, node, "intermediate node", demand)?;
        }
        job.frozen = self.freeze(filter, base)?;
        self.add_job_edge(job, base, "base", Demand::NONE)?;
        let mut take = P::CONSISTENT_READ | P::WRITE;
        if self.graph.length(base) < self.graph.length(top) {
            take |= P::RESIZE;
        }
        let writing = format!("commit job '{}' writing its base", job.id);
        let shared = P::CONSISTENT_READ | P::WRITE_UNCHANGED;
        self.add_backend(job, writing, base, Demand::from_masks(take, shared))?;
        let reading = format!("commit job '{}' reading its top", job.id);
        self.add_backend(job, reading, top, Demand::NONE)?;
        Ok(())
    }

    /// What a commit's edge to a node above its base demands. The data there is wrong once the base
    /// is written, except in a filter of the base; and writes to the base must not be blocked.
    pub(crate) fn intermediate_demand(&self, node: NodeId, base: NodeId) -> Demand {
        let mut unshare = Permissions::RESIZE;
        if self.graph.skip_filters(node) != self.graph.skip_filters(base) {
            unshare |= Permissions::CONSISTENT_READ;
        }
        Demand::unsharing(unshare)
    }
}

/// How the commit leaves the graph with its effect: the base takes the place of all above it.
///
/// Source: `commit_prepare` in `block/commit.c`, `bdrv_drop_intermediate` in `block.c`, QEMU 10.0.
/// QEMU's quirk 8: the job's own edges stay until the job is dismissed; judged at once, they go as
/// well.
pub(crate) fn completing_steps<R: Rule>(
    layer: &BlockLayer<R>,
    job: &Job,
    commit: &Commit,
) -> Vec<Step<R>> {
    let mut steps = vec![thaw(&job.frozen), release(job.backends[0])];
    let base = commit.base;
    let filter = job.filter.expect("a commit that has not left has its filter");
    // QEMU's quirk: `bdrv_drop_intermediate` does not say why it fails.
    let replace = Step::new(IfRefused::FailJob(JobError::Io), Pause::Change, move |change| {
        change.replace(filter, base)
    });
    let section = [filter, base];
    let not_permitted = IfRefused::FailJob(JobError::NotPermitted);
    steps.push(replace.within(&section));
    for overlay in overlays(&layer.graph, filter) {
        if layer.graph.state(overlay).contains(State::READ_ONLY) {
            steps.extend([false, true].map(|read_only| {
                Step::reopen(overlay, read_only).or(not_permitted).within(&section)
            }));
        }
    }
    if layer.completion == Completion::Atomic {
        steps.push(release_nodes(job.root));
    }
    steps.extend(commit.restore_base());
    steps
}

/// The nodes whose backing file `node` is, the oldest parent first.
fn overlays<R: Rule>(graph: &Graph<R>, node: NodeId) -> Vec<NodeId> {
    let backing = graph.parents(node).filter(|&edge| graph.role(edge).contains(Role::COW));
    let overlays = backing.filter_map(|edge| match graph.parent_of(edge) {
        Parent::Node(overlay) => Some(overlay),
        Parent::Root(_) => None,
    });
    let mut overlays: Vec<_> = overlays.collect();
    overlays.reverse();
    overlays
}

/// How the commit leaves the graph without effect.
///
/// Source: `commit_abort` in `block/commit.c`, QEMU 10.0.
pub(crate) fn cancelling_steps<R: Rule>(
    layer: &BlockLayer<R>,
    job: &Job,
    commit: &Commit,
) -> Vec<Step<R>> {
    let mut steps = vec![thaw(&job.frozen), release(job.backends[0])];
    steps.push(release_nodes(job.root));
    let top = commit.top;
    let filter = job.filter.expect("a commit that has not left has its filter");
    let is_replaced = layer.graph.parents(filter).next().is_none();
    let drop = match layer.setback.clone().filter(|_| is_replaced) {
        // QEMU's quirk: a filter whose place the base has taken is gone, and yet looked into.
        Some(refusal) => Step::new(IfRefused::Crash, Pause::Change, move |_| Err(refusal.clone())),
        None => {
            Step::new(IfRefused::Abort, Pause::Change, move |change| change.replace(filter, top))
        }
    };
    steps.push(drop.within(&[filter, top]));
    steps.extend(commit.restore_base());
    steps
}

fn release_nodes<R: Rule>(root: RootId) -> Step<R> {
    Step::new(IfRefused::Abort, Pause::Change, move |change| detach_all(change, root))
}

impl Commit {
    /// A commit that was found at work between these nodes.
    pub(crate) fn found(top: NodeId, base: NodeId, base_was_read_only: bool) -> Commit {
        Commit { top, base, base_was_read_only, backing_name: None }
    }

    /// How many bytes there are to look at.
    pub(crate) fn len<R: Rule>(&self, graph: &Graph<R>) -> u64 {
        graph.length(self.top)
    }

    /// What there is to copy.
    ///
    /// Source: `commit_run` in `block/commit.c`, QEMU 10.0.
    pub(crate) fn dirty<R: Rule>(&self, layer: &BlockLayer<R>) -> Extents {
        layer.allocated(self.top, layer.graph.overlay_of(self.top, self.base))
    }

    /// What the overlays' images are told when the job leaves: that the base is their backing file.
    pub(crate) fn relinked<R: Rule>(&self, graph: &Graph<R>, filter: NodeId) -> Vec<Relinked> {
        let relinked = |overlay| {
            let (backing, name) = (Some(self.base), self.backing_name.clone());
            Relinked { overlay, backing, name }
        };
        overlays(graph, filter).into_iter().map(relinked).collect()
    }

    fn restore_base<R: Rule>(&self) -> Option<Step<R>> {
        self.base_was_read_only.then(|| Step::reopen(self.base, true))
    }
}
