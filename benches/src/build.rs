//! How a graph is built under any algorithm.

use blkperm_graph::{Condition, Demand, Driver, Holder, NewNode, Owner, Role, State};
use blkperm_tests::algorithm::{Algorithm, Steps};

/// A graph that is being built, with all its edges.
///
/// Edges are planned one by one and made in one change: edge by edge, QEMU's algorithms would take
/// time with the square of their number.
pub(crate) struct Build<A: Algorithm> {
    pub(crate) graph: A,
    pub(crate) edges: Vec<A::Edge>,
    planned: Vec<Planned<A>>,
    nodes: usize,
}

enum Planned<A: Algorithm> {
    OfNode { parent: A::Node, driver: &'static Driver, child: A::Node, role: Role },
    OfRoot { child: A::Node, demand: Demand },
}

impl<A: Algorithm> Build<A> {
    pub(crate) fn new(rule: A::Rule) -> Build<A> {
        Build { graph: A::empty(rule), edges: Vec::new(), planned: Vec::new(), nodes: 0 }
    }

    pub(crate) fn node(&mut self, driver: &'static Driver) -> A::Node {
        self.node_of(driver, None)
    }

    /// A node that is the filter of an owner, if there is one.
    pub(crate) fn node_of(&mut self, driver: &'static Driver, owner: Option<Owner>) -> A::Node {
        self.nodes += 1;
        let name = format!("n{}", self.nodes);
        self.graph.add_new_node(NewNode { owner, ..NewNode::new(&name, driver) })
    }

    pub(crate) fn root(&mut self, owner: Option<Owner>) -> A::Root {
        // Nobody reads the text, and a long one would show in the memory.
        let holder = Holder::Backend { purpose: String::new() };
        self.graph.add_parent(holder, owner)
    }

    /// Plans an edge by the driver's row for the role.
    pub(crate) fn edge(
        &mut self,
        parent: A::Node,
        driver: &'static Driver,
        child: A::Node,
        role: Role,
    ) {
        self.planned.push(Planned::OfNode { parent, driver, child, role });
    }

    /// Plans an edge of a new parent that is not a node.
    pub(crate) fn root_edge(&mut self, child: A::Node, demand: Demand) {
        self.planned.push(Planned::OfRoot { child, demand });
    }

    /// Makes the edges that are planned, and returns the last of them.
    ///
    /// # Panics
    ///
    /// Panics when none is planned, or they are refused.
    pub(crate) fn make(&mut self) -> A::Edge {
        let planned = std::mem::take(&mut self.planned);
        let is_of_root = |edge: &&Planned<A>| matches!(edge, Planned::OfRoot { .. });
        let count = planned.iter().filter(is_of_root).count();
        let mut roots: Vec<A::Root> = (0..count).map(|_| self.root(None)).collect();
        let mut change = self.graph.begin();
        for edge in planned {
            let edge = match edge {
                Planned::OfNode { parent, driver, child, role } => {
                    let condition = Condition { state: State::default(), options: Demand::NONE };
                    let row = (driver.row)(role, condition);
                    change.attach(parent, child, role, row).expect("shapes have no cycles")
                }
                Planned::OfRoot { child, demand } => {
                    let root = roots.pop().expect("there are as many as edges of roots");
                    change.attach_root(root, child, demand)
                }
            };
            self.edges.push(edge);
        }
        assert!(change.commit(), "shapes have no conflicts");
        *self.edges.last().expect("something was planned")
    }
}
