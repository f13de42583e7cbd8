//! Nodes that become inactive, so that another process may use their images, and active again.
//!
//! Whoever gives a node away keeps its users: what a BlockBackend demands is suspended meanwhile.

use std::collections::{HashMap, HashSet};

use blkperm_graph::driver::PREALLOCATE;
use blkperm_graph::{
    Demand, EdgeId, Holder, NodeId, Parent, Permissions, Refusal, RootId, Rule, State,
};

use crate::denied::Denied;
use crate::layer::BlockLayer;

/// What is done with each node that becomes active.
type Look<'l, R> = dyn FnMut(&mut BlockLayer<R>, NodeId) -> Result<(), Denied> + 'l;

/// What is known of BlockBackends for when their nodes become inactive.
///
/// Source: `force_allow_inactivate`, `disable_perm` of `BlockBackend`, QEMU 10.0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspensions {
    /// Those that put up with it, whatever they demand.
    willing: HashSet<RootId>,
    /// What those demand again once their nodes are active that demand nothing now.
    demands: HashMap<RootId, Demand>,
}

impl Suspensions {
    /// Forgets a BlockBackend that is gone, whose id may come again.
    pub(crate) fn forget(&mut self, backend: RootId) {
        self.willing.remove(&backend);
        self.demands.remove(&backend);
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Lets a BlockBackend's node become inactive, whatever the BlockBackend demands.
    ///
    /// Source: `blk_set_force_allow_inactivate` in `block/block-backend.c`, QEMU 10.0.
    pub fn allow_inactive(&mut self, backend: RootId) {
        self.suspensions.willing.insert(backend);
    }

    /// Notes what a BlockBackend is to demand, which demands nothing yet, once its node is active.
    pub fn suspend_until_active(&mut self, backend: RootId, demand: Demand) {
        self.suspensions.demands.insert(backend, demand);
    }

    /// Makes a BlockBackend with a node demand something: at once or, where what it demands is
    /// suspended, once the node is active.
    ///
    /// Source: `blk_set_perm` in `block/block-backend.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// The refusal; the BlockBackend then demands what it did.
    pub fn set_backend_demand(&mut self, backend: RootId, demand: Demand) -> Result<(), Refusal> {
        if let Some(suspended) = self.suspensions.demands.get_mut(&backend) {
            *suspended = demand;
            return Ok(());
        }
        let edge = self.graph.children(backend).next();
        edge.map_or(Ok(()), |edge| self.set_demand(edge, demand))
    }

    /// Makes a node active, after those below it, and gives its BlockBackends what they demand. Who was
    /// not active before is looked at by `look` when it is.
    ///
    /// Source: `bdrv_activate` in `block.c`, `blk_root_activate` in `block/block-backend.c`,
    /// QEMU 10.0.
    ///
    /// # Errors
    ///
    /// The refusal, or what `look` fails with; what was made active before it stays so.
    pub fn activate(&mut self, node: NodeId, look: &mut Look<'_, R>) -> Result<(), Denied> {
        for child in self.children_of(node) {
            self.activate(child, look)?;
        }
        let was_inactive = self.is_inactive(node);
        if was_inactive {
            self.set_inactive(node, false)?;
        }
        self.use_again(node, was_inactive, look).inspect_err(|_| {
            // QEMU's quirk: its children are not told.
            let read_only = self.graph.state(node).contains(State::READ_ONLY);
            self.graph.make_inactive_unnoticed(node, read_only);
        })
    }

    /// Looks at a node that has become active, and gives its BlockBackends what they demand.
    fn use_again(
        &mut self,
        node: NodeId,
        was_inactive: bool,
        look: &mut Look<'_, R>,
    ) -> Result<(), Denied> {
        if was_inactive {
            look(self, node)?;
        }
        for (backend, edge) in self.backends_of(node) {
            if let Some(&demand) = self.suspensions.demands.get(&backend) {
                self.set_demand(edge, demand)?;
                self.suspensions.demands.remove(&backend);
            }
        }
        Ok(())
    }

    /// Makes every node active that has a BlockBackend, and every one of `owned`, as
    /// [`activate`](Self::activate) does.
    ///
    /// Source: `bdrv_activate_all` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// Those of [`activate`](Self::activate).
    pub fn activate_all(&mut self, owned: &[NodeId], look: &mut Look<'_, R>) -> Result<(), Denied> {
        self.all_nodes(owned).into_iter().try_for_each(|node| self.activate(node, look))
    }

    /// Makes a node inactive, and then those below it that no active node is above.
    ///
    /// Source: `bdrv_inactivate` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::ActiveParent`], with nothing changed; [`Denied::StillWritten`]: QEMU's quirk 12: what
    /// was made inactive before that stays so.
    pub fn inactivate(&mut self, node: NodeId) -> Result<(), Denied> {
        if self.has_active_parent(node) {
            return Err(Denied::ActiveParent);
        }
        self.holding_preallocated(|layer, held| layer.inactivate_with_children(node, held))
    }

    /// Makes every node inactive that has a BlockBackend, and every one of `owned`, unless another
    /// node is above it, and those below them that no active node is above then.
    ///
    /// Source: `bdrv_inactivate_all` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::StillWritten`]; what was made inactive before that stays so.
    pub fn inactivate_all(&mut self, owned: &[NodeId]) -> Result<(), Denied> {
        self.holding_preallocated(|layer, held| {
            for node in layer.all_nodes(owned) {
                let is_node = |edge| matches!(layer.graph.parent_of(edge), Parent::Node(_));
                if !layer.graph.parents(node).any(is_node) {
                    layer.inactivate_with_children(node, held)?;
                }
            }
            Ok(())
        })
    }

    /// Makes nodes inactive with `inactivate`, which is given the `preallocate` nodes that have their
    /// child to themselves.
    ///
    /// QEMU's quirk: such a node, once nobody writes and resizes it, lets go of its child only after
    /// the command, so that the child is still written when it is to become inactive.
    ///
    /// Source: `preallocate_set_perm`, `preallocate_drop_resize` in `block/preallocate.c`, QEMU 10.0.
    fn holding_preallocated(
        &mut self,
        inactivate: impl FnOnce(&mut Self, &[NodeId]) -> Result<(), Denied>,
    ) -> Result<(), Denied> {
        let mut held = self.graph.nodes();
        held.retain(|&node| {
            let state = self.graph.state(node);
            !state.contains(State::PREALLOCATED) && self.has_child_to_itself(node)
        });
        let result = inactivate(self, &held);
        for node in held {
            let mut state = self.graph.state(node);
            state.remove(State::PREALLOCATED);
            // Who demands less is never refused.
            let _ = self.set_state(node, state);
        }
        result
    }

    /// Lets those `preallocate` nodes keep their child that have it to themselves, whatever is asked of
    /// them by the next update.
    fn keep_children(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            if self.has_child_to_itself(node) {
                self.graph.set_preallocated(node, true);
            }
        }
    }

