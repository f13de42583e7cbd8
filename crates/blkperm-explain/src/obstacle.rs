//! What is in the way of something that is refused: for each obstacle, those who must let go.

use blkperm_graph::{Demand, Fault, Graph, NodeId, ParentName, Permissions, Refusal, Rule};
use blkperm_jobs::{Blocker, Denied};
use blkperm_qmp::Monitor;

use crate::trial::Fate;

/// Holders that must all let go before one obstacle is away; each item alone takes it away.
pub(crate) fn obstacles<R: Rule>(monitor: &Monitor<R>, fate: &Fate) -> Vec<Vec<ParentName>> {
    let graph = &monitor.layer().graph;
    match fate {
        Fate::Refused { denied: Some(denied), .. } => of_denial(monitor, denied),
        _ => fate.refusal().map_or_else(Vec::new, |refusal| of_refusal(graph, refusal)),
    }
}

fn of_denial<R: Rule>(monitor: &Monitor<R>, denied: &Denied) -> Vec<Vec<ParentName>> {
    let graph = &monitor.layer().graph;
    match denied {
        Denied::Refused(refusal) | Denied::FilterNotInserted(refusal) => of_refusal(graph, refusal),
        Denied::FilterNotCreated(denied) => of_denial(monitor, denied),
        Denied::Busy { blocker: Blocker::BackingOf(parent), .. } => {
            vec![vec![ParentName::Node(parent.clone())]]
        }
        Denied::InUse { node, .. } => {
            let node = graph.node_by_name(node);
            let edges = node.into_iter().flat_map(|node| graph.parents(node));
            vec![edges.map(|edge| graph.parent_name(edge)).collect()]
        }
        Denied::Busy { node, blocker: Blocker::Job(_) } => {
            graph.node_by_name(node).map(|node| vec![jobs_on(graph, node)]).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn of_refusal<R: Rule>(graph: &Graph<R>, refusal: &Refusal) -> Vec<Vec<ParentName>> {
    match refusal {
        Refusal::Permissions(faults) => {
            faults.first().map(|fault| of_fault(graph, fault)).unwrap_or_default()
        }
        Refusal::Frozen { child, .. } => {
            graph.node_by_name(child).map(|node| vec![jobs_on(graph, node)]).unwrap_or_default()
        }
        Refusal::Cycle { .. }
        | Refusal::InactiveChild { .. }
        | Refusal::InactiveNode { .. }
        | Refusal::Replacing { .. } => Vec::new(),
    }
}

fn of_fault<R: Rule>(graph: &Graph<R>, fault: &Fault) -> Vec<Vec<ParentName>> {
    match fault {
        Fault::Conflict(conflict) => {
            vec![conflict.unsharer.sources.clone(), conflict.requirer.sources.clone()]
        }
        Fault::Locked { sources, .. } => vec![sources.clone()],
        Fault::ReadOnly { node, .. } => {
            let writing = Demand::taking(Permissions::ANY_WRITE);
            let node = graph.node_by_name(node);
            let edges = node.into_iter().flat_map(|node| graph.parents(node));
            let mut writers: Vec<ParentName> = Vec::new();
            for writer in edges.flat_map(|edge| graph.sources(edge, writing)) {
                if !writers.contains(&writer) {
                    writers.push(writer);
                }
            }
            vec![writers]
        }
        Fault::Unaligned { .. } => Vec::new(),
    }
}

/// The jobs that are parents of the node.
fn jobs_on<R: Rule>(graph: &Graph<R>, node: NodeId) -> Vec<ParentName> {
    let jobs = graph.parents(node).filter(|&edge| graph.stays_at_node(edge));
    jobs.map(|edge| graph.parent_name(edge)).collect()
}
