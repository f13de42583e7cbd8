//! States as fixed arrays in canonical form.

use blkperm_graph::driver::{COPY_BEFORE_WRITE, COPY_ON_READ};
use blkperm_graph::{Graph, NodeId, Permissions, RootId, Rule};
use blkperm_jobs::filter::{COMMIT_TOP, MIRROR_TOP, MIRROR_TOP_OF_COMMIT};
use blkperm_jobs::{BlockLayer, Job, JobError};

use crate::action::{NO_PLACE, Place};
use crate::stage::{Stage, Stranger, World, job_id};
use crate::universe::Universe;

/// A state in 32 bytes: equal for two block layers where every command has the same effect on both, up
/// to the names of interchangeable things.
///
/// Strangers stand in order of what they are, not of their numbers, and so do exports: nothing
/// stands on either, and nothing else depends on their numbers. Jobs keep their numbers, since their
/// filters go by them.
pub type Packed = [u64; 4];

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
        self.packed[word] |= value << offset;
        if offset + bits > 64 {
            self.packed[word + 1] |= value >> (64 - offset);
        }
    }

    fn put_sorted<const N: usize>(&mut self, mut values: [u64; N], bits: u32) {
        values.sort_unstable();
        values.into_iter().for_each(|value| self.put(value, bits));
    }
}

/// The number that stands for no place.
const NOWHERE: u64 = 7;

/// How many bits the parts of a state take, at most.
const EDGE: u32 = 3;
const STALE: u32 = 1 + 2 * 8;
const FILTER: u32 = 9;
const STRANGER: u32 = 9;
const EXPORT: u32 = 6;
const JOB: u32 = 19 + 4 * EDGE + 2 * MASK;
/// A set of images and filters.
const MASK: u32 = 7;

const _: () = {
    let (edges, strangers) = (Universe::EDGES as u32, Universe::STRANGERS as u32);
    let (exports, jobs) = (Universe::EXPORTS as u32, Universe::JOBS as u32);
    let images = Universe::IMAGES as u32 * STALE + edges * EDGE;
    let cast = strangers * STRANGER + exports * EXPORT;
    let bits = images + cast + jobs * (FILTER + JOB) + 1 + MASK;
    assert!(bits < 8 * size_of::<Packed>() as u32, "a state has room for all");
    assert!(Universe::IMAGES + Universe::JOBS <= NOWHERE as usize, "a place has room for all");
    assert!(Universe::IMAGES + Universe::JOBS <= MASK as usize, "a set has room for all");
};

impl<R: Rule> Stage<R> {
    /// The packed form of a state.
    pub fn pack(&self, world: &World<R>) -> Packed {
        let World { layer, cast } = world;
        let graph = &layer.graph;
        let mut writer = Writer::default();
        for &(image, ref name) in &self.edges {
            let edge = graph.child_edge(image, name);
            writer.put(self.number(world, edge.map(|edge| graph.child_of(edge))), EDGE);
        }
        for &image in &self.images {
            put_stale(graph, image, &mut writer);
        }
        for filter in cast.filters {
            let below = filter.and_then(|node| graph.chain_edge(node)).map(|e| graph.child_of(e));
            let target = filter.and_then(|node| graph.child_edge(node, "target"));
            let target = target.map(|edge| graph.child_of(edge));
            writer.put(self.number(world, below), EDGE);
            writer.put(self.number(world, target), EDGE);
            writer.put(filter.map_or(0, |node| driver_number(graph, node)), 3);
        }
        let stranger = |stranger: Option<Stranger>| {
            let Some(stranger) = stranger else { return 0 };
            let edge = graph.filtered_edge(stranger.node).expect("a stranger has a child");
            let below = self.stand(world, graph.child_of(edge));
            1 | below << 1 | u64::from(stranger.demand) << 5
        };
        writer.put_sorted(cast.strangers.map(stranger), STRANGER);
        let export = |export| {
            let Some(export) = export else { return 0 };
            let edge = graph.children(export).next().expect("an export has its edge");
            let writes = graph.demand(edge).take().contains(Permissions::WRITE);
            let below = self.stand(world, graph.child_of(edge));
            1 | below << 1 | u64::from(writes) << 5
        };
        writer.put_sorted(cast.exports.map(export), EXPORT);
        for slot in 0..Universe::JOBS as u8 {
            match Stage::job(layer, slot) {
                Some(job) => self.put_job(world, job, &mut writer),
                None => writer.put(0, 1),
            }
        }
        writer.put(first_job(layer), 1);
        writer.put(self.left_behind(world), MASK);
        writer.packed
    }

