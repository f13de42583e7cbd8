//! The update, recomputed from nothing: every node, every claim, every pair of edges.
//!
//! It shares the rows and the meaning of a claim with the engine, and nothing else: no tallies, no
//! topological order, no antichains, no tables of results.

use std::collections::HashMap;

use blkperm_graph::{Claim, EdgeId, Graph, NodeId, Parent, Permissions, Rule, State};

/// Whether two claims, one taken and one unshared, are excused from each other.
pub type Excused = fn(&Claim, &Claim) -> bool;

/// What every edge claims, nothing left out because something else covers it.
pub fn all_claims<R: Rule>(graph: &Graph<R>) -> HashMap<EdgeId, Vec<Claim>> {
    let mut claims = HashMap::new();
    for node in graph.nodes() {
        for edge in graph.parents(node) {
            claims_of(graph, edge, &mut claims);
        }
    }
    claims
}

fn claims_of<R: Rule>(
    graph: &Graph<R>,
    edge: EdgeId,
    known: &mut HashMap<EdgeId, Vec<Claim>>,
) -> Vec<Claim> {
    if let Some(claims) = known.get(&edge) {
        return claims.clone();
    }
    let mut claims = match graph.parent_of(edge) {
        // What a parent that is not a node demands is given, and never covered by anything.
        Parent::Root(_) => graph.rule().claims(graph.hold(edge)),
        Parent::Node(parent) => {
            let above: Vec<EdgeId> = graph.parents(parent).collect();
            let input = above.iter().flat_map(|&edge| claims_of(graph, edge, known)).collect();
            derived(graph, parent, edge, input)
        }
    };
    claims.sort();
    claims.dedup();
    known.insert(edge, claims.clone());
    claims
}

fn derived<R: Rule>(
    graph: &Graph<R>,
    parent: NodeId,
    edge: EdgeId,
    input: Vec<Claim>,
) -> Vec<Claim> {
    let row = graph.row(edge);
    let owner = graph.filter_owner(parent).filter(|_| R::OWNERSHIP);
    let mut own = row.constant;
    if graph.parents(parent).next().is_some() {
        own = own.union(row.attached);
    }
    let mut output: Vec<Claim> = own.slots().map(|slot| Claim::originating(slot, owner)).collect();
    let input: Vec<Claim> =
        input.into_iter().filter(|claim| !row.withholds(claim, owner)).collect();
    for claim in &input {
        for slot in row.follows[claim.slot.index()].slots() {
            output.push(claim.passed(slot, owner));
        }
    }
    if let Some((both, made)) = row.together {
        let mut slots = both.slots();
        let (Some(first), Some(second), None) = (slots.next(), slots.next(), slots.next()) else {
            panic!("the rows of this kit follow from two things together");
        };
        for a in input.iter().filter(|claim| claim.slot == first) {
            for b in input.iter().filter(|claim| claim.slot == second) {
                let common = Claim {
                    slot: a.slot,
                    owner: if a.owner == b.owner { a.owner } else { None },
                    through: a.through.iter().copied().filter(|o| b.through.contains(o)).collect(),
                };
                output.extend(made.slots().map(|slot| common.passed(slot, owner)));
            }
        }
    }
    output
}

/// Whether any two edges into one node conflict, or a node is written that cannot be.
pub fn is_faulty<R: Rule>(graph: &Graph<R>, excused: Excused) -> bool {
    let claims = all_claims(graph);
    graph.nodes().into_iter().any(|node| {
        let edges: Vec<EdgeId> = graph.parents(node).collect();
        let conflict = edges.iter().any(|taker| {
            let others = edges.iter().filter(|edge| *edge != taker);
            others.into_iter().any(|unsharer| conflict(&claims[taker], &claims[unsharer], excused))
        });
        let taken = edges.iter().flat_map(|edge| &claims[edge]).filter(|c| c.slot.is_take());
        let writes =
            taken.into_iter().any(|c| Permissions::ANY_WRITE.contains(c.slot.permission()));
        conflict || writes && graph.state(node).intersects(State::READ_ONLY | State::INACTIVE)
    })
}

fn conflict(taker: &[Claim], unsharer: &[Claim], excused: Excused) -> bool {
    let takes = taker.iter().filter(|claim| claim.slot.is_take());
    takes.into_iter().any(|take| {
        let unshares = unsharer.iter().filter(|claim| !claim.slot.is_take());
        let same = unshares.filter(|claim| claim.slot.permission() == take.slot.permission());
        same.into_iter().any(|unshare| !excused(take, unshare))
    })
}

/// Nothing is ever excused: QEMU's rule.
pub fn never(_: &Claim, _: &Claim) -> bool {
    false
}

/// The ownership rule, as the model says it.
pub fn by_ownership(a: &Claim, b: &Claim) -> bool {
    let owner_above = |owned: &Claim, other: &Claim| match owned.owner {
        Some(owner) => other.through.contains(&owner),
        None => false,
    };
    owner_above(a, b) || owner_above(b, a)
}

/// The group rule, as the model says it: groups are those of the owner and of all gone through.
pub fn by_group(a: &Claim, b: &Claim) -> bool {
    let groups = |claim: &Claim| claim.owner.into_iter().chain(claim.through.to_vec());
    groups(a).any(|group| groups(b).any(|other| group == other))
}
