//! The commands of a universe: which there are in a state, and what is done for each.

use blkperm_graph::driver::BLKDEBUG;
use blkperm_graph::{Demand, Holder, NewNode, NodeId, Permissions, Refusal, Role, RootId, Rule};
use blkperm_jobs::{
    Abort, BackupOptions, BlockLayer, CommitOptions, Denied, Failure, JobOptions, MirrorOptions,
    Operation, StreamEnd, StreamOptions, Sync,
};

use crate::action::{Action, Place, Verb};
use crate::stage::{EXPORTS, LENGTH, Stage, Stranger, World, job_id, stranger_name};
use crate::universe::JobKind;

/// What came of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// It was done.
    Done,
    /// It was done, and a job failed or got stuck by it, since this was refused.
    JobFailed(Refusal),
    /// It was refused.
    Refused(Denied),
    /// QEMU's process would have ended.
    Aborted(Refusal),
}

impl<R: Rule> Stage<R> {
    /// Every command that may be tried in a state: those that QEMU refuses for what the graph is
    /// now are among them, those that name what is not there are not.
    pub fn actions(&self, world: &World<R>) -> Vec<Action> {
        let places: Vec<Place> = self.places(world).collect();
        let stands: Vec<Place> = places.iter().copied().chain(self.file_places()).collect();
        let mut actions = Vec::new();
        let strangers = world.cast.strangers.map(|stranger| stranger.is_some());
        let free = free_slot(&strangers[..self.universe.strangers], &mut actions, |slot| {
            vec![Action::RemoveStranger(slot)]
        });
        for (slot, &place) in
            free.into_iter().flat_map(|slot| stands.iter().map(move |p| (slot, p)))
        {
            let demands = 0..self.universe.demands.len() as u8;
            actions.extend(demands.map(|demand| Action::AddStranger { slot, place, demand }));
        }
        let exports = world.cast.exports.map(|export| export.is_some());
        let free = free_slot(&exports[..self.universe.exports], &mut actions, |slot| {
            vec![Action::RemoveExport(slot)]
        });
        for (slot, &place) in
            free.into_iter().flat_map(|slot| stands.iter().map(move |p| (slot, p)))
        {
            let add = |writable| Action::AddExport { slot, place, writable };
            actions.extend([false, true].map(add));
        }
        let jobs: Vec<bool> = (0..self.universe.jobs as u8)
            .map(|slot| Stage::job(&world.layer, slot).is_some())
            .collect();
        let verbs = |slot| {
            let pauses = self.universe.pauses;
            let is_tried = |verb: &Verb| pauses || !matches!(verb, Verb::Pause | Verb::Resume);
            Verb::ALL.into_iter().filter(is_tried).map(|verb| Action::Verb(slot, verb)).collect()
        };
        if let Some(slot) = free_slot(&jobs, &mut actions, verbs) {
            self.add_starts(world, &places, slot, &mut actions);
        }
        actions
    }

    fn add_starts(&self, world: &World<R>, places: &[Place], slot: u8, actions: &mut Vec<Action>) {
        let manuals: &[bool] = if self.universe.manual { &[false, true] } else { &[false] };
        for &kind in &self.universe.kinds {
            for &manual in manuals {
                for &one in places {
                    match kind {
                        JobKind::Mirror => {
                            actions.extend(
                                images(places).filter(|&to| to != one).map(|target| {
                                    Action::Mirror { slot, source: one, target, manual }
                                }),
                            )
                        }
                        JobKind::Backup => {
                            actions.extend(
                                images(places).filter(|&to| to != one).map(|target| {
                                    Action::Backup { slot, source: one, target, manual }
                                }),
                            )
                        }
                        JobKind::Commit => self.add_commits(world, one, slot, manual, actions),
                        JobKind::Stream => {
                            let below = self.chain(world, one);
                            let bases = images(below.get(1..).unwrap_or_default()).map(Some);
                            actions.extend(
                                [None].into_iter().chain(bases).map(|base| Action::Stream {
                                    slot,
                                    device: one,
                                    base,
                                    manual,
                                }),
                            );
                        }
                    }
                }
            }
        }
    }

    /// Commits of everything in the chain of `device` into every image below it.
    fn add_commits(
        &self,
        world: &World<R>,
        device: Place,
        slot: u8,
        manual: bool,
        actions: &mut Vec<Action>,
    ) {
        let chain = self.chain(world, device);
        for (above, &top) in chain.iter().enumerate() {
            let commit = |base| Action::Commit { slot, device, top, base, manual };
            actions.extend(images(&chain[above + 1..]).map(commit));
        }
    }

