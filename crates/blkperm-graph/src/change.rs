//! Changes: several steps that are judged once, in their final state.

use crate::graph::Edge;
use crate::list::Place;
use crate::log::Undo;
use crate::order::Cycle;
use crate::refusal::Refused;
use crate::{
    Demand, Driver, EdgeId, Graph, NodeId, Parent, Permissions, Refusal, Role, RootId, Row, RowId,
    Rule, State,
};

/// A change in progress: the graph is changed at once, and judged by [`Change::commit`].
///
/// A change that is dropped, or refused, leaves every edge as it was (law 5, *reversible*).
#[derive(Debug)]
pub struct Change<'g, R: Rule> {
    graph: &'g mut Graph<R>,
}

impl<R: Rule> Graph<R> {
    /// Begins a change.
    pub fn change(&mut self) -> Change<'_, R> {
        debug_assert!(self.log.is_empty(), "one change at a time");
        Change { graph: self }
    }

    /// Makes the change that `build` describes, which only lets go of something, whatever the verdict.
    ///
    /// QEMU's quirk 16: where a node is at fault already, or comes to be so by what it has not noticed
    /// yet, nobody is told. What the nodes above it demand then stays as it was until an update
    /// begins at them or above them.
    ///
    /// Source: `bdrv_root_unref_child` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// What `build` returns; the graph is then as before.
    pub fn loosen(
        &mut self,
        build: impl FnOnce(&mut Change<'_, R>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut change = self.change();
        if let Err(error) = build(&mut change) {
            change.give_up();
            return Err(error);
        }
        change.graph.update_ignoring_faults();
        change.graph.conclude();
        Ok(())
    }

    /// Makes the change that `build` describes, or none at all.
    ///
    /// # Errors
    ///
    /// What `build` returns, or the refusal of the final state; the graph is then as before, but that
    /// (QEMU's quirk) edges that were moved, or removed, are now the newest of their nodes.
    pub fn transact<T>(
        &mut self,
        build: impl FnOnce(&mut Change<'_, R>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.attempt(build)
    }

    /// [`Graph::transact`], where there are more reasons to fail than refusals.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::transact`].
    pub fn attempt<T, E: From<Refusal>>(
        &mut self,
        build: impl FnOnce(&mut Change<'_, R>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut change = self.change();
        match build(&mut change) {
            Ok(value) => match change.commit() {
                Ok(()) => Ok(value),
                Err(refused) => Err(refused.give_up().into()),
            },
            Err(error) => {
                change.give_up();
                Err(error)
            }
        }
    }
}

impl<'g, R: Rule> Change<'g, R> {
    /// The graph as changed so far. What its nodes demand of their children is up to date only
    /// where no step of the change bears on it.
    pub fn graph(&self) -> &Graph<R> {
        self.graph
    }

    pub(crate) fn graph_mut(&mut self) -> &mut Graph<R> {
        self.graph
    }

    /// Adds the child `child` to the node `parent`, in the given role, by the parent's driver.
    ///
    /// # Errors
    ///
    /// [`Refusal::Cycle`], [`Refusal::InactiveChild`] where an active node would get an inactive
    /// child, and [`Refusal::InactiveNode`] where more than consistent reads are taken on an
    /// inactive one.
    pub fn attach(
        &mut self,
        parent: NodeId,
        child: NodeId,
        name: &str,
        role: Role,
    ) -> Result<EdgeId, Refusal> {
        let row = self.graph.row_for(parent, child, role);
        self.attach_with_row(parent, child, name, role, row)
    }

    /// [`Change::attach`] with a row of the caller's, for graphs whose drivers are not QEMU's.
    ///
    /// # Errors
    ///
    /// Those of [`Change::attach`].
    pub fn attach_with_row(
        &mut self,
        parent: NodeId,
        child: NodeId,
        name: &str,
        role: Role,
        row: Row,
    ) -> Result<EdgeId, Refusal> {
        self.require_active_child(parent, child, name)?;
        self.require_order(parent, child, name)?;
        let attached = self.graph.parents(parent).next().is_some();
        self.require_available(child, row.evaluate(self.graph.demand_on(parent), attached))?;
        let row = self.graph.rows.keep(row);
        let edge = self.graph.insert_edge(parent.into(), child, name, role, row);
        self.graph.edge_mut(edge).hold = self.graph.hold_by_row(edge);
        self.link_new(edge);
        self.graph.scratch.starts.push(parent);
        Ok(edge)
    }

    /// Adds the child `child` to a parent that is not a node, demanding `demand`.
    ///
    /// # Errors
    ///
    /// [`Refusal::InactiveNode`] where the child is inactive and more than consistent reads are
    /// taken.
    pub fn attach_root(
        &mut self,
        root: RootId,
        child: NodeId,
        name: &str,
        demand: Demand,
    ) -> Result<EdgeId, Refusal> {
        self.require_available(child, demand)?;
        let graph = &mut *self.graph;
        let edge = graph.insert_edge(root.into(), child, name, Role::empty(), RowId::NOTHING);
        let owner = graph.root_owner(root);
        graph.edge_mut(edge).hold = graph.rule.originate(demand, owner);
        self.link_new(edge);
        self.graph.scratch.starts.push(child);
        Ok(edge)
    }

    fn link_new(&mut self, edge: EdgeId) {
        self.graph.link(edge, Place::FIRST);
        self.graph.count_in(edge);
        self.graph.log.push(Undo::Attached { edge });
    }

    fn unlink(&mut self, edge: EdgeId) {
        self.graph.count_out(edge);
        let place = self.graph.unlink(edge);
        self.graph.log.push(Undo::Unlinked { edge, place });
    }

    /// Makes an edge whose parent is not a node demand `demand`.
    ///
    /// # Panics
    ///
    /// Panics when the edge's parent is a node: its demand follows from the driver.
    pub fn set_demand(&mut self, edge: EdgeId, demand: Demand) {
        let Parent::Root(root) = self.graph.parent_of(edge) else {
            panic!("what a node demands follows from its driver");
        };
        let owner = self.graph.root_owner(root);
        let hold = self.graph.rule.originate(demand, owner);
        self.graph.set_hold(edge, hold);
        self.graph.scratch.starts.push(self.graph.child_of(edge));
    }

    /// Removes an edge.
    ///
    /// # Errors
    ///
    /// [`Refusal::Frozen`].
    pub fn detach(&mut self, edge: EdgeId) -> Result<(), Refusal> {
        self.require_thawed(edge)?;
        if let Parent::Node(parent) = self.graph.parent_of(edge) {
            self.graph.scratch.starts.push(parent);
        }
        self.graph.scratch.starts.push(self.graph.child_of(edge));
        self.unlink(edge);
        self.graph.scratch.removed.push(edge);
        Ok(())
    }

    /// Removes an edge from a node, and refreshes the node but not the child: what that demands of
    /// what is below it stays as it was until an update begins at it or above it.
    ///
    /// QEMU's quirk 9, of `bdrv_set_backing_hd_drained` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Refusal::Frozen`].
    ///
    /// # Panics
    ///
    /// Panics when the parent is not a node.
    pub fn detach_unnoticed(&mut self, edge: EdgeId) -> Result<(), Refusal> {
        self.require_thawed(edge)?;
        let Parent::Node(parent) = self.graph.parent_of(edge) else {
            panic!("only nodes leave their children unnoticed");
        };
        let Edge { child, hold, .. } = *self.graph.edge(edge);
        self.make_stale(child);
        let graph = &mut *self.graph;
        graph.scratch.starts.push(parent);
        let place = graph.unlink(edge);
        graph.log.push(Undo::Unlinked { edge, place });
        graph.scratch.removed.push(edge);
        graph.nodes[child.key()].incoming.remove(&graph.rule, hold);
        graph.add_up(child);
        Ok(())
    }

    /// Makes an edge end at `to` instead of where it ends; it becomes the newest there.
    ///
    /// QEMU's quirk: what it shares because the one node is force-shared, and the other not, follows
    /// only when its parent is visited.
    ///
    /// # Errors
    ///
    /// [`Refusal::Frozen`], and those of [`Change::attach`] and [`Change::attach_root`].
    pub fn move_edge(&mut self, edge: EdgeId, to: NodeId) -> Result<(), Refusal> {
        self.require_thawed(edge)?;
        if let Parent::Node(parent) = self.graph.parent_of(edge) {
            let name = self.graph.edge_name(edge).to_owned();
            self.require_order(parent, to, &name)?;
        }
        self.unlink(edge);
        let from = std::mem::replace(&mut self.graph.edge_mut(edge).child, to);
        self.graph.scratch.left.push(from);
        self.graph.link(edge, Place::FIRST);
        self.graph.count_in(edge);
        self.graph.log.push(Undo::Relinked { edge, from });
        let is_force_shared = |node| self.graph.state(node).contains(State::FORCE_SHARE);
        if is_force_shared(from) == is_force_shared(to) {
            self.refresh_row(edge);
        } else {
            self.refresh_row_unnoticed(edge);
        }
        Ok(())
    }

    /// Moves every edge into `from` to `to`, except those of jobs and those of nodes below `to`;
    /// the oldest becomes the newest there.
    ///
    /// Source: `bdrv_replace_node_noperm`, `should_update_child` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// Those of [`Change::move_edge`].
    pub fn replace(&mut self, from: NodeId, to: NodeId) -> Result<(), Refusal> {
        let below = self.graph.subtree(to);
        let stays = |edge| match self.graph.parent_of(edge) {
            Parent::Node(parent) => below.contains(&parent),
            Parent::Root(_) => self.graph.stays_at_node(edge),
        };
        let moving: Vec<EdgeId> = self.graph.parents(from).filter(|&edge| !stays(edge)).collect();
        for edge in moving {
            self.move_edge(edge, to)?;
        }
        self.graph.scratch.starts.extend([from, to]);
        Ok(())
    }

    /// Makes `driver` the node's driver.
    pub fn set_driver(&mut self, node: NodeId, driver: &'static Driver) {
        let state = self.graph.state(node);
        self.set_node(node, driver, state);
    }

    /// Gives the node the state `state`.
    pub fn set_state(&mut self, node: NodeId, state: State) {
        let driver = self.graph.driver(node);
        self.set_node(node, driver, state);
    }

    fn set_node(&mut self, id: NodeId, driver: &'static Driver, state: State) {
        let node = self.graph.node_mut(id);
        let old_driver = std::mem::replace(&mut node.driver, driver);
        let old_state = std::mem::replace(&mut node.state, state);
        self.graph.log.push(Undo::Node { node: id, driver: old_driver, state: old_state });
        if state.difference(old_state).contains(State::INACTIVE) && state.contains(State::LOCKING) {
            let demand = self.graph.demand_on(id);
            self.graph.locks.keep(id, demand);
        }
        self.graph.enqueue(id);
        self.graph.scratch.starts.push(id);
        let children: Vec<EdgeId> = self.graph.children(id).collect();
        children.into_iter().for_each(|edge| self.refresh_row(edge));
        if (old_state ^ state).contains(State::FORCE_SHARE) {
            let parents: Vec<EdgeId> = self.graph.parents(id).collect();
            parents.into_iter().for_each(|edge| self.refresh_row(edge));
        }
    }

    /// Lets QEMU begin the update at these nodes, in this order, instead of where the steps so far
    /// would have it begin: it decides on which of several faults is reported first.
    pub fn set_starts(&mut self, starts: Vec<NodeId>) {
        self.graph.scratch.starts = starts;
    }

    /// Freezes the edge, so that it can be neither moved nor removed, or thaws it.
    pub fn set_frozen(&mut self, edge: EdgeId, frozen: bool) {
        let old = std::mem::replace(&mut self.graph.edge_mut(edge).frozen, frozen);
        self.graph.log.push(Undo::Frozen { edge, old });
    }

    /// Brings the edge's row up to date with its two ends, and what it holds with that row.
    fn refresh_row(&mut self, edge: EdgeId) {
        let Parent::Node(parent) = self.graph.parent_of(edge) else { return };
        let row = self.graph.row_for(parent, self.graph.child_of(edge), self.graph.role(edge));
        let row = self.graph.rows.keep(row);
        let old = std::mem::replace(&mut self.graph.edge_mut(edge).row, row);
        if old != row {
            self.graph.log.push(Undo::Row { edge, old });
            let hold = self.graph.hold_by_row(edge);
            self.graph.set_hold(edge, hold);
        }
    }

    /// Brings the edge's row up to date, but not what it holds, until an update begins at its parent
    /// or above it.
    ///
    /// QEMU's quirk: whether a child is force-shared is looked at only when its parent is visited.
    ///
    /// Source: `bdrv_child_perm` in `block.c`, QEMU 10.0.
    fn refresh_row_unnoticed(&mut self, edge: EdgeId) {
        let Parent::Node(parent) = self.graph.parent_of(edge) else { return };
        let row = self.graph.row_for(parent, self.graph.child_of(edge), self.graph.role(edge));
        let row = self.graph.rows.keep(row);
        let old = std::mem::replace(&mut self.graph.edge_mut(edge).row, row);
        self.graph.log.push(Undo::Row { edge, old });
        if old != row {
            self.make_stale(parent);
        }
    }

    fn make_stale(&mut self, node: NodeId) {
        if self.graph.become_stale(node) {
            self.graph.log.push(Undo::BecameStale { node });
        }
    }

    fn require_thawed(&self, edge: EdgeId) -> Result<(), Refusal> {
        if !self.graph.is_frozen(edge) {
            return Ok(());
        }
        Err(Refusal::Frozen {
            edge: self.graph.edge_name(edge).to_owned(),
            child: self.graph.name(self.graph.child_of(edge)).to_owned(),
        })
    }

    fn require_order(&mut self, parent: NodeId, child: NodeId, name: &str) -> Result<(), Refusal> {
        self.graph.order_edge(parent, child).map_err(|Cycle| Refusal::Cycle {
            parent: self.graph.name(parent).to_owned(),
            child: self.graph.name(child).to_owned(),
            edge: name.to_owned(),
        })
    }

    fn require_active_child(
        &self,
        parent: NodeId,
        child: NodeId,
        name: &str,
    ) -> Result<(), Refusal> {
        let inactive = |node| self.graph.state(node).contains(State::INACTIVE);
        if !inactive(child) || inactive(parent) {
            return Ok(());
        }
        Err(Refusal::InactiveChild {
            parent: self.graph.name(parent).to_owned(),
            child: self.graph.name(child).to_owned(),
            edge: name.to_owned(),
        })
    }

    fn require_available(&self, child: NodeId, demand: Demand) -> Result<(), Refusal> {
        let inactive = self.graph.state(child).contains(State::INACTIVE);
        if inactive && !Permissions::CONSISTENT_READ.contains(demand.take()) {
            return Err(Refusal::InactiveNode { permissions: demand.take() });
        }
        Ok(())
    }

    /// Takes the change back as QEMU does, which puts each edge back as the newest.
    ///
    /// Source: `bdrv_replace_child_abort` in `block.c`, QEMU 10.0.
    pub(crate) fn give_up(self) {
        let of = |undo: &Undo<R::Hold>| match *undo {
            Undo::Unlinked { edge, .. } => Some(edge),
            _ => None,
        };
        let unlinked: Vec<EdgeId> = self.graph.log.iter().rev().filter_map(of).collect();
        self.graph.roll_back();
        for edge in unlinked {
            if self.graph.edges.contains(edge.key()) {
                self.graph.unlink(edge);
                self.graph.link(edge, Place::FIRST);
            }
        }
    }

    /// Judges the change and takes it back, whatever the verdict, which is whether it would be
    /// accepted.
    pub fn try_out(self) -> bool {
        self.graph.update().is_empty()
    }

    /// Judges the change and, if it is accepted, makes it final.
    ///
    /// Nodes that nothing refers to any more are gone then: see [`Graph::release`].
    ///
    /// # Errors
    ///
    /// The refusal, through which the refused state can still be looked at. Once that is dropped
    /// the graph is as before.
    pub fn commit(self) -> Result<(), Refused<'g, R>> {
        let faulty = self.graph.update();
        if !faulty.is_empty() {
            return Err(Refused { change: self, faulty });
        }
        self.graph.conclude();
        Ok(())
    }
}

/// A change that was not made final is taken back.
impl<R: Rule> Drop for Change<'_, R> {
    fn drop(&mut self) {
        self.graph.roll_back();
    }
}

