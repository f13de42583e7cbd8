//! The workloads of the benchmarks: graphs of one shape and any size, and the edge that is put on
//! them and taken off.

use blkperm_graph::driver::NULL_CO;
use blkperm_graph::{
    Demand, Graph, Holder, NewNode, NodeId, Owner, Permissions, Role, RootId, Rule,
};

/// A graph with a node to put an edge on.
#[derive(Clone, Debug)]
pub struct Workload<R: Rule> {
    graph: Graph<R>,
    node: NodeId,
    root: RootId,
}

impl<R: Rule> Workload<R> {
    fn new(mut graph: Graph<R>, node: NodeId) -> Workload<R> {
        let holder = Holder::Backend { purpose: "the edge that is put on".to_owned() };
        let root = graph.add_root(holder, None);
        Workload { graph, node, root }
    }

    /// How many edges the graph has.
    pub fn edge_count(&self) -> usize {
        self.graph.edge_count()
    }

    /// Puts an edge on that demands `demand`, and takes it off.
    ///
    /// # Panics
    ///
    /// Panics when the edge is refused.
    pub fn put_on_and_take_off(&mut self, demand: Demand) {
        let (node, root) = (self.node, self.root);
        let edge = self
            .graph
            .transact(|change| change.attach_root(root, node, "root", demand))
            .expect("the workload accepts the edge");
        self.graph.transact(|change| change.detach(edge)).expect("taking off is never refused");
    }

    /// Tries to put an edge on that demands `demand`, without asking why it is refused.
    ///
    /// # Panics
    ///
    /// Panics when the edge is accepted.
    pub fn be_refused(&mut self, demand: Demand) {
        let mut change = self.graph.change();
        let attached = change.attach_root(self.root, self.node, "root", demand);
        attached.expect("attaching itself is not refused");
        assert!(change.commit().is_err(), "the workload refuses the edge");
    }

    /// Puts a parent at the node that is passed down to last, unsharing consistent reads there, so
    /// that an edge at the top that takes them is refused at the far end.
    ///
    /// # Panics
    ///
    /// Panics when the parent is refused.
    pub fn guard_the_bottom(&mut self) {
        let mut bottom = self.node;
        while let Some(edge) = self.graph.children(bottom).next() {
            bottom = self.graph.child_of(edge);
        }
        let holder = Holder::Backend { purpose: "the guard".to_owned() };
        let root = self.graph.add_root(holder, None);
        let demand = Demand::unsharing(Permissions::CONSISTENT_READ);
        self.graph
            .transact(|change| change.attach_root(root, bottom, "root", demand))
            .expect("nobody reads yet");
    }
}

fn node<R: Rule>(graph: &mut Graph<R>, number: usize, owner: Option<Owner>) -> NodeId {
    let name = format!("n{number}");
    graph.add_node(NewNode { owner, ..NewNode::new(&name, &NULL_CO) })
}

fn stack<R: Rule>(graph: &mut Graph<R>, top: NodeId, below: NodeId) {
    graph
        .transact(|change| change.attach(top, below, "file", Role::FILTERED))
        .expect("a stack has no conflicts");
}

/// A chain of `length` edges of identity filters, the uppermost `owners` of them owners' filters;
/// the edge is put on its top.
pub fn chain<R: Rule>(rule: R, length: usize, owners: usize) -> Workload<R> {
    let mut graph = Graph::new(rule);
    let mut top = node(&mut graph, 0, None);
    for number in 1..=length {
        let owner = (number + owners > length).then(|| graph.new_owner());
        let above = node(&mut graph, number, owner);
        stack(&mut graph, above, top);
        top = above;
    }
    Workload::new(graph, top)
}

/// One node with `parents` parents that read and share all; the edge is put on that node.
pub fn fan_in<R: Rule>(rule: R, parents: usize) -> Workload<R> {
    let mut graph = Graph::new(rule);
    let disk = node(&mut graph, 0, None);
    for number in 0..parents {
        let holder = Holder::Backend { purpose: format!("reader {number}") };
        let root = graph.add_root(holder, None);
        let reading = Demand::taking(Permissions::CONSISTENT_READ);
        graph
            .transact(|change| change.attach_root(root, disk, "root", reading))
            .expect("readers share all");
    }
    Workload::new(graph, disk)
}

/// A ladder of `rungs` diamonds: each rung's top has two children that meet in the next rung's top;
/// the edge is put on the uppermost.
pub fn ladder<R: Rule>(rule: R, rungs: usize) -> Workload<R> {
    let mut graph = Graph::new(rule);
    let mut top = node(&mut graph, 0, None);
    for rung in 0..rungs {
        let sides = [1, 2].map(|side| node(&mut graph, 3 * rung + side, None));
        let above = node(&mut graph, 3 * rung + 3, None);
        for side in sides {
            stack(&mut graph, side, top);
            stack(&mut graph, above, side);
        }
        top = above;
    }
    Workload::new(graph, top)
}
