//! The engine of both experimental rules: every different set of claims is kept once and is worked
//! out once.

use std::marker::PhantomData;

use blkperm_graph::{Claim, Counts, Demand, Owner, Permissions, Row, RowId, Rows, Rule};
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::antichain::maximal;
use crate::excuse::Excuse;

/// What an edge holds: an antichain of claims.
///
/// The low byte is the demand, so that an edge that nobody owns any of, and that went through
/// nothing, is QEMU's two masks and no more. The rest is the number, from 1, of the claims that the
/// [`Claimed`] keeps which gave it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Hold(u32);

impl Hold {
    const DEMAND_BITS: u32 = 8;

    fn plain(demand: Demand) -> Hold {
        Hold(demand.index() as u32)
    }

    fn marked(demand: Demand, index: usize) -> Hold {
        let number = u32::try_from(index + 1).ok().filter(|number| number >> 24 == 0);
        let number = number.expect("fewer than 2^24 sets of claims");
        Hold(number << Self::DEMAND_BITS | demand.index() as u32)
    }

    /// What is demanded, whoever it belongs to.
    fn demand(self) -> Demand {
        Demand::from_index(self.0 as usize % Demand::COUNT)
    }

    /// The index of the claims, when they are more than a demand.
    fn mark(self) -> Option<usize> {
        (self.0 >> Self::DEMAND_BITS).checked_sub(1).map(|index| index as usize)
    }

    fn is_plain(self) -> bool {
        self.0 >> Self::DEMAND_BITS == 0
    }
}

/// The claims of the edges into one node.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// The edges that hold plain demands.
    plain: Counts,
    /// How many edges hold each of the other holds; most nodes have none.
    marked: Vec<(Hold, u32)>,
}

impl Tally {
    #[inline(never)]
    fn add_marked(&mut self, hold: Hold) {
        match self.marked.iter_mut().find(|(other, _)| *other == hold) {
            Some((_, count)) => *count += 1,
            None => self.marked.push((hold, 1)),
        }
    }

    #[inline(never)]
    fn remove_marked(&mut self, hold: Hold) {
        let Some(place) = self.marked.iter().position(|(other, _)| *other == hold) else {
            unreachable!("only what was counted in is counted out");
        };
        self.marked[place].1 -= 1;
        if self.marked[place].1 == 0 {
            self.marked.swap_remove(place);
        }
    }
}

/// What [`Rule::pass`] depends on.
type Passage = (RowId, Hold, bool, Option<Owner>);

/// A rule under which claims know their owner; `E` says which claims are excused from each other.
#[derive(Clone, Debug, Default)]
pub struct Claimed<E: Excuse> {
    /// The antichains that are more than a demand.
    marked: IndexSet<Box<[Claim]>, FxBuildHasher>,
    joined: FxHashMap<(Hold, Hold), Hold>,
    passed: FxHashMap<Passage, Hold>,
    conflicts: FxHashMap<(Hold, Hold), Permissions>,
    excuse: PhantomData<E>,
}

impl<E: Excuse> Claimed<E> {
    fn keep(&mut self, claims: Vec<Claim>) -> Hold {
        let claims = maximal(claims);
        let slots = claims.iter().map(|claim| claim.slot.demand());
        let demand = slots.fold(Demand::NONE, Demand::union);
        if claims.iter().all(|claim| claim.owner.is_none() && claim.through.is_empty()) {
            return Hold::plain(demand);
        }
        let (index, _) = self.marked.insert_full(claims);
        Hold::marked(demand, index)
    }

    /// The claims that either holds.
    fn join(&mut self, a: Hold, b: Hold) -> Hold {
        if a.is_plain() && b.is_plain() {
            return Hold::plain(a.demand().union(b.demand()));
        }
        if a == b || b == Hold::default() {
            return a;
        }
        if a == Hold::default() {
            return b;
        }
        let key = (a.min(b), a.max(b));
        if let Some(&joined) = self.joined.get(&key) {
            return joined;
        }
        let mut claims = self.claims(a);
        claims.extend(self.claims(b));
        let joined = self.keep(claims);
        self.joined.insert(key, joined);
        joined
    }

    #[cold]
    #[inline(never)]
    fn join_all(&mut self, plain: Hold, marked: &[(Hold, u32)]) -> Hold {
        marked.iter().fold(plain, |sum, &(hold, _)| self.join(sum, hold))
    }