impl<R: Rule> Graph<R> {
    /// Notes whether a node's length is not a multiple of its request alignment. It is judged when an
    /// update begins at it or above it.
    pub fn set_unaligned(&mut self, node: NodeId, unaligned: bool) {
        let state = &mut self.node_mut(node).state;
        if state.contains(State::UNALIGNED) != unaligned {
            state.set(State::UNALIGNED, unaligned);
            self.become_stale(node);
        }
    }

    /// Notes whether a preallocate node takes itself to have preallocated. It demands accordingly when
    /// an update begins at it or above it.
    pub fn set_preallocated(&mut self, node: NodeId, preallocated: bool) {
        let mut state = self.state(node);
        state.set(State::PREALLOCATED, preallocated);
        self.set_state_unnoticed(node, state);
    }

    /// Makes a node inactive, and read-only or not, of which its children learn only when an update
    /// begins at it or above it.
    ///
    /// QEMU's quirk, of `bdrv_reopen_commit` and `bdrv_activate` in `block.c`, QEMU 10.0.
    pub fn make_inactive_unnoticed(&mut self, node: NodeId, read_only: bool) {
        debug_assert!(self.log.is_empty(), "one change at a time");
        let mut state = self.state(node);
        state.set(State::READ_ONLY, read_only);
        state.insert(State::INACTIVE);
        if state.contains(State::LOCKING) {
            let demand = self.demand_on(node);
            self.locks.keep(node, demand);
        }
        self.set_state_unnoticed(node, state);
    }

