//! The mirror driver: mirror, and active commit.

use blkperm_graph::driver::{BLKVERIFY, QUORUM};
use blkperm_graph::{Demand, Graph, NewNode, NodeId, Permissions, Refusal, Rule, State};

use crate::content::Extents;
use crate::denied::{Denied, Failure};
use crate::exit::{IfRefused, Pause, Step, detach_all, release, thaw};
use crate::filter::{MIRROR_TOP, MIRROR_TOP_OF_COMMIT, MIRROR_TOP_STOPPING};
use crate::job::{Job, JobOptions};
use crate::layer::{BlockLayer, NewJob};
use crate::work::Work;

/// The size of the blocks that are dirty or not: of a qcow2 cluster, unless told otherwise.
const GRANULARITY: u64 = 64 << 10;

/// Which data a mirror copies. None of it bears on permissions, but only a node with a backing
/// file has a top that is less than all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    /// All.
    Full,
    /// What is not in the backing file.
    Top,
    /// Only what is written from now on.
    None,
}

/// What a mirror is asked to do.
#[derive(Clone, Debug)]
pub struct MirrorOptions {
    /// What every job is given.
    pub job: JobOptions,
    /// The node whose content is mirrored.
    pub device: NodeId,
    /// The node to which it is mirrored.
    pub target: NodeId,
    /// Which data is copied.
    pub sync: Sync,
    /// The node whose place the target takes in the end; the source when absent.
    pub replaces: Option<NodeId>,
    /// Whether the target passes on what is discarded there (`discard: unmap`).
    pub target_unmaps: bool,
    /// Whether writes to the source wait until the target is written too (`copy-mode`).
    pub write_blocking: bool,
}

/// A mirror, or an active commit, at work.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    pub(crate) source: NodeId,
    pub(crate) target: NodeId,
    /// The name of the node whose place the target takes, if it is not the source.
    replaces: Option<String>,
    /// That node, from when the job is completed.
    pub(crate) replaced: Option<NodeId>,
    /// What was written to the source since it was last copied, in the blocks of the dirty bitmap.
    behind: Extents,
    /// The node down to which data is copied, exclusive; none to copy what the whole chain has.
    base: Option<NodeId>,
    sync: Sync,
    target_unmaps: bool,
    write_blocking: bool,
    /// Whether every write reaches the target at once, which it does once the job was ready.
    pub(crate) actively_synced: bool,
    /// Whether the target was made read-write for an active commit.
    base_was_read_only: bool,
}

/// What tells a mirror from an active commit when the job starts.
struct Start {
    source: NodeId,
    target: NodeId,
    replaces: Option<NodeId>,
    is_commit: bool,
    base: Option<NodeId>,
    sync: Sync,
    target_unmaps: bool,
    write_blocking: bool,
    base_was_read_only: bool,
    kind: &'static str,
}

impl<R: Rule> BlockLayer<R> {
    /// Starts a mirror. That nothing blocks it is the caller's to check.
    ///
    /// Source: `mirror_start` in `block/mirror.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Failure::Denied`], with the graph as before; [`Failure::Abort`] when the job's filter could
    /// not be taken out again after that.
    pub fn start_mirror(&mut self, options: &MirrorOptions) -> Result<(), Failure> {
        let MirrorOptions { device, target, replaces, sync, .. } = *options;
        let is_commit = self.graph.chain_contains(device, target);
        let backing = self.graph.backing_chain_next(device);
        self.start_mirror_job(
            &options.job,
            &Start {
                source: device,
                target,
                replaces,
                is_commit,
                base: backing.filter(|_| sync == Sync::Top),
                sync,
                target_unmaps: options.target_unmaps,
                write_blocking: options.write_blocking,
                base_was_read_only: false,
                kind: "mirror",
            },
        )
    }

