//! What each algorithm does for one update: edges visited and changed, pairs compared, memory used.

use blkperm_baseline::Baseline;
use blkperm_benches::{Counted, Shape, Update, Workload};
use blkperm_graph::{Graph, Rule};
use blkperm_ownership::Ownership;
use blkperm_tests::algorithm::{Algorithm, Network, Recursive, Topological};
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::table::table;

/// Small enough for the recursive algorithm to follow every path down the ladder.
const LADDER: usize = 40;
const EDGES: usize = 1_000;

/// What one algorithm does for an update.
struct Work {
    changed: usize,
    visited: u64,
    compared: u64,
    bytes: usize,
}

/// The tables.
pub(crate) fn report() -> String {
    let tables = [
        report_under::<Baseline>("under the baseline", 0),
        report_under::<Ownership>("under ownership, below 4 owners", 4),
    ];
    tables.join("\n\n")
}

fn report_under<R: Rule + Default>(rule: &str, owners: usize) -> String {
    let updates = |shape| Update::ALL.map(|update| (shape, update));
    let rows = Shape::ALL.into_iter().flat_map(updates).map(|(shape, update)| {
        let works = [
            work::<R, Graph<Counted<R>>>(shape, update, owners),
            work::<R, Network<Counted<R>, Topological>>(shape, update, owners),
            work::<R, Network<Counted<R>, Recursive>>(shape, update, owners),
        ];
        let mut cells = vec![format!("{}, {}", shape.name(), update.name())];
        cells.push(works[0].changed.to_string());
        cells.extend(works.each_ref().map(|work| work.visited.to_string()));
        cells.extend(works.each_ref().map(|work| work.compared.to_string()));
        cells.extend(works.each_ref().map(|work| work.bytes.to_string()));
        cells
    });
    let sentence = format!(
        "On {EDGES} edges ({LADDER} in the ladder), {rule}; what is put on is taken off \
         again. *Changed*: how many of the edges that stand hold something else meanwhile; none where \
         all is taken back. *Visited*: how often it was worked out what an edge holds. *Compared*: \
         how often two edges were. *Bytes*: allocated, once the room that is kept has grown. Each by \
         *incremental*, *topological* and *recursive*."
    );
    let header = [
        "shape, update",
        "changed",
        "visited: incr.",
        "topol.",
        "recurs.",
        "compared: incr.",
        "topol.",
        "recurs.",
        "bytes: incr.",
        "topol.",
        "recurs.",
    ];
    table(&format!("The work of one update {rule}"), &sentence, &header, rows)
}

fn work<R, A>(shape: Shape, update: Update, owners: usize) -> Work
where
    R: Rule + Default,
    A: Algorithm<Rule = Counted<R>>,
{
    let edges = if shape == Shape::Ladder { LADDER } else { EDGES };
    let mut workload = Workload::<A>::new(Counted::default(), shape, edges, owners, update);
    // The room that is kept between updates grows at first.
    workload.run();
    let before = workload.rule().counts;
    let region = Region::new(ALLOCATOR);
    workload.run();
    let bytes = region.change().bytes_allocated;
    let after = workload.rule().counts;
    let holds = workload.holds();
    let mut changed = vec![false; holds.len()];
    workload.run_watched(|workload| {
        for ((changed, before), now) in changed.iter_mut().zip(&holds).zip(workload.holds()) {
            *changed |= *before != now;
        }
    });
    Work {
        changed: changed.into_iter().filter(|&changed| changed).count(),
        visited: after.visited - before.visited,
        compared: after.compared - before.compared,
        bytes,
    }
}
