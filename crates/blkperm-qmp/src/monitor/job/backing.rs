//! Backing files that a command names as their overlays' images do.

use blkperm_graph::{NodeId, Rule};

use crate::monitor::Monitor;
use crate::monitor::filename::Filenames;
use crate::monitor::open::backing::relative_to;

impl<R: Rule> Monitor<R> {
    /// The backing file below `top` whose image is called `filename`, seen from its overlay.
    ///
    /// Source: `bdrv_find_backing_image` in `block.c`, QEMU 10.0.
    pub(super) fn backing_image(&self, top: NodeId, filename: &str) -> Option<NodeId> {
        let graph = &self.layer.graph;
        let mut names = Filenames::of(self);
        let is_called = |&(overlay, below): &(NodeId, NodeId)| {
            if names.is_backing_overridden(overlay) {
                return names.filename(below) == filename;
            }
            let asked = relative_to(names.filename(overlay), filename);
            normalized(names.filename(below)) == normalized(&asked)
        };
        let mut pairs = std::iter::successors(Some(graph.skip_filters(top)), |&overlay| {
            graph.backing_chain_next(overlay)
        })
        .filter_map(|overlay| Some((overlay, graph.backing_chain_next(overlay)?)));
        pairs.find(is_called).map(|(_, below)| below)
    }
}

/// A path without its empty and `.` components.
fn normalized(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let joined = parts.collect::<Vec<_>>().join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}
