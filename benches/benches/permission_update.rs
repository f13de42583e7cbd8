//! What a permission update costs: every shape, size, rule, update and algorithm.
//!
//! The shapes are drawn at [`Shape`], the updates said at [`Update`]. A name on the command line
//! picks some: `cargo bench -- chain/everything` for example.

use blkperm_baseline::Baseline;
use blkperm_benches::{Shape, Update, Workload};
use blkperm_graph::{Graph, Rule};
use blkperm_ownership::Ownership;
use blkperm_tests::algorithm::{Algorithm, Network, Recursive, Topological};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;

const SIZES: [usize; 4] = [10, 1_000, 30_000, 1_000_000];

/// The largest size by the algorithm where each benchmark is only tried out once (`--test`), so that
/// all of them take seconds: the recursive one builds a chain with the cube of its length.
fn tried_out(algorithm: &str) -> usize {
    if algorithm == "recursive" { 10 } else { 1_000 }
}

/// The largest size at which the algorithm can do one update in about a second.
fn largest(algorithm: &str, shape: Shape) -> usize {
    match (algorithm, shape) {
        // All pairs of parents: twice 10^12 at the next size.
        ("topological", Shape::FanIn | Shape::Host) => 30_000,
        // Down every path: 2^250 of them at the next size.
        ("recursive", Shape::Ladder) => 10,
        // A list of all that is above, copied for each edge, and a call for each level.
        ("recursive", _) => 1_000,
        _ => 1_000_000,
    }
}

/// One update of one shape under one rule by one algorithm, at every size.
fn measure<A: Algorithm>(
    criterion: &mut Criterion,
    (shape, update): (Shape, Update),
    (rule, owners): (&str, usize),
) where
    A::Rule: Default,
{
    let mut group = criterion.benchmark_group(format!("{}/{}", shape.name(), update.name()));
    let tries_out = std::env::args().any(|argument| argument == "--test");
    let bound = if tries_out { tried_out(A::NAME) } else { usize::MAX };
    let largest = largest(A::NAME, shape).min(bound);
    for size in SIZES.into_iter().filter(|&size| size <= largest) {
        group.throughput(Throughput::Elements(size as u64));
        let id = BenchmarkId::new(format!("{}, {rule}", A::NAME), size);
        group.bench_function(id, |bencher| {
            // Built here, so that what is not asked for is not built.
            let rule = A::Rule::default();
            let mut workload = Workload::<A>::new(rule, shape, size, owners, update);
            bencher.iter(|| workload.run());
        });
    }
}

fn algorithms<R: Rule + Default>(
    criterion: &mut Criterion,
    what: (Shape, Update),
    rule: (&str, usize),
) {
    measure::<Graph<R>>(criterion, what, rule);
    measure::<Network<R, Topological>>(criterion, what, rule);
    measure::<Network<R, Recursive>>(criterion, what, rule);
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
        .configure_from_args();
    for shape in Shape::ALL {
        for update in Update::ALL {
            let what = (shape, update);
            algorithms::<Baseline>(&mut criterion, what, ("baseline", 0));
            for owners in [0, 1, 4, 16] {
                let rule = format!("ownership {owners}");
                algorithms::<Ownership>(&mut criterion, what, (&rule, owners));
            }
        }
    }
    criterion.final_summary();
}
