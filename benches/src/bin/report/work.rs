//! What each algorithm does for one update: edges visited and changed, pairs compared, memory used.

use blkperm_baseline::Baseline;
use blkperm_benches::{Counted, Counts, Shape, Update, Workload};
use blkperm_graph::Graph;
use blkperm_tests::algorithm::{Algorithm, Network, Recursive, Topological};
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::table::table;

type Rule = Counted<Baseline>;

/// Small enough for the recursive algorithm to follow every path down the ladder.
const LADDER: usize = 40;
const EDGES: usize = 1_000;

/// The table.
pub(crate) fn report() -> String {
    let mut rows = Vec::new();
    for shape in Shape::ALL {
        for update in [Update::Everything, Update::Nothing] {
            rows.push(row::<Graph<Rule>>(shape, update));
            rows.push(row::<Network<Rule, Topological>>(shape, update));
            rows.push(row::<Network<Rule, Recursive>>(shape, update));
        }
    }
    let sentence = format!(
        "An edge is put on and taken off, on {EDGES} edges ({LADDER} in the ladder), under the \
         baseline. *Visited*: how often it was worked out what an edge holds. *Compared*: how often \
         two edges were. *Changed*: how many edges hold something else while the edge is there. \
         *Bytes*: allocated, once the room that is kept has grown."
    );
    let header =
        ["shape, update", "algorithm", "visited", "compared", "changed", "bytes", "allocations"];
    table("The work of one update", &sentence, &header, rows)
}

fn row<A: Algorithm<Rule = Rule>>(shape: Shape, update: Update) -> Vec<String> {
    let edges = if shape == Shape::Ladder { LADDER } else { EDGES };
    let mut workload = Workload::<A>::new(Rule::default(), shape, edges, 0, update);
    // The room that is kept between updates grows at first.
    workload.run();
    let before = workload.rule().counts;
    let region = Region::new(ALLOCATOR);
    workload.run();
    let allocated = region.change();
    let after = workload.rule().counts;
    let holds = workload.holds();
    let edge = workload.put_on();
    let changed = holds.iter().zip(workload.holds()).filter(|(one, other)| *one != other).count();
    workload.take_off(edge);
    let Counts { visited, compared } = after;
    let numbers = [visited - before.visited, compared - before.compared, changed as u64];
    let mut cells = vec![format!("{}, {}", shape.name(), update.name()), A::NAME.to_owned()];
    cells.extend(numbers.map(|number| number.to_string()));
    cells.push(allocated.bytes_allocated.to_string());
    cells.push((allocated.allocations + allocated.reallocations).to_string());
    cells
}
