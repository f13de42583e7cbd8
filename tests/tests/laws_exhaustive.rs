//! The laws on every state of small graphs: six shapes with two jobs each, whose parents that are not
//! nodes demand everything that there is to demand.
//!
//! * *One permission*: six such parents, each of which takes consistent reads, unshares them, does both or
//!   neither: 4^6 states of each shape.
//! * *Two permissions*, once `consistent-read` and `write`, once `write-unchanged` and `resize`: three such
//!   parents, each with one of the 16 demands: 16^3 states of each shape.
//!
//! That is 73,728 states, one after the other in the same graph: what is refused leaves the state before.

use std::array;

use blkperm_baseline::Baseline;
use blkperm_graph::{
    Condition, Demand, Driver, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Permissions, Role,
    Row, Rule,
};
use blkperm_ownership::{Groups, Ownership};
use blkperm_tests::flawed::{
    AloneIsSafe, Flawed, Forthcoming, HidingFilter, Lenient, NoIntersection, Resentful, SameOwner,
    Unmarked, WritersShare,
};
use blkperm_tests::law;
use blkperm_tests::paths;
use blkperm_tests::site::{JobSite, Site};
use blkperm_tests::snapshot::Snapshot;

const FILTERED: Role = Role::FILTERED.union(Role::PRIMARY);

/// Passes everything, whatever it is.
static PLAIN: Driver = Driver::new("plain", identity);
/// Hides consistent reads: as a job's filter, those that the job itself needs.
static FILTER: Driver = Driver { is_filter: true, ..Driver::new("filter", hiding) };
/// Passes everything, and more follows: from one demand another one, and one from two together.
static FORMAT: Driver = Driver::new("format", crossing);

fn identity(_: Role, _: Condition) -> Row {
    Row::IDENTITY
}

fn hiding(_: Role, _: Condition) -> Row {
    Row::IDENTITY.without(Demand::taking(Permissions::CONSISTENT_READ))
}

/// Who writes needs what is consistent; who writes unchanged data and resizes lets nobody resize.
fn crossing(_: Role, _: Condition) -> Row {
    use Permissions as P;
    let mut row = Row::IDENTITY;
    for write in Demand::taking(P::WRITE).slots() {
        let follows = &mut row.follows[write.index()];
        *follows = follows.union(Demand::taking(P::CONSISTENT_READ));
    }
    row.together =
        Some((Demand::taking(P::WRITE_UNCHANGED | P::RESIZE), Demand::unsharing(P::RESIZE)));
    row
}

