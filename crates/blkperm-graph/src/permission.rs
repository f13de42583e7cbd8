//! Permission bits, and the two masks of an edge as one value.

use std::fmt;

bitflags::bitflags! {
    /// QEMU's block permissions, `BLK_PERM_*` (`include/block/block-common.h`, QEMU 10.0).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
    pub struct Permissions: u8 {
        /// The holder relies on the data being a meaningful, consistent view of the disk.
        const CONSISTENT_READ = 1;
        /// The holder may change what the guest sees.
        const WRITE = 2;
        /// The holder may write, but only so that the visible content stays the same.
        const WRITE_UNCHANGED = 4;
        /// The holder may change the length.
        const RESIZE = 8;
    }
}

impl Permissions {
    /// The four permissions one by one, in ascending bit order, as QEMU's messages list them.
    pub const EACH: [Permissions; 4] =
        [Self::CONSISTENT_READ, Self::WRITE, Self::WRITE_UNCHANGED, Self::RESIZE];

    /// Both permissions that write: `WRITE` and `WRITE_UNCHANGED`.
    pub const ANY_WRITE: Permissions = Self::WRITE.union(Self::WRITE_UNCHANGED);

    /// The name of a single permission in QMP (`BlockPermission`), for example `consistent-read`.
    ///
    /// # Panics
    ///
    /// Panics when `self` is not exactly one permission.
    pub fn qmp_name(self) -> &'static str {
        const NAMES: [&str; 4] = ["consistent-read", "write", "write-unchanged", "resize"];
        assert_eq!(self.bits().count_ones(), 1, "a name belongs to one permission");
        NAMES[self.bits().trailing_zeros() as usize]
    }

    /// The permission that QMP calls `name`.
    pub fn from_qmp_name(name: &str) -> Option<Permissions> {
        Self::EACH.into_iter().find(|one| one.qmp_name() == name)
    }
}

/// Writes the permissions as four columns, for example `cw-r`; none is `----`.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (one, letter) in Self::EACH.into_iter().zip(['c', 'w', 'u', 'r']) {
            write!(f, "{}", if self.contains(one) { letter } else { '-' })?;
        }
        Ok(())
    }
}

/// What one parent demands of a child: the permissions that it takes, and those that it unshares.
///
/// Four bits each, in one byte. QEMU's `perm` is [`Demand::take`], its `shared` the complement of
/// [`Demand::unshare`]. The default demands nothing: `---- / cwur`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Demand(u8);

impl Demand {
    /// How many demands there are: 16 masks taken times 16 masks unshared.
    pub const COUNT: usize = 256;

    /// Nothing taken, everything shared.
    pub const NONE: Demand = Demand(0);

    /// Everything taken, nothing shared.
    pub const EVERYTHING: Demand = Demand(0xff);

    /// The demand that takes `take` and unshares `unshare`.
    pub const fn new(take: Permissions, unshare: Permissions) -> Demand {
        Demand(take.bits() & 15 | (unshare.bits() & 15) << 4)
    }

    /// The demand that takes `take` and shares all.
    pub const fn taking(take: Permissions) -> Demand {
        Demand::new(take, Permissions::empty())
    }

    /// The demand that takes nothing and unshares `unshare`.
    pub const fn unsharing(unshare: Permissions) -> Demand {
        Demand::new(Permissions::empty(), unshare)
    }

    /// The demand with QEMU's two masks: `perm` taken, and all but `shared` unshared.
    pub const fn from_masks(perm: Permissions, shared: Permissions) -> Demand {
        Demand::new(perm, shared.complement())
    }

    /// The demand whose number is `index`, the inverse of [`Demand::index`].
    ///
    /// # Panics
    ///
    /// Panics when `index` is not below [`Demand::COUNT`].
    pub const fn from_index(index: usize) -> Demand {
        assert!(index < Self::COUNT, "a demand is one byte");
        Demand(index as u8)
    }

    /// The demand as a number below [`Demand::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The permissions taken, QEMU's `perm`.
    pub const fn take(self) -> Permissions {
        Permissions::from_bits_truncate(self.0 & 15)
    }

    /// The permissions that other parents may not take.
    pub const fn unshare(self) -> Permissions {
        Permissions::from_bits_truncate(self.0 >> 4)
    }

    /// The permissions that other parents may take, QEMU's `shared`.
    pub const fn shared(self) -> Permissions {
        self.unshare().complement()
    }

    /// Whether nothing is demanded.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// What both demand together: both masks united.
    pub const fn union(self, other: Demand) -> Demand {
        Demand(self.0 | other.0)
    }

    /// What is in both demands.
    pub const fn intersection(self, other: Demand) -> Demand {
        Demand(self.0 & other.0)
    }

    /// What `self` demands and `other` does not.
    pub const fn difference(self, other: Demand) -> Demand {
        Demand(self.0 & !other.0)
    }

    /// Whether `self` demands all that `other` demands.
    pub const fn contains(self, other: Demand) -> bool {
        self.0 & other.0 == other.0
    }

    /// Each [`Slot`] that is demanded, in ascending order.
    pub fn slots(self) -> impl Iterator<Item = Slot> {
        Slot::each().filter(move |slot| self.contains(slot.demand()))
    }
}

/// Writes the two masks as QEMU's users know them: `perm / shared`, for example `cw-- / cwu-`.
impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.take(), self.shared())
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Demand({self})")
    }
}

/// One of the eight things that can be demanded: one permission, taken or unshared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Slot(u8);

impl Slot {
    /// How many slots there are.
    pub const COUNT: usize = 8;

    /// The eight slots: four takes, then four unshares, each in ascending bit order.
    pub fn each() -> impl Iterator<Item = Slot> {
        (0..Self::COUNT as u8).map(Slot)
    }

    /// The slot as a number below [`Slot::COUNT`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The demand of just this slot.
    pub const fn demand(self) -> Demand {
        Demand(1 << self.0)
    }

    /// The permission that is taken or unshared.
    pub const fn permission(self) -> Permissions {
        Permissions::from_bits_truncate(1 << (self.0 % 4))
    }

    /// Whether the permission is taken; otherwise it is unshared.
    pub const fn is_take(self) -> bool {
        self.0 < 4
    }
}
