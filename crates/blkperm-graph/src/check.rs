//! The graph's invariants, checked slowly: everything recounted, all pairs.

use crate::list::NO_EDGE;
use crate::update::state_fault;
use crate::{EdgeId, Graph, NodeId, Parent, Rule};

impl<R: Rule> Graph<R> {
    /// Checks that the graph is what accepted changes make it: tallies equal recounting, every edge
    /// holds what its row makes of what its parent's parents hold, the topological order goes down
    /// every edge, no two edges conflict, and no node gives what its state does not allow.
    ///
    /// Takes time with the square of the edges into a node; for tests.
    ///
    /// # Errors
    ///
    /// A sentence about the first invariant that does not hold.
    pub fn check_invariants(&mut self) -> Result<(), String> {
        if !self.log.is_empty() || !self.scratch.dirty.is_empty() {
            return Err("a change is in progress".to_owned());
        }
        for id in self.nodes() {
            self.check_node(id)?;
        }
        let edges: Vec<EdgeId> = self.edges.iter().map(|(key, _)| EdgeId::from_key(key)).collect();
        let listed: usize = self.nodes().iter().map(|&node| self.parents(node).count()).sum();
        if listed != edges.len() {
            return Err(format!("{} edges, but {listed} in the nodes' lists", edges.len()));
        }
        edges.into_iter().try_for_each(|edge| self.check_edge(edge))
    }

    fn check_node(&mut self, id: NodeId) -> Result<(), String> {
        let name = self.name(id).to_owned();
        let parents: Vec<EdgeId> = self.parents(id).collect();
        let mut tally = R::Tally::default();
        for &edge in &parents {
            self.rule.add(&mut tally, self.edges[edge.key()].hold);
        }
        let node = &self.nodes[id.key()];
        let kept = self.rule.sum(&node.tally);
        if self.rule.sum(&tally) != kept || kept != node.sum {
            return Err(format!("the tally of node '{name}' is not that of its edges"));
        }
        if node.queued || node.attached == parents.is_empty() {
            return Err(format!("node '{name}' was not visited"));
        }
        if parents.is_empty() && node.references == 0 {
            return Err(format!("nothing refers to node '{name}'"));
        }
        if self.node_by_name(&name) != Some(id) {
            return Err(format!("node '{name}' is not found by its name"));
        }
        let fault = state_fault(self.state(id), self.demand_on(id).take());
        if let Some(fault) = fault {
            return Err(format!("node '{name}' is at fault: {fault:?}"));
        }
        if let Some(slot) = self.lock_fault(id) {
            return Err(format!("node '{name}' is locked out of its file: {slot:?}"));
        }
        for &taker in &parents {
            for &unsharer in &parents {
                let conflict = self.conflict(taker, unsharer);
                if taker != unsharer && !conflict.is_empty() {
                    return Err(format!("two edges into node '{name}' conflict in {conflict}"));
                }
            }
        }
        Ok(())
    }

    fn check_edge(&mut self, id: EdgeId) -> Result<(), String> {
        let name = format!("'{}' to node '{}'", self.edge_name(id), self.name(self.child_of(id)));
        let Parent::Node(parent) = self.parent_of(id) else { return Ok(()) };
        if self.node(parent).order >= self.node(self.child_of(id)).order {
            return Err(format!("edge {name} goes up the topological order"));
        }
        if self.hold_by_row(id) != self.hold(id) {
            return Err(format!("edge {name} does not hold what its row says"));
        }
        if self.node(parent).first_child == NO_EDGE {
            return Err(format!("edge {name} is not in its parent's list"));
        }
        Ok(())
    }
}
