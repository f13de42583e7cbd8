//! What the edges into one node hold together.

use crate::Rule;

/// The holds of the edges into one node.
///
/// Most nodes have one parent, and what its edge holds is then all there is to know: only from the
/// second edge on, the rule counts. A tally stays once it is there, as an edge that came is likely
/// to come again.
#[derive(Clone, Debug)]
pub(crate) enum Incoming<R: Rule> {
    /// No edge.
    None,
    /// One edge, which holds this.
    One(R::Hold),
    /// Any number of edges.
    Counted(Box<R::Tally>),
}

impl<R: Rule> Incoming<R> {
    /// Counts in an edge that holds `hold`.
    pub(crate) fn add(&mut self, rule: &R, hold: R::Hold) {
        match self {
            Incoming::None => *self = Incoming::One(hold),
            Incoming::One(first) => {
                let mut tally = R::Tally::default();
                rule.add(&mut tally, *first);
                rule.add(&mut tally, hold);
                *self = Incoming::Counted(Box::new(tally));
            }
            Incoming::Counted(tally) => rule.add(tally, hold),
        }
    }

    /// Counts out an edge that holds `hold`.
    pub(crate) fn remove(&mut self, rule: &R, hold: R::Hold) {
        match self {
            Incoming::None => unreachable!("only what was counted in is counted out"),
            Incoming::One(_) => *self = Incoming::None,
            Incoming::Counted(tally) => rule.remove(tally, hold),
        }
    }

    /// Counts an edge that held `old` as one that holds `new`.
    #[inline]
    pub(crate) fn replace(&mut self, rule: &R, old: R::Hold, new: R::Hold) {
        match self {
            Incoming::One(only) => *only = new,
            _ => self.recount(rule, old, new),
        }
    }

    /// All that the edges demand together, and whether any two different ones conflict.
    #[inline]
    pub(crate) fn judge(&self, rule: &mut R) -> (R::Hold, bool) {
        match self {
            Incoming::One(only) => (*only, false),
            _ => self.judge_counted(rule),
        }
    }

    /// All that the edges demand together.
    #[inline]
    pub(crate) fn sum(&self, rule: &mut R) -> R::Hold {
        self.judge(rule).0
    }

    // What only some nodes need stays out of the way of what all need.

    #[inline(never)]
    fn recount(&mut self, rule: &R, old: R::Hold, new: R::Hold) {
        self.remove(rule, old);
        self.add(rule, new);
    }

    #[inline(never)]
    fn judge_counted(&self, rule: &mut R) -> (R::Hold, bool) {
        let Incoming::Counted(tally) = self else { return (R::Hold::default(), false) };
        let sum = rule.sum(tally);
        let demand = rule.demand(sum);
        // Only what is both taken and unshared can be in conflict.
        let suspect = demand.take().intersects(demand.unshare());
        (sum, suspect && rule.in_conflict(tally))
    }
}