    fn set_state_unnoticed(&mut self, node: NodeId, state: State) {
        self.node_mut(node).state = state;
        for edge in self.children(node).collect::<Vec<_>>() {
            let row = self.row_for(node, self.child_of(edge), self.role(edge));
            let row = self.rows.keep(row);
            self.edge_mut(edge).row = row;
        }
        self.become_stale(node);
    }

    /// Lets a node forget that it has preallocated, since it may write and resize now: it goes on from
    /// there, and demands the same for that.
    pub(crate) fn regain(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        let (driver, old) = (node.driver, node.state);
        node.state.remove(State::PREALLOCATED);
        self.log.push(Undo::Node { node: id, driver, state: old });
        for edge in self.children(id).collect::<Vec<_>>() {
            let row = self.row_for(id, self.child_of(edge), self.role(edge));
            let row = self.rows.keep(row);
            let old = std::mem::replace(&mut self.edge_mut(edge).row, row);
            self.log.push(Undo::Row { edge, old });
        }
        if self.become_stale(id) {
            self.log.push(Undo::BecameStale { node: id });
        }
    }

    /// What an edge out of a node holds by its row.
    pub(crate) fn hold_by_row(&mut self, edge: EdgeId) -> R::Hold {
        let edge = &self.edges[edge.key()];
        let Parent::Node(parent) = edge.parent else {
            unreachable!("only nodes have rows");
        };
        let parent = &self.nodes[parent.key()];
        self.rule.pass(&self.rows, edge.row, parent.sum, parent.attached, parent.owner)
    }

