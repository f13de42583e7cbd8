//! The graph's invariants, checked slowly: everything recounted, all pairs.

use crate::list::NO_EDGE;
use crate::update::state_fault;
use crate::{EdgeId, Graph, NodeId, Parent, Rule};

impl<R: Rule> Graph<R> {
    /// Checks that the graph is what accepted changes make it: tallies equal recounting, every edge
    /// holds what its row makes of what its parent's parents hold (unless that was not noticed: see
    /// [`Change::detach_unnoticed`](crate::Change::detach_unnoticed)), the topological order goes down
    /// every edge, no two edges conflict, and no node gives what its state does not allow (unless, likewise).
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
        let nodes: Vec<NodeId> = self.nodes.iter().map(|(key, _)| NodeId::from_key(key)).collect();
        nodes.iter().try_for_each(|&id| self.check_node(id))?;
        let edges: Vec<EdgeId> = self.edges.iter().map(|(key, _)| EdgeId::from_key(key)).collect();
        let listed: usize = nodes.iter().map(|&node| self.parents(node).count()).sum();
        if listed != edges.len() {
            return Err(format!("{} edges, but {listed} in the nodes' lists", edges.len()));
        }
        edges.into_iter().try_for_each(|edge| self.check_edge(edge))
    }

    fn check_node(&mut self, id: NodeId) -> Result<(), String> {
        self.fault_of_node(id).map_err(|fault| format!("node '{}' {fault}", self.name(id)))
    }

    fn fault_of_node(&mut self, id: NodeId) -> Result<(), String> {
        let parents: Vec<EdgeId> = self.parents(id).collect();
        let mut tally = R::Tally::default();
        for &edge in &parents {
            self.rule.add(&mut tally, self.edges[edge.key()].hold);
        }
        let node = &self.nodes[id.key()];
        let kept = node.incoming.sum(&mut self.rule);
        if self.rule.sum(&tally) != kept || kept != node.sum {
            return Err("keeps of its incoming edges what they do not hold".to_owned());
        }
        if node.queued || node.attached == parents.is_empty() {
            return Err("was not visited".to_owned());
        }
        if parents.is_empty() && node.references == 0 {
            return Err("stays, though nothing refers to it".to_owned());
        }
        if self.node_by_name(self.name(id)) != Some(id) {
            return Err("is not found by its name".to_owned());
        }
        let fault = state_fault(self.state(id), self.demand_on(id).take());
        if let Some(fault) = fault.filter(|_| !self.is_stale(id)) {
            return Err(format!("is at fault: {fault:?}"));
        }
        if let Some(slot) = self.lock_fault(id) {
            return Err(format!("is locked out of its file: {slot:?}"));
        }
        for &taker in &parents {
            for &unsharer in &parents {
                let conflict = self.conflict(taker, unsharer);
                if taker != unsharer && !conflict.is_empty() {
                    return Err(format!("has two parents that conflict in {conflict}"));
                }
            }
        }
        Ok(())
    }

    fn check_edge(&mut self, id: EdgeId) -> Result<(), String> {
        self.fault_of_edge(id).map_err(|fault| {
            let child = self.name(self.child_of(id));
            format!("edge '{}' to node '{child}' {fault}", self.edge_name(id))
        })
    }

    fn fault_of_edge(&mut self, id: EdgeId) -> Result<(), &'static str> {
        let Parent::Node(parent) = self.parent_of(id) else { return Ok(()) };
        if self.node(parent).order >= self.node(self.child_of(id)).order {
            return Err("goes up the topological order");
        }
        if self.hold_by_row(id) != self.hold(id) && !self.stale.contains(&parent) {
            return Err("does not hold what its row says");
        }
        if self.node(parent).first_child == NO_EDGE {
            return Err("is not in its parent's list");
        }
        Ok(())
    }
}
