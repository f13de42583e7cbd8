//! Instructions of one update, counted by callgrind: the same on every run, whatever the machine does
//! beside it. The shapes are drawn at [`Shape`], the updates said at [`Update`].

use blkperm_baseline::Baseline;
use blkperm_benches::{Shape, Update, Workload};
use blkperm_graph::Graph;
use blkperm_ownership::Ownership;
use blkperm_tests::algorithm::{Algorithm, Network, Topological};
use gungraun::{library_benchmark, library_benchmark_group, main};

/// So few that callgrind takes seconds, so many that what is the same at every size does not count.
const EDGES: usize = 1_000;

type What = (Shape, Update);

/// Every update of the shape, numbered in the output: 0 everything, 1 nothing, 2 refused, 3 ten at
/// once, 4 mirror.
fn of(shape: Shape) -> Vec<What> {
    Update::ALL.into_iter().map(|update| (shape, update)).collect()
}

/// A workload whose first update is done, which makes the room that later ones use again.
fn prepare<A: Algorithm, const OWNERS: usize>((shape, update): What) -> Workload<A>
where
    A::Rule: Default,
{
    let mut workload = Workload::new(A::Rule::default(), shape, EDGES, OWNERS, update);
    workload.run();
    workload
}

type ByTopology = Network<Baseline, Topological>;

// Each returns the workload, so that to free it does not count.

#[library_benchmark]
#[benches::chain(iter = of(Shape::Chain), setup = prepare::<Graph<Baseline>, 0>)]
#[benches::fan_in(iter = of(Shape::FanIn), setup = prepare::<Graph<Baseline>, 0>)]
#[benches::fan_out(iter = of(Shape::FanOut), setup = prepare::<Graph<Baseline>, 0>)]
#[benches::overlays(iter = of(Shape::Overlays), setup = prepare::<Graph<Baseline>, 0>)]
#[benches::ladder(iter = of(Shape::Ladder), setup = prepare::<Graph<Baseline>, 0>)]
#[benches::host(iter = of(Shape::Host), setup = prepare::<Graph<Baseline>, 0>)]
fn baseline(mut workload: Workload<Graph<Baseline>>) -> Workload<Graph<Baseline>> {
    workload.run();
    workload
}

#[library_benchmark]
#[benches::chain(iter = of(Shape::Chain), setup = prepare::<Graph<Ownership>, 0>)]
#[benches::fan_in(iter = of(Shape::FanIn), setup = prepare::<Graph<Ownership>, 0>)]
#[benches::fan_out(iter = of(Shape::FanOut), setup = prepare::<Graph<Ownership>, 0>)]
#[benches::overlays(iter = of(Shape::Overlays), setup = prepare::<Graph<Ownership>, 0>)]
#[benches::ladder(iter = of(Shape::Ladder), setup = prepare::<Graph<Ownership>, 0>)]
#[benches::host(iter = of(Shape::Host), setup = prepare::<Graph<Ownership>, 0>)]
fn ownership(mut workload: Workload<Graph<Ownership>>) -> Workload<Graph<Ownership>> {
    workload.run();
    workload
}

#[library_benchmark]
#[benches::chain(iter = of(Shape::Chain), setup = prepare::<Graph<Ownership>, 4>)]
#[benches::fan_in(iter = of(Shape::FanIn), setup = prepare::<Graph<Ownership>, 4>)]
#[benches::fan_out(iter = of(Shape::FanOut), setup = prepare::<Graph<Ownership>, 4>)]
#[benches::overlays(iter = of(Shape::Overlays), setup = prepare::<Graph<Ownership>, 4>)]
#[benches::ladder(iter = of(Shape::Ladder), setup = prepare::<Graph<Ownership>, 4>)]
#[benches::host(iter = of(Shape::Host), setup = prepare::<Graph<Ownership>, 4>)]
fn ownership_below_four_owners(
    mut workload: Workload<Graph<Ownership>>,
) -> Workload<Graph<Ownership>> {
    workload.run();
    workload
}

#[library_benchmark]
#[benches::chain(iter = of(Shape::Chain), setup = prepare::<ByTopology, 0>)]
#[benches::fan_in(iter = of(Shape::FanIn), setup = prepare::<ByTopology, 0>)]
#[benches::fan_out(iter = of(Shape::FanOut), setup = prepare::<ByTopology, 0>)]
#[benches::overlays(iter = of(Shape::Overlays), setup = prepare::<ByTopology, 0>)]
#[benches::ladder(iter = of(Shape::Ladder), setup = prepare::<ByTopology, 0>)]
#[benches::host(iter = of(Shape::Host), setup = prepare::<ByTopology, 0>)]
fn topological(mut workload: Workload<ByTopology>) -> Workload<ByTopology> {
    workload.run();
    workload
}

library_benchmark_group!(
    name = update,
    benchmarks = [baseline, ownership, ownership_below_four_owners, topological]
);
main!(library_benchmark_groups = update);