/// The edges between nodes, and on which nodes the six roots stand; `first` and `second` are the
/// filters of the jobs 1 and 2, and 0 is nobody.
struct Shape {
    name: &'static str,
    edges: &'static [(&'static str, &'static str)],
    roots: [(usize, &'static str); 6],
}

const SHAPES: [Shape; 6] = [
    Shape {
        name: "a filter on a filter",
        edges: &[("first", "second"), ("second", "a"), ("a", "b")],
        roots: [(0, "first"), (0, "second"), (0, "a"), (1, "second"), (1, "b"), (2, "a")],
    },
    Shape {
        name: "filters side by side",
        edges: &[("first", "a"), ("second", "a"), ("a", "b")],
        roots: [(0, "first"), (0, "second"), (0, "b"), (1, "a"), (1, "b"), (2, "b")],
    },
    Shape {
        name: "a diamond above",
        edges: &[
            ("top", "first"),
            ("top", "second"),
            ("first", "a"),
            ("second", "b"),
            ("a", "c"),
            ("b", "c"),
        ],
        roots: [(0, "top"), (0, "first"), (0, "a"), (1, "a"), (1, "c"), (2, "c")],
    },
    Shape {
        name: "two edges from one node to another below",
        edges: &[("first", "second"), ("second", "a"), ("a", "b"), ("a", "b")],
        roots: [(0, "first"), (0, "second"), (0, "b"), (1, "a"), (1, "b"), (2, "b")],
    },
    Shape {
        name: "a format from which more follows",
        edges: &[("first", "format"), ("second", "format"), ("format", "a"), ("second", "a")],
        roots: [(0, "first"), (0, "second"), (0, "a"), (1, "format"), (1, "a"), (2, "a")],
    },
    Shape {
        name: "jobs that stand on their own filters",
        edges: &[("first", "second"), ("second", "a"), ("a", "b")],
        roots: [(1, "first"), (2, "second"), (0, "first"), (1, "a"), (0, "b"), (2, "b")],
    },
];

/// What is demanded: up to two permissions, and by which of the six roots.
struct Space {
    permissions: &'static [Permissions],
    roots: &'static [usize],
}

const SPACES: [Space; 3] = [
    Space { permissions: &[Permissions::CONSISTENT_READ], roots: &[0, 1, 2, 3, 4, 5] },
    Space { permissions: &[Permissions::CONSISTENT_READ, Permissions::WRITE], roots: &[0, 2, 4] },
    Space { permissions: &[Permissions::WRITE_UNCHANGED, Permissions::RESIZE], roots: &[0, 2, 4] },
];

/// In a case of a root's, the even bits say what it takes and the odd ones what it unshares.
const TAKES: usize = 0b0101;
const UNSHARES: usize = 0b1010;

impl Space {
    /// How many cases there are for one root.
    fn cases(&self) -> usize {
        4_usize.pow(self.permissions.len() as u32)
    }

    fn states(&self) -> usize {
        self.cases().pow(self.roots.len() as u32)
    }

    /// The case of the root in that place of the list, in a state.
    fn case(&self, state: usize, place: usize) -> usize {
        state / self.cases().pow(place as u32) % self.cases()
    }

    fn demand(&self, case: usize) -> Demand {
        let slots =
            self.permissions.iter().flat_map(|&one| [Demand::taking(one), Demand::unsharing(one)]);
        let chosen = slots.enumerate().filter(|(bit, _)| case >> bit & 1 == 1);
        chosen.fold(Demand::NONE, |all, (_, one)| all.union(one))
    }

    /// How many roots demand something in a state.
    fn demanding(&self, state: usize) -> usize {
        (0..self.roots.len()).filter(|&place| self.case(state, place) != 0).count()
    }

    /// The states in which one root demands one thing less, of those things that `side` says.
    fn less(&self, state: usize, side: usize) -> impl Iterator<Item = usize> {
        let places = (0..self.roots.len()).flat_map(|place| (0..4).map(move |bit| (place, bit)));
        places.filter_map(move |(place, bit)| {
            let is_there = self.case(state, place) & side & 1 << bit != 0;
            is_there.then(|| state - (1 << bit) * self.cases().pow(place as u32))
        })
    }

    /// Makes the roots demand what they do in a state; whether that is accepted, and what `look` sees
    /// in the state that is judged.
    fn set<R: Rule, T>(
        &self,
        site: &mut Site<R>,
        edges: &[EdgeId; 6],
        state: usize,
        look: impl FnOnce(&Graph<R>) -> T,
    ) -> (bool, T) {
        let mut change = site.graph.change();
        for (place, &root) in self.roots.iter().enumerate() {
            change.set_demand(edges[root], self.demand(self.case(state, place)));
        }
        let seen = look(change.graph());
        (change.commit().is_ok(), seen)
    }
}

/// The shape with roots that demand nothing yet, and their edges; without owners the jobs' things are
/// things like others.
fn template<R: Rule + Default>(shape: &Shape, owned: bool) -> (Site<R>, [EdgeId; 6]) {
    let mut graph = Graph::new(R::default());
    let owners: [Owner; 2] = [graph.new_owner(), graph.new_owner()];
    let owner = |job: usize| owned.then_some(owners[job]);
    let node = |graph: &mut Graph<R>, name: &str| -> NodeId {
        let (driver, owner) = match name {
            "first" => (&FILTER, owner(0)),
            "second" => (&FILTER, owner(1)),
            "format" => (&FORMAT, None),
            _ => (&PLAIN, None),
        };
        let known = graph.node_by_name(name);
        known.unwrap_or_else(|| graph.add_node(NewNode { owner, ..NewNode::new(name, driver) }))
    };
    for &(parent, child) in shape.edges {
        let (parent, child) = (node(&mut graph, parent), node(&mut graph, child));
        // A filter filters one node; what else it has is a target.
        let is_first = graph.filtered_edge(parent).is_none();
        let role = if graph.driver(parent) == &FILTER && is_first { FILTERED } else { Role::DATA };
        graph.transact(|change| change.attach(parent, child, "child", role)).expect("no demands");
    }
    let job = |number: usize| Holder::Job { kind: "job", id: number.to_string() };
    let job_roots = [1, 2].map(|number| graph.add_root(job(number), owner(number - 1)));
    let edges = array::from_fn(|place| {
        let (whose, child) = shape.roots[place];
        let root = match whose {
            0 => graph.add_root(Holder::Backend { purpose: place.to_string() }, None),
            job => job_roots[job - 1],
        };
        let child = node(&mut graph, child);
        let name = place.to_string();
        let attached =
            graph.transact(|change| change.attach_root(root, child, &name, Demand::NONE));
        attached.expect("no demands")
    });
    let filters = ["first", "second"].map(|name| graph.node_by_name(name).expect("there it is"));
    let jobs =
        (0..2).map(|at| JobSite { owner: owners[at], filter: filters[at], root: job_roots[at] });
    let jobs = jobs.collect();
    let mut site = Site::default();
    (site.graph, site.jobs) = (graph, jobs);
    (site, edges)
}

/// What was found in all states.
#[derive(Default, PartialEq, Debug)]
struct Found {
    states: usize,
    accepted: usize,
    /// Accepted although something is both taken and unshared at some node.
    excused: usize,
    /// Law 2.
    laundering: usize,
    /// Law 3.
    cannot_drop: usize,
    /// Of the states from which a job cannot be dropped, the fewest roots that demand something.
    smallest: Option<usize>,
    /// Law 4.
    inexact: usize,
    /// Law 5.
    traces: usize,
    /// Accepted although it is refused that one root takes, or unshares, one thing less.
    taking_less: usize,
    unsharing_less: usize,
}

/// All states of all shapes.
fn every_state<R: Rule + Default + Clone>() -> Found {
    let mut found = Found::default();
    for (shape, space) in SHAPES.iter().flat_map(|shape| SPACES.iter().map(move |s| (shape, s))) {
        let before = found.excused;
        look::<R>(shape, space, &mut found, |_| false);
        assert!(found.excused > before, "nothing is excused: {}", shape.name);
    }
    found
}

/// The states of a shape, until what is wanted is found.
fn look<R: Rule + Default + Clone>(
    shape: &Shape,
    space: &Space,
    found: &mut Found,
    wanted: fn(&Found) -> bool,
) {
    let (mut site, edges) = template::<R>(shape, true);
    let mut accepted = vec![false; space.states()];
    for (state, accepted) in accepted.iter_mut().enumerate() {
        if wanted(found) {
            return;
        }
        let before = Snapshot::of(&site.graph);
        let (is_accepted, by_paths) = space.set(&mut site, &edges, state, paths::is_refused);
        let by_paths = by_paths.expect("the shapes are small");
        found.states += 1;
        found.inexact += usize::from(is_accepted == by_paths);
        if !is_accepted {
            found.traces += usize::from(Snapshot::of(&site.graph) != before);
            continue;
        }
        *accepted = true;
        found.accepted += 1;
        let both = |node| {
            let demand = site.graph.demand_on(node);
            demand.take().intersects(demand.unshare())
        };
        found.excused += usize::from(site.graph.nodes().into_iter().any(both));
        found.laundering += usize::from(law::no_laundering(&site.graph).is_err());
        if law::dropping(&site).is_err() {
            found.cannot_drop += 1;
            let roots = space.demanding(state);
            found.smallest = Some(found.smallest.map_or(roots, |smallest| smallest.min(roots)));
        }
    }
    let refused = |side: usize| {
        let states = (0..space.states()).filter(|&state| accepted[state]);
        states.filter(|&state| space.less(state, side).any(|less| !accepted[less])).count()
    };
    found.taking_less += refused(TAKES);
    found.unsharing_less += refused(UNSHARES);
}

#[test]
fn ownership_keeps_the_laws_in_all_73_728_states() {
    let found = every_state::<Ownership>();
    println!("{found:?}");
    let Found { states, accepted, excused, .. } = found;
    assert_eq!(found, Found { states, accepted, excused, ..Found::default() });
    assert_eq!(states, 73_728);
}

/// Each law has an engine with an error that shows in states of one of the shapes.
#[test]
fn every_law_is_seen_to_be_broken_by_an_error() {
    fn is_caught<R: Rule + Default + Clone>(
        shape: usize,
        space: usize,
        wanted: fn(&Found) -> bool,
    ) -> bool {
        let mut found = Found::default();
        look::<R>(&SHAPES[shape], &SPACES[space], &mut found, wanted);
        wanted(&found)
    }
    let laundering = |found: &Found| found.laundering > 0;
    assert!(is_caught::<Flawed<HidingFilter>>(0, 0, laundering), "a filter that hides a bit");
    assert!(is_caught::<Flawed<NoIntersection>>(0, 0, laundering), "no intersection");
    let cannot_drop = |found: &Found| found.cannot_drop > 0;
    assert!(is_caught::<Flawed<SameOwner>>(3, 0, cannot_drop), "through the same owner");
    assert!(is_caught::<Flawed<HidingFilter>>(0, 0, cannot_drop), "a filter that hides a bit");
    let inexact = |found: &Found| found.inexact > 0;
    assert!(is_caught::<Flawed<Unmarked>>(0, 0, inexact), "the owner is not added");
    assert!(is_caught::<Flawed<NoIntersection>>(0, 0, inexact), "no intersection");
    assert!(is_caught::<Flawed<SameOwner>>(3, 0, inexact), "through the same owner");
    assert!(is_caught::<Flawed<HidingFilter>>(0, 0, inexact), "a filter that hides a bit");
    assert!(is_caught::<Flawed<Forthcoming>>(5, 0, inexact), "a filter that withholds nothing");
    let traces = |found: &Found| found.traces > 0;
    assert!(is_caught::<Flawed<Resentful>>(0, 0, traces), "a tally that is not counted out of");
    let taking_less = |found: &Found| found.taking_less > 0;
    assert!(is_caught::<Flawed<WritersShare>>(0, 1, taking_less), "writers share");
    let unsharing_less = |found: &Found| found.unsharing_less > 0;
    assert!(is_caught::<Flawed<AloneIsSafe>>(0, 1, unsharing_less), "alone is safe");
}

/// One parent that relies on consistent reads and lets nobody else do so, above a filter with a
/// diamond below it: what comes down on one side of the diamond conflicts with what comes down on
/// the other, and the group excuses it, for as long as the filter is there.
#[test]
fn groups_break_laws_2_and_3_and_the_smallest_witness_has_one_parent() {
    let mut found = Found::default();
    look::<Groups>(&SHAPES[3], &SPACES[0], &mut found, |_| false);
    println!("{found:?}");
    assert!(found.laundering > 0 && found.inexact > 0, "{found:?}");
    assert_eq!(found.smallest, Some(1), "{found:?}");
}

/// How many states there are in which nobody is an owner, and in how many of them two rules differ in the
/// verdict or in an edge.
fn differing<A: Rule + Default, B: Rule + Default>(
    shapes: &[Shape],
    spaces: &[Space],
) -> (usize, usize) {
    let (mut states, mut differing) = (0, 0);
    for (shape, space) in shapes.iter().flat_map(|shape| spaces.iter().map(move |s| (shape, s))) {
        let (mut a, edges_a) = template::<A>(shape, false);
        let (mut b, edges_b) = template::<B>(shape, false);
        for state in 0..space.states() {
            let (accepted_a, ()) = space.set(&mut a, &edges_a, state, |_| ());
            let (accepted_b, ()) = space.set(&mut b, &edges_b, state, |_| ());
            let differ =
                accepted_a != accepted_b || Snapshot::of(&a.graph) != Snapshot::of(&b.graph);
            differing += usize::from(differ);
            states += 1;
        }
    }
    (states, differing)
}

#[test]
fn without_owners_the_rules_are_one_in_all_73_728_states() {
    assert_eq!(differing::<Baseline, Ownership>(&SHAPES, &SPACES), (73_728, 0));
    assert_eq!(differing::<Baseline, Groups>(&SHAPES, &SPACES), (73_728, 0));
    let lenient = differing::<Baseline, Flawed<Lenient>>(&SHAPES[..1], &SPACES[2..]);
    assert!(lenient.1 > 0, "a node that hides a bit");
}
