//! What a permission update costs: an edge put on and taken off, on graphs of growing size.

use std::hint::black_box;

use blkperm_baseline::Baseline;
use blkperm_benches::{Workload, chain, fan_in, ladder};
use blkperm_graph::{Demand, Permissions, Rule};
use blkperm_ownership::Ownership;
use criterion::{BenchmarkId, Criterion, Throughput};

const READ: Demand = Demand::taking(Permissions::CONSISTENT_READ);

fn put_on_and_take_off<R: Rule>(
    criterion: &mut Criterion,
    group: &str,
    rule: &str,
    workloads: Vec<(usize, Workload<R>)>,
) {
    let mut group = criterion.benchmark_group(group);
    for (size, mut workload) in workloads {
        group.throughput(Throughput::Elements(workload.edge_count() as u64));
        group.bench_function(BenchmarkId::new(rule, size), |bencher| {
            bencher.iter(|| workload.put_on_and_take_off(black_box(READ)));
        });
    }
}

/// The rules that every shape is measured under: the baseline, and ownership with so many owners.
fn sized<R: Rule>(
    sizes: &[usize],
    build: impl Fn(usize) -> Workload<R>,
) -> Vec<(usize, Workload<R>)> {
    sizes.iter().map(|&size| (size, build(size))).collect()
}

/// ```text
/// edge -> n -> n -> ... -> n       every edge changes, twice
/// ```
fn chains(criterion: &mut Criterion) {
    const SIZES: [usize; 3] = [10, 1_000, 100_000];
    let baseline = sized(&SIZES, |size| chain(Baseline, size, 0));
    put_on_and_take_off(criterion, "chain", "baseline", baseline);
    for owners in [0, 1, 4, 16] {
        let workloads = sized(&SIZES, |size| chain(Ownership::default(), size, owners.min(size)));
        let rule = format!("ownership, {owners} owners");
        put_on_and_take_off(criterion, "chain", &rule, workloads);
    }
}

/// ```text
/// edge, reader, reader, ... reader -> n       nothing is passed down
/// ```
fn fans(criterion: &mut Criterion) {
    const SIZES: [usize; 3] = [10, 1_000, 1_000_000];
    let baseline = sized(&SIZES, |size| fan_in(Baseline, size));
    put_on_and_take_off(criterion, "fan-in", "baseline", baseline);
    let ownership = sized(&SIZES, |size| fan_in(Ownership::default(), size));
    put_on_and_take_off(criterion, "fan-in", "ownership", ownership);
}

/// ```text
///         /-> n -\       /-> n -\
/// edge -> n      >-> n ->        >-> ...       every edge changes, twice
///         \-> n -/       \-> n -/
/// ```
fn ladders(criterion: &mut Criterion) {
    const SIZES: [usize; 3] = [10, 1_000, 25_000];
    let baseline = sized(&SIZES, |size| ladder(Baseline, size));
    put_on_and_take_off(criterion, "ladder", "baseline", baseline);
    let ownership = sized(&SIZES, |size| ladder(Ownership::default(), size));
    put_on_and_take_off(criterion, "ladder", "ownership", ownership);
}

/// ```text
/// edge -> n -> n -> ... -> n <- guard       refused at the far end, and taken back
/// ```
fn refusals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusal");
    for size in [10, 1_000, 100_000] {
        let mut workload = chain(Baseline, size, 0);
        workload.guard_the_bottom();
        group.throughput(Throughput::Elements(workload.edge_count() as u64));
        group.bench_function(BenchmarkId::new("baseline", size), |bencher| {
            bencher.iter(|| workload.be_refused(black_box(READ)));
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    chains(&mut criterion);
    fans(&mut criterion);
    ladders(&mut criterion);
    refusals(&mut criterion);
    criterion.final_summary();
}
