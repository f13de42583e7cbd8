//! What is checked in every state.

use blkperm_graph::{Claim, Demand, EdgeId, NodeId, Owner, Parent, Permissions, Rule};

use crate::stage::World;

impl<R: Rule + Clone> World<R> {
    /// Checks the graph's invariants and, under a rule with owners, laws 2 and 3.
    ///
    /// # Errors
    ///
    /// A sentence about the first that does not hold.
    pub fn check(&mut self) -> Result<(), String> {
        self.layer.graph.check_invariants()?;
        if R::OWNERSHIP {
            self.check_laundering()?;
            self.check_dropping()?;
        }
        Ok(())
    }

    /// Law 2, on what the edges into each node claim: what is taken for nobody is unshared by no
    /// other edge but for owners through whose filters it came.
    fn check_laundering(&self) -> Result<(), String> {
        let graph = &self.layer.graph;
        for node in graph.nodes() {
            let demand = graph.demand_on(node);
            let disputed = demand.take() & demand.unshare();
            for permission in disputed.iter() {
                self.check_permission(node, permission)?;
            }
        }
        Ok(())
    }

    fn check_permission(&self, node: NodeId, permission: Permissions) -> Result<(), String> {
        let graph = &self.layer.graph;
        let of = |edge: EdgeId, demand: Demand| -> Vec<Claim> {
            let mut claims = graph.rule().claims(graph.hold(edge));
            claims.retain(|claim| claim.slot.demand() == demand);
            claims
        };
        let edges: Vec<EdgeId> = graph.parents(node).collect();
        let pairs = edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a, b)));
        for (taker, unsharer) in pairs.filter(|(a, b)| a != b) {
            let takes = of(taker, Demand::taking(permission));
            for take in takes.iter().filter(|take| take.owner.is_none()) {
                for unshare in of(unsharer, Demand::unsharing(permission)) {
                    let passed = |owner: Owner| take.through.contains(&owner);
                    if !unshare.owner.is_some_and(passed) {
                        let name = graph.name(node);
                        return Err(format!("law 2: {permission} is laundered at node '{name}'"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Law 3: each owner's filter can be dropped onto its child, with all edges of the owner's.
    fn check_dropping(&self) -> Result<(), String> {
        let graph = &self.layer.graph;
        for node in graph.nodes() {
            let Some(owner) = graph.filter_owner(node) else { continue };
            self.check_drop(node, owner)?;
        }
        Ok(())
    }

    fn check_drop(&self, filter: NodeId, owner: Owner) -> Result<(), String> {
        let mut graph = self.layer.graph.clone();
        let name = graph.name(filter).to_owned();
        let dropped = graph.transact(|change| {
            let graph = change.graph();
            let edge = graph.filtered_edge(filter).expect("a filter has a child");
            let below = graph.child_of(edge);
            let is_own = |&edge: &EdgeId| match graph.parent_of(edge) {
                Parent::Root(root) => graph.root_owner(root) == Some(owner),
                Parent::Node(_) => false,
            };
            let nodes = graph.nodes();
            let all = nodes.iter().flat_map(|&node| graph.parents(node).collect::<Vec<_>>());
            let own: Vec<EdgeId> = all.filter(is_own).collect();
            let moving: Vec<EdgeId> = graph.parents(filter).collect();
            let moving = moving.into_iter().filter(|edge| !own.contains(edge));
            let moving: Vec<EdgeId> = moving.collect();
            let of_filter: Vec<EdgeId> = graph.children(filter).collect();
            // Whether a chain is frozen does not bear on the law: a job thaws its own.
            let thawed = moving.iter().chain(&own).chain(&of_filter);
            thawed.for_each(|&edge| change.set_frozen(edge, false));
            moving.into_iter().try_for_each(|edge| change.move_edge(edge, below))?;
            own.into_iter().chain(of_filter).try_for_each(|edge| change.detach(edge))
        });
        dropped.map_err(|refusal| format!("law 3: '{name}' cannot be dropped: {refusal}"))
    }
}