    /// The places in the chain of a place, that place first.
    fn chain(&self, world: &World<R>, place: Place) -> Vec<Place> {
        let Some(node) = self.node(world, place) else { return Vec::new() };
        let chain = world.layer.graph.chain(node);
        chain.filter_map(|node| self.place(world, node)).collect()
    }

    /// Does one command and lets all jobs go on until none moves by itself.
    ///
    /// # Panics
    ///
    /// Panics when the command names what is not there.
    pub fn act(&self, world: &mut World<R>, action: Action) -> Act {
        let begun = self.begin(world, action);
        let settled = world.layer.run_jobs();
        world.layer.take_events();
        world.layer.take_relinked();
        world.layer.take_changed();
        let setback = world.layer.take_setback();
        world.cast.find_filters(&world.layer.graph);
        match (begun, settled) {
            (Err(Failure::Abort(Abort { refusal, .. })), _) | (_, Err(Abort { refusal, .. })) => {
                Act::Aborted(refusal)
            }
            (Err(Failure::Denied(denied)), Ok(())) => Act::Refused(denied),
            (Ok(()), Ok(())) => setback.map_or(Act::Done, Act::JobFailed),
        }
    }

    fn begin(&self, world: &mut World<R>, action: Action) -> Result<(), Failure> {
        let at = |world: &World<R>, place| {
            self.node(world, place).expect("a command names what is there")
        };
        match action {
            Action::AddStranger { slot, place, demand } => {
                let below = at(world, place);
                let options = self.universe.demands[usize::from(demand)].demand();
                let name = stranger_name(slot);
                let node = add_stranger(&mut world.layer, name, below, options)?;
                world.cast.strangers[usize::from(slot)] = Some(Stranger { node, demand });
            }
            Action::RemoveStranger(slot) => {
                let stranger = world.cast.strangers[usize::from(slot)].take();
                world.layer.release(stranger.expect("it is there").node);
            }
            Action::AddExport { slot, place, writable } => {
                let node = at(world, place);
                let id = EXPORTS[usize::from(slot)];
                let export = add_export(&mut world.layer, id, node, writable)?;
                world.cast.exports[usize::from(slot)] = Some(export);
            }
            Action::RemoveExport(slot) => {
                let export = world.cast.exports[usize::from(slot)].take();
                world.layer.remove_backend(export.expect("it is there"));
            }
            Action::Mirror { slot, source, target, manual } => {
                let (device, target) = (at(world, source), at(world, target));
                start_mirror(&mut world.layer, self.job_options(slot, manual), device, target)?;
            }
            Action::Commit { slot, device, top, base, manual } => {
                let nodes = [device, top, base].map(|place| at(world, place));
                start_commit(&mut world.layer, self.job_options(slot, manual), nodes)?;
            }
            Action::Stream { slot, device, base, manual } => {
                let device = at(world, device);
                let end = base.map_or(StreamEnd::Chain, |base| StreamEnd::Base(at(world, base)));
                start_stream(&mut world.layer, self.job_options(slot, manual), device, end)?;
            }
            Action::Backup { slot, source, target, manual } => {
                let (source, target) = (at(world, source), at(world, target));
                start_backup(&mut world.layer, self.job_options(slot, manual), source, target)?;
            }
            Action::Verb(slot, verb) => ask(&mut world.layer, job_id(slot), verb)?,
        }
        Ok(())
    }

    fn job_options(&self, slot: u8, manual: bool) -> JobOptions {
        JobOptions {
            auto_finalize: !manual,
            auto_dismiss: !manual,
            filter_node_name: Some(self.universe.place_name(Place::Filter(slot)).into_owned()),
            ..JobOptions::new(job_id(slot))
        }
    }
}

/// The images among places.
fn images(places: &[Place]) -> impl Iterator<Item = Place> {
    places.iter().copied().filter(|place| matches!(place, Place::Image(_)))
}

/// Adds what may be done with those that are there, and gives the first number that is free.
fn free_slot(
    there: &[bool],
    actions: &mut Vec<Action>,
    of_taken: impl Fn(u8) -> Vec<Action>,
) -> Option<u8> {
    let slots = || (0..).zip(there);
    actions.extend(slots().filter(|(_, there)| **there).flat_map(|(slot, _)| of_taken(slot)));
    slots().find(|(_, there)| !**there).map(|(slot, _)| slot)
}

fn add_stranger<R: Rule>(
    layer: &mut BlockLayer<R>,
    name: &str,
    below: NodeId,
    options: Demand,
) -> Result<NodeId, Failure> {
    let graph = &mut layer.graph;
    let new = NewNode { options, length: LENGTH, ..NewNode::new(name, &BLKDEBUG) };
    let stranger = graph.add_node(new);
    let role = Role::FILTERED | Role::PRIMARY;
    match graph.transact(|change| change.attach(stranger, below, "image", role)) {
        Ok(_) => Ok(stranger),
        Err(refusal) => {
            layer.release(stranger);
            Err(refusal.into())
        }
    }
}

