//! Why an edge holds what it holds.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::{Demand, Driver, EdgeId, Graph, NodeId, Parent, ParentName, Role, Rule, Slot};

/// One step of the way on which an edge came by a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Who the edge's parent is.
    pub parent: ParentName,
    /// The driver of the parent, if it is a node.
    pub driver: Option<&'static Driver>,
    /// What the parent calls the edge.
    pub edge: String,
    /// What the child is to the parent; empty where the parent is not a node.
    pub role: Role,
    /// The name of the node where the edge ends.
    pub child: String,
    /// What the edge takes or unshares.
    pub slot: Slot,
    /// Why.
    pub reason: Reason,
}

/// Why an edge takes or unshares something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The parent is not a node: it demands this for itself.
    ItsOwn,
    /// The parent node's driver demands this always.
    Driver,
    /// The parent node's driver demands this while the node has a parent.
    DriverWhileAttached,
    /// It follows from something that is demanded of the parent node, by the next step's edge.
    Follows,
    /// It follows from several things that are demanded of the parent node together; the next
    /// step's edge demands the first of them.
    FollowsTogether,
}

impl<R: Rule> Graph<R> {
    /// The way on which `edge` came to take or unshare `slot`: its own step first, then that of the
    /// edge above from which it follows, up to where it began. Empty when `edge` does not demand
    /// `slot`.
    ///
    /// Of several ways, the one over the newest edges.
    pub fn why(&self, edge: EdgeId, slot: Slot) -> Vec<Step> {
        let mut steps = Vec::new();
        let claims = self.rule().claims(self.hold(edge));
        let mut next = claims.into_iter().find(|claim| claim.slot == slot).map(|c| (edge, c));
        while let Some((edge, claim)) = next {
            let (reason, above) = self.origin(edge, &claim);
            steps.push(Step {
                parent: self.parent_name(edge),
                driver: match self.parent_of(edge) {
                    Parent::Node(parent) => Some(self.driver(parent)),
                    Parent::Root(_) => None,
                },
                role: self.role(edge),
                edge: self.edge_name(edge).to_owned(),
                child: self.name(self.child_of(edge)).to_owned(),
                slot: claim.slot,
                reason,
            });
            next = above;
        }
        steps
    }

    /// All those who must let go before `edge` demands none of `demand` any more: parents that are no
    /// nodes and demand it for themselves, and nodes whose drivers do; the nearest first.
    pub fn sources(&self, edge: EdgeId, demand: Demand) -> Vec<ParentName> {
        let mut found = Vec::new();
        let mut seen: FxHashSet<(EdgeId, Slot)> = FxHashSet::default();
        let wanted = self.demand(edge).intersection(demand);
        let mut waiting: VecDeque<(EdgeId, Slot)> =
            wanted.slots().map(|slot| (edge, slot)).collect();
        while let Some((edge, slot)) = waiting.pop_front() {
            if !seen.insert((edge, slot)) {
                continue;
            }
            let from = match self.parent_of(edge) {
                Parent::Node(node) => self.inputs(node, edge, slot),
                Parent::Root(_) => Vec::new(),
            };
            if from.is_empty() {
                let name = self.parent_name(edge);
                if !found.contains(&name) {
                    found.push(name);
                }
            }
            waiting.extend(from);
        }
        found
    }

    /// The edges into `node`, each with a slot, from which it follows that the node demands `slot`
    /// by `edge`; none where its driver demands that by itself.
    fn inputs(&self, node: NodeId, edge: EdgeId, slot: Slot) -> Vec<(EdgeId, Slot)> {
        let row = self.row(edge);
        if row.constant.union(row.attached).contains(slot.demand()) {
            return Vec::new();
        }
        let mut inputs: Demand = Slot::each()
            .filter(|input| row.follows[input.index()].contains(slot.demand()))
            .fold(Demand::NONE, |inputs, input| inputs.union(input.demand()));
        if let Some((both, made)) = row.together
            && made.contains(slot.demand())
        {
            inputs = inputs.union(both);
        }
        let filter = self.filter_owner(node).filter(|_| R::OWNERSHIP);
        let passed = |above| {
            let claims = self.rule().claims(self.hold(above)).into_iter();
            let passed = claims.filter(|claim| !row.withholds(claim, filter));
            passed.fold(Demand::NONE, |all, claim| all.union(claim.slot.demand()))
        };
        self.parents(node)
            .flat_map(|above| {
                passed(above).intersection(inputs).slots().map(move |input| (above, input))
            })
            .collect()
    }

    /// Why `edge` has `claim`, and the edge above, with its claim, from which it follows if it does.
    fn origin(
        &self,
        edge: EdgeId,
        claim: &crate::Claim,
    ) -> (Reason, Option<(EdgeId, crate::Claim)>) {
        let Parent::Node(node) = self.parent_of(edge) else {
            return (Reason::ItsOwn, None);
        };
        let row = self.row(edge);
        let filter = self.filter_owner(node).filter(|_| R::OWNERSHIP);
        for above in self.parents(node) {
            for input in self.rule().claims(self.hold(above)) {
                let follows = row.follows[input.slot.index()].contains(claim.slot.demand());
                let goes_on = follows && !row.withholds(&input, filter);
                if goes_on && input.passed(claim.slot, filter) == *claim {
                    return (Reason::Follows, Some((above, input)));
                }
            }
        }
        if row.constant.contains(claim.slot.demand()) {
            return (Reason::Driver, None);
        }
        if row.attached.contains(claim.slot.demand()) {
            return (Reason::DriverWhileAttached, None);
        }
        let first = row.together.and_then(|(both, _)| both.slots().next());
        let above = self.parents(node).find_map(|above| {
            let mut claims = self.rule().claims(self.hold(above)).into_iter();
            claims.find(|input| Some(input.slot) == first).map(|input| (above, input))
        });
        (Reason::FollowsTogether, above)
    }
}
