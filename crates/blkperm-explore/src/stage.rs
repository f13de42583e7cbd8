//! A block layer with the things of a universe in it.

use std::borrow::Cow;

use blkperm_graph::driver::{FILE, QCOW2, QUORUM};
use blkperm_graph::{Graph, NewNode, NodeId, Role, RootId, Rule};
use blkperm_jobs::{BlockLayer, Completion, Job};

use crate::action::Place;
use crate::universe::Universe;

/// The length of every image.
pub(crate) const LENGTH: u64 = 1 << 20;

/// The names of things, by their numbers.
const STRANGERS: [&str; Universe::STRANGERS] = ["stranger0", "stranger1", "stranger2"];
const FILTERS: [&str; Universe::JOBS] = ["filter0", "filter1"];
const JOBS: [&str; Universe::JOBS] = ["j0", "j1"];
pub(crate) const EXPORTS: [&str; Universe::EXPORTS] = ["e0", "e1"];

/// A universe with its start state, under a rule and a completion.
#[derive(Clone, Debug)]
pub struct Stage<R: Rule> {
    /// The universe.
    pub universe: Universe,
    pub(crate) completion: Completion,
    /// The images' nodes, which never go.
    pub(crate) images: Vec<NodeId>,
    /// The file node of each image that has one.
    pub(crate) files: Vec<Option<NodeId>>,
    /// The edges from images to images: from which, and by what name.
    pub(crate) edges: Vec<(NodeId, String)>,
    start: World<R>,
}

/// A stranger that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger {
    pub(crate) node: NodeId,
    /// The number of what it demands.
    pub(crate) demand: u8,
}

/// What is there besides the images, by its number.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cast {
    pub(crate) strangers: [Option<Stranger>; Universe::STRANGERS],
    pub(crate) exports: [Option<RootId>; Universe::EXPORTS],
    /// The jobs' filters, which may outlive their jobs.
    pub(crate) filters: [Option<NodeId>; Universe::JOBS],
}

/// A state: a block layer, which changes with every command.
#[derive(Clone, Debug)]
pub struct World<R: Rule> {
    /// The block layer.
    pub layer: BlockLayer<R>,
    pub(crate) cast: Cast,
}

/// A state to which a world can go back: see [`blkperm_jobs::Snapshot`].
#[derive(Clone, Debug)]
pub struct Kept<R: Rule> {
    pub(crate) layer: blkperm_jobs::Snapshot<R>,
    cast: Cast,
}

impl<R: Rule + Clone> World<R> {
    /// The state, to which this world can go back.
    pub fn keep(&self) -> Kept<R> {
        Kept { layer: self.layer.snapshot(), cast: self.cast }
    }

    /// Makes the world what it was.
    pub fn go_back(&mut self, kept: &Kept<R>) {
        self.layer.restore(&kept.layer);
        self.cast = kept.cast;
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
        layer.graph.set_tells_why(false);
        let mut images: Vec<NodeId> = Vec::new();
        let mut files = Vec::new();
        let mut edges = Vec::new();
        for (place, spec) in universe.images.iter().enumerate() {
            let driver = if spec.children.is_empty() { &QCOW2 } else { &QUORUM };
            let new = NewNode { length: LENGTH, ..NewNode::new(&spec.name, driver) };
            let image = layer.graph.add_node(new);
            let file = spec.children.is_empty().then(|| {
                let file_name = file_name(&spec.name);
                let new = NewNode { length: LENGTH, ..NewNode::new(&file_name, &FILE) };
                let file = layer.graph.add_node(new);
                layer.graph.lock_file(file, &file_name);
                file
            });
            let opened = layer.graph.transact(|change| {
                if let Some(file) = file {
                    change.attach(image, file, "file", Role::IMAGE)?;
                }
                for (name, below) in universe.edges(place) {
                    let role = if name == "backing" { Role::COW } else { Role::DATA };
                    change.attach(image, images[below], &name, role)?;
                }
                Ok(())
            });
            opened.expect("nobody demands anything yet");
            images.push(image);
            files.push(file);
            edges.extend(universe.edges(place).map(|(name, _)| (image, name)));
        }
        let start = World { layer, cast: Cast::default() };
        Stage { universe, completion, images, files, edges, start }
    }

