//! A block layer with the things of a universe in it, and the commands done to it directly.

use blkperm_graph::driver::{BLKDEBUG, FILE, QCOW2};
use blkperm_graph::{
    Demand, Graph, Holder, NewNode, NodeId, Permissions, Refusal, Role, RootId, Rule,
};
use blkperm_jobs::{
    Abort, BlockLayer, CommitOptions, Completion, Denied, Failure, Job, JobOptions, MirrorOptions,
    Operation, Sync,
};

use crate::action::{Action, Place, Verb};
use crate::universe::{JobKind, Universe};

/// The length of every image.
pub(crate) const LENGTH: u64 = 1 << 20;

/// The names of things, by their numbers: made once, since names are looked up all the time.
const STRANGERS: [&str; 3] = ["stranger0", "stranger1", "stranger2"];
const FILTERS: [&str; 2] = ["filter0", "filter1"];
const EXPORTS: [&str; 2] = ["export 'e0'", "export 'e1'"];
const JOBS: [&str; 2] = ["j0", "j1"];

/// A universe with its start state, under a rule and a completion.
#[derive(Clone, Debug)]
pub struct Stage<R: Rule> {
    /// The universe.
    pub universe: Universe,
    /// The images' nodes, which never go.
    images: Vec<NodeId>,
    start: World<R>,
}

/// A state: a block layer, which changes with every command.
#[derive(Clone, Debug)]
pub struct World<R: Rule> {
    /// The block layer.
    pub layer: BlockLayer<R>,
}

/// What came of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// It was done.
    Done,
    /// It was refused.
    Refused(Denied),
    /// QEMU's process would have ended.
    Aborted(Refusal),
}

impl From<Result<(), Failure>> for Act {
    fn from(result: Result<(), Failure>) -> Act {
        match result {
            Ok(()) => Act::Done,
            Err(Failure::Denied(denied)) => Act::Refused(denied),
            Err(Failure::Abort(Abort { refusal })) => Act::Aborted(refusal),
        }
    }
}

impl<R: Rule + Clone> Stage<R> {
    /// The universe with all images open and nothing else.
    ///
    /// # Panics
    ///
    /// Panics when the images cannot be opened, which needs a graph without parents to be refused.
    pub fn new(universe: Universe, rule: R, completion: Completion) -> Stage<R> {
        let mut layer = BlockLayer::new(rule, completion);
        let mut images = Vec::new();
        for (place, spec) in universe.images.iter().enumerate() {
            let file_name = format!("{}-file", spec.name);
            let graph = &mut layer.graph;
            let file =
                graph.add_node(NewNode { length: LENGTH, ..NewNode::new(&file_name, &FILE) });
            graph.lock_file(file, &file_name);
            let new = NewNode { length: LENGTH, ..NewNode::new(&spec.name, &QCOW2) };
            let image = graph.add_node(new);
            let backing = universe.backing(place).map(|backing| images[backing]);
            let opened = graph.transact(|change| {
                change.attach(image, file, "file", Role::IMAGE)?;
                backing.map(|below| change.attach(image, below, "backing", Role::COW)).transpose()
            });
            opened.expect("nobody demands anything yet");
            images.push(image);
        }
        Stage { universe, images, start: World { layer } }
    }

    /// The start state.
    pub fn start(&self) -> World<R> {
        self.start.clone()
    }
}

impl<R: Rule> Stage<R> {
    /// The node at a place, if it is there.
    pub fn node(&self, graph: &Graph<R>, place: Place) -> Option<NodeId> {
        match place {
            Place::Image(image) => self.images.get(usize::from(image)).copied(),
            Place::Filter(filter) => graph.node_by_name(FILTERS[usize::from(filter)]),
        }
    }

