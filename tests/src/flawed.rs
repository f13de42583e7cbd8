//! A plain engine of the ownership rule with room for one deliberate error: the canaries that the
//! tests of the laws must catch, and without an error a second opinion.

use std::collections::HashMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use blkperm_graph::{Claim, Demand, Owner, Permissions, RowId, Rows, Rule, Slot};

/// One deliberate error, or none.
pub trait Flaw: Clone + Default + Debug {
    /// Whether an edge that goes, or changes, is counted out where it was counted in.
    const COUNTS_OUT: bool = true;

    /// Whether a filter withholds from the nodes below what its own job demands, where its row does.
    const WITHHOLDS: bool = true;

    /// When two claims are excused from each other.
    fn excused(a: &Claim, b: &Claim) -> bool {
        crate::slow::by_ownership(a, b)
    }

    /// Which filter a claim counts as passing, that passes this one.
    fn marks(filter: Option<Owner>) -> Option<Owner> {
        filter
    }

    /// What becomes of the claims that meet at a node.
    fn met(claims: Vec<Claim>) -> Vec<Claim> {
        claims
    }

    /// What a node passes to its child of what its row makes.
    fn given(claims: Vec<Claim>, _filter: Option<Owner>) -> Vec<Claim> {
        claims
    }
}

/// No error.
#[derive(Clone, Default, Debug)]
pub struct Flawless;
impl Flaw for Flawless {}

/// Two claims are excused that merely went through the same owner.
#[derive(Clone, Default, Debug)]
pub struct SameOwner;
impl Flaw for SameOwner {
    fn excused(a: &Claim, b: &Claim) -> bool {
        a.through.iter().any(|owner| b.through.contains(owner))
    }
}

/// The owner is not added on the way down.
#[derive(Clone, Default, Debug)]
pub struct Unmarked;
impl Flaw for Unmarked {
    fn marks(_: Option<Owner>) -> Option<Owner> {
        None
    }
}

/// Where parents meet, what any of them went through all went through.
#[derive(Clone, Default, Debug)]
pub struct NoIntersection;
impl Flaw for NoIntersection {
    fn met(claims: Vec<Claim>) -> Vec<Claim> {
        let through = |slot: Slot| {
            let mut through: Vec<Owner> = claims
                .iter()
                .filter(|claim| claim.slot == slot)
                .flat_map(|claim| claim.through.to_vec())
                .collect();
            through.sort();
            through.dedup();
            through.into_boxed_slice()
        };
        claims.iter().map(|c| Claim { through: through(c.slot), ..c.clone() }).collect()
    }
}

/// A job's filter hides that its parents need consistent reads.
#[derive(Clone, Default, Debug)]
pub struct HidingFilter;
impl Flaw for HidingFilter {
    fn given(mut claims: Vec<Claim>, filter: Option<Owner>) -> Vec<Claim> {
        let hidden = Demand::taking(Permissions::CONSISTENT_READ);
        claims.retain(|claim| filter.is_none() || claim.slot.demand() != hidden);
        claims
    }
}

/// A job's filter passes on what its own job demands, too, where it is to end there.
#[derive(Clone, Default, Debug)]
pub struct Forthcoming;
impl Flaw for Forthcoming {
    const WITHHOLDS: bool = false;
}

/// Every node lets others resize its children.
#[derive(Clone, Default, Debug)]
pub struct Lenient;
impl Flaw for Lenient {
    fn given(mut claims: Vec<Claim>, _: Option<Owner>) -> Vec<Claim> {
        claims.retain(|claim| claim.slot.demand() != Demand::unsharing(Permissions::RESIZE));
        claims
    }
}

/// What once was demanded of a node stays in its tally.
#[derive(Clone, Default, Debug)]
pub struct Resentful;
impl Flaw for Resentful {
    const COUNTS_OUT: bool = false;
}

/// What is written is not also kept from being read: taking more demands less.
#[derive(Clone, Default, Debug)]
pub struct WritersShare;
impl Flaw for WritersShare {
    fn given(claims: Vec<Claim>, _: Option<Owner>) -> Vec<Claim> {
        without(
            claims,
            Demand::taking(Permissions::WRITE),
            Demand::unsharing(Permissions::CONSISTENT_READ),
        )
    }
}

/// Who lets nobody write needs no consistent reads: unsharing more demands less.
#[derive(Clone, Default, Debug)]
pub struct AloneIsSafe;
impl Flaw for AloneIsSafe {
    fn given(claims: Vec<Claim>, _: Option<Owner>) -> Vec<Claim> {
        without(
            claims,
            Demand::unsharing(Permissions::WRITE),
            Demand::taking(Permissions::CONSISTENT_READ),
        )
    }
}

fn without(mut claims: Vec<Claim>, present: Demand, dropped: Demand) -> Vec<Claim> {
    if claims.iter().any(|claim| claim.slot.demand() == present) {
        claims.retain(|claim| claim.slot.demand() != dropped);
    }
    claims
}