/// As the NBD server makes an export: it takes what it needs, then unshares resizing.
fn add_export<R: Rule>(
    layer: &mut BlockLayer<R>,
    id: &str,
    node: NodeId,
    writable: bool,
) -> Result<RootId, Failure> {
    let mut take = Permissions::CONSISTENT_READ;
    take.set(Permissions::WRITE, writable);
    let holder = Holder::Export { id: id.to_owned() };
    let export = layer.graph.add_root(holder, None);
    let demand = Demand::new(take, Permissions::RESIZE);
    match layer.graph.transact(|change| change.attach_root(export, node, "root", demand)) {
        Ok(_) => Ok(export),
        Err(refusal) => {
            layer.graph.remove_root(export);
            Err(refusal.into())
        }
    }
}

/// Source: `qmp_blockdev_mirror` in `blockdev.c`, QEMU 10.0.
fn start_mirror<R: Rule>(
    layer: &mut BlockLayer<R>,
    job: JobOptions,
    device: NodeId,
    target: NodeId,
) -> Result<(), Failure> {
    layer.require_root(device)?;
    layer.require_unblocked(device, Operation::MirrorSource)?;
    layer.require_unblocked(target, Operation::MirrorTarget)?;
    let (sync, replaces, write_blocking) = (Sync::Full, None, false);
    layer.start_mirror(&MirrorOptions {
        job,
        device,
        target,
        sync,
        replaces,
        write_blocking,
        target_unmaps: true,
    })
}

/// Source: `qmp_block_commit` in `blockdev.c`, QEMU 10.0.
fn start_commit<R: Rule>(
    layer: &mut BlockLayer<R>,
    job: JobOptions,
    [device, top, base]: [NodeId; 3],
) -> Result<(), Failure> {
    layer.require_root(device)?;
    layer.require_unblocked(device, Operation::CommitSource)?;
    let above: Vec<NodeId> = layer.graph.chain(top).take_while(|&node| node != base).collect();
    for node in above.into_iter().chain([base]) {
        layer.require_unblocked(node, Operation::CommitTarget)?;
    }
    if !layer.is_active_commit(device, top) {
        let graph = &layer.graph;
        if let Some(overlay) = graph.overlay_of(device, top) {
            layer.require_unblocked(overlay, Operation::CommitTarget)?;
        }
        if graph.skip_filters(top) == graph.skip_filters(base) {
            // QEMU: "Invalid files for merge: top and base are the same".
            return Err(Failure::Denied(Denied::MirrorIntoItself));
        }
    }
    layer.start_commit(&CommitOptions { job, device, top, base, backing_name: None })
}

/// Source: `qmp_block_stream` in `blockdev.c`, QEMU 10.0.
fn start_stream<R: Rule>(
    layer: &mut BlockLayer<R>,
    job: JobOptions,
    device: NodeId,
    end: StreamEnd,
) -> Result<(), Failure> {
    let base = match end {
        StreamEnd::Base(base) => Some(base),
        StreamEnd::Chain | StreamEnd::Bottom(_) => None,
    };
    let graph = &layer.graph;
    for node in graph.chain(device).take_while(|&node| Some(node) != base) {
        layer.require_unblocked(node, Operation::Stream)?;
    }
    layer.start_stream(&StreamOptions { job, device, end, backing_name: None })
}

/// Source: `qmp_blockdev_backup`, `do_backup_common` in `blockdev.c`, QEMU 10.0.
fn start_backup<R: Rule>(
    layer: &mut BlockLayer<R>,
    job: JobOptions,
    source: NodeId,
    target: NodeId,
) -> Result<(), Failure> {
    layer.require_unblocked(source, Operation::BackupSource)?;
    layer.require_unblocked(target, Operation::BackupTarget)?;
    layer.start_backup(&BackupOptions {
        job,
        source,
        target,
        sync: Sync::Full,
        discard_source: false,
        max_chunk: 0,
        min_cluster_size: 0,
    })
}

fn ask<R: Rule>(layer: &mut BlockLayer<R>, id: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Complete => layer.complete(id)?,
        Verb::Cancel => layer.cancel(id, false)?,
        Verb::ForceCancel => layer.cancel(id, true)?,
        Verb::Finalize => layer.finalize_job(id)?,
        Verb::Dismiss => layer.dismiss(id)?,
        Verb::Pause => layer.pause(id)?,
        Verb::Resume => layer.resume(id)?,
    }
    Ok(())
}
