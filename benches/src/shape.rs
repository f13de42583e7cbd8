//! The shapes of the graphs, each drawn.

use blkperm_graph::driver::{FILE, QCOW2, QUORUM, RAW};
use blkperm_graph::{Demand, Permissions, Role};
use blkperm_tests::algorithm::Algorithm;

use crate::build::Build;

/// A family of graphs that grow with their number of edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Identity filters above each other. The edge changes all that is below it.
    ///
    /// ```text
    /// edge -> raw -> raw -> ... -> raw
    /// ```
    Chain,
    /// Many readers of one node.
    ///
    /// ```text
    /// edge, reader, reader, ... reader -> raw -> raw
    /// ```
    FanIn,
    /// Many children of one node.
    ///
    /// ```text
    ///                   /-> raw
    /// edge -> quorum ---+-> raw
    ///                   \-> ... raw
    /// ```
    FanOut,
    /// Every image has two overlays, down to the leaves of a binary tree. The edge is on a leaf, and
    /// changes the path to the root.
    ///
    /// ```text
    ///         qcow2 -\
    ///                 >-> qcow2 -\
    /// edge -> qcow2 -/            >-> qcow2 (the first image)
    ///         qcow2 ---> ... ----/
    /// ```
    Overlays,
    /// Stacked diamonds: twice as many paths for each more.
    ///
    /// ```text
    ///              /-> raw -\            /-> raw -\
    /// edge -> quorum         >-> quorum -          >-> ...
    ///              \-> raw -/            \-> raw -/
    /// ```
    Ladder,
    /// A host's worth of running guests on one golden image; the edge is one more guest that starts.
    ///
    /// ```text
    /// guest -> qcow2 -> file
    ///               \-----------\
    /// guest -> qcow2 -> file     >-> qcow2 (golden) -> file
    ///               \-----------/
    /// edge  -> qcow2 -> file   /
    ///               \---------/
    /// ```
    Host,
}

/// Where a shape is put to use.
pub(crate) struct Places<A: Algorithm> {
    /// The node that the edge is put on.
    pub(crate) top: A::Node,
    /// The node that what the edge demands arrives at last.
    pub(crate) far_end: A::Node,
}

const IMAGE: Role = Role::IMAGE;

impl Shape {
    /// All shapes.
    pub const ALL: [Shape; 6] =
        [Shape::Chain, Shape::FanIn, Shape::FanOut, Shape::Overlays, Shape::Ladder, Shape::Host];

    /// The shape's name.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::FanIn => "fan-in",
            Shape::FanOut => "fan-out",
            Shape::Overlays => "overlays",
            Shape::Ladder => "ladder",
            Shape::Host => "host",
        }
    }

    /// What the edge demands that is put on: what passes all the way down, and nobody takes yet.
    pub(crate) fn demand(self) -> Demand {
        match self {
            Shape::Host => Demand::taking(Permissions::all()),
            _ => Demand::taking(Permissions::CONSISTENT_READ),
        }
    }

    /// What the guard at the far end unshares, so that the edge is refused there.
    pub(crate) fn guarded(self) -> Demand {
        match self {
            Shape::Host => Demand::unsharing(Permissions::WRITE_UNCHANGED),
            _ => Demand::unsharing(Permissions::CONSISTENT_READ),
        }
    }

    /// Builds the shape with about as many edges.
    pub(crate) fn build<A: Algorithm>(self, build: &mut Build<A>, edges: usize) -> Places<A> {
        match self {
            Shape::Chain => chain(build, edges),
            Shape::FanIn => fan_in(build, edges),
            Shape::FanOut => fan_out(build, edges),
            Shape::Overlays => overlays(build, edges),
            Shape::Ladder => ladder(build, edges / 4),
            Shape::Host => host(build, edges / 3),
        }
    }
}

/// From the top: a child that is new has nothing below that would be searched for a cycle.
fn chain<A: Algorithm>(build: &mut Build<A>, edges: usize) -> Places<A> {
    let top = build.node(&RAW);
    let mut far_end = top;
    for _ in 0..edges {
        let below = build.node(&RAW);
        build.edge(far_end, &RAW, below, Role::FILTERED);
        far_end = below;
    }
    Places { top, far_end }
}

fn fan_in<A: Algorithm>(build: &mut Build<A>, edges: usize) -> Places<A> {
    let Places { top, far_end } = chain(build, 1);
    for _ in 1..edges {
        build.root_edge(top, Demand::taking(Permissions::WRITE_UNCHANGED));
    }
    Places { top, far_end }
}

fn fan_out<A: Algorithm>(build: &mut Build<A>, edges: usize) -> Places<A> {
    let top = build.node(&QUORUM);
    let mut far_end = top;
    for _ in 0..edges.max(1) {
        far_end = build.node(&RAW);
        build.edge(top, &QUORUM, far_end, Role::DATA);
    }
    Places { top, far_end }
}

fn overlays<A: Algorithm>(build: &mut Build<A>, edges: usize) -> Places<A> {
    let far_end = build.node(&QCOW2);
    let mut images = vec![far_end];
    for number in 0..edges {
        let overlay = build.node(&QCOW2);
        build.edge(overlay, &QCOW2, images[number / 2], Role::COW);
        images.push(overlay);
    }
    Places { top: images[edges], far_end }
}

fn ladder<A: Algorithm>(build: &mut Build<A>, diamonds: usize) -> Places<A> {
    let top = build.node(&QUORUM);
    let mut far_end = top;
    for _ in 0..diamonds.max(1) {
        let below = build.node(&QUORUM);
        for side in [build.node(&RAW), build.node(&RAW)] {
            build.edge(far_end, &QUORUM, side, Role::DATA);
            build.edge(side, &RAW, below, Role::FILTERED);
        }
        far_end = below;
    }
    Places { top, far_end }
}

fn host<A: Algorithm>(build: &mut Build<A>, guests: usize) -> Places<A> {
    let golden = build.node(&QCOW2);
    let golden_file = build.node(&FILE);
    build.edge(golden, &QCOW2, golden_file, IMAGE);
    let mut guest = || {
        let (overlay, file) = (build.node(&QCOW2), build.node(&FILE));
        build.edge(overlay, &QCOW2, file, IMAGE);
        build.edge(overlay, &QCOW2, golden, Role::COW);
        (overlay, file)
    };
    let (top, far_end) = guest();
    let running: Vec<_> = (1..guests).map(|_| guest().0).collect();
    let reading = Permissions::CONSISTENT_READ | Permissions::WRITE;
    for overlay in running {
        build.root_edge(overlay, Demand::taking(reading));
    }
    Places { top, far_end }
}
