//! The memory of nodes and edges.

use blkperm_baseline::Baseline;
use blkperm_graph::driver::{QUORUM, RAW};
use blkperm_graph::{Demand, Driver, Graph, Holder, NewNode, NodeId, Permissions, Role, Rule};
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

/// What the nodes are made into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One above the other. A node with one parent has nothing to count.
    Chain,
    /// Diamonds above each other, three nodes and four edges each: every third node has two parents,
    /// and counts what they hold.
    Ladder,
}

impl Kind {
    /// The driver of the node of that number.
    fn driver(self, number: usize) -> &'static Driver {
        match self {
            Kind::Ladder if number.is_multiple_of(3) => &QUORUM,
            _ => &RAW,
        }
    }

    /// So many edges from the top, a multiple of four: parent, child, role.
    fn edges(self, count: usize) -> Vec<(usize, usize, Role)> {
        match self {
            Kind::Chain => (0..count).map(|n| (n, n + 1, Role::FILTERED)).collect(),
            Kind::Ladder => {
                let diamond = |top: usize| {
                    let (sides, below) = ([top + 1, top + 2], top + 3);
                    let down = sides.map(|side| (top, side, Role::DATA));
                    let on = sides.map(|side| (side, below, Role::FILTERED));
                    down.into_iter().chain(on)
                };
                (0..count / 4).map(|n| 3 * n).flat_map(diamond).collect()
            }
        }
    }
}

/// The table.
pub(crate) fn report() -> String {
    let kinds = [(Kind::Chain, "chain"), (Kind::Ladder, "ladder")];
    let rows = kinds.into_iter().flat_map(|(kind, name)| {
        [
            row(name, "baseline", &measure(Baseline, 0, kind)),
            row(name, "ownership, no owners", &measure(Ownership::default(), 0, kind)),
            row(name, "ownership, below 4 owners", &measure(Ownership::default(), 4, kind)),
            row(name, "groups, below 4 owners", &measure(Groups::default(), 4, kind)),
        ]
    });
    let sentence = format!(
        "{COUNT} nodes with names of up to eight letters, and as many edges below a reader, in a chain \
         or in diamonds above each other, where every third node has two parents and counts what \
         they hold: bytes that were allocated and not freed. Nodes alone first, then edges with what \
         they make the nodes keep, then the room that is kept after an update that changed all edges, for the \
         log of the next one. As tables double when they are full, up to twice as much is taken \
         where the number is just above a power of two."
    );
    let header = ["shape", "rule", "bytes a node", "bytes an edge", "room for an edge's change"];
    table("Memory", &sentence, &header, rows)
}

fn row(shape: &str, rule: &str, bytes: &Bytes) -> Vec<String> {
    let numbers = [bytes.node, bytes.edge, bytes.room];
    let mut cells = vec![shape.to_owned(), rule.to_owned()];
    cells.extend(numbers.map(|number| format!("{number:.1}")));
    cells
}

/// Measures nodes, and then edges below a reader whose claims go through so many owners' filters.
pub(crate) fn measure<R: Rule + Clone>(rule: R, owners: usize, kind: Kind) -> Bytes {
    let mut graph = Graph::new(rule.clone());
    let region = Region::new(ALLOCATOR);
    for number in 0..COUNT {
        add(&mut graph, number, owners, kind);
    }
    let node = kept(region.change());
    let mut graph = Graph::new(rule);
    let holder = Holder::Backend { purpose: String::new() };
    let reader = graph.add_root(holder, None);
    // With the reader's edge not one too many for the table.
    let edges = kind.edges(COUNT - 4);
    let last = edges.last().map_or(0, |&(_, child, _)| child);
    let nodes: Vec<_> = (0..=last).map(|number| add(&mut graph, number, owners, kind)).collect();
    let region = Region::new(ALLOCATOR);
    // The reader first, so that each further edge changes nothing but itself.
    let read = |graph: &mut Graph<R>| {
        let reading = Demand::taking(Permissions::CONSISTENT_READ);
        graph.transact(|change| change.attach_root(reader, nodes[0], "root", reading))
    };
    let reading = read(&mut graph).expect("nobody minds a reader");
    for &(parent, child, role) in &edges {
        graph
            .transact(|change| change.attach(nodes[parent], nodes[child], "child", role))
            .expect("such a graph has no conflicts");
    }
    let edge = kept(region.change());
    graph.transact(|change| change.detach(reading)).expect("taking off is never refused");
    read(&mut graph).expect("nobody minds a reader");
    let room = kept(region.change()) - edge;
    let [node, edge, room] = [node, edge, room].map(|bytes| bytes / COUNT as f64);
    Bytes { node, edge, room }
}

/// The uppermost nodes are the owners' filters.
fn add<R: Rule>(graph: &mut Graph<R>, number: usize, owners: usize, kind: Kind) -> NodeId {
    let owner = (number < owners).then(|| graph.new_owner());
    graph.add_node(NewNode { owner, ..NewNode::new(&format!("n{number}"), kind.driver(number)) })
}

fn kept(stats: Stats) -> f64 {
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}
