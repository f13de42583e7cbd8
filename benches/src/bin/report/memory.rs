//! The memory of nodes and edges.

use blkperm_baseline::Baseline;
use blkperm_graph::driver::RAW;
use blkperm_graph::{Demand, Graph, Holder, NewNode, NodeId, Permissions, Role, Rule};
use blkperm_ownership::{Groups, Ownership};
use stats_alloc::{Region, Stats};

use crate::ALLOCATOR;
use crate::table::table;

/// As many as fill the tables to the last place, so that the room for more does not count.
const COUNT: usize = 1 << 20;

/// Bytes that one node and one edge take, and the room that is kept for taking one edge's change
/// back, once so many have changed at once.
pub(crate) struct Bytes {
    pub(crate) node: f64,
    pub(crate) edge: f64,
    pub(crate) room: f64,
}

/// The table.
pub(crate) fn report() -> String {
    let rows = [
        row("baseline", &measure(Baseline, 0)),
        row("ownership, no owners", &measure(Ownership::default(), 0)),
        row("ownership, below 4 owners", &measure(Ownership::default(), 4)),
        row("groups, below 4 owners", &measure(Groups::default(), 4)),
    ];
    let sentence = format!(
        "A chain of {COUNT} nodes with names of up to eight letters below a reader: bytes that were \
         allocated and not freed. A node alone first, then its edge with what the edge makes the \
         node keep, then the room that is kept after an update that changed all edges, for the log \
         of the next one. As tables double when they are full, up to twice as much is taken where \
         the number is just above a power of two."
    );
    let header = ["rule", "bytes a node", "bytes an edge", "room for an edge's change"];
    table("Memory", &sentence, &header, rows)
}

fn row(rule: &str, bytes: &Bytes) -> Vec<String> {
    let numbers = [bytes.node, bytes.edge, bytes.room];
    let mut cells = vec![rule.to_owned()];
    cells.extend(numbers.map(|number| format!("{number:.1}")));
    cells
}

/// Measures a chain below a reader whose claims go through so many owners' filters.
pub(crate) fn measure<R: Rule>(rule: R, owners: usize) -> Bytes {
    let mut graph = Graph::new(rule);
    let mut nodes = Vec::with_capacity(COUNT);
    let holder = Holder::Backend { purpose: String::new() };
    let reader = graph.add_root(holder, None);
    let region = Region::new(ALLOCATOR);
    nodes.extend((0..COUNT).map(|number| add(&mut graph, number, owners)));
    let node = kept(region.change());
    // The reader first, so that each further edge changes nothing but itself.
    let read = |graph: &mut Graph<R>| {
        let reading = Demand::taking(Permissions::CONSISTENT_READ);
        graph.transact(|change| change.attach_root(reader, nodes[0], "root", reading))
    };
    let reading = read(&mut graph).expect("nobody minds a reader");
    for pair in nodes.windows(2) {
        graph
            .transact(|change| change.attach(pair[0], pair[1], "file", Role::FILTERED))
            .expect("a chain has no conflicts");
    }
    let edge = kept(region.change()) - node;
    graph.transact(|change| change.detach(reading)).expect("taking off is never refused");
    read(&mut graph).expect("nobody minds a reader");
    let room = kept(region.change()) - edge - node;
    let [node, edge, room] = [node, edge, room].map(|bytes| bytes / COUNT as f64);
    Bytes { node, edge, room }
}

/// The uppermost nodes are the owners' filters.
fn add<R: Rule>(graph: &mut Graph<R>, number: usize, owners: usize) -> NodeId {
    let owner = (number < owners).then(|| graph.new_owner());
    graph.add_node(NewNode { owner, ..NewNode::new(&format!("n{number}"), &RAW) })
}

fn kept(stats: Stats) -> f64 {
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}
