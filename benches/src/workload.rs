//! What is done to a shape, again and again, so that it is the same after each time.

use blkperm_graph::driver::{NULL_CO, RAW};
use blkperm_graph::{Demand, Owner, Permissions, Role};
use blkperm_tests::algorithm::{Algorithm, Steps};

use crate::build::Build;
use crate::shape::Shape;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// An edge is put on that changes all that it can below, and is taken off.
    Everything,
    /// An edge is put on that demands what a standing one demands already, and is taken off.
    Nothing,
    /// An edge is put on that is refused at the far end, and taken back.
    Refused,
    /// Ten edges are put on in one change, and taken off in another.
    Ten,
    /// A mirror begins under the guest, completes onto its target, and the guest moves back:
    ///
    /// ```text
    /// guest -> filter -> the shape      then   guest -> target      then   guest -> the shape
    ///           job  -> target
    /// ```
    Mirror,
}

impl Update {
    /// All updates.
    pub const ALL: [Update; 5] =
        [Update::Everything, Update::Nothing, Update::Refused, Update::Ten, Update::Mirror];

    /// The update's name.
    pub fn name(self) -> &'static str {
        match self {
            Update::Everything => "everything",
            Update::Nothing => "nothing",
            Update::Refused => "refused",
            Update::Ten => "ten at once",
            Update::Mirror => "mirror",
        }
    }
}

/// A mirror that is not running.
#[derive(Debug)]
struct Mirror<A: Algorithm> {
    guest: A::Edge,
    filter: A::Node,
    target: A::Node,
    job: A::Root,
}

/// A graph with a node to put an edge on.
#[derive(Debug)]
pub struct Workload<A: Algorithm> {
    graph: A,
    edges: Vec<A::Edge>,
    top: A::Node,
    root: A::Root,
    demand: Demand,
    update: Update,
    mirror: Option<Mirror<A>>,
}

impl<A: Algorithm> Workload<A> {
    /// A shape with about `edges` edges, below as many owners' filters as `owners`, ready for the
    /// update.
    pub fn new(
        rule: A::Rule,
        shape: Shape,
        edges: usize,
        owners: usize,
        update: Update,
    ) -> Workload<A> {
        let mut build: Build<A> = Build::new(rule);
        let places = shape.build(&mut build, edges);
        let mut top = places.top;
        for _ in 0..owners {
            let owner = build.graph.add_owner();
            top = above(&mut build, top, Some(owner));
        }
        match update {
            Update::Nothing => build.root_edge(top, shape.demand()),
            Update::Refused => build.root_edge(places.far_end, shape.guarded()),
            Update::Mirror => build.root_edge(top, Demand::taking(Permissions::CONSISTENT_READ)),
            Update::Everything | Update::Ten => {}
        }
        let last = build.make();
        let mirror = (update == Update::Mirror).then(|| idle_mirror(&mut build, last, owners));
        let root = build.root(None);
        let Build { graph, edges, .. } = build;
        Workload { graph, edges, top, root, demand: shape.demand(), update, mirror }
    }

    /// How many edges the graph has.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// The rule.
    pub fn rule(&self) -> &A::Rule {
        self.graph.permission_rule()
    }

    /// What all edges hold.
    pub fn holds(&self) -> Vec<<A::Rule as blkperm_graph::Rule>::Hold> {
        self.edges.iter().map(|&edge| self.graph.held(edge)).collect()
    }

    /// Does it all once.
    ///
    /// # Panics
    ///
    /// Panics when something is refused that should not be, or the reverse.
    pub fn run(&mut self) {
        self.run_watched(|_| ());
    }