    fn set_hold(&mut self, id: EdgeId, hold: R::Hold) {
        let old = self.edge(id).hold;
        if old != hold {
            self.count_out(id);
            self.edge_mut(id).hold = hold;
            self.count_in(id);
            self.log.push(Undo::Hold { edge: id, old });
        }
    }

    pub(crate) fn count_in(&mut self, edge: EdgeId) {
        let Edge { child, hold, .. } = self.edges[edge.key()];
        self.nodes[child.key()].incoming.add(&self.rule, hold);
        self.enqueue(child);
    }

    pub(crate) fn count_out(&mut self, edge: EdgeId) {
        let Edge { child, hold, .. } = self.edges[edge.key()];
        self.nodes[child.key()].incoming.remove(&self.rule, hold);
        self.enqueue(child);
    }

    /// Makes the change in progress final: forgets how to undo it, and what it let go.
    fn conclude(&mut self) {
        self.log.clear();
        self.scratch.starts.clear();
        while let Some(edge) = self.scratch.removed.pop() {
            let child = self.edges.remove(edge.key()).child;
            self.scratch.left.push(child);
        }
        self.collect();
    }

    /// Lets go of a node that was added, or [kept](Graph::keep), once: a node that nobody holds and
    /// that has no parent is gone, and with it every node below that only it referred to.
    ///
    /// # Panics
    ///
    /// Panics when nobody holds the node.
    pub fn release(&mut self, node: NodeId) {
        self.node_mut(node).references -= 1;
        self.scratch.left.push(node);
        self.collect();
    }