    /// Whether a `preallocate` node writes and resizes its child, which nobody else may then.
    pub(crate) fn has_child_to_itself(&self, node: NodeId) -> bool {
        const BOTH: Permissions = Permissions::WRITE.union(Permissions::RESIZE);
        let takes_both = |edge| self.graph.demand(edge).take().contains(BOTH);
        self.graph.driver(node) == &PREALLOCATE
            && self.graph.filtered_edge(node).is_some_and(takes_both)
    }

    /// Makes a node inactive, and what is below it; the `preallocate` nodes `held` keep their child.
    ///
    /// Source: `bdrv_inactivate_recurse` in `block.c`, QEMU 10.0.
    fn inactivate_with_children(&mut self, node: NodeId, held: &[NodeId]) -> Result<(), Denied> {
        const WRITING: Permissions = Permissions::WRITE.union(Permissions::WRITE_UNCHANGED);
        if self.has_active_parent(node) || self.is_inactive(node) {
            return Ok(());
        }
        for (backend, edge) in self.backends_of(node) {
            let demand = self.graph.demand(edge);
            if self.suspensions.demands.contains_key(&backend) {
                continue;
            }
            if demand.take().intersects(WRITING) && !self.is_willing(backend) {
                return Err(Denied::StillWritten);
            }
            self.suspensions.demands.insert(backend, demand);
            self.keep_children(held);
            // Demanding nothing is never refused.
            let _ = self.set_demand(edge, Demand::NONE);
        }
        if self.graph.demand_on(node).take().intersects(WRITING) {
            return Err(Denied::StillWritten);
        }
        self.drain(node);
        self.keep_children(held);
        // QEMU ignores it when this is refused, which demands less.
        let _ = self.set_inactive(node, true);
        self.children_of(node)
            .into_iter()
            .try_for_each(|child| self.inactivate_with_children(child, held))
    }