    /// Starts an active commit of `top` into `base`, which is in the chain of `top`.
    ///
    /// Source: `commit_active_start` in `block/mirror.c`, QEMU 10.0.
    pub(crate) fn start_active_commit(
        &mut self,
        job: &JobOptions,
        top: NodeId,
        base: NodeId,
    ) -> Result<(), Failure> {
        let base_was_read_only = self.graph.state(base).contains(State::READ_ONLY);
        self.require_read_only(base, false)?;
        let start = Start {
            source: top,
            target: base,
            replaces: None,
            is_commit: true,
            base: Some(base),
            sync: Sync::Top,
            target_unmaps: false,
            write_blocking: false,
            base_was_read_only,
            kind: "commit",
        };
        self.start_mirror_job(job, &start).inspect_err(|_| {
            // QEMU ignores it when this fails.
            let _ = self.require_read_only(base, base_was_read_only);
        })
    }

    fn start_mirror_job(&mut self, options: &JobOptions, start: &Start) -> Result<(), Failure> {
        let &Start { source, target, replaces, is_commit, base, sync, .. } = start;
        let &Start { target_unmaps, write_blocking, base_was_read_only, kind, .. } = start;
        if self.graph.skip_filters(source) == self.graph.skip_filters(target) {
            return Err(Failure::Denied(Denied::MirrorIntoItself));
        }
        let owner = self.graph.new_owner();
        let driver = if is_commit { &MIRROR_TOP_OF_COMMIT } else { &MIRROR_TOP };
        let filter_name = options.filter_node_name.as_deref();
        let filter = self.add_filter(
            filter_name,
            NewNode {
                length: self.graph.length(source),
                owner: Some(owner),
                ..NewNode::new("", driver)
            },
            source,
        )?;
        let mut job = match self.create_job(
            options,
            NewJob {
                kind,
                owner,
                filter: Some(filter),
                main_node: filter,
                main_demand: Demand::from_masks(
                    Permissions::CONSISTENT_READ,
                    Permissions::all() - Permissions::RESIZE,
                ),
                work: Work::Mirror(Mirror {
                    source,
                    target,
                    replaces: replaces.map(|node| self.graph.name(node).to_owned()),
                    replaced: None,
                    behind: Extents::default(),
                    base,
                    sync,
                    target_unmaps,
                    write_blocking,
                    actively_synced: false,
                    base_was_read_only,
                }),
            },
        ) {
            Ok(job) => job,
            Err(denied) => {
                self.drop_filter(filter)?;
                return Err(Failure::Denied(denied));
            }
        };
        match self.attach_mirror(&mut job, source, target, is_commit) {
            Ok(()) => {
                self.start_job(job);
                Ok(())
            }
            Err(denied) => {
                self.undo_start(job)?;
                Err(Failure::Denied(denied))
            }
        }
    }

    /// Adds the job's edges below its filter and freezes the chain of a commit.
    ///
    /// Source: `mirror_start_job` in `block/mirror.c`, QEMU 10.0.
    fn attach_mirror(
        &mut self,
        job: &mut Job,
        source: NodeId,
        target: NodeId,
        is_commit: bool,
    ) -> Result<(), Denied> {
        use Permissions as P;
        let filter = job.filter.expect("a mirror has a filter");
        let target_base = self.graph.skip_filters(target);
        if target_base != target && self.graph.chain_contains(filter, target_base) && !is_commit {
            return Err(Denied::TargetFiltersChain);
        }
        let mut take = P::WRITE;
        let mut shared = P::WRITE_UNCHANGED;
        if is_commit {
            shared |= P::CONSISTENT_READ | P::WRITE;
            if self.graph.length(target) < self.graph.length(source) {
                take |= P::RESIZE;
            }
        }
        let purpose = format!("{} job '{}' writing its target", job.kind, job.id);
        self.add_backend(job, purpose, target, Demand::from_masks(take, shared))?;
        if !is_commit {
            job.backends.iter().for_each(|&backend| self.allow_inactive(backend));
        }
        self.drain_all();
        self.add_job_edge(job, source, "source", Demand::unsharing(P::RESIZE))?;
        self.add_job_edge(job, target, "target", Demand::NONE)?;
        if !is_commit {
            return Ok(());
        }
        for node in self.between(source, target) {
            let demand = self.intermediate_demand(node, target);
            self.add_job_edge(job, node, "intermediate node", demand)?;
        }
        job.frozen = self.freeze(filter, target)?;
        Ok(())
    }

    /// The nodes strictly between `top` and `base` in the chain, from the top down.
    pub(crate) fn between(&self, top: NodeId, base: NodeId) -> Vec<NodeId> {
        self.graph.chain(top).skip(1).take_while(|&node| node != base).collect()
    }

