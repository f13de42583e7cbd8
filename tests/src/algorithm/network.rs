//! A plain graph for QEMU's two algorithms: lists of edges, and a log of what a change did.

use std::collections::HashSet;
use std::marker::PhantomData;

use blkperm_graph::{
    Condition, Demand, Driver, Holder, NewNode, Owner, Permissions, Role, Row, RowId, Rows, Rule,
    State,
};

use super::list::Transaction;
use super::{Algorithm, Steps};

/// An algorithm on a [`Network`].
pub trait Update: Sized {
    /// What it is called.
    const NAME: &'static str;

    /// Brings every edge up to date with a change that was made and begins at `starts`; returns
    /// whether the rule accepts the result. Where it does not, what the edges hold may be left to
    /// the log.
    fn update<R: Rule>(network: &mut Network<R, Self>, starts: &[Start]) -> bool;
}

/// Where a change bears on what edges hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// An edge is new, ends elsewhere, or demands something else.
    Edge(usize),
    /// A node has lost an edge, or what it demands of its children follows otherwise.
    Node(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Parent {
    Node(usize),
    Root(usize),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parents: Vec<usize>,
    pub(super) children: Vec<usize>,
    driver: &'static Driver,
    options: Demand,
    state: State,
    owner: Option<Owner>,
}

#[derive(Debug)]
pub(super) struct Edge<H> {
    pub(super) parent: Parent,
    pub(super) child: usize,
    pub(super) hold: H,
    /// What the edge held before the recursive algorithm's check.
    pub(super) backup: Option<H>,
    row: RowId,
    role: Role,
}

#[derive(Debug)]
pub(super) enum Undo<H> {
    Hold { edge: usize, old: H },
    Row { edge: usize, old: RowId },
    Attached { edge: usize },
    Detached { edge: usize },
    Moved { edge: usize, from: usize },
    State { node: usize, old: State },
}

/// A graph that the algorithm `U` keeps up to date under the rule `R`.
#[derive(Debug)]
pub struct Network<R: Rule, U> {
    pub(super) rule: R,
    rows: Rows,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge<R::Hold>>,
    roots: Vec<Option<Owner>>,
    /// Numbers of edges that are gone.
    free: Vec<usize>,
    owners: u32,
    pub(super) transaction: Transaction<Undo<R::Hold>>,
    starts: Vec<Start>,
    algorithm: PhantomData<U>,
}

impl<R: Rule, U> Network<R, U> {
    /// What the edges into the node hold together, added up anew.
    ///
    /// Source: `bdrv_get_cumulative_perm` in `block.c`, QEMU 10.0.
    pub(super) fn sum(&mut self, node: usize) -> R::Hold {
        let Network { rule, nodes, edges, .. } = self;
        let holds = nodes[node].parents.iter().map(|&edge| edges[edge].hold);
        if !R::OWNERSHIP {
            // QEMU's two masks.
            let demands = holds.map(|hold| rule.demand(hold));
            let demand = demands.fold(Demand::NONE, Demand::union);
            return rule.originate(demand, None);
        }
        if let [only] = nodes[node].parents[..] {
            return edges[only].hold;
        }
        let mut tally = R::Tally::default();
        holds.for_each(|hold| rule.add(&mut tally, hold));
        rule.sum(&tally)
    }

    /// What an edge out of `node` holds by its row, given the sum of the node's edges.
    pub(super) fn passed(&mut self, node: usize, edge: usize, sum: R::Hold) -> R::Hold {
        let Node { parents, owner, .. } = &self.nodes[node];
        let row = self.edges[edge].row;
        self.rule.pass(&self.rows, row, sum, !parents.is_empty(), *owner)
    }

    /// Lets the edge hold something else, or the same, and notes what it held.
    ///
    /// Source: `bdrv_child_set_perm`.
    pub(super) fn set_hold(&mut self, edge: usize, hold: R::Hold) {
        let old = std::mem::replace(&mut self.edges[edge].hold, hold);
        self.transaction.add(Undo::Hold { edge, old });
    }

    /// Whether one of two edges takes what the other unshares.
    pub(super) fn conflict(&mut self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|edge| self.edges[edge].hold);
        !self.rule.conflict(one, other).is_empty() || !self.rule.conflict(other, one).is_empty()
    }

    /// Whether the node is written and cannot be, given the sum of its edges.
    ///
    /// Source: `bdrv_node_refresh_perm` in `block.c`, QEMU 10.0.
    pub(super) fn is_written_in_vain(&self, node: usize, sum: R::Hold) -> bool {
        let take = self.rule.demand(sum).take();
        let state = self.nodes[node].state;
        let unaligned = state.contains(State::UNALIGNED) && !take.contains(Permissions::RESIZE);
        take.intersects(Permissions::ANY_WRITE) && (!state.is_writable() || unaligned)
    }

    /// Whether `to` is at or below `from`.
    fn is_below(&self, from: usize, to: usize) -> bool {
        let mut seen = HashSet::new();
        let mut waiting = vec![from];
        while let Some(node) = waiting.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                let children = self.nodes[node].children.iter();
                waiting.extend(children.map(|&edge| self.edges[edge].child));
            }
        }
        false
    }

    fn driver_row(&self, node: usize, role: Role) -> Row {
        let Node { driver, state, options, .. } = self.nodes[node];
        (driver.row)(role, Condition { state, options })
    }

    fn insert_edge(&mut self, edge: Edge<R::Hold>) -> usize {
        let number = self.free.pop().unwrap_or(self.edges.len());
        if number == self.edges.len() {
            self.edges.push(edge);
        } else {
            self.edges[number] = edge;
        }
        self.link(number);
        number
    }

    fn link(&mut self, edge: usize) {
        let Edge { parent, child, .. } = self.edges[edge];
        self.nodes[child].parents.push(edge);
        if let Parent::Node(parent) = parent {
            self.nodes[parent].children.push(edge);
        }
    }

    fn unlink(&mut self, edge: usize) {
        let Edge { parent, child, .. } = self.edges[edge];
        remove(&mut self.nodes[child].parents, edge);
        if let Parent::Node(parent) = parent {
            remove(&mut self.nodes[parent].children, edge);
        }
    }

    fn refresh_row(&mut self, edge: usize) {
        let Edge { parent: Parent::Node(parent), role, .. } = self.edges[edge] else { return };
        let row = self.driver_row(parent, role);
        let row = self.rows.keep(row);
        let old = std::mem::replace(&mut self.edges[edge].row, row);
        self.transaction.add(Undo::Row { edge, old });
        self.starts.push(Start::Node(parent));
    }

    fn conclude(&mut self) {
        while let Some(undo) = self.transaction.pop() {
            if let Undo::Detached { edge } = undo {
                self.free.push(edge);
            }
        }
        self.starts.clear();
    }

    fn roll_back(&mut self) {
        while let Some(undo) = self.transaction.pop() {
            match undo {
                Undo::Hold { edge, old } => self.edges[edge].hold = old,
                Undo::Row { edge, old } => self.edges[edge].row = old,
                Undo::Attached { edge } => {
                    self.unlink(edge);
                    self.free.push(edge);
                }
                Undo::Detached { edge } => self.link(edge),
                Undo::Moved { edge, from } => {
                    self.unlink(edge);
                    self.edges[edge].child = from;
                    self.link(edge);
                }
                Undo::State { node, old } => self.nodes[node].state = old,
            }
        }
        self.starts.clear();
    }
}