    /// Holds the node once more, so that it stays, whether or not it has a parent, until it is
    /// [released](Graph::release).
    pub fn keep(&mut self, node: NodeId) {
        self.node_mut(node).references += 1;
    }

    /// Whether the node's driver has a child to drop when the node is closed.
    fn drops_a_child(&self, node: NodeId) -> bool {
        let drops = self.driver(node).drops;
        drops.is_some_and(|prefix| {
            self.children(node).any(|edge| self.edge_name(edge).starts_with(prefix))
        })
    }

    /// Removes those of the nodes that were left, or released, to which nothing refers any more, and
    /// what only they referred to.
    fn collect(&mut self) {
        while let Some(id) = self.scratch.left.pop() {
            let gone = self
                .nodes
                .get(id.key())
                .is_some_and(|node| node.references == 0 && !node.is_attached());
            if gone {
                self.closings += 1 + usize::from(self.drops_a_child(id));
                while let Some(edge) = self.first_child(id) {
                    self.count_out(edge);
                    self.unlink(edge);
                    let child = self.edges.remove(edge.key()).child;
                    self.scratch.starts.push(child);
                    self.scratch.left.push(child);
                }
                self.forget_node(id);
            }
        }
        let Graph { nodes, scratch, .. } = self;
        scratch.dirty.retain(|id| nodes.contains(id.key()));
        scratch.starts.retain(|id| nodes.contains(id.key()));
        self.update_ignoring_faults();
        self.scratch.starts.clear();
        self.log.clear();
    }
}
