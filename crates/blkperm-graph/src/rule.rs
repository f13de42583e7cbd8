//! What a permission rule is: an algebra over what edges hold.

use std::fmt::Debug;
use std::num::NonZeroU32;

use crate::{Demand, Permissions, RowId, Rows, Slot};

/// An owner: the mark of one job's filter and of every edge that the job itself creates.
///
/// Numbers are given out by [`Graph::new_owner`](crate::Graph::new_owner) and never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Owner(NonZeroU32);

impl Owner {
    /// The owner with this number, for tests of a rule's algebra without a graph.
    ///
    /// # Panics
    ///
    /// Panics when `number` is 0.
    pub const fn from_number(number: u32) -> Owner {
        Owner(NonZeroU32::new(number).expect("owners are numbered from 1"))
    }
}

/// One permission that an edge takes or unshares, with where it came from.
///
/// Source: the ownership model, "Claims". Under a rule that knows no owners, every claim has none
/// and has gone through none.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Claim {
    /// The permission, taken or unshared.
    pub slot: Slot,
    /// The owner whose job makes this claim, where it is a job's.
    pub owner: Option<Owner>,
    /// The owners whose filters the claim went through on its way down, ascending.
    pub through: Box<[Owner]>,
}

impl Claim {
    /// A claim at its origin: an owned one counts as having gone through its owner.
    pub fn originating(slot: Slot, owner: Option<Owner>) -> Claim {
        Claim { slot, owner, through: owner.into_iter().collect() }
    }

    /// What becomes of the claim when a node passes it down as `slot`; `filter` is the owner whose
    /// filter that node is, if it is one.
    pub fn passed(&self, slot: Slot, filter: Option<Owner>) -> Claim {
        let mut through = self.through.to_vec();
        if let Some(filter) = filter
            && let Err(place) = through.binary_search(&filter)
        {
            through.insert(place, filter);
        }
        Claim { slot, owner: self.owner, through: through.into() }
    }

    /// Whether the claim went through the filter of `owner`.
    pub fn went_through(&self, owner: Owner) -> bool {
        self.through.binary_search(&owner).is_ok()
    }
}

/// A permission rule: what an edge holds, how the edges into a node add up, what a driver's row
/// makes of that for a child, and whether two edges conflict.
///
/// The graph's topology, transactions and update are the same for every rule. Methods that make
/// new holds take `&mut self`, so that a rule can keep each different hold once.
pub trait Rule {
    /// What one edge holds. The default demands nothing.
    type Hold: Copy + Eq + Default + Debug;

    /// What the edges into one node hold together, kept so that adding or removing one edge takes
    /// the same time however many there are. The default is that of a node without parents.
    type Tally: Clone + Default + Debug;

    /// Whether claims carry owners. Then the filter of an owner is transparent: it passes on all
    /// that its parents demand.
    const OWNERSHIP: bool;

    /// The two masks of `hold`, whoever it belongs to.
    fn demand(&self, hold: Self::Hold) -> Demand;

    /// The claims of `hold`, ascending.
    fn claims(&self, hold: Self::Hold) -> Vec<Claim>;

    /// What an edge holds that demands `demand` for itself, on behalf of `owner` if there is one.
    fn originate(&mut self, demand: Demand, owner: Option<Owner>) -> Self::Hold;

    /// Counts an edge that holds `hold` into `tally`.
    fn add(&self, tally: &mut Self::Tally, hold: Self::Hold);

    /// Counts an edge that holds `hold` out of `tally`, into which it was counted before.
    fn remove(&self, tally: &mut Self::Tally, hold: Self::Hold);

    /// All that the edges counted in `tally` demand together.
    fn sum(&mut self, tally: &Self::Tally) -> Self::Hold;

    /// What a child edge holds by the row `row`, given the `sum` of its parent's incoming edges,
    /// whether there is such an edge (`attached`), and the `filter` whose node the parent is.
    fn pass(
        &mut self,
        rows: &Rows,
        row: RowId,
        sum: Self::Hold,
        attached: bool,
        filter: Option<Owner>,
    ) -> Self::Hold;

    /// Whether any two different edges of those counted in `tally` conflict.
    fn in_conflict(&mut self, tally: &Self::Tally) -> bool;

    /// The permissions that `taker` takes and `unsharer` unshares so that the two conflict, when
    /// they are held by two different edges into one node.
    fn conflict(&mut self, taker: Self::Hold, unsharer: Self::Hold) -> Permissions;
}

/// For each permission, how many edges take it, how many unshare it, and how many do both.
///
/// From these three numbers follows whether two *different* edges conflict, in constant time: there
/// are `takes * unshares` ordered pairs, of which `both` pair an edge with itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    demanded: [u32; Slot::COUNT],
    both: [u32; 4],
}

impl Counts {
    /// Counts in one edge that demands `demand`.
    pub fn add(&mut self, demand: Demand) {
        self.each(demand, |count| *count += 1);
    }

    /// Counts out one edge that demands `demand`.
    pub fn remove(&mut self, demand: Demand) {
        self.each(demand, |count| *count -= 1);
    }

    fn each(&mut self, demand: Demand, change: impl Fn(&mut u32)) {
        let mut bits = demand.index();
        while bits != 0 {
            change(&mut self.demanded[bits.trailing_zeros() as usize]);
            bits &= bits - 1;
        }
        let mut both = (demand.take() & demand.unshare()).bits();
        while both != 0 {
            change(&mut self.both[both.trailing_zeros() as usize]);
            both &= both - 1;
        }
    }

    /// All that the counted edges demand together.
    pub fn sum(&self) -> Demand {
        let mut bits = 0;
        for (index, &count) in self.demanded.iter().enumerate() {
            bits |= usize::from(count != 0) << index;
        }
        Demand::from_index(bits)
    }

    /// Whether one of the counted edges takes what a different one unshares.
    pub fn in_conflict(&self) -> bool {
        (0..4).any(|permission| {
            let takes = u64::from(self.demanded[permission]);
            let unshares = u64::from(self.demanded[permission + 4]);
            takes * unshares > u64::from(self.both[permission])
        })
    }
}
