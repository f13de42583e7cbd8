//! Rows of driver tables: what a node demands of one child, given what its parents demand of it.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::{Claim, Demand, Owner, Permissions, Slot};

/// One row of a driver's table: what a child edge demands, as a monotone function of what the
/// node's parents demand.
///
/// Each thing demanded of the child is a constant, or follows from one thing that the parents
/// demand, or from two that they demand together. A row only ever adds: more from above never
/// makes less below (`docs/ownership.md`, the condition on driver tables).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Row {
    /// Demanded always.
    pub constant: Demand,
    /// Demanded while the node has at least one parent, whatever that parent demands.
    pub attached: Demand,
    /// For each slot that the parents demand, what follows from it, by [`Slot::index`].
    pub follows: [Demand; Slot::COUNT],
    /// What follows (second) where the parents demand all of the first, which is never empty then.
    pub together: Option<(Demand, Demand)>,
    /// Of a job's filter: what it passes on for everybody else, and not for the job itself.
    pub withheld: Demand,
}

impl Row {
    /// The row that demands nothing.
    pub const NOTHING: Row = Row {
        constant: Demand::NONE,
        attached: Demand::NONE,
        follows: [Demand::NONE; Slot::COUNT],
        together: None,
        withheld: Demand::NONE,
    };

    /// The row that passes on what the parents demand, unchanged.
    pub const IDENTITY: Row = Row::NOTHING.passing(Demand::EVERYTHING);

    /// Adds that each slot of `demand` follows from itself.
    pub const fn passing(mut self, demand: Demand) -> Row {
        let mut index = 0;
        while index < Slot::COUNT {
            let own = Demand::from_index(1 << index).intersection(demand);
            self.follows[index] = self.follows[index].union(own);
            index += 1;
        }
        self
    }

    /// Adds that `output` is demanded always.
    pub const fn adding(mut self, output: Demand) -> Row {
        self.constant = self.constant.union(output);
        self
    }

    /// Adds that `output` is demanded while there is a parent.
    pub const fn adding_while_attached(mut self, output: Demand) -> Row {
        self.attached = self.attached.union(output);
        self
    }

    /// Adds that `output` follows from each slot of `input` alone.
    pub const fn deriving(mut self, input: Demand, output: Demand) -> Row {
        let mut index = 0;
        while index < Slot::COUNT {
            if input.contains(Demand::from_index(1 << index)) {
                self.follows[index] = self.follows[index].union(output);
            }
            index += 1;
        }
        self
    }

    /// The row that never demands anything of `output`, and is `self` otherwise.
    pub fn without(mut self, output: Demand) -> Row {
        self.constant = self.constant.difference(output);
        self.attached = self.attached.difference(output);
        for follows in &mut self.follows {
            *follows = follows.difference(output);
        }
        self.together = self.together.map(|(both, made)| (both, made.difference(output)));
        self
    }

    /// The row of a child that is force-shared: nothing is unshared.
    ///
    /// Source: `bdrv_child_perm` in `block.c`, QEMU 10.0 (`bs->force_share`).
    pub fn force_shared(self) -> Row {
        self.without(Demand::unsharing(Permissions::all()))
    }

    /// The row that passes on all that the parents demand and adds what `self` adds. What `self` does
    /// not pass on is withheld where the filter's own job demands it: a job may hide what it needs
    /// itself, and not what others need.
    ///
    /// Source: "An owner's filter is transparent", the ownership model.
    pub const fn transparent(mut self) -> Row {
        let mut index = 0;
        while index < Slot::COUNT {
            let slot = Demand::from_index(1 << index);
            if !self.follows[index].contains(slot) {
                self.withheld = self.withheld.union(slot);
            }
            index += 1;
        }
        self.passing(Demand::EVERYTHING)
    }

    /// Whether `claim` ends at the node, which is the filter of the owner `filter`: it is the owner's
    /// own, and withheld.
    pub fn withholds(&self, claim: &Claim, filter: Option<Owner>) -> bool {
        filter.is_some() && claim.owner == filter && self.withheld.contains(claim.slot.demand())
    }

    /// What is demanded of the child when the parents demand `input`.
    pub fn evaluate(&self, input: Demand, attached: bool) -> Demand {
        let mut output = self.constant;
        if attached {
            output = output.union(self.attached);
        }
        for slot in input.slots() {
            output = output.union(self.follows[slot.index()]);
        }
        match self.together {
            Some((both, made)) if input.contains(both) => output.union(made),
            _ => output,
        }
    }
}

/// The number of a row that a [`Rows`] keeps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RowId(u16);

impl RowId {
    /// The number of [`Row::NOTHING`].
    pub const NOTHING: RowId = RowId(0);
}

/// Every different row in use, each kept once, with its result for each of the 256 inputs of a node
/// without parents, and then of one with parents.
///
/// There are few rows and many edges: an edge keeps two bytes.
#[derive(Clone, Debug)]
pub struct Rows {
    rows: IndexSet<Row, FxBuildHasher>,
    results: Vec<[Demand; 2 * Demand::COUNT]>,
}

/// Only [`Row::NOTHING`] is kept, as [`RowId::NOTHING`].
impl Default for Rows {
    fn default() -> Rows {
        let mut rows = Rows { rows: IndexSet::default(), results: Vec::new() };
        let nothing = rows.keep(Row::NOTHING);
        debug_assert_eq!(nothing, RowId::NOTHING);
        rows
    }
}

impl Rows {
    /// The number of `row`, which is kept from now on.
    ///
    /// # Panics
    ///
    /// Panics when there are more than 65,536 different rows.
    pub fn keep(&mut self, row: Row) -> RowId {
        let (index, is_new) = self.rows.insert_full(row);
        if is_new {
            let input = |place| Demand::from_index(place % Demand::COUNT);
            let result = |place| row.evaluate(input(place), place >= Demand::COUNT);
            self.results.push(std::array::from_fn(result));
        }
        RowId(u16::try_from(index).expect("drivers have few different rows"))
    }

    /// The row with the number `id`.
    pub fn row(&self, id: RowId) -> &Row {
        self.rows.get_index(usize::from(id.0)).expect("rows are never forgotten")
    }

    /// [`Row::evaluate`] for the row with the number `id`, looked up.
    #[inline]
    pub fn evaluate(&self, id: RowId, input: Demand, attached: bool) -> Demand {
        let place = usize::from(attached) * Demand::COUNT + input.index();
        self.results[usize::from(id.0)][place]
    }
}