/// The number of a set of claims that a [`Flawed`] keeps; 0 is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Number(usize);

/// The ownership rule with the error `F`: an edge holds all claims, whatever covers them.
#[derive(Clone, Debug)]
pub struct Flawed<F> {
    sets: Vec<Vec<Claim>>,
    numbers: HashMap<Vec<Claim>, Number>,
    flaw: PhantomData<F>,
}

impl<F: Flaw> Default for Flawed<F> {
    fn default() -> Flawed<F> {
        let numbers = HashMap::from([(Vec::new(), Number(0))]);
        Flawed { sets: vec![Vec::new()], numbers, flaw: PhantomData }
    }
}

impl<F: Flaw> Flawed<F> {
    fn keep(&mut self, mut claims: Vec<Claim>) -> Number {
        claims.sort();
        claims.dedup();
        *self.numbers.entry(claims).or_insert_with_key(|claims| {
            self.sets.push(claims.clone());
            Number(self.sets.len() - 1)
        })
    }
}

impl<F: Flaw> Rule for Flawed<F> {
    type Hold = Number;
    type Tally = Vec<Number>;
    const OWNERSHIP: bool = true;

    fn demand(&self, hold: Number) -> Demand {
        let demands = self.sets[hold.0].iter().map(|claim| claim.slot.demand());
        demands.fold(Demand::NONE, Demand::union)
    }

    fn claims(&self, hold: Number) -> Vec<Claim> {
        self.sets[hold.0].clone()
    }

    fn originate(&mut self, demand: Demand, owner: Option<Owner>) -> Number {
        self.keep(demand.slots().map(|slot| Claim::originating(slot, owner)).collect())
    }

    fn add(&self, tally: &mut Vec<Number>, hold: Number) {
        tally.push(hold);
    }

    fn remove(&self, tally: &mut Vec<Number>, hold: Number) {
        if !F::COUNTS_OUT {
            return;
        }
        let place = tally.iter().position(|other| *other == hold).expect("it was counted in");
        tally.swap_remove(place);
    }

    fn sum(&mut self, tally: &Vec<Number>) -> Number {
        let all = tally.iter().flat_map(|hold| self.sets[hold.0].clone()).collect();
        self.keep(F::met(all))
    }

    fn pass(
        &mut self,
        rows: &Rows,
        row: RowId,
        sum: Number,
        attached: bool,
        filter: Option<Owner>,
    ) -> Number {
        let row = rows.row(row);
        let own = if attached { row.constant.union(row.attached) } else { row.constant };
        let own = own.slots().map(|slot| Claim::originating(slot, filter));
        let mut made: Vec<Claim> = own.collect();
        let mut above = self.claims(sum);
        above.retain(|claim| !F::WITHHOLDS || !row.withholds(claim, filter));
        for claim in &above {
            let follows = row.follows[claim.slot.index()].slots();
            made.extend(follows.map(|slot| claim.passed(slot, F::marks(filter))));
        }
        if let Some((both, output)) = row.together {
            let [first, second] = both.slots().collect::<Vec<_>>()[..] else {
                panic!("the rows of this kit follow from two things together");
            };
            for a in above.iter().filter(|claim| claim.slot == first) {
                for b in above.iter().filter(|claim| claim.slot == second) {
                    let through = a.through.iter().copied().filter(|o| b.through.contains(o));
                    let owner = a.owner.filter(|_| a.owner == b.owner);
                    let common = Claim { slot: first, owner, through: through.collect() };
                    made.extend(output.slots().map(|slot| common.passed(slot, F::marks(filter))));
                }
            }
        }
        self.keep(F::given(made, filter))
    }

    fn in_conflict(&mut self, tally: &Vec<Number>) -> bool {
        let pairs = (0..tally.len()).flat_map(|a| (0..tally.len()).map(move |b| (a, b)));
        let different: Vec<_> = pairs.filter(|(a, b)| a != b).collect();
        different.into_iter().any(|(a, b)| !self.conflict(tally[a], tally[b]).is_empty())
    }

    fn conflict(&mut self, taker: Number, unsharer: Number) -> Permissions {
        let (takes, unshares) = (&self.sets[taker.0], &self.sets[unsharer.0]);
        let faulty = |permission: &Permissions| {
            let of = |claims: &[Claim], slot: Demand| -> Vec<Claim> {
                claims.iter().filter(|claim| claim.slot.demand() == slot).cloned().collect()
            };
            let unshares = of(unshares, Demand::unsharing(*permission));
            let takes = of(takes, Demand::taking(*permission));
            takes.iter().any(|take| unshares.iter().any(|unshare| !F::excused(take, unshare)))
        };
        Permissions::EACH.into_iter().filter(faulty).collect()
    }
}
