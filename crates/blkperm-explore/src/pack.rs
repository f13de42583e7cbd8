//! States as fixed arrays in canonical form.

use blkperm_graph::{Graph, Holder, NodeId, Owner, Parent, Rule};
use blkperm_jobs::{BlockLayer, JobError, Status};

use crate::action::Place;
use crate::stage::{Stage, World};
use crate::universe::Universe;

/// A state in 24 bytes: equal for two block layers exactly where every command has the same effect
/// on both, up to the names of interchangeable things.
///
/// Strangers stand in order of what they are, not of their numbers, and so do exports: nothing
/// stands on either, and nothing else depends on their numbers. Jobs keep their numbers, since their
/// filters go by them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Packed([u64; 3]);

/// Writes bits one after another.
#[derive(Default)]
struct Writer {
    packed: Packed,
    used: u32,
}

impl Writer {
    fn put(&mut self, value: u64, bits: u32) {
        debug_assert!(bits < 64 && value >> bits == 0, "{value} in {bits} bits");
        let (word, offset) = ((self.used / 64) as usize, self.used % 64);
        self.used += bits;
        self.packed.0[word] |= value << offset;
        if offset + bits > 64 {
            self.packed.0[word + 1] |= value >> (64 - offset);
        }
    }

    fn put_sorted(&mut self, mut values: Vec<u64>, bits: u32) {
        values.sort_unstable();
        values.into_iter().for_each(|value| self.put(value, bits));
    }
}

/// The number that stands for no place.
const NOWHERE: u64 = 7;

impl<R: Rule> Stage<R> {
    /// The packed form of a state.
    pub fn pack(&self, world: &World<R>) -> Packed {
        let layer = &world.layer;
        let graph = &layer.graph;
        let mut writer = Writer::default();
        for place in self.places() {
            let node = self.node(graph, place);
            let below = node.and_then(|node| graph.chain_edge(node)).map(|e| graph.child_of(e));
            writer.put(self.number(graph, below), 3);
            if let Place::Filter(_) = place {
                let driver = node.map_or(0, |node| driver_number(graph, node));
                writer.put(driver, 3);
            }
        }
        let strangers = 0..self.universe.strangers as u8;
        let strangers = strangers.map(|slot| self.stranger_number(graph, slot)).collect();
        writer.put_sorted(strangers, 7);
        let exports = 0..self.universe.exports as u8;
        writer.put_sorted(exports.map(|slot| self.export_number(graph, slot)).collect(), 5);
        for slot in 0..self.universe.jobs as u8 {
            self.put_job(layer, slot, &mut writer);
        }
        let order = layer.jobs().first().map_or(0, |job| u64::from(job.id() != "j0"));
        writer.put(order, 1);
        writer.packed
    }

    /// A place in three bits: images first, then filters.
    fn number(&self, graph: &Graph<R>, node: Option<NodeId>) -> u64 {
        match node.and_then(|node| self.place(graph, node)) {
            Some(Place::Image(image)) => u64::from(image),
            Some(Place::Filter(filter)) => Universe::LIMITS[0].1 as u64 + u64::from(filter),
            None => NOWHERE,
        }
    }

    fn stranger_number(&self, graph: &Graph<R>, slot: u8) -> u64 {
        let Some(stranger) = Stage::stranger(graph, slot) else { return 0 };
        let edge = graph.filtered_edge(stranger).expect("a stranger has a child");
        let demand = graph.row(edge).constant;
        let is_it = |one: &crate::Demanded| one.demand() == demand;
        let demand = self.universe.demands.iter().position(is_it).unwrap_or_default();
        1 | self.number(graph, Some(graph.child_of(edge))) << 1 | (demand as u64) << 4
    }

    fn export_number(&self, graph: &Graph<R>, slot: u8) -> u64 {
        let Some(export) = Stage::export(graph, slot) else { return 0 };
        let edge = graph.children(export).next().expect("an export has its edge");
        let writes = graph.demand(edge).take().contains(blkperm_graph::Permissions::WRITE);
        1 | self.number(graph, Some(graph.child_of(edge))) << 1 | u64::from(writes) << 4
    }

    fn put_job(&self, layer: &BlockLayer<R>, slot: u8, writer: &mut Writer) {
        let Some(job) = Stage::job(layer, slot) else { return writer.put(0, 1) };
        let kind = u64::from(job.is_mirror()) << 1 | u64::from(job.kind() == "commit");
        let error = match job.error() {
            None => 0,
            Some(JobError::NotPermitted) => 1,
            Some(JobError::Cancelled) => 2,
            Some(_) => 3,
        };
        let mut code = 1 | kind << 1 | error << 3 | (status_number(job.status())) << 5;
        code |= u64::from(job.auto_finalize()) << 9 | u64::from(job.is_stuck()) << 10;
        code |= u64::from(job.standing()) << 11;
        writer.put(code, 18);
        self.put_job_edges(&layer.graph, job.id(), writer);
    }

    /// Where the job's own edges end: by name for the job itself, and its BlockBackends.
    fn put_job_edges(&self, graph: &Graph<R>, id: &str, writer: &mut Writer) {
        let mut ends = [NOWHERE; 4];
        let [mut between, mut backends] = [0_u64; 2];
        let mut owner: Option<Owner> = None;
        let roots = graph.roots();
        for &root in &roots {
            if !matches!(graph.holder(root), Holder::Job { id: known, .. } if known == id) {
                continue;
            }
            owner = graph.root_owner(root);
            for edge in graph.children(Parent::Root(root)) {
                let place = self.number(graph, Some(graph.child_of(edge)));
                match graph.edge_name(edge) {
                    "main node" => ends[0] = place,
                    "source" => ends[1] = place,
                    "target" => ends[2] = place,
                    "base" => ends[3] = place,
                    _ => between |= 1 << place,
                }
            }
        }
        for &root in roots.iter().filter(|&&root| graph.root_owner(root) == owner) {
            if let (Holder::Backend { .. }, Some(_)) = (graph.holder(root), owner) {
                let places = graph.children(root).map(|edge| graph.child_of(edge));
                let mask = places.map(|node| 1 << self.number(graph, Some(node)));
                backends |= mask.fold(0, |all, one: u64| all | one);
            }
        }
        ends.into_iter().for_each(|end| writer.put(end, 3));
        writer.put(between, 8);
        writer.put(backends, 8);
    }
}

fn status_number(status: Status) -> u64 {
    status as u64
}

/// Which of the jobs' filters a node is.
fn driver_number<R: Rule>(graph: &Graph<R>, node: NodeId) -> u64 {
    use blkperm_jobs::filter::{COMMIT_TOP, MIRROR_TOP, MIRROR_TOP_OF_COMMIT};
    let known = [&MIRROR_TOP, &MIRROR_TOP_OF_COMMIT, &COMMIT_TOP];
    let place = known.iter().position(|driver| *driver == graph.driver(node));
    1 + place.unwrap_or(known.len()) as u64
}
