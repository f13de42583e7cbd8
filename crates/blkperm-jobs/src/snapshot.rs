//! Snapshots: a block layer's state, kept so that it can go back to it.

use blkperm_graph::Rule;

use crate::activity::Suspensions;
use crate::cluster::Clusters;
use crate::content::Contents;
use crate::drain::Drained;
use crate::job::Job;
use crate::layer::BlockLayer;
use crate::name::NodeNames;
use crate::reopen::Heirs;

/// The state of a block layer, good for the layer that it was taken of: see
/// [`blkperm_graph::Snapshot`]. What it has told and nobody has asked for is no part of it.
#[derive(Clone, Debug)]
pub struct Snapshot<R: Rule> {
    graph: blkperm_graph::Snapshot<R>,
    names: NodeNames,
    jobs: Vec<Job>,
    heirs: Heirs,
    clusters: Clusters,
    contents: Contents,
    suspensions: Suspensions,
    drained: Vec<Drained>,
}

impl<R: Rule> Snapshot<R> {
    /// The state of the graph.
    pub fn graph(&self) -> &blkperm_graph::Snapshot<R> {
        &self.graph
    }
}

impl<R: Rule + Clone> BlockLayer<R> {
    /// The state of the block layer.
    pub fn snapshot(&self) -> Snapshot<R> {
        Snapshot {
            graph: self.graph.snapshot(),
            names: self.names.clone(),
            jobs: self.jobs.clone(),
            heirs: self.heirs.clone(),
            clusters: self.clusters.clone(),
            contents: self.contents.clone(),
            suspensions: self.suspensions.clone(),
            drained: self.drained.clone(),
        }
    }

    /// Makes the block layer what it was when `snapshot` was taken of it, with nothing to tell.
    pub fn restore(&mut self, snapshot: &Snapshot<R>) {
        self.graph.restore(&snapshot.graph);
        self.names.clone_from(&snapshot.names);
        self.jobs.clone_from(&snapshot.jobs);
        self.heirs.clone_from(&snapshot.heirs);
        self.clusters.clone_from(&snapshot.clusters);
        self.contents.clone_from(&snapshot.contents);
        self.suspensions.clone_from(&snapshot.suspensions);
        self.drained.clone_from(&snapshot.drained);
        self.events.clear();
        self.relinked.clear();
        self.setback = None;
    }
}
