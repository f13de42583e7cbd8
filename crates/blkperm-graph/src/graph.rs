//! The block graph: nodes, edges, and the parents that are not nodes.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use slab::Slab;

use crate::incoming::Incoming;
use crate::list::{Links, NO_EDGE};
use crate::lock::Locks;
use crate::log::Undo;
use crate::{Condition, Demand, Driver, Owner, Permissions, Role, Row, RowId, Rows, Rule, State};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub(crate) u32);

        impl $name {
            pub(crate) fn from_key(key: usize) -> $name {
                $name(u32::try_from(key).expect("a graph has fewer than 2^32 of anything"))
            }

            pub(crate) fn key(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A node (`BlockDriverState`). Valid until the node is gone; then the number is used again.
    NodeId
}
id! {
    /// An edge (`BdrvChild`). Valid until the edge is gone; then the number is used again.
    EdgeId
}
id! {
    /// A parent that is not a node. Valid until it is gone; then the number is used again.
    RootId
}

/// The parent of an edge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Parent {
    /// A node.
    Node(NodeId),
    /// A BlockBackend or a job.
    Root(RootId),
}

/// Who a parent is that is not a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Holder {
    /// A block export, by its BlockBackend.
    Export {
        /// The export's id.
        id: String,
    },
    /// A device of the guest, by its BlockBackend.
    Device {
        /// The name of the BlockBackend, or else what QEMU calls the device.
        name: String,
        /// What people call it, in words that follow "by".
        words: String,
    },
    /// Any other BlockBackend: one that a job makes for itself.
    Backend {
        /// What the BlockBackend is for, in words that follow "by".
        purpose: String,
    },
    /// A block job.
    Job {
        /// QEMU's name of the job's type, for example `mirror`.
        kind: &'static str,
        /// The job's id.
        id: String,
    },
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Export { id } => write!(f, "export '{id}'"),
            Holder::Device { words: who, .. } | Holder::Backend { purpose: who } => {
                f.write_str(who)
            }
            Holder::Job { kind, id } => write!(f, "{kind} job '{id}'"),
        }
    }
}

/// What is needed to add a node.
#[derive(Clone, Debug)]
pub struct NewNode<'a> {
    /// The node-name, unique in the graph.
    pub name: &'a str,
    /// The driver.
    pub driver: &'static Driver,
    /// The state at first.
    pub state: State,
    /// What the node's options demand of its main child.
    pub options: Demand,
    /// The length in bytes.
    pub length: u64,
    /// The owner whose filter the node is, if it is a job's.
    pub owner: Option<Owner>,
}

impl<'a> NewNode<'a> {
    /// A read-write node without options, of length 0, which is no job's filter.
    pub fn new(name: &'a str, driver: &'static Driver) -> NewNode<'a> {
        NewNode {
            name,
            driver,
            state: State::default(),
            options: Demand::NONE,
            length: 0,
            owner: None,
        }
    }
}

/// A node, first of all what an update looks at: that is in one line of the cache then.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Node<R: Rule> {
    pub(crate) incoming: Incoming<R>,
    /// What the edges in `incoming` demanded together when the node was last visited.
    pub(crate) sum: R::Hold,
    pub(crate) first_child: u32,
    pub(crate) first_parent: u32,
    pub(crate) owner: Option<Owner>,
    pub(crate) state: State,
    /// Whether the node waits for its visit.
    pub(crate) queued: bool,
    /// Whether there was a parent when the node was last visited.
    pub(crate) attached: bool,
    pub(crate) options: Demand,
    /// How many hold the node besides its parents.
    pub(crate) references: u16,
    registered: u32,
    /// The place in the topological order: below that of every node that is a parent.
    pub(crate) order: i64,
    name: Arc<str>,
    pub(crate) driver: &'static Driver,
    pub(crate) length: u64,
}

