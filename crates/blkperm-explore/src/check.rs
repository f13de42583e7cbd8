//! What is checked in every state.

use blkperm_graph::{Claim, Demand, EdgeId, NodeId, Owner, Parent, Permissions, Rule};
use blkperm_jobs::Completion;

use crate::action::Action;
use crate::stage::{Kept, Stage, World};

impl<R: Rule + Clone> Stage<R> {
    /// Checks the graph's invariants and, under a rule with owners, laws 2 and 3; gives a sentence
    /// about each that does not hold.
    pub fn check(&self, world: &mut World<R>) -> Vec<String> {
        let invariants = world.layer.graph.check_invariants();
        let mut broken: Vec<String> = invariants.err().into_iter().collect();
        if R::OWNERSHIP {
            broken.extend(world.check_laundering(self.nodes(world)).err());
            let filters = world.cast.filters;
            let dropped = filters.into_iter().flatten().map(|filter| world.check_drop(filter));
            broken.extend(dropped.filter_map(Result::err));
        }
        broken
    }

    /// Law 5: whether a refused command has changed an edge, other than by QEMU's quirk that a stream
    /// which is refused late leaves its BlockBackend behind when steps are judged one by one.
    pub(crate) fn has_left_trace(
        &self,
        world: &World<R>,
        before: &Kept<R>,
        action: Action,
    ) -> bool {
        let leaves_backend =
            matches!(action, Action::Stream { .. }) && self.completion == Completion::Stepwise;
        !leaves_backend && !world.layer.graph.has_edges_of(before.layer.graph())
    }

    /// The nodes on which edges may meet: all but strangers and files.
    fn nodes(&self, world: &World<R>) -> impl Iterator<Item = NodeId> + use<'_, R> {
        self.images.iter().copied().chain(world.cast.filters.into_iter().flatten())
    }
}

impl<R: Rule> World<R> {
    /// Law 2, on what the edges into each node claim: what is taken for nobody is unshared by no
    /// other edge but for owners through whose filters it came.
    fn check_laundering(&self, nodes: impl Iterator<Item = NodeId>) -> Result<(), String> {
        let graph = &self.layer.graph;
        for node in nodes {
            let demand = graph.demand_on(node);
            let disputed = demand.take() & demand.unshare();
            disputed.iter().try_for_each(|permission| self.check_permission(node, permission))?;
        }
        Ok(())
    }

    fn check_permission(&self, node: NodeId, permission: Permissions) -> Result<(), String> {
        let graph = &self.layer.graph;
        let of = |demand: Demand| -> Vec<(EdgeId, Claim)> {
            let holding = graph.parents(node).filter(|&edge| graph.demand(edge).contains(demand));
            let claims =
                |edge| graph.rule().claims(graph.hold(edge)).into_iter().map(move |c| (edge, c));
            holding.flat_map(claims).filter(|(_, claim)| claim.slot.demand() == demand).collect()
        };
        let takes = of(Demand::taking(permission));
        let unshares = of(Demand::unsharing(permission));
        for (taker, take) in takes.iter().filter(|(_, take)| take.owner.is_none()) {
            for (_, unshare) in unshares.iter().filter(|(unsharer, _)| unsharer != taker) {
                let passed = |owner: Owner| take.through.contains(&owner);
                if !unshare.owner.is_some_and(passed) {
                    let (name, permission) = (graph.name(node), permission.qmp_name());
                    return Err(format!("law 2: {permission} is laundered at node '{name}'"));
                }
            }
        }
        Ok(())
    }

    /// Law 3: an owner's filter can be dropped onto its child, with all edges of the owner's.
    fn check_drop(&mut self, filter: NodeId) -> Result<(), String> {
        let graph = &self.layer.graph;
        let owner = graph.filter_owner(filter).expect("a job's filter has its owner");
        // A filter that was dropped stays, without a child, until its job is dismissed.
        let Some(edge) = graph.filtered_edge(filter) else { return Ok(()) };
        let below = graph.child_of(edge);
        let is_own = |root| graph.root_owner(root) == Some(owner);
        let own = graph.roots().into_iter().filter(|&root| is_own(root));
        let own = own.flat_map(|root| graph.children(root));
        let leaving: Vec<EdgeId> = own.chain(graph.children(filter)).collect();
        let moves = |&edge: &EdgeId| match graph.parent_of(edge) {
            Parent::Root(root) => !is_own(root),
            Parent::Node(_) => true,
        };
        let moving: Vec<EdgeId> = graph.parents(filter).filter(moves).collect();
        let mut change = self.layer.graph.change();
        // Whether a chain is frozen does not bear on the law: a job thaws its own.
        moving.iter().chain(&leaving).for_each(|&edge| change.set_frozen(edge, false));
        let moved = moving.into_iter().try_for_each(|edge| change.move_edge(edge, below));
        let done = moved.and_then(|()| leaving.into_iter().try_for_each(|e| change.detach(e)));
        let is_accepted = match done {
            Ok(()) => change.try_out(),
            Err(_) => {
                drop(change);
                false
            }
        };
        if is_accepted {
            return Ok(());
        }
        Err(format!("law 3: '{}' cannot be dropped", self.layer.graph.name(filter)))
    }
}
