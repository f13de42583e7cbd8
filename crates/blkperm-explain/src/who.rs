//! Who holds what: for each node and permission, who takes it and who unshares it.

use std::collections::HashSet;

use blkperm_graph::{EdgeId, Graph, NodeId, Parent, Permissions, Rule, State};

/// Who holds what on one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The node's name.
    pub node: String,
    /// Its driver.
    pub driver: &'static str,
    /// Its state.
    pub state: State,
    /// For each permission, in [`Permissions::EACH`]'s order, who takes it.
    pub taken: [Vec<String>; 4],
    /// For each permission, who unshares it.
    pub unshared: [Vec<String>; 4],
}

/// Who holds what on each node, parents before what is below them.
pub fn who<R: Rule>(graph: &Graph<R>) -> Vec<Held> {
    downwards(graph).into_iter().map(|node| held(graph, node)).collect()
}

fn held<R: Rule>(graph: &Graph<R>, node: NodeId) -> Held {
    let mut held = Held {
        node: graph.name(node).to_owned(),
        driver: graph.driver(node).name,
        state: graph.state(node),
        taken: Default::default(),
        unshared: Default::default(),
    };
    for edge in graph.parents(node) {
        let (demand, holder) = (graph.demand(edge), holder(graph, edge));
        for (place, permission) in Permissions::EACH.into_iter().enumerate() {
            if demand.take().contains(permission) {
                held.taken[place].push(holder.clone());
            }
            if demand.unshare().contains(permission) {
                held.unshared[place].push(holder.clone());
            }
        }
    }
    held
}

/// The parent of an edge as people call it: `top:backing` for an edge of a node, `commit job 'j0'`
/// with the edge's name for one of a job, and who has it for a BlockBackend.
pub fn holder<R: Rule>(graph: &Graph<R>, edge: EdgeId) -> String {
    let name = graph.edge_name(edge);
    match graph.parent_of(edge) {
        Parent::Node(node) => format!("{}:{name}", graph.name(node)),
        Parent::Root(_) if graph.stays_at_node(edge) => {
            format!("{} ({name})", graph.parent_name(edge))
        }
        Parent::Root(_) => graph.parent_name(edge).to_string(),
    }
}

/// The edge that `parent` calls `name`: a node by its name, a job by its id, and a BlockBackend by
/// the id of the export or device that it belongs to.
pub fn edge_called<R: Rule>(graph: &Graph<R>, parent: &str, name: &str) -> Option<EdgeId> {
    if let Some(node) = graph.node_by_name(parent) {
        return graph.child_edge(node, name);
    }
    let is_called = |edge: &EdgeId| {
        let words = graph.parent_name(*edge).to_string();
        words == parent || words.ends_with(&format!("'{parent}'"))
    };
    let edges = graph.roots().into_iter().filter_map(|root| graph.child_edge(root, name));
    edges.collect::<Vec<_>>().into_iter().find(is_called)
}

/// All nodes, each after one of its parents, and chains together.
fn downwards<R: Rule>(graph: &Graph<R>) -> Vec<NodeId> {
    let mut order = Vec::new();
    let mut seen: HashSet<NodeId> = HashSet::new();
    let is_top = |node: NodeId| {
        graph.parents(node).all(|edge| matches!(graph.parent_of(edge), Parent::Root(_)))
    };
    for top in graph.nodes().into_iter().filter(|&node| is_top(node)) {
        let mut waiting = vec![top];
        while let Some(node) = waiting.pop() {
            if seen.insert(node) {
                order.push(node);
                // The oldest child is looked at first.
                waiting.extend(graph.children(node).map(|edge| graph.child_of(edge)));
            }
        }
    }
    order
}