    /// All places, there or not: a filter may outlive its job.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + use<R> {
        let images = (0..self.images.len() as u8).map(Place::Image);
        images.chain((0..FILTERS.len() as u8).map(Place::Filter))
    }

    /// The place of a node, unless it is a stranger or a file.
    pub(crate) fn place(&self, graph: &Graph<R>, node: NodeId) -> Option<Place> {
        match self.images.iter().position(|&image| image == node) {
            Some(image) => Some(Place::Image(image as u8)),
            None => {
                let name = graph.name(node);
                let filter = FILTERS.iter().position(|filter| *filter == name);
                filter.map(|filter| Place::Filter(filter as u8))
            }
        }
    }

    /// The name of the node at a place.
    pub(crate) fn place_name(&self, place: Place) -> &str {
        match place {
            Place::Image(image) => &self.universe.images[usize::from(image)].name,
            Place::Filter(filter) => FILTERS[usize::from(filter)],
        }
    }

    /// The name of a stranger's node.
    pub(crate) fn stranger_name(slot: u8) -> &'static str {
        STRANGERS[usize::from(slot)]
    }

    /// The id of a job.
    pub(crate) fn job_id(slot: u8) -> &'static str {
        JOBS[usize::from(slot)]
    }

    /// The stranger of that number.
    pub(crate) fn stranger(graph: &Graph<R>, slot: u8) -> Option<NodeId> {
        graph.node_by_name(STRANGERS[usize::from(slot)])
    }

    /// The BlockBackend of the export of that number.
    pub(crate) fn export(graph: &Graph<R>, slot: u8) -> Option<RootId> {
        let wanted = EXPORTS[usize::from(slot)];
        graph.roots().into_iter().find(
            |&root| matches!(graph.holder(root), Holder::Backend { purpose } if purpose == wanted),
        )
    }

    /// The job of that number.
    pub(crate) fn job(layer: &BlockLayer<R>, slot: u8) -> Option<&Job> {
        layer.job(JOBS[usize::from(slot)])
    }

    /// Every command that may be tried in a state: those that QEMU refuses for what the graph is
    /// now are among them, those that name what is not there are not.
    pub fn actions(&self, world: &World<R>) -> Vec<Action> {
        let graph = &world.layer.graph;
        let there = |&place: &Place| self.node(graph, place).is_some();
        let places: Vec<Place> = self.places().filter(there).collect();
        let mut actions = Vec::new();
        self.add_stranger_actions(graph, &places, &mut actions);
        let exports = 0..self.universe.exports as u8;
        let (free, taken): (Vec<u8>, Vec<u8>) =
            exports.partition(|&slot| Stage::export(graph, slot).is_none());
        actions.extend(taken.into_iter().map(Action::RemoveExport));
        if let Some(&slot) = free.first() {
            for &place in &places {
                let add = |writable| Action::AddExport { slot, place, writable };
                actions.extend([false, true].map(add));
            }
        }
        self.add_job_actions(&world.layer, &places, &mut actions);
        actions
    }

    fn add_stranger_actions(&self, graph: &Graph<R>, places: &[Place], actions: &mut Vec<Action>) {
        let strangers = 0..self.universe.strangers as u8;
        let (free, taken): (Vec<u8>, Vec<u8>) =
            strangers.partition(|&slot| Stage::stranger(graph, slot).is_none());
        actions.extend(taken.into_iter().map(Action::RemoveStranger));
        let Some(&slot) = free.first() else { return };
        for &place in places {
            let demands = 0..self.universe.demands.len() as u8;
            actions.extend(demands.map(|demand| Action::AddStranger { slot, place, demand }));
        }
    }

    fn add_job_actions(&self, layer: &BlockLayer<R>, places: &[Place], actions: &mut Vec<Action>) {
        let jobs = 0..self.universe.jobs as u8;
        let (free, taken): (Vec<u8>, Vec<u8>) =
            jobs.partition(|&slot| Stage::job(layer, slot).is_none());
        let is_tried =
            |verb: &Verb| self.universe.pauses || !matches!(verb, Verb::Pause | Verb::Resume);
        for slot in taken {
            let verbs = Verb::ALL.into_iter().filter(is_tried);
            actions.extend(verbs.map(|verb| Action::Verb(slot, verb)));
        }
        let Some(&slot) = free.first() else { return };
        let manuals: &[bool] = if self.universe.manual { &[false, true] } else { &[false] };
        for (&kind, &manual) in
            self.universe.kinds.iter().flat_map(|kind| manuals.iter().map(move |m| (kind, m)))
        {
            match kind {
                JobKind::Mirror => {
                    let pairs = places.iter().flat_map(|&a| places.iter().map(move |&b| (a, b)));
                    let pairs = pairs.filter(|(a, b)| a != b && matches!(b, Place::Image(_)));
                    actions.extend(pairs.map(|(source, target)| Action::Mirror {
                        slot,
                        source,
                        target,
                        manual,
                    }));
                }
                JobKind::Commit => self.add_commits(&layer.graph, places, slot, manual, actions),
            }
        }
    }

    /// Commits of everything in each chain into every image below it.
    fn add_commits(
        &self,
        graph: &Graph<R>,
        places: &[Place],
        slot: u8,
        manual: bool,
        actions: &mut Vec<Action>,
    ) {
        for &device in places {
            let Some(node) = self.node(graph, device) else { continue };
            let chain: Vec<Place> =
                graph.chain(node).filter_map(|node| self.place(graph, node)).collect();
            for (above, &top) in chain.iter().enumerate() {
                for &base in &chain[above + 1..] {
                    if matches!(base, Place::Image(_)) {
                        actions.push(Action::Commit { slot, device, top, base, manual });
                    }
                }
            }
        }
    }

    /// Does one command and lets all jobs go on until none moves by itself.
    pub fn act(&self, world: &mut World<R>, action: Action) -> Act {
        let act = Act::from(self.begin(&mut world.layer, action));
        let settled = world.layer.run_jobs();
        world.layer.take_events();
        world.layer.take_relinked();
        match (act, settled) {
            (Act::Aborted(refusal), _) | (_, Err(Abort { refusal })) => Act::Aborted(refusal),
            (act, Ok(())) => act,
        }
    }

    fn begin(&self, layer: &mut BlockLayer<R>, action: Action) -> Result<(), Failure> {
        let at = |layer: &BlockLayer<R>, place| {
            self.node(&layer.graph, place).expect("a command names what is there")
        };
        match action {
            Action::AddStranger { slot, place, demand } => {
                let below = at(layer, place);
                let demand = self.universe.demands[usize::from(demand)].demand();
                add_stranger(layer, STRANGERS[usize::from(slot)], below, demand)
            }
            Action::RemoveStranger(slot) => {
                let stranger = Stage::stranger(&layer.graph, slot).expect("it is there");
                layer.release(stranger);
                Ok(())
            }
            Action::AddExport { slot, place, writable } => {
                let node = at(layer, place);
                add_export(layer, EXPORTS[usize::from(slot)], node, writable)
            }
            Action::RemoveExport(slot) => {
                let export = Stage::export(&layer.graph, slot).expect("it is there");
                layer.remove_backend(export);
                Ok(())
            }
            Action::Mirror { slot, source, target, manual } => {
                let (device, target) = (at(layer, source), at(layer, target));
                start_mirror(layer, job_options(slot, manual), device, target)
            }
            Action::Commit { slot, device, top, base, manual } => {
                let (device, top, base) = (at(layer, device), at(layer, top), at(layer, base));
                start_commit(layer, job_options(slot, manual), device, top, base)
            }
            Action::Verb(slot, verb) => ask(layer, JOBS[usize::from(slot)], verb),
        }
    }
}