    /// Where a stranger or an export stands, in four bits.
    fn stand(&self, world: &World<R>, node: NodeId) -> u64 {
        u64::from(self.place(world, node).map_or(NO_PLACE, Place::code))
    }

    /// The place of what is in a chain, in three bits: images first, then filters.
    fn number(&self, world: &World<R>, node: Option<NodeId>) -> u64 {
        match node.and_then(|node| self.place(world, node)) {
            Some(Place::Image(image)) => u64::from(image),
            Some(Place::Filter(filter)) => Universe::IMAGES as u64 + u64::from(filter),
            Some(Place::File(_)) | None => NOWHERE,
        }
    }

    /// The places on which there are BlockBackends of nobody's. All of them demand the same.
    fn left_behind(&self, world: &World<R>) -> u64 {
        let graph = &world.layer.graph;
        let edges = world.left_behind().into_iter().flat_map(|root| graph.children(root));
        edges.fold(0, |all, edge| all | 1 << self.number(world, Some(graph.child_of(edge))))
    }

    fn put_job(&self, world: &World<R>, job: &Job, writer: &mut Writer) {
        let graph = &world.layer.graph;
        let kind = match (job.kind(), job.is_mirror()) {
            ("mirror", _) => 0,
            ("commit", false) => 1,
            ("commit", true) => 2,
            ("stream", _) => 3,
            _ => 4,
        };
        let error = match job.error() {
            None => 0,
            Some(JobError::NotPermitted) => 1,
            Some(JobError::Cancelled) => 2,
            Some(_) => 3,
        };
        let mut code = 1 | kind << 1 | error << 4 | (job.status() as u64) << 6;
        code |= u64::from(job.auto_finalize()) << 10 | u64::from(job.is_stuck()) << 11;
        code |= u64::from(job.standing()) << 12;
        writer.put(code, 19);
        // Where the job's own edges end, by their names, and those of its BlockBackends.
        let mut ends = [NOWHERE; 4];
        let mut between = 0_u64;
        for edge in graph.children(job.root()) {
            let place = self.number(world, Some(graph.child_of(edge)));
            match graph.edge_name(edge) {
                "main node" => ends[0] = place,
                "source" | "active node" => ends[1] = place,
                "target" => ends[2] = place,
                "base" => ends[3] = place,
                _ => between |= 1 << place,
            }
        }
        let backends = job.backends().iter().flat_map(|&backend| graph.children(backend));
        let backends = backends
            .fold(0_u64, |all, edge| all | 1 << self.number(world, Some(graph.child_of(edge))));
        ends.into_iter().for_each(|end| writer.put(end, EDGE));
        writer.put(between, MASK);
        writer.put(backends, MASK);
    }
}

impl<R: Rule> World<R> {
    /// The BlockBackends of nobody's: QEMU's quirk, a stream that is refused late leaves one behind.
    pub(crate) fn left_behind(&self) -> Vec<RootId> {
        let World { layer, cast } = self;
        let graph = &layer.graph;
        let of_jobs: usize = layer.jobs().iter().map(|job| 1 + job.backends().len()).sum();
        if graph.root_count() == of_jobs + cast.exports.iter().flatten().count() {
            return Vec::new();
        }
        let is_job = |root| {
            layer.jobs().iter().any(|job| job.root() == root || job.backends().contains(&root))
        };
        let is_nobodys = |&root: &RootId| !is_job(root) && !cast.exports.contains(&Some(root));
        graph.roots().into_iter().filter(is_nobodys).collect()
    }
}

/// Whether the image still demands what it did before it lost an edge, and what it is (QEMU's quirk, of
/// streams).
fn put_stale<R: Rule>(graph: &Graph<R>, image: NodeId, writer: &mut Writer) {
    let is_stale = graph.is_stale(image);
    writer.put(u64::from(is_stale), 1);
    if is_stale {
        for name in ["file", "backing"] {
            let edge = graph.child_edge(image, name);
            writer.put(edge.map_or(0, |edge| graph.demand(edge).index() as u64), 8);
        }
    }
}

/// Which job is the older one: jobs that have to be told to go on do so in that order.
fn first_job<R: Rule>(layer: &BlockLayer<R>) -> u64 {
    layer.jobs().first().map_or(0, |job| u64::from(job.id() != job_id(0)))
}

/// Which of the jobs' filters a node is.
fn driver_number<R: Rule>(graph: &Graph<R>, node: NodeId) -> u64 {
    let known =
        [&MIRROR_TOP, &MIRROR_TOP_OF_COMMIT, &COMMIT_TOP, &COPY_ON_READ, &COPY_BEFORE_WRITE];
    let place = known.iter().position(|driver| *driver == graph.driver(node));
    1 + place.unwrap_or(known.len()) as u64
}