    /// The start state.
    pub fn start(&self) -> World<R> {
        self.start.clone()
    }
}

impl<R: Rule> Stage<R> {
    /// The node at a place, if it is there.
    pub(crate) fn node(&self, world: &World<R>, place: Place) -> Option<NodeId> {
        match place {
            Place::Image(image) => self.images.get(usize::from(image)).copied(),
            Place::Filter(filter) => world.cast.filters.get(usize::from(filter)).copied().flatten(),
            Place::File(image) => self.files.get(usize::from(image)).copied().flatten(),
        }
    }

    /// The places that are there and where a job may start.
    pub(crate) fn places(&self, world: &World<R>) -> impl Iterator<Item = Place> {
        let images = (0..self.images.len() as u8).map(Place::Image);
        let filters = (0..Universe::JOBS as u8).map(Place::Filter);
        let filters =
            filters.zip(world.cast.filters).filter_map(|(place, node)| node.map(|_| place));
        images.chain(filters)
    }

    /// The files where strangers and exports may stand.
    pub(crate) fn file_places(&self) -> impl Iterator<Item = Place> {
        let files = (0..).zip(&self.files).filter(|(_, file)| file.is_some());
        files.filter(|_| self.universe.files).map(|(image, _)| Place::File(image))
    }

    /// The place of a node, unless it is a stranger.
    pub(crate) fn place(&self, world: &World<R>, node: NodeId) -> Option<Place> {
        let at = |nodes: &[Option<NodeId>]| nodes.iter().position(|&one| one == Some(node));
        let image = self.images.iter().position(|&image| image == node);
        let image = image.map(|image| Place::Image(image as u8));
        let filter = || at(&world.cast.filters).map(|filter| Place::Filter(filter as u8));
        let file = || at(&self.files).map(|image| Place::File(image as u8));
        image.or_else(filter).or_else(file)
    }

    /// The job of that number.
    pub(crate) fn job(layer: &BlockLayer<R>, slot: u8) -> Option<&Job> {
        layer.job(job_id(slot))
    }
}

impl Cast {
    /// Takes note of which filters there are.
    pub(crate) fn find_filters<R: Rule>(&mut self, graph: &Graph<R>) {
        self.filters = FILTERS.map(|name| graph.node_by_name(name));
    }
}

impl Universe {
    /// The name of the node at a place.
    pub(crate) fn place_name(&self, place: Place) -> Cow<'_, str> {
        match place {
            Place::Image(image) => Cow::Borrowed(&self.images[usize::from(image)].name),
            Place::Filter(filter) => Cow::Borrowed(FILTERS[usize::from(filter)]),
            Place::File(image) => Cow::Owned(file_name(&self.images[usize::from(image)].name)),
        }
    }
}

/// The name of the file node below the image of that name.
pub(crate) fn file_name(image: &str) -> String {
    format!("{image}-file")
}

/// The name of a stranger's node.
pub(crate) fn stranger_name(slot: u8) -> &'static str {
    STRANGERS[usize::from(slot)]
}

/// The number of the job whose filter has that name.
pub(crate) fn slot_of_filter(name: &str) -> Option<u8> {
    FILTERS.iter().position(|filter| *filter == name).map(|slot| slot as u8)
}

/// The number of the job whose id it is.
pub(crate) fn slot_of_job(is: impl Fn(&str) -> bool) -> Option<u8> {
    JOBS.iter().position(|id| is(id)).map(|slot| slot as u8)
}

/// The id of a job.
pub(crate) fn job_id(slot: u8) -> &'static str {
    JOBS[usize::from(slot)]
}
