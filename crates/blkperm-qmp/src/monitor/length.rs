//! How long nodes are that follow their children, looked at anew.

use blkperm_graph::driver::{BLKVERIFY, Length, RAW_SIZED};
use blkperm_graph::{Graph, NodeId, Role, Rule};
use blkperm_jobs::{BlockLayer, Denied};

use super::Monitor;
use super::node::NodeDetails;

impl<R: Rule> Monitor<R> {
    /// Looks anew at how long a node is.
    pub(super) fn refresh_length(&mut self, node: NodeId) -> Result<(), Denied> {
        refresh_length(&mut self.layer, &self.nodes, node)
    }

    /// Looks anew at whether all of a node can be written by requests of the size that it wants.
    pub(super) fn realign(&mut self, node: NodeId) {
        realign(&mut self.layer.graph, &self.nodes, node);
    }
}

/// Looks anew at how long a node is that follows its children, and at all that depends on that.
///
/// Source: `bdrv_refresh_total_sectors` in `block.c`, QEMU 10.0.
///
/// # Errors
///
/// [`Denied::NoLength`]
pub(super) fn refresh_length<R: Rule>(
    layer: &mut BlockLayer<R>,
    details: &NodeDetails,
    node: NodeId,
) -> Result<(), Denied> {
    let Some(length) = length(&layer.graph, details, node)? else { return Ok(()) };
    layer.graph.set_length(node, length);
    realign(&mut layer.graph, details, node);
    layer.look_at_end(node);
    // What was noted is judged, and nobody is told.
    let _ = layer.graph.loosen(|change| {
        change.set_starts(vec![node]);
        Ok(())
    });
    Ok(())
}

/// How long a node is by its children; none where it does not follow them.
///
/// Source: `bdrv_co_getlength` of each `BlockDriver`, QEMU 10.0.
fn length<R: Rule>(
    graph: &Graph<R>,
    details: &NodeDetails,
    node: NodeId,
) -> Result<Option<u64>, Denied> {
    let driver = graph.driver(node);
    if driver.length == Length::Children {
        let mut lengths = graph.children(node).map(|edge| graph.length(graph.child_of(edge)));
        let first = lengths.next();
        let is_agreed = lengths.all(|length| Some(length) == first);
        return if is_agreed { Ok(first) } else { Err(Denied::NoLength) };
    }
    let edge = match driver {
        driver if driver == &BLKVERIFY => graph.child_edge(node, "test"),
        _ => graph.child_by_role(node, Role::PRIMARY),
    };
    let Some(edge) = edge else { return Ok(None) };
    let whole = graph.length(graph.child_of(edge));
    let rest = whole.saturating_sub(data_offset(graph, details, node));
    Ok(match driver.length {
        // What is said of a raw node's size is no more than there is.
        _ if driver == &RAW_SIZED => {
            Some(option(graph, details, node, "size").map_or(rest, |size| size.min(rest)))
        }
        Length::Child => Some(whole),
        Length::Rest => Some(rest),
        Length::Own | Length::Fixed | Length::Children => None,
    })
}

/// Where in the main child of a node its data begins: where a raw node's `offset` says so, or behind
/// the header of an encrypted image; if neither is known, so far that what is left is as long as the
/// node.
pub(super) fn data_offset<R: Rule>(graph: &Graph<R>, details: &NodeDetails, node: NodeId) -> u64 {
    let payload = || details.get(graph.name(node))?.payload;
    let before = || {
        let edge = graph.child_by_role(node, Role::PRIMARY)?;
        graph.length(graph.child_of(edge)).checked_sub(graph.length(node))
    };
    let said = || option(graph, details, node, "offset");
    match graph.driver(node).length {
        Length::Rest => said().or_else(payload).or_else(before).unwrap_or_default(),
        _ => said().unwrap_or_default(),
    }
}

/// An option of a node that is a number.
fn option<R: Rule>(
    graph: &Graph<R>,
    details: &NodeDetails,
    node: NodeId,
    name: &str,
) -> Option<u64> {
    details.get(graph.name(node))?.explicit.get(name)?.as_u64()
}

fn realign<R: Rule>(graph: &mut Graph<R>, details: &NodeDetails, node: NodeId) {
    let alignment = details.get(graph.name(node)).and_then(|detail| detail.alignment);
    if let Some(alignment) = alignment {
        graph.set_unaligned(node, !graph.length(node).is_multiple_of(alignment));
    }
}