    /// Requires that a mirror of `device` may take the place of `replaced` without changing what is
    /// read there.
    ///
    /// Source: `blockdev_mirror_common` in `blockdev.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::CannotReplace`], [`Denied::ReplacesOtherSize`].
    pub fn require_replaceable(&self, device: NodeId, replaced: NodeId) -> Result<(), Denied> {
        let graph = &self.graph;
        if !can_replace(graph, device, replaced) {
            return Err(Denied::CannotReplace {
                replaced: graph.name(replaced).to_owned(),
                source_node: graph.name(device).to_owned(),
            });
        }
        if graph.length(device) != graph.length(replaced) {
            return Err(Denied::ReplacesOtherSize);
        }
        Ok(())
    }

    /// Finds and holds the node whose place the target of a job is to take that completes, if it is a
    /// mirror that was told of one; that blocks everything there.
    ///
    /// Source: `mirror_complete` in `block/mirror.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::NoSuchReplaced`].
    pub(crate) fn hold_replaced(&mut self, place: usize) -> Result<(), Denied> {
        let Work::Mirror(mirror) = &mut self.jobs[place].work else { return Ok(()) };
        let Some(name) = &mirror.replaces else { return Ok(()) };
        let found = self.graph.node_by_name(name);
        let replaced = found.ok_or_else(|| Denied::NoSuchReplaced(name.clone()))?;
        self.graph.keep(replaced);
        mirror.replaced = Some(replaced);
        Ok(())
    }
}

/// Whether what presents the same data as `device` may take the place of `replaced`.
///
/// A quorum's child may differ from the quorum, but a node that is like the quorum changes nothing
/// for it; nobody else may be there to see.
///
/// Source: `bdrv_recurse_can_replace` in `block.c`, `quorum_recurse_can_replace` in `block/quorum.c`,
/// `blkverify_recurse_can_replace` in `block/blkverify.c`, QEMU 10.0.
fn can_replace<R: Rule>(graph: &Graph<R>, device: NodeId, replaced: NodeId) -> bool {
    let mut children = graph.children(device).map(|edge| graph.child_of(edge));
    if device == replaced {
        true
    } else if graph.driver(device) == &QUORUM {
        children.any(|child| child == replaced) && graph.parents(replaced).count() == 1
    } else if graph.driver(device) == &BLKVERIFY {
        children.any(|child| can_replace(graph, child, replaced))
    } else {
        graph
            .filtered_edge(device)
            .is_some_and(|edge| can_replace(graph, graph.child_of(edge), replaced))
    }
}

/// How the mirror leaves the graph; `completing` when its target takes the source's place.
///
/// Source: `mirror_exit_common` in `block/mirror.c`, QEMU 10.0.
pub(crate) fn exit_steps<R: Rule>(
    layer: &BlockLayer<R>,
    job: &Job,
    mirror: &Mirror,
    completing: bool,
) -> Vec<Step<R>> {
    let filter = job.filter.expect("a mirror that has not left has its filter");
    let target = mirror.target;
    let section = [filter, target];
    let is_read_only = |node| layer.graph.state(node).contains(State::READ_ONLY);
    let mut steps = vec![thaw(&job.frozen), release(job.backends[0])];
    let stop = Step::new(IfRefused::Abort, Pause::None, move |change| {
        change.set_driver(filter, &MIRROR_TOP_STOPPING);
        Ok(())
    });
    steps.push(stop.within(&section));
    if completing {
        let replaced = mirror.replaced.unwrap_or(mirror.source);
        if is_read_only(replaced) != is_read_only(target) {
            steps.push(Step::reopen(target, is_read_only(replaced)).within(&section));
        }
        let is_allowed = can_replace(&layer.graph, mirror.source, replaced);
        // QEMU's quirk 23: all parents but jobs move, those behind the filter included.
        let replace = Step::new(IfRefused::FailJobAndGoOn, Pause::Change, move |change| {
            if is_allowed {
                return change.replace(replaced, target);
            }
            let name = |node| change.graph().name(node).to_owned();
            Err(Refusal::Replacing { replaced: name(replaced), by: name(target) })
        });
        steps.push(replace.within(&section));
    }
    let root = job.root;
    let detach = Step::new(IfRefused::Abort, Pause::Change, move |change| detach_all(change, root));
    steps.push(detach.within(&section));
    let drop = Step::new(IfRefused::Abort, Pause::Change, move |change| {
        let edge = change.graph().filtered_edge(filter).expect("a filter has a child");
        change.replace(filter, change.graph().child_of(edge))
    });
    steps.push(drop.within(&section));
    // QEMU's quirk 24: neither when it completes, nor after a graceful cancel, which counts as success, nor when the target was
    // refused to take the source's place.
    if mirror.base_was_read_only && job.error.is_some() {
        steps.push(Step::reopen(target, true).within(&section));
    }
    steps
}