    #[cold]
    #[inline(never)]
    fn pass_marked(&mut self, rows: &Rows, passage: Passage) -> Hold {
        if let Some(&passed) = self.passed.get(&passage) {
            return passed;
        }
        let (row, sum, attached, filter) = passage;
        let derived = Self::derive(rows.row(row), &self.claims(sum), attached, filter);
        let passed = self.keep(derived);
        self.passed.insert(passage, passed);
        passed
    }

    /// What `row` makes of `claims`.
    ///
    /// What is constant originates at the node, which owns it if it is an owner's filter; what
    /// follows from a claim is that claim, passed; what follows from several together has the owner
    /// that all have, else none, and has gone through what all have. What the row withholds from the
    /// filter's own job ends here.
    fn derive(row: &Row, claims: &[Claim], attached: bool, filter: Option<Owner>) -> Vec<Claim> {
        let own = if attached { row.constant.union(row.attached) } else { row.constant };
        let mut derived: Vec<Claim> =
            own.slots().map(|slot| Claim::originating(slot, filter)).collect();
        let goes_on = |claim: &&Claim| !row.withholds(claim, filter);
        let claims: Vec<&Claim> = claims.iter().filter(goes_on).collect();
        for claim in &claims {
            let follows = row.follows[claim.slot.index()];
            derived.extend(follows.slots().map(|slot| claim.passed(slot, filter)));
        }
        if let Some((both, made)) = row.together {
            for common in common_origins(both, &claims) {
                derived.extend(made.slots().map(|slot| common.passed(slot, filter)));
            }
        }
        derived
    }

    fn excused_in(&self, taker: Hold, unsharer: Hold, permission: Permissions) -> bool {
        let takes = self.claims(taker);
        let unshares = self.claims(unsharer);
        let of = |claims: &[Claim], slot: Demand| -> Vec<Claim> {
            claims.iter().filter(|claim| claim.slot.demand() == slot).cloned().collect()
        };
        let unshares = of(&unshares, Demand::unsharing(permission));
        let takes = of(&takes, Demand::taking(permission));
        takes.iter().all(|take| unshares.iter().all(|unshare| E::excused(take, unshare)))
    }
}

/// One claim for each choice of a claim for each slot of `both`: with the owner that all chosen
/// have, and gone through what all went through. The claims' own slots mean nothing.
fn common_origins(both: Demand, claims: &[&Claim]) -> Vec<Claim> {
    let mut chosen: Option<Vec<Claim>> = None;
    for slot in both.slots() {
        let of_slot = || claims.iter().copied().filter(move |claim| claim.slot == slot);
        chosen = Some(match chosen {
            None => of_slot().cloned().collect(),
            Some(chosen) => {
                let pairs = chosen.iter().flat_map(|a| of_slot().map(move |b| (a, b)));
                pairs.map(|(a, b)| common_origin(a, b)).collect()
            }
        });
    }
    chosen.unwrap_or_default()
}

fn common_origin(a: &Claim, b: &Claim) -> Claim {
    Claim {
        slot: a.slot,
        owner: a.owner.filter(|_| a.owner == b.owner),
        through: a.through.iter().copied().filter(|&owner| b.went_through(owner)).collect(),
    }
}

impl<E: Excuse> Rule for Claimed<E> {
    type Hold = Hold;
    type Tally = Tally;
    const OWNERSHIP: bool = true;

    fn demand(&self, hold: Hold) -> Demand {
        hold.demand()
    }

    fn claims(&self, hold: Hold) -> Vec<Claim> {
        match hold.mark() {
            Some(index) => self.marked[index].to_vec(),
            None => hold.demand().slots().map(|slot| Claim::originating(slot, None)).collect(),
        }
    }

    fn originate(&mut self, demand: Demand, owner: Option<Owner>) -> Hold {
        match owner {
            None => Hold::plain(demand),
            Some(_) => {
                self.keep(demand.slots().map(|slot| Claim::originating(slot, owner)).collect())
            }
        }
    }

    #[inline]
    fn add(&self, tally: &mut Tally, hold: Hold) {
        if hold.is_plain() { tally.plain.add(hold.demand()) } else { tally.add_marked(hold) }
    }

    #[inline]
    fn remove(&self, tally: &mut Tally, hold: Hold) {
        if hold.is_plain() { tally.plain.remove(hold.demand()) } else { tally.remove_marked(hold) }
    }

    #[inline]
    fn sum(&mut self, tally: &Tally) -> Hold {
        let plain = Hold::plain(tally.plain.sum());
        if tally.marked.is_empty() { plain } else { self.join_all(plain, &tally.marked) }
    }

