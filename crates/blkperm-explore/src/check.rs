//! What is checked in every state.

use blkperm_graph::{Claim, Demand, EdgeId, NodeId, Owner, Parent, Permissions, Rule};
use blkperm_jobs::Completion;

use crate::stage::{Kept, Stage, World};

/// What a refused command has left of itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trace {
    /// Nothing: every edge is as it was.
    Nothing,
    /// BlockBackends of nobody's, and every edge would be as it was without them. That is QEMU's quirk:
    /// when steps are judged one by one, a stream that is refused late leaves its BlockBackend behind.
    Backend,
    /// Something else, which breaks law 5.
    Edges,
}

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

    /// Law 5: what a command that was refused has left of itself in a world that was as `before` says.
    pub(crate) fn trace(&self, world: &mut World<R>, before: &Kept<R>) -> Trace {
        let is_as_before = |world: &World<R>| world.layer.graph.has_edges_of(before.layer.graph());
        if is_as_before(world) {
            return Trace::Nothing;
        }
        if self.completion == Completion::Atomic {
            return Trace::Edges;
        }
        let after = world.keep();
        let left_now = world.left_behind();
        world.go_back(before);
        let left_before = world.left_behind();
        world.go_back(&after);
        for root in left_now.into_iter().filter(|root| !left_before.contains(root)) {
            world.layer.remove_backend(root);
        }
        let trace = if is_as_before(world) { Trace::Backend } else { Trace::Edges };
        world.go_back(&after);
        trace
    }

    /// The nodes on which edges may meet: all but strangers, and files where only images stand.
    fn nodes(&self, world: &World<R>) -> impl Iterator<Item = NodeId> + use<'_, R> {
        let files = self.files.iter().flatten().filter(|_| self.universe.files);
        self.images.iter().chain(files).copied().chain(world.cast.filters.into_iter().flatten())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, Place};
    use crate::universe::Universe;
    use blkperm_baseline::Baseline;

    #[test]
    fn a_late_refused_stream_leaves_its_block_backend_and_nothing_else() {
        let text = Universe::preset("two-jobs").and_then(Universe::parse);
        let resize = 3;
        let add = Action::AddStranger { slot: 0, place: Place::Image(1), demand: resize };
        let (device, base, manual) = (Place::Image(2), None, false);
        let stream = |slot| Action::Stream { slot, device, base, manual };
        let traces = |completion| {
            let stage = Stage::new(text.clone().unwrap(), Baseline, completion);
            let mut world = stage.start();
            [add, stream(0), stream(1)].map(|action| {
                let before = world.keep();
                stage.act(&mut world, action);
                stage.trace(&mut world, &before)
            })
        };
        // The first is no refusal: what changes edges and is no such BlockBackend is told from it.
        let [edges, backend, nothing] = [Trace::Edges, Trace::Backend, Trace::Nothing];
        assert_eq!(traces(Completion::Stepwise), [edges, backend, backend]);
        assert_eq!(traces(Completion::Atomic), [edges, nothing, nothing]);
    }
}