fn job_options(slot: u8, manual: bool) -> JobOptions {
    JobOptions {
        auto_finalize: !manual,
        auto_dismiss: !manual,
        filter_node_name: Some(FILTERS[usize::from(slot)].to_owned()),
        ..JobOptions::new(JOBS[usize::from(slot)])
    }
}

fn add_stranger<R: Rule>(
    layer: &mut BlockLayer<R>,
    name: &str,
    below: NodeId,
    options: Demand,
) -> Result<(), Failure> {
    let graph = &mut layer.graph;
    let new = NewNode { options, length: LENGTH, ..NewNode::new(name, &BLKDEBUG) };
    let stranger = graph.add_node(new);
    let role = Role::FILTERED | Role::PRIMARY;
    let attached = graph.transact(|change| change.attach(stranger, below, "image", role));
    if let Err(refusal) = attached {
        layer.release(stranger);
        return Err(refusal.into());
    }
    Ok(())
}

/// As the NBD server makes an export: it takes what it needs, then unshares resizing.
fn add_export<R: Rule>(
    layer: &mut BlockLayer<R>,
    purpose: &str,
    node: NodeId,
    writable: bool,
) -> Result<(), Failure> {
    let mut take = Permissions::CONSISTENT_READ;
    take.set(Permissions::WRITE, writable);
    let holder = Holder::Backend { purpose: purpose.to_owned() };
    let backend = layer.graph.add_root(holder, None);
    let added = layer.graph.transact(|change| {
        let demand = Demand::new(take, Permissions::RESIZE);
        change.attach_root(backend, node, "root", demand)
    });
    if let Err(refusal) = added {
        layer.graph.remove_root(backend);
        return Err(refusal.into());
    }
    Ok(())
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
    device: NodeId,
    top: NodeId,
    base: NodeId,
) -> Result<(), Failure> {
    layer.require_root(device)?;
    layer.require_unblocked(device, Operation::CommitSource)?;
    let above: Vec<NodeId> = layer.graph.chain(top).take_while(|&node| node != base).collect();
    for node in above.into_iter().chain([base]) {
        layer.require_unblocked(node, Operation::CommitTarget)?;
    }
    let graph = &layer.graph;
    if !layer.is_active_commit(device, top) && graph.skip_filters(top) == graph.skip_filters(base) {
        // QEMU: "Invalid files for merge: top and base are the same".
        return Err(Failure::Denied(Denied::MirrorIntoItself));
    }
    layer.start_commit(&CommitOptions { job, device, top, base, backing_name: None })
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