    #[inline]
    fn pass(
        &mut self,
        rows: &Rows,
        row: RowId,
        sum: Hold,
        attached: bool,
        filter: Option<Owner>,
    ) -> Hold {
        if sum.is_plain() && filter.is_none() {
            Hold::plain(rows.evaluate(row, sum.demand(), attached))
        } else {
            self.pass_marked(rows, (row, sum, attached, filter))
        }
    }

    fn in_conflict(&mut self, tally: &Tally) -> bool {
        if tally.plain.in_conflict() {
            return true;
        }
        let marked = &tally.marked;
        let plain = Hold::plain(tally.plain.sum());
        marked.iter().enumerate().any(|(place, &(hold, count))| {
            let with_itself = count > 1 && !self.conflict(hold, hold).is_empty();
            let later = marked[place + 1..].iter().map(|&(other, _)| other);
            with_itself
                || later.chain([plain]).any(|other| {
                    !self.conflict(hold, other).is_empty() || !self.conflict(other, hold).is_empty()
                })
        })
    }

    fn conflict(&mut self, taker: Hold, unsharer: Hold) -> Permissions {
        let both = taker.demand().take() & unsharer.demand().unshare();
        // What nobody owns and went through nothing is never excused.
        if both.is_empty() || taker.is_plain() || unsharer.is_plain() {
            return both;
        }
        if let Some(&known) = self.conflicts.get(&(taker, unsharer)) {
            return known;
        }
        let conflict = both.iter().filter(|&one| !self.excused_in(taker, unsharer, one)).collect();
        self.conflicts.insert((taker, unsharer), conflict);
        conflict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByGroup, ByOwnership};

    const C: Permissions = Permissions::CONSISTENT_READ;

    /// What an edge of nobody's holds below the filter of the owner `filter`.
    fn passed<E: Excuse>(rule: &mut Claimed<E>, demand: Demand, filter: Owner) -> Hold {
        let mut rows = Rows::default();
        let row = rows.keep(Row::IDENTITY);
        let above = rule.originate(demand, None);
        rule.pass(&rows, row, above, true, Some(filter))
    }

    #[test]
    fn an_owned_claim_is_excused_from_what_went_through_its_owner_and_from_nothing_else() {
        let (one, two) = (Owner::from_number(1), Owner::from_number(2));
        let mut rule = Claimed::<ByOwnership>::default();
        let job = rule.originate(Demand::unsharing(C), Some(one));
        let reader = passed(&mut rule, Demand::taking(C), one);
        let elsewhere = passed(&mut rule, Demand::taking(C), two);
        let stranger = rule.originate(Demand::taking(C), None);
        assert_eq!(rule.conflict(reader, job), Permissions::empty());
        assert_eq!(rule.conflict(elsewhere, job), C);
        assert_eq!(rule.conflict(stranger, job), C);
    }

    #[test]
    fn claims_that_merely_went_through_one_owner_conflict_but_are_of_one_group() {
        let owner = Owner::from_number(1);
        let mut ownership = Claimed::<ByOwnership>::default();
        let both = passed(&mut ownership, Demand::new(C, C), owner);
        assert_eq!(ownership.conflict(both, both), C);
        let mut groups = Claimed::<ByGroup>::default();
        let both = passed(&mut groups, Demand::new(C, C), owner);
        assert_eq!(groups.conflict(both, both), Permissions::empty());
    }

    #[test]
    fn two_edges_that_hold_the_same_conflict_and_one_does_not_conflict_with_itself() {
        let mut rule = Claimed::<ByOwnership>::default();
        let hold = passed(&mut rule, Demand::new(C, C), Owner::from_number(1));
        let mut tally = Tally::default();
        rule.add(&mut tally, hold);
        assert!(!rule.in_conflict(&tally));
        rule.add(&mut tally, hold);
        assert!(rule.in_conflict(&tally));
        rule.remove(&mut tally, hold);
        assert!(!rule.in_conflict(&tally));
    }

    #[test]
    fn a_tally_without_owned_edges_is_plain_again() {
        let mut rule = Claimed::<ByOwnership>::default();
        let owned = rule.originate(Demand::taking(C), Some(Owner::from_number(1)));
        let plain = rule.originate(Demand::unsharing(C), None);
        let mut tally = Tally::default();
        rule.add(&mut tally, plain);
        rule.add(&mut tally, owned);
        assert!(rule.in_conflict(&tally));
        rule.remove(&mut tally, owned);
        assert_eq!(rule.sum(&tally), plain);
        assert!(tally.marked.is_empty());
    }
}