    /// Source: `blk_can_inactivate` in `block/block-backend.c`, QEMU 10.0.
    fn is_willing(&self, backend: RootId) -> bool {
        matches!(self.graph.holder(backend), Holder::Device { .. })
            || self.suspensions.willing.contains(&backend)
    }

    /// The nodes that an operation on all nodes meets: those with a BlockBackend, by the age of
    /// their newest one, then the others of `owned`.
    ///
    /// QEMU's quirk: of those it meets only the ones behind the last node with a BlockBackend, and
    /// none where that is not one of them.
    ///
    /// Source: `bdrv_next` in `block/block-backend.c`, QEMU 10.0.
    fn all_nodes(&self, owned: &[NodeId]) -> Vec<NodeId> {
        let newest = |node| self.backends_of(node).first().map(|&(backend, _)| backend);
        let node_of = |root: &RootId| {
            let edge = self.graph.children(*root).next()?;
            Some(self.graph.child_of(edge)).filter(|&node| newest(node) == Some(*root))
        };
        let mut nodes: Vec<NodeId> = self.graph.roots().iter().filter_map(node_of).collect();
        let behind_last = match nodes.last() {
            None => owned,
            Some(last) => match owned.iter().position(|node| node == last) {
                Some(place) => &owned[place + 1..],
                None => &[],
            },
        };
        nodes.extend(behind_last.iter().copied().filter(|&node| newest(node).is_none()));
        nodes
    }

    /// The BlockBackends on a node with their edges, newest first.
    fn backends_of(&self, node: NodeId) -> Vec<(RootId, EdgeId)> {
        let graph = &self.graph;
        let backend = |edge| match graph.parent_of(edge) {
            Parent::Root(root) if !matches!(graph.holder(root), Holder::Job { .. }) => {
                Some((root, edge))
            }
            _ => None,
        };
        graph.parents(node).filter_map(backend).collect()
    }

    fn children_of(&self, node: NodeId) -> Vec<NodeId> {
        self.graph.children(node).map(|edge| self.graph.child_of(edge)).collect()
    }

    /// Whether a node is inactive.
    pub fn is_inactive(&self, node: NodeId) -> bool {
        self.graph.state(node).contains(State::INACTIVE)
    }

    fn has_active_parent(&self, node: NodeId) -> bool {
        self.graph.parents(node).any(|edge| match self.graph.parent_of(edge) {
            Parent::Node(parent) => !self.is_inactive(parent),
            Parent::Root(_) => false,
        })
    }

    fn set_inactive(&mut self, node: NodeId, inactive: bool) -> Result<(), Refusal> {
        let mut state = self.graph.state(node);
        state.set(State::INACTIVE, inactive);
        self.set_state(node, state)
    }

    fn set_state(&mut self, node: NodeId, state: State) -> Result<(), Refusal> {
        self.graph.transact(|change| {
            change.set_state(node, state);
            Ok(())
        })
    }

    fn set_demand(&mut self, edge: EdgeId, demand: Demand) -> Result<(), Refusal> {
        self.graph.transact(|change| {
            change.set_demand(edge, demand);
            Ok(())
        })
    }
}