impl<R: Rule> Node<R> {
    /// Whether there is a parent.
    pub(crate) fn is_attached(&self) -> bool {
        self.first_parent != NO_EDGE
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Edge<H> {
    pub(crate) parent: Parent,
    pub(crate) child: NodeId,
    pub(crate) among_parents: Links,
    pub(crate) among_children: Links,
    pub(crate) hold: H,
    pub(crate) row: RowId,
    name: u16,
    pub(crate) role: Role,
    pub(crate) frozen: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Root {
    holder: Arc<Holder>,
    owner: Option<Owner>,
    pub(crate) first_child: u32,
    registered: u32,
}

/// A block graph whose edges hold what the rule `R` says.
///
/// Read it with the methods here; change it with [`Graph::change`] or [`Graph::transact`].
#[derive(Clone, Debug)]
pub struct Graph<R: Rule> {
    pub(crate) rule: R,
    pub(crate) rows: Rows,
    pub(crate) nodes: Slab<Node<R>>,
    pub(crate) edges: Slab<Edge<R::Hold>>,
    pub(crate) roots: Slab<Root>,
    pub(crate) by_name: HashTable<NodeId>,
    edge_names: IndexSet<Box<str>, FxBuildHasher>,
    pub(crate) registrations: u32,
    pub(crate) owners: u32,
    /// The lowest and the highest place given out in the topological order.
    pub(crate) order_bounds: (i64, i64),
    pub(crate) locks: Locks,
    /// Nodes that lost an edge and have not been visited since: see
    /// [`Change::detach_unnoticed`](crate::Change::detach_unnoticed).
    pub(crate) stale: Vec<NodeId>,
    /// The names of nodes that are gone, where somebody wants to know.
    gone: Option<Vec<Arc<str>>>,
    pub(crate) closings: usize,
    pub(crate) log: Vec<Undo<R::Hold>>,
    /// Whether refusals say why edges hold what they are at fault for.
    pub(crate) tells_why: bool,
    pub(crate) scratch: crate::update::Scratch,
}

impl<R: Rule> Graph<R> {
    /// An empty graph under `rule`.
    pub fn new(rule: R) -> Graph<R> {
        Graph {
            rule,
            rows: Rows::default(),
            nodes: Slab::new(),
            edges: Slab::new(),
            roots: Slab::new(),
            by_name: HashTable::new(),
            edge_names: IndexSet::default(),
            registrations: 0,
            owners: 0,
            order_bounds: (0, 0),
            locks: Locks::default(),
            stale: Vec::new(),
            gone: None,
            closings: 0,
            log: Vec::new(),
            tells_why: true,
            scratch: Default::default(),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// Sets whether refusals say why each edge holds what it is at fault for ([`Party::why`]), as
    /// they do by default. Whoever is refused a thousand times a second does not ask.
    ///
    /// [`Party::why`]: crate::Party::why
    pub fn set_tells_why(&mut self, tells: bool) {
        self.tells_why = tells;
    }

    /// A new owner, for the filter and the edges of one job.
    pub fn new_owner(&mut self) -> Owner {
        self.owners += 1;
        Owner::from_number(self.owners)
    }

    /// Adds a node without parents and children, and holds it once: see [`Graph::release`].
    ///
    /// # Panics
    ///
    /// Panics when a node of that name exists.
    pub fn add_node(&mut self, new: NewNode<'_>) -> NodeId {
        assert!(self.node_by_name(new.name).is_none(), "node names are unique: {}", new.name);
        self.order_bounds.0 -= 1;
        let key = self.nodes.insert(Node {
            incoming: Incoming::None,
            sum: R::Hold::default(),
            order: self.order_bounds.0,
            first_parent: NO_EDGE,
            first_child: NO_EDGE,
            name: new.name.into(),
            driver: new.driver,
            length: new.length,
            registered: next_registration(&mut self.registrations),
            owner: new.owner,
            state: new.state,
            options: new.options,
            attached: false,
            queued: false,
            references: 1,
        });
        let id = NodeId::from_key(key);
        let nodes = &self.nodes;
        let hash = |&id: &NodeId| FxBuildHasher.hash_one(&*nodes[id.key()].name);
        self.by_name.insert_unique(hash(&id), id, hash);
        id
    }

    /// Takes the node out of the graph's tables; it has neither parents nor children.
    pub(crate) fn forget_node(&mut self, id: NodeId) {
        let node = self.nodes.remove(id.key());
        if node.state.contains(State::LOCKING) {
            self.locks.remove(id);
        }
        self.stale.retain(|&stale| stale != id);
        debug_assert!(node.first_parent == NO_EDGE && node.first_child == NO_EDGE);
        let hash = FxBuildHasher.hash_one(&*node.name);
        match self.by_name.find_entry(hash, |&found| found == id) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("every node is found by its name"),
        }
        if let Some(gone) = &mut self.gone {
            gone.push(node.name);
        }
    }

    /// Keeps the names of nodes that are gone, from now on, for [`Graph::take_gone`].
    pub fn keep_gone(&mut self) {
        self.gone.get_or_insert_default();
    }

    /// The names of the nodes that are gone since this was last asked, first gone first; a node of
    /// the same name may have come. None unless they are [kept](Graph::keep_gone).
    pub fn take_gone(&mut self) -> Vec<Arc<str>> {
        self.gone.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// In how many steps all nodes were closed that are gone: each in one, and in one more if its
    /// [driver](Driver::drops) had a child to drop.
    pub fn closings(&self) -> usize {
        self.closings
    }

    /// Adds a parent that is not a node; its edges are claims of `owner` if there is one.
    pub fn add_root(&mut self, holder: Holder, owner: Option<Owner>) -> RootId {
        let registered = next_registration(&mut self.registrations);
        let root = Root { holder: Arc::new(holder), owner, first_child: NO_EDGE, registered };
        RootId::from_key(self.roots.insert(root))
    }

    /// The node of that name.
    pub fn node_by_name(&self, name: &str) -> Option<NodeId> {
        let hash = FxBuildHasher.hash_one(name);
        self.by_name.find(hash, |&id| &*self.node(id).name == name).copied()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node<R> {
        &self.nodes[id.key()]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node<R> {
        &mut self.nodes[id.key()]
    }

    pub(crate) fn edge(&self, id: EdgeId) -> &Edge<R::Hold> {
        &self.edges[id.key()]
    }

    pub(crate) fn edge_mut(&mut self, id: EdgeId) -> &mut Edge<R::Hold> {
        &mut self.edges[id.key()]
    }

    /// Whether the node is (still) there.
    pub fn contains_node(&self, id: NodeId) -> bool {
        self.nodes.contains(id.key())
    }

    /// The nodes in order of their registration, oldest first.
    pub fn nodes(&self) -> Vec<NodeId> {
        let ids = self.nodes.iter().map(|(key, node)| (node.registered, NodeId::from_key(key)));
        in_order(ids)
    }

    /// The parents that are not nodes, oldest first.
    pub fn roots(&self) -> Vec<RootId> {
        let ids = self.roots.iter().map(|(key, root)| (root.registered, RootId::from_key(key)));
        in_order(ids)
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many parents there are that are not nodes.
    pub fn root_count(&self) -> usize {
        self.roots.len()
    }

    /// Whether the node lost an edge, or became inactive, and has not been visited since, so that it
    /// still demands what it did before: see
    /// [`Change::detach_unnoticed`](crate::Change::detach_unnoticed) and
    /// [`Graph::make_inactive_unnoticed`].
    pub fn is_stale(&self, node: NodeId) -> bool {
        self.stale.contains(&node)
    }

    /// Takes note that the node is [stale](Graph::is_stale); says whether it was not before.
    pub(crate) fn become_stale(&mut self, node: NodeId) -> bool {
        let is_new = !self.is_stale(node);
        if is_new {
            self.stale.push(node);
        }
        is_new
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// The node's name.
    pub fn name(&self, node: NodeId) -> &str {
        &self.node(node).name
    }

    /// The node's driver.
    pub fn driver(&self, node: NodeId) -> &'static Driver {
        self.node(node).driver
    }

    /// The node's state.
    pub fn state(&self, node: NodeId) -> State {
        self.node(node).state
    }

    /// The node's length in bytes.
    pub fn length(&self, node: NodeId) -> u64 {
        self.node(node).length
    }

    /// Gives the node a length in bytes. Nothing is judged anew.
    pub fn set_length(&mut self, node: NodeId, length: u64) {
        self.node_mut(node).length = length;
    }

    /// The owner whose filter the node is, if it is a job's.
    pub fn filter_owner(&self, node: NodeId) -> Option<Owner> {
        self.node(node).owner
    }

    /// All that the node's parents demand of it: QEMU's cumulative masks.
    pub fn demand_on(&self, node: NodeId) -> Demand {
        self.rule.demand(self.node(node).sum)
    }

    /// The edges into `node`, newest first, as QEMU keeps them (`bs->parents`).
    pub fn parents(&self, node: NodeId) -> impl Iterator<Item = EdgeId> + '_ {
        self.list(self.node(node).first_parent, |edge| edge.among_parents.next)
    }

    /// The edges out of `parent`, newest first, as QEMU keeps them (`bs->children`).
    pub fn children(&self, parent: impl Into<Parent>) -> impl Iterator<Item = EdgeId> + '_ {
        let first = match parent.into() {
            Parent::Node(node) => self.node(node).first_child,
            Parent::Root(root) => self.roots[root.key()].first_child,
        };
        self.list(first, |edge| edge.among_children.next)
    }

    fn list(
        &self,
        first: u32,
        next: fn(&Edge<R::Hold>) -> u32,
    ) -> impl Iterator<Item = EdgeId> + '_ {
        let present = |id: u32| (id != NO_EDGE).then_some(EdgeId(id));
        std::iter::successors(present(first), move |&id| present(next(self.edge(id))))
    }

    /// The edge that `parent` calls `name`.
    pub fn child_edge(&self, parent: impl Into<Parent>, name: &str) -> Option<EdgeId> {
        self.children(parent).find(|&edge| self.edge_name(edge) == name)
    }

    /// The child with one of the roles in `role`, newest first.
    pub fn child_by_role(&self, node: NodeId, role: Role) -> Option<EdgeId> {
        self.children(node).find(|&edge| self.edge(edge).role.intersects(role))
    }

    /// The parent of the edge.
    pub fn parent_of(&self, edge: EdgeId) -> Parent {
        self.edge(edge).parent
    }

    /// The child of the edge.
    pub fn child_of(&self, edge: EdgeId) -> NodeId {
        self.edge(edge).child
    }

    /// The parent's name for the edge, for example `backing`.
    pub fn edge_name(&self, edge: EdgeId) -> &str {
        let name = self.edge_names.get_index(usize::from(self.edge(edge).name));
        name.expect("edge names are never forgotten")
    }

    /// The role of the edge; empty where the parent is not a node.
    pub fn role(&self, edge: EdgeId) -> Role {
        self.edge(edge).role
    }

    /// What the edge takes and unshares.
    pub fn demand(&self, edge: EdgeId) -> Demand {
        self.rule.demand(self.edge(edge).hold)
    }

    /// What the edge holds under the rule.
    pub fn hold(&self, edge: EdgeId) -> R::Hold {
        self.edge(edge).hold
    }

    /// The driver's row of an edge whose parent is a node.
    pub fn row(&self, edge: EdgeId) -> &Row {
        self.rows.row(self.edge(edge).row)
    }

    /// Whether the edge is frozen: it may be neither moved nor removed.
    pub fn is_frozen(&self, edge: EdgeId) -> bool {
        self.edge(edge).frozen
    }

    /// Who a parent is that is not a node.
    pub fn holder(&self, root: RootId) -> &Holder {
        &self.roots[root.key()].holder
    }

    /// The owner of all claims of a parent that is not a node, if it is a job's.
    pub fn root_owner(&self, root: RootId) -> Option<Owner> {
        self.roots[root.key()].owner
    }

    /// The row by which `parent` demands of a child of the given role: its driver's, made
    /// transparent where the rule has ownership and the node is a job's filter; nothing is
    /// unshared on a child that is force-shared.
    pub(crate) fn row_for(&self, parent: NodeId, child: NodeId, role: Role) -> Row {
        let node = self.node(parent);
        let condition = Condition { state: node.state, options: node.options };
        let mut row = (node.driver.row)(role, condition);
        if R::OWNERSHIP && node.owner.is_some() && role.contains(Role::FILTERED) {
            row = row.transparent();
        }
        if self.node(child).state.contains(State::FORCE_SHARE) {
            row = row.force_shared();
        }
        row
    }

    /// Whether the parent's edges stay where they are when a node is replaced: those of jobs do.
    ///
    /// Source: `stay_at_node` in `blockjob.c`, QEMU 10.0.
    pub fn stays_at_node(&self, edge: EdgeId) -> bool {
        match self.edge(edge).parent {
            Parent::Node(_) => false,
            Parent::Root(root) => matches!(self.holder(root), Holder::Job { .. }),
        }
    }

    /// Puts a new edge into the tables but into no list.
    pub(crate) fn insert_edge(
        &mut self,
        parent: Parent,
        child: NodeId,
        name: &str,
        role: Role,
        row: RowId,
    ) -> EdgeId {
        let name = match self.edge_names.get_index_of(name) {
            Some(index) => index,
            None => self.edge_names.insert_full(name.into()).0,
        };
        EdgeId::from_key(self.edges.insert(Edge {
            parent,
            child,
            among_parents: Links::NONE,
            among_children: Links::NONE,
            hold: R::Hold::default(),
            row,
            name: u16::try_from(name).expect("edges have few different names"),
            role,
            frozen: false,
        }))
    }

    /// Removes a parent that is not a node and has no edges left.
    ///
    /// # Panics
    ///
    /// Panics when it still has an edge.
    pub fn remove_root(&mut self, root: RootId) {
        let root = self.roots.remove(root.key());
        assert_eq!(root.first_child, NO_EDGE, "{:?} still has edges", root.holder);
    }

    /// The permissions that two different edges of one node conflict in: what `taker` takes and
    /// `unsharer` unshares.
    pub fn conflict(&mut self, taker: EdgeId, unsharer: EdgeId) -> Permissions {
        let (taker, unsharer) = (self.edge(taker).hold, self.edge(unsharer).hold);
        self.rule.conflict(taker, unsharer)
    }
}

impl From<NodeId> for Parent {
    fn from(node: NodeId) -> Parent {
        Parent::Node(node)
    }
}

impl From<RootId> for Parent {
    fn from(root: RootId) -> Parent {
        Parent::Root(root)
    }
}

fn next_registration(registrations: &mut u32) -> u32 {
    *registrations += 1;
    *registrations
}

fn in_order<T>(ids: impl Iterator<Item = (u32, T)>) -> Vec<T> {
    let mut ids: Vec<(u32, T)> = ids.collect();
    ids.sort_unstable_by_key(|&(registered, _)| registered);
    ids.into_iter().map(|(_, id)| id).collect()
}