/// The newest are removed most often.
fn remove(edges: &mut Vec<usize>, edge: usize) {
    let place = edges.iter().rposition(|&other| other == edge);
    edges.swap_remove(place.expect("an edge is in the lists of both its ends"));
}

impl<R: Rule, U: Update> Algorithm for Network<R, U> {
    type Rule = R;
    type Node = usize;
    type Root = usize;
    type Edge = usize;
    type Change<'a>
        = NetworkChange<'a, R, U>
    where
        R: 'a,
        U: 'a;

    const NAME: &'static str = U::NAME;

    fn empty(rule: R) -> Network<R, U> {
        Network {
            rule,
            rows: Rows::default(),
            nodes: Vec::new(),
            edges: Vec::new(),
            roots: Vec::new(),
            free: Vec::new(),
            owners: 0,
            transaction: Transaction::EMPTY,
            starts: Vec::new(),
            algorithm: PhantomData,
        }
    }

    fn permission_rule(&self) -> &R {
        &self.rule
    }

    fn add_owner(&mut self) -> Owner {
        self.owners += 1;
        Owner::from_number(self.owners)
    }

    fn add_new_node(&mut self, new: NewNode<'_>) -> usize {
        let NewNode { driver, state, options, owner, .. } = new;
        let (parents, children) = (Vec::new(), Vec::new());
        self.nodes.push(Node { parents, children, driver, options, state, owner });
        self.nodes.len() - 1
    }

