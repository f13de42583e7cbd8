//! All that can be seen of a graph, as a value that can be compared.

use blkperm_graph::{Claim, Demand, Graph, Holder, Parent, Rule, State};

/// A graph's nodes and edges, with names instead of numbers, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    nodes: Vec<NodeSnapshot>,
    roots: Vec<(Holder, Vec<String>)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct NodeSnapshot {
    name: String,
    driver: &'static str,
    state: State,
    demanded: Demand,
    parents: Vec<EdgeSnapshot>,
    children: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct EdgeSnapshot {
    parent: String,
    name: String,
    claims: Vec<Claim>,
    frozen: bool,
}

impl Snapshot {
    /// What `graph` is now.
    pub fn of<R: Rule>(graph: &Graph<R>) -> Snapshot {
        let children = |parent: Parent| {
            graph.children(parent).map(|edge| graph.name(graph.child_of(edge)).to_owned()).collect()
        };
        let nodes = graph.nodes().into_iter().map(|node| NodeSnapshot {
            name: graph.name(node).to_owned(),
            driver: graph.driver(node).name,
            state: graph.state(node),
            demanded: graph.demand_on(node),
            parents: graph
                .parents(node)
                .map(|edge| EdgeSnapshot {
                    parent: graph.parent_name(edge).to_string(),
                    name: graph.edge_name(edge).to_owned(),
                    claims: graph.rule().claims(graph.hold(edge)),
                    frozen: graph.is_frozen(edge),
                })
                .collect(),
            children: children(Parent::Node(node)),
        });
        let roots = graph.roots().into_iter();
        let roots = roots.map(|root| (graph.holder(root).clone(), children(Parent::Root(root))));
        Snapshot { nodes: nodes.collect(), roots: roots.collect() }
    }
}
