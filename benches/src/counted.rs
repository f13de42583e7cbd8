//! A rule that counts what an algorithm asks of it.

use blkperm_graph::{Claim, Demand, Owner, Permissions, RowId, Rows, Rule};

/// How often an algorithm has asked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// What an edge holds was worked out: the edges visited.
    pub visited: u64,
    /// Two edges were compared, in one direction.
    pub compared: u64,
}

/// The rule `R`, counting.
#[derive(Clone, Default, Debug)]
pub struct Counted<R> {
    rule: R,
    /// The counts so far.
    pub counts: Counts,
}

impl<R: Rule> Rule for Counted<R> {
    type Hold = R::Hold;
    type Tally = R::Tally;
    const OWNERSHIP: bool = R::OWNERSHIP;

    fn demand(&self, hold: R::Hold) -> Demand {
        self.rule.demand(hold)
    }

    fn claims(&self, hold: R::Hold) -> Vec<Claim> {
        self.rule.claims(hold)
    }

    fn originate(&mut self, demand: Demand, owner: Option<Owner>) -> R::Hold {
        self.rule.originate(demand, owner)
    }

    fn add(&self, tally: &mut R::Tally, hold: R::Hold) {
        self.rule.add(tally, hold);
    }

    fn remove(&self, tally: &mut R::Tally, hold: R::Hold) {
        self.rule.remove(tally, hold);
    }

    fn sum(&mut self, tally: &R::Tally) -> R::Hold {
        self.rule.sum(tally)
    }

    fn pass(
        &mut self,
        rows: &Rows,
        row: RowId,
        sum: R::Hold,
        attached: bool,
        filter: Option<Owner>,
    ) -> R::Hold {
        self.counts.visited += 1;
        self.rule.pass(rows, row, sum, attached, filter)
    }

    fn in_conflict(&mut self, tally: &R::Tally) -> bool {
        self.rule.in_conflict(tally)
    }

    fn conflict(&mut self, taker: R::Hold, unsharer: R::Hold) -> Permissions {
        self.counts.compared += 1;
        self.rule.conflict(taker, unsharer)
    }
}
