//! The definition by paths (law 4 of `docs/ownership.md`): every claim, from where it originates,
//! along every path on which it is passed down.
//!
//! Slow and obvious. It reads the graph (nodes, edges, rows, owners, what parents that are not nodes
//! demand) and shares no code with any engine: neither claims nor antichains nor tallies.

use std::collections::{BTreeSet, HashMap};

use blkperm_graph::{EdgeId, Graph, NodeId, Owner, Parent, Permissions, Rule, Slot, State};

/// How many paths may end at one edge; graphs with more are left out.
const LIMIT: usize = 100;

/// One way on which something came to be taken or unshared by the edge where the way ends.
#[derive(Clone, Debug)]
pub struct Path {
    /// What the last edge takes or unshares.
    pub slot: Slot,
    /// Whose it is, if it is a job's.
    pub owner: Option<Owner>,
    /// The edges from the origin down, the last one included. What follows from two things together
    /// originates where they meet.
    pub edges: Vec<EdgeId>,
    /// The owners whose filters the path goes through, with what was gone through at its origin.
    pub through: BTreeSet<Owner>,
}

/// Every path of a graph, by the edge where it ends.
#[derive(Debug)]
pub struct Paths(HashMap<EdgeId, Vec<Path>>);

/// Two paths that meet at a node over different edges, one taking what the other unshares.
#[derive(Debug)]
pub struct Meeting<'a> {
    /// The node where they meet.
    pub node: NodeId,
    /// The path that takes.
    pub take: &'a Path,
    /// The path that unshares.
    pub unshare: &'a Path,
}

impl Paths {
    /// All paths; none where there are too many to enumerate.
    pub fn of<R: Rule>(graph: &Graph<R>) -> Option<Paths> {
        let mut paths = Paths(HashMap::new());
        for node in graph.nodes() {
            for edge in graph.parents(node) {
                paths.enumerate(graph, edge)?;
            }
        }
        Some(paths)
    }

    /// The paths that end at `edge`.
    pub fn ending_at(&self, edge: EdgeId) -> &[Path] {
        &self.0[&edge]
    }

    /// Every path, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.0.values().flatten()
    }

    /// Every two paths that take and unshare one permission at one node over different edges.
    pub fn meetings<R: Rule>(&self, graph: &Graph<R>) -> Vec<Meeting<'_>> {
        let mut meetings = Vec::new();
        for node in graph.nodes() {
            let edges: Vec<EdgeId> = graph.parents(node).collect();
            let pairs = edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a, b)));
            for (taker, unsharer) in pairs.filter(|(a, b)| a != b) {
                for take in self.ending_at(taker).iter().filter(|path| path.slot.is_take()) {
                    let same = |path: &&Path| {
                        !path.slot.is_take() && path.slot.permission() == take.slot.permission()
                    };
                    let unshares = self.ending_at(unsharer).iter().filter(same);
                    meetings.extend(unshares.map(|unshare| Meeting { node, take, unshare }));
                }
            }
        }
        meetings
    }

    fn enumerate<R: Rule>(&mut self, graph: &Graph<R>, edge: EdgeId) -> Option<()> {
        if self.0.contains_key(&edge) {
            return Some(());
        }
        let found = match graph.parent_of(edge) {
            Parent::Root(root) => originating(graph, edge, graph.root_owner(root)),
            Parent::Node(node) => {
                let above: Vec<EdgeId> = graph.parents(node).collect();
                for &edge in &above {
                    self.enumerate(graph, edge)?;
                }
                let above: Vec<&Path> = above.iter().flat_map(|edge| &self.0[edge]).collect();
                passed_down(graph, node, edge, &above)
            }
        };
        if found.len() > LIMIT {
            return None;
        }
        self.0.insert(edge, found);
        Some(())
    }
}

fn originating<R: Rule>(graph: &Graph<R>, edge: EdgeId, owner: Option<Owner>) -> Vec<Path> {
    let through: BTreeSet<Owner> = owner.into_iter().collect();
    let path = |slot| Path { slot, owner, edges: vec![edge], through: through.clone() };
    graph.demand(edge).slots().map(path).collect()
}

/// The paths that end at an edge out of `node`, given those that end at the edges into it.
fn passed_down<R: Rule>(
    graph: &Graph<R>,
    node: NodeId,
    edge: EdgeId,
    above: &[&Path],
) -> Vec<Path> {
    let row = graph.row(edge);
    let filter = graph.filter_owner(node);
    let constant = |slot| Path {
        slot,
        owner: filter,
        edges: vec![edge],
        through: filter.into_iter().collect(),
    };
    let attached = graph.parents(node).next().is_some();
    let while_attached = row.attached.slots().filter(|_| attached);
    let mut paths: Vec<Path> = row.constant.slots().chain(while_attached).map(constant).collect();
    // What the filter's own job demands ends at the filter where the row withholds it.
    let is_withheld = |path: &Path| row.withheld.slots().any(|slot| slot == path.slot);
    let ends_here = |path: &Path| filter.is_some() && path.owner == filter && is_withheld(path);
    let above: Vec<&Path> = above.iter().copied().filter(|path| !ends_here(path)).collect();
    for path in &above {
        for slot in row.follows[path.slot.index()].slots() {
            let edges = path.edges.iter().copied().chain([edge]).collect();
            let through = path.through.iter().copied().chain(filter).collect();
            paths.push(Path { slot, owner: path.owner, edges, through });
        }
    }
    let Some((both, made)) = row.together else { return paths };
    let wanted: Vec<Slot> = both.slots().collect();
    let of = |slot: Slot| above.iter().filter(move |path| path.slot == slot);
    for first in of(wanted[0]) {
        for second in of(wanted[1]) {
            let common = &first.through & &second.through;
            let owner = if first.owner == second.owner { first.owner } else { None };
            for slot in made.slots() {
                let through = common.iter().copied().chain(filter).collect();
                paths.push(Path { slot, owner, edges: vec![edge], through });
            }
        }
    }
    paths
}

/// The conflict rule: the owner of one is among those that the other went through.
pub fn is_excused(meeting: &Meeting<'_>) -> bool {
    let owned_above = |owned: &Path, other: &Path| match owned.owner {
        Some(owner) => other.through.contains(&owner),
        None => false,
    };
    owned_above(meeting.take, meeting.unshare) || owned_above(meeting.unshare, meeting.take)
}

/// Whether the definition refuses the graph: two paths meet that are not excused from each other,
/// or a node is written that cannot be. None where there are too many paths.
pub fn is_refused<R: Rule>(graph: &Graph<R>) -> Option<bool> {
    let paths = Paths::of(graph)?;
    let conflict = paths.meetings(graph).iter().any(|meeting| !is_excused(meeting));
    let written = paths.all().any(|path| {
        let node = graph.child_of(path.edges[path.edges.len() - 1]);
        let writes = path.slot.is_take() && Permissions::ANY_WRITE.contains(path.slot.permission());
        writes && graph.state(node).intersects(State::READ_ONLY | State::INACTIVE)
    });
    Some(conflict || written)
}
