//! QEMU 10.0's permission rule: an edge holds two masks, and nobody asks whence.

use blkperm_graph::{Claim, Counts, Demand, Owner, Permissions, RowId, Rows, Rule, Slot};

/// The rule of QEMU 10.0.
///
/// Source: `bdrv_get_cumulative_perm`, `bdrv_parent_perms_conflict` and `bdrv_child_perm` in
/// `block.c`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline;

impl Rule for Baseline {
    type Hold = Demand;
    type Tally = Counts;
    const OWNERSHIP: bool = false;

    fn demand(&self, hold: Demand) -> Demand {
        hold
    }

    fn claims(&self, hold: Demand) -> Vec<Claim> {
        hold.slots().map(|slot: Slot| Claim::originating(slot, None)).collect()
    }

    fn originate(&mut self, demand: Demand, _owner: Option<Owner>) -> Demand {
        demand
    }

    fn add(&self, tally: &mut Counts, hold: Demand) {
        tally.add(hold);
    }

    fn remove(&self, tally: &mut Counts, hold: Demand) {
        tally.remove(hold);
    }

    fn sum(&mut self, tally: &Counts) -> Demand {
        tally.sum()
    }

    fn pass(
        &mut self,
        rows: &Rows,
        row: RowId,
        sum: Demand,
        attached: bool,
        _filter: Option<Owner>,
    ) -> Demand {
        rows.evaluate(row, sum, attached)
    }

    fn in_conflict(&mut self, tally: &Counts) -> bool {
        tally.in_conflict()
    }

    fn conflict(&mut self, taker: Demand, unsharer: Demand) -> Permissions {
        taker.take() & unsharer.unshare()
    }
}