impl Mirror {
    /// A mirror, or an active commit, that was found at work between these nodes.
    pub(crate) fn found<R: Rule>(
        graph: &Graph<R>,
        source: NodeId,
        target: NodeId,
        was_read_only: bool,
    ) -> Mirror {
        let is_commit = graph.chain_contains(source, target);
        Mirror {
            source,
            target,
            replaces: None,
            replaced: None,
            behind: Extents::default(),
            base: Some(target).filter(|_| is_commit),
            sync: if is_commit { Sync::Top } else { Sync::Full },
            target_unmaps: false,
            write_blocking: false,
            actively_synced: false,
            base_was_read_only: is_commit && was_read_only,
        }
    }

    /// What there is to copy, in the blocks of the dirty bitmap.
    pub(crate) fn dirty<R: Rule>(&self, layer: &BlockLayer<R>) -> Extents {
        self.to_copy(layer).blocks(GRANULARITY, layer.graph.length(self.source))
    }

    /// What of that is written to the target, if only as zeroes.
    pub(crate) fn written<R: Rule>(&self, layer: &BlockLayer<R>, dirty: &Extents) -> Extents {
        if self.target_unmaps && layer.keeps_discarded(self.target) {
            return dirty.clone();
        }
        layer.copied(self.source, dirty)
    }

    /// Source: `mirror_dirty_init` in `block/mirror.c`, QEMU 10.0.
    fn to_copy<R: Rule>(&self, layer: &BlockLayer<R>) -> Extents {
        let graph = &layer.graph;
        match self.sync {
            Sync::None => Extents::default(),
            Sync::Full if self.clears_target(layer) => layer.allocated(self.source, None),
            Sync::Full => Extents::from(0..graph.length(self.source)),
            Sync::Top => {
                let last = self.base.and_then(|base| graph.overlay_of(self.source, base));
                layer.allocated(self.source, last)
            }
        }
    }

    /// Takes note that the target is the same as the source, and gives what had to be copied for that
    /// since it was last so.
    pub(crate) fn catch_up(&mut self) -> Extents {
        self.actively_synced = self.write_blocking;
        std::mem::take(&mut self.behind)
    }

    /// Takes note of what was written to the source.
    pub(crate) fn fall_behind(&mut self, written: &Extents) {
        self.behind.insert_all(&written.blocks(GRANULARITY, u64::MAX), u64::MAX);
    }

    /// Lets writes to the source wait from now on until the target is written too, if they do not.
    ///
    /// Source: `mirror_change` in `block/mirror.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::CannotStopBlocking`].
    pub(crate) fn change_copy_mode(&mut self, write_blocking: bool) -> Result<(), Denied> {
        if self.write_blocking && !write_blocking {
            return Err(Denied::CannotStopBlocking);
        }
        self.write_blocking = write_blocking;
        Ok(())
    }

    /// Whether the target is made to read as zeroes first, so that only data is left to copy.
    pub(crate) fn clears_target<R: Rule>(&self, layer: &BlockLayer<R>) -> bool {
        self.sync == Sync::Full && self.target_unmaps && layer.can_clear(self.target)
    }

    /// Whether the copy cannot even begin: only the base of a commit is resized.
    pub(crate) fn sizes_differ<R: Rule>(&self, graph: &Graph<R>) -> bool {
        !self.resizes_target() && graph.length(self.source) != graph.length(self.target)
    }

    /// Whether the target becomes as long as the source.
    pub(crate) fn resizes_target(&self) -> bool {
        self.base == Some(self.target)
    }
}
