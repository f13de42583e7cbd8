//! The product's own algorithm: the graph itself.

use blkperm_graph::{
    Change, Demand, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Role, RootId, Row, Rule, State,
};

use super::{Algorithm, Steps};

impl<R: Rule> Algorithm for Graph<R> {
    type Rule = R;
    type Node = NodeId;
    type Root = RootId;
    type Edge = EdgeId;
    type Change<'a>
        = Change<'a, R>
    where
        R: 'a;

    const NAME: &'static str = "incremental";

    fn empty(rule: R) -> Graph<R> {
        Graph::new(rule)
    }

    fn permission_rule(&self) -> &R {
        self.rule()
    }

    fn add_owner(&mut self) -> Owner {
        self.new_owner()
    }

    fn add_new_node(&mut self, new: NewNode<'_>) -> NodeId {
        self.add_node(new)
    }

    fn add_parent(&mut self, holder: Holder, owner: Option<Owner>) -> RootId {
        self.add_root(holder, owner)
    }

    fn begin(&mut self) -> Change<'_, R> {
        self.change()
    }

    fn held(&self, edge: EdgeId) -> R::Hold {
        self.hold(edge)
    }
}

impl<R: Rule> Steps<Graph<R>> for Change<'_, R> {
    fn attach(&mut self, parent: NodeId, child: NodeId, role: Role, row: Row) -> Option<EdgeId> {
        self.attach_with_row(parent, child, "child", role, row).ok()
    }

    fn attach_root(&mut self, root: RootId, child: NodeId, demand: Demand) -> EdgeId {
        Change::attach_root(self, root, child, "root", demand).expect("the child is active")
    }

    fn set_demand(&mut self, edge: EdgeId, demand: Demand) {
        Change::set_demand(self, edge, demand);
    }

    fn detach(&mut self, edge: EdgeId) {
        Change::detach(self, edge).expect("nothing is frozen");
    }

    fn move_edge(&mut self, edge: EdgeId, to: NodeId) -> bool {
        Change::move_edge(self, edge, to).is_ok()
    }

    fn set_state(&mut self, node: NodeId, state: State) {
        Change::set_state(self, node, state);
    }

    fn commit(self) -> bool {
        Change::commit(self).is_ok()
    }
}
