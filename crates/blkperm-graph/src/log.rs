//! The log of a change in progress: what takes each of its steps back.

use crate::list::Place;
use crate::{Driver, EdgeId, Graph, NodeId, RowId, Rule, State};

/// What takes one step of a change back; most are holds, so that the others are no larger.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Undo<H> {
    /// The edge held something else.
    Hold { edge: EdgeId, old: H },
    /// The edge had another row.
    Row { edge: EdgeId, old: RowId },
    /// The edge was not there.
    Attached { edge: EdgeId },
    /// The edge was at this place in its lists.
    Unlinked { edge: EdgeId, place: Place },
    /// The edge, before it was put into its lists, ended at another node.
    Relinked { edge: EdgeId, from: NodeId },
    /// The node had another driver, and another state.
    Node { node: NodeId, state: State, driver: &'static Driver },
    /// The node had another place in the topological order.
    Order { node: NodeId, old: i64 },
    /// The edge was frozen, or was not.
    Frozen { edge: EdgeId, old: bool },
    /// The node was not [stale](crate::Change::detach_unnoticed).
    BecameStale { node: NodeId },
    /// The node was stale.
    Refreshed { node: NodeId },
}

impl<R: Rule> Graph<R> {
    /// Takes the change in progress back, last step first.
    pub(crate) fn roll_back(&mut self) {
        while let Some(undo) = self.log.pop() {
            self.undo(undo);
        }
        self.forget_change();
    }

    pub(crate) fn undo(&mut self, undo: Undo<R::Hold>) {
        match undo {
            Undo::Hold { edge, old } => {
                let Graph { rule, nodes, edges, .. } = self;
                let edge = &mut edges[edge.key()];
                let new = std::mem::replace(&mut edge.hold, old);
                let child = &mut nodes[edge.child.key()];
                child.incoming.replace(rule, new, old);
                child.sum = child.incoming.sum(rule);
            }
            Undo::Row { edge, old } => self.edge_mut(edge).row = old,
            Undo::Attached { edge } => {
                self.count_out(edge);
                self.unlink(edge);
                let child = self.edges.remove(edge.key()).child;
                self.add_up(child);
            }
            Undo::Unlinked { edge, place } => {
                self.link(edge, place);
                self.count_in(edge);
                self.add_up(self.child_of(edge));
            }
            Undo::Relinked { edge, from } => {
                self.count_out(edge);
                self.unlink(edge);
                let to = std::mem::replace(&mut self.edge_mut(edge).child, from);
                self.add_up(to);
            }
            Undo::Node { node, state, driver } => {
                let node = self.node_mut(node);
                node.driver = driver;
                node.state = state;
            }
            Undo::Order { node, old } => self.node_mut(node).order = old,
            Undo::Frozen { edge, old } => self.edge_mut(edge).frozen = old,
            Undo::BecameStale { node } => self.stale.retain(|&stale| stale != node),
            Undo::Refreshed { node } => self.stale.push(node),
        }
    }

    /// Brings what a visit would make of the node's parents up to date without one: below it all is
    /// taken back too.
    pub(crate) fn add_up(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.key()];
        node.sum = node.incoming.sum(&mut self.rule);
        node.attached = node.is_attached();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An update writes an entry for each edge that it changes.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Undo<u32>>(), 16);
    }
}