    /// Does it all once, and shows itself after each change but the last.
    ///
    /// # Panics
    ///
    /// As [`Workload::run`].
    pub fn run_watched(&mut self, mut watch: impl FnMut(&Self)) {
        match self.update {
            Update::Everything | Update::Nothing => {
                let edge = self.put_on();
                watch(self);
                self.take_off(edge);
            }
            Update::Refused => {
                let mut change = self.graph.begin();
                change.attach_root(self.root, self.top, self.demand);
                assert!(!change.commit(), "the guard refuses the edge");
            }
            Update::Ten => {
                let (root, top, demand) = (self.root, self.top, self.demand);
                let mut change = self.graph.begin();
                let edges = [(); 10].map(|()| change.attach_root(root, top, demand));
                assert!(change.commit(), "edges that share all are accepted");
                watch(self);
                let mut change = self.graph.begin();
                edges.into_iter().for_each(|edge| change.detach(edge));
                assert!(change.commit(), "taking off is never refused");
            }
            Update::Mirror => self.mirror(watch),
        }
    }

    fn put_on(&mut self) -> A::Edge {
        let mut change = self.graph.begin();
        let edge = change.attach_root(self.root, self.top, self.demand);
        assert!(change.commit(), "an edge that shares all is accepted");
        edge
    }

    fn take_off(&mut self, edge: A::Edge) {
        let mut change = self.graph.begin();
        change.detach(edge);
        assert!(change.commit(), "taking off is never refused");
    }

    fn mirror(&mut self, mut watch: impl FnMut(&Self)) {
        let Some(Mirror { guest, filter, target, job }) = self.mirror else { return };
        let top = self.top;
        let mut change = self.graph.begin();
        let below = change.attach(filter, top, Role::FILTERED, blkperm_graph::Row::IDENTITY);
        let below = below.expect("the filter is above");
        let moved = change.move_edge(guest, filter);
        let writing = Demand::taking(Permissions::WRITE);
        let written = change.attach_root(job, target, writing);
        assert!(moved && change.commit(), "the mirror begins");
        watch(self);
        let mut change = self.graph.begin();
        let moved = change.move_edge(guest, target);
        change.detach(below);
        change.detach(written);
        assert!(moved && change.commit(), "the mirror completes");
        watch(self);
        let mut change = self.graph.begin();
        let moved = change.move_edge(guest, top);
        assert!(moved && change.commit(), "the guest moves back");
    }
}

fn above<A: Algorithm>(build: &mut Build<A>, below: A::Node, owner: Option<Owner>) -> A::Node {
    let node = build.node_of(&RAW, owner);
    build.edge(node, &RAW, below, Role::FILTERED);
    node
}

/// The mirror's filter is an owner's where there are owners.
fn idle_mirror<A: Algorithm>(build: &mut Build<A>, guest: A::Edge, owners: usize) -> Mirror<A> {
    let owner = (owners > 0).then(|| build.graph.add_owner());
    let filter = build.node_of(&RAW, owner);
    let target = build.node(&NULL_CO);
    let job = build.root(owner);
    Mirror { guest, filter, target, job }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_baseline::Baseline;
    use blkperm_graph::{Graph, Rule};
    use blkperm_ownership::Ownership;
    use blkperm_tests::algorithm::{Network, Recursive, Topological};

    impl Update {
        /// Whether it ever lets an edge that stands hold something else.
        fn changes(self) -> bool {
            !matches!(self, Update::Nothing | Update::Refused)
        }
    }

    /// Every update leaves every edge as it was, and changes what it says on the way.
    fn check<A: Algorithm>(rule: impl Fn() -> A::Rule, owners: usize) {
        for shape in Shape::ALL {
            for update in Update::ALL {
                let mut workload = Workload::<A>::new(rule(), shape, 30, owners, update);
                let before = workload.holds();
                let mut changes = false;
                workload.run_watched(|workload| changes |= workload.holds() != before);
                let what = format!("{} {} {}", A::NAME, shape.name(), update.name());
                assert!(workload.holds() == before, "{what} leaves a trace");
                assert_eq!(changes, update.changes(), "{what}");
            }
        }
    }

    fn check_algorithms<R: Rule + Default>(owners: usize) {
        check::<Graph<R>>(R::default, owners);
        check::<Network<R, Topological>>(R::default, owners);
        check::<Network<R, Recursive>>(R::default, owners);
    }

    #[test]
    fn every_workload_is_the_same_after_each_time() {
        check_algorithms::<Baseline>(0);
        check_algorithms::<Ownership>(0);
        check_algorithms::<Ownership>(4);
    }
}