    fn add_parent(&mut self, _holder: Holder, owner: Option<Owner>) -> usize {
        self.roots.push(owner);
        self.roots.len() - 1
    }

    fn begin(&mut self) -> NetworkChange<'_, R, U> {
        NetworkChange { network: self }
    }

    fn held(&self, edge: usize) -> R::Hold {
        self.edges[edge].hold
    }
}

/// A change of a [`Network`] in progress.
#[derive(Debug)]
pub struct NetworkChange<'a, R: Rule, U> {
    network: &'a mut Network<R, U>,
}

impl<R: Rule, U: Update> Steps<Network<R, U>> for NetworkChange<'_, R, U> {
    fn attach(&mut self, parent: usize, child: usize, role: Role, row: Row) -> Option<usize> {
        let network = &mut *self.network;
        if network.is_below(child, parent) {
            return None;
        }
        let (hold, row) = (R::Hold::default(), network.rows.keep(row));
        let parent_node = parent;
        let parent = Parent::Node(parent);
        let edge = network.insert_edge(Edge { parent, child, hold, backup: None, row, role });
        network.transaction.add(Undo::Attached { edge });
        let sum = network.sum(parent_node);
        network.edges[edge].hold = network.passed(parent_node, edge, sum);
        network.starts.push(Start::Edge(edge));
        Some(edge)
    }

    fn attach_root(&mut self, root: usize, child: usize, demand: Demand) -> usize {
        let network = &mut *self.network;
        let hold = network.rule.originate(demand, network.roots[root]);
        let (parent, row) = (Parent::Root(root), network.rows.keep(Row::NOTHING));
        let role = Role::empty();
        let edge = network.insert_edge(Edge { parent, child, hold, backup: None, row, role });
        network.transaction.add(Undo::Attached { edge });
        network.starts.push(Start::Edge(edge));
        edge
    }

    fn set_demand(&mut self, edge: usize, demand: Demand) {
        let network = &mut *self.network;
        let Parent::Root(root) = network.edges[edge].parent else {
            panic!("what a node demands follows from its driver");
        };
        let hold = network.rule.originate(demand, network.roots[root]);
        network.set_hold(edge, hold);
        network.starts.push(Start::Edge(edge));
    }

    fn detach(&mut self, edge: usize) {
        let network = &mut *self.network;
        network.unlink(edge);
        network.transaction.add(Undo::Detached { edge });
        network.starts.retain(|&start| start != Start::Edge(edge));
        network.starts.push(Start::Node(network.edges[edge].child));
    }

    fn move_edge(&mut self, edge: usize, to: usize) -> bool {
        let network = &mut *self.network;
        if let Parent::Node(parent) = network.edges[edge].parent
            && network.is_below(to, parent)
        {
            return false;
        }
        network.unlink(edge);
        let from = std::mem::replace(&mut network.edges[edge].child, to);
        network.link(edge);
        network.transaction.add(Undo::Moved { edge, from });
        network.starts.extend([Start::Node(from), Start::Edge(edge)]);
        network.refresh_row(edge);
        true
    }

    fn set_state(&mut self, node: usize, state: State) {
        let network = &mut *self.network;
        let old = std::mem::replace(&mut network.nodes[node].state, state);
        network.transaction.add(Undo::State { node, old });
        for place in 0..network.nodes[node].children.len() {
            network.refresh_row(network.nodes[node].children[place]);
        }
        network.starts.push(Start::Node(node));
    }

    fn commit(self) -> bool {
        let starts = std::mem::take(&mut self.network.starts);
        let accepted = U::update(self.network, &starts);
        self.network.starts = starts;
        if accepted {
            self.network.conclude();
        }
        accepted
    }
}

/// A change that was not made final is taken back.
impl<R: Rule, U> Drop for NetworkChange<'_, R, U> {
    fn drop(&mut self) {
        self.network.roll_back();
    }
}
