//! `x-debug-query-block-graph`, in QEMU's order.
//!
//! Source: `bdrv_get_xdbg_block_graph` in `block.c`, QEMU 10.0.

use std::collections::HashMap;

use blkperm_graph::{EdgeId, Graph, Holder, NodeId, Parent, Permissions, RootId, Rule};
use serde_json::{Value, json};

use super::Monitor;

impl<R: Rule> Monitor<R> {
    pub(super) fn query_block_graph(&self) -> Value {
        let mut walk = Walk { graph: &self.layer.graph, ids: HashMap::new(), nodes: Vec::new() };
        let edges = walk.edges();
        let (nodes, edges) = (reversed(walk.nodes), reversed(edges));
        json!({"nodes": nodes, "edges": edges})
    }
}

fn reversed(mut list: Vec<Value>) -> Vec<Value> {
    list.reverse();
    list
}

/// A walk over the whole graph, which numbers whatever it meets for the first time.
struct Walk<'a, R: Rule> {
    graph: &'a Graph<R>,
    ids: HashMap<Parent, usize>,
    nodes: Vec<Value>,
}

impl<R: Rule> Walk<'_, R> {
    /// All edges in the order of the walk: those of BlockBackends, oldest first, of jobs, newest
    /// first, and of nodes in the order of their registration; each parent's newest first.
    fn edges(&mut self) -> Vec<Value> {
        let graph = self.graph;
        let is_job = |root: &RootId| matches!(graph.holder(*root), Holder::Job { .. });
        let (jobs, backends): (Vec<_>, Vec<_>) = graph.roots().into_iter().partition(is_job);
        let roots = backends.into_iter().chain(jobs.into_iter().rev()).map(Parent::Root);
        let parents = roots.chain(graph.nodes().into_iter().map(Parent::Node));
        let mut edges = Vec::new();
        for parent in parents.collect::<Vec<Parent>>() {
            self.list(parent);
            for edge in graph.children(parent) {
                edges.push(self.edge(parent, edge));
            }
        }
        edges
    }

    /// The item's number, a new one when it is met for the first time.
    fn id(&mut self, item: Parent) -> usize {
        let next = self.ids.len() + 1;
        *self.ids.entry(item).or_insert(next)
    }

    fn list(&mut self, item: Parent) {
        let id = self.id(item);
        let (kind, name) = match item {
            Parent::Node(node) => ("block-driver", self.graph.name(node)),
            Parent::Root(root) => match self.graph.holder(root) {
                Holder::Job { id, .. } => ("block-job", id.as_str()),
                Holder::Device { name, .. } => ("block-backend", name.as_str()),
                Holder::Export { .. } | Holder::Backend { .. } => ("block-backend", ""),
            },
        };
        self.nodes.push(json!({"id": id, "type": kind, "name": name}));
    }

    fn edge(&mut self, parent: Parent, edge: EdgeId) -> Value {
        let child: NodeId = self.graph.child_of(edge);
        let demand = self.graph.demand(edge);
        json!({
            "parent": self.id(parent),
            "child": self.id(Parent::Node(child)),
            "name": self.graph.edge_name(edge),
            "perm": names(demand.take()),
            "shared-perm": names(demand.shared()),
        })
    }
}

/// The names of the permissions in descending bit order.
fn names(permissions: Permissions) -> Vec<&'static str> {
    let mut names: Vec<&str> = permissions.iter().map(Permissions::qmp_name).collect();
    names.reverse();
    names
}
