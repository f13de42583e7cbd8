//! What the cost of an update has to be, and is.

use blkperm_baseline::Baseline;
use blkperm_benches::{Shape, Update, Workload};
use blkperm_graph::driver::RAW;
use blkperm_graph::{Graph, NewNode, Role, Rule};
use blkperm_ownership::Ownership;
use blkperm_tests::algorithm::{Algorithm, Network, Topological};
use std::hint::black_box;
use std::time::Instant;

use crate::memory::{self, Bytes, Kind};
use crate::table::table;

const MILLION: usize = 1_000_000;

/// The table.
pub(crate) fn report() -> String {
    let mut rows = Vec::new();
    let mut add = |what: &str, target: &str, is: String| {
        rows.push(vec![what.to_owned(), target.to_owned(), is]);
    };
    let everything = |edges, owners| (Shape::Chain, Update::Everything, edges, owners);
    let chain = || prepared::<Graph<Baseline>>(everything(1_000, 0));
    let [fast, slow] =
        medians([chain(), prepared::<Network<Baseline, Topological>>(everything(1_000, 0))]);
    // The edge is put on and taken off: every edge changes twice.
    add("every edge of a chain of 1,000, an edge", "25 ns", nanoseconds(fast / 2_000.0));
    add("the same, *topological* against it", "at least 5 x", times(slow / fast));
    let nothing = |edges| prepared::<Graph<Baseline>>((Shape::Chain, Update::Nothing, edges, 0));
    let [few, many] = medians([nothing(10), nothing(MILLION)]);
    add("nothing to pass down, 10 edges below", "150 ns", nanoseconds(few / 2.0));
    add("nothing to pass down, 1,000,000 edges below", "150 ns", nanoseconds(many / 2.0));
    let parents = |edges| prepared::<Graph<Baseline>>((Shape::FanIn, Update::Everything, edges, 0));
    let [few, many] = medians([parents(10), parents(MILLION)]);
    add("1,000,000 parents against 10", "at most 2 x", times(many / few));
    let ladder = |edges| prepared::<Graph<Baseline>>((Shape::Ladder, Update::Everything, edges, 0));
    let [few, many] = medians([ladder(400), ladder(40_000)]);
    add("ladder of 40,000 edges against 400, an edge", "linear", times(many / few / 100.0));
    let refused = prepared::<Graph<Baseline>>((Shape::Chain, Update::Refused, 1_000, 0));
    let [accepted, refused] = medians([chain(), refused]);
    // What is accepted is put on and taken off, which are two updates.
    add("a refusal against an accepted update", "at most 2 x", times(refused / accepted * 2.0));
    for (owners, target) in [(0, "at most 1.10 x"), (1, ""), (4, "at most 2 x"), (16, "")] {
        let owned = prepared::<Graph<Ownership>>(everything(1_000, owners));
        let [baseline, ownership] = medians([chain(), owned]);
        let what = format!("ownership below {owners} owners against the baseline");
        add(&what, target, times(ownership / baseline));
    }
    for (kind, name) in [(Kind::Chain, "chain"), (Kind::Ladder, "ladder")] {
        let Bytes { node, edge, .. } = memory::measure(Baseline, 0, kind);
        let owned = memory::measure(Ownership::default(), 4, kind);
        add(&format!("bytes a node of a {name}"), "128", format!("{node:.0}"));
        add("bytes an edge", "64", format!("{edge:.0}"));
        let ratio = (owned.node + owned.edge) / (node + edge);
        add("both below 4 owners against the baseline", "at most 1.5 x", times(ratio));
    }
    add("a graph of 1,000,000 edges, edge by edge", "2 s", format!("{:.2} s", built()));
    let sentence = "Medians, single-threaded; what is divided was measured in turn. An update is \
                    one edge put on, or one taken off.";
    table("What it must reach within the process", sentence, &["", "target", "is"], rows)
}

type What = (Shape, Update, usize, usize);

/// A workload that is ready to run.
fn prepared<A: Algorithm + 'static>((shape, update, edges, owners): What) -> Box<dyn FnMut()>
where
    A::Rule: Rule + Default,
{
    let mut workload = Workload::<A>::new(A::Rule::default(), shape, edges, owners, update);
    Box::new(move || black_box(&mut workload).run())
}

/// The median times of some works, in nanoseconds, measured in turn, so that what slows the machine
/// down slows all.
fn medians<const N: usize>(mut works: [Box<dyn FnMut()>; N]) -> [f64; N] {
    const ROUNDS: usize = 201;
    const SAMPLE: f64 = 300_000.0;
    let mut samples = [(); N].map(|()| Vec::with_capacity(ROUNDS));
    let mut repetitions = [1; N];
    for (work, repetitions) in works.iter_mut().zip(&mut repetitions) {
        work();
        let once = time(work.as_mut(), 3);
        *repetitions = (SAMPLE / once).clamp(1.0, 100_000.0) as u32;
    }
    for _ in 0..ROUNDS {
        for ((work, samples), &repetitions) in works.iter_mut().zip(&mut samples).zip(&repetitions)
        {
            samples.push(time(work.as_mut(), repetitions));
        }
    }
    samples.map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples[ROUNDS / 2]
    })
}

fn time(work: &mut dyn FnMut(), repetitions: u32) -> f64 {
    let start = Instant::now();
    (0..repetitions).for_each(|_| work());
    start.elapsed().as_nanos() as f64 / f64::from(repetitions)
}

/// The median of some times to build a chain edge by edge, from the bottom, in seconds.
fn built() -> f64 {
    let once = || {
        let start = Instant::now();
        let mut graph = Graph::new(Baseline);
        let mut top = graph.add_node(NewNode::new("n", &RAW));
        for number in 0..MILLION {
            let above = graph.add_node(NewNode::new(&format!("n{number}"), &RAW));
            graph
                .transact(|change| change.attach(above, top, "file", Role::FILTERED))
                .expect("a chain has no conflicts");
            top = above;
        }
        start.elapsed().as_secs_f64()
    };
    let mut times = [(); 5].map(|()| once());
    times.sort_by(f64::total_cmp);
    times[2]
}

fn nanoseconds(value: f64) -> String {
    format!("{value:.1} ns")
}

fn times(value: f64) -> String {
    format!("{value:.2} x")
}
