//! Drivers as tables: what a node of each driver demands of each of its children.

use crate::{Demand, Permissions, Role, Row};

bitflags::bitflags! {
    /// The state of a node that bears on permissions.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
    pub struct State: u8 {
        /// Opened read-only; otherwise read-write.
        const READ_ONLY = 1;
        /// Inactive: another process may own the image (`BDRV_O_INACTIVE`).
        const INACTIVE = 2;
        /// Whoever is a node's parent unshares nothing on it (`force-share`).
        const FORCE_SHARE = 4;
        /// The length is not a multiple of the request alignment.
        const UNALIGNED = 8;
    }
}

impl State {
    /// Whether the node can be written: opened read-write and active.
    ///
    /// Source: `bdrv_is_writable` in `block.c`, QEMU 10.0.
    pub const fn is_writable(self) -> bool {
        !self.intersects(State::READ_ONLY.union(State::INACTIVE))
    }
}

/// What a driver's table may look at besides what the node's parents demand.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The node's state.
    pub state: State,
    /// What the node's own options demand of its main child, for example blkdebug's
    /// `take-child-perms`.
    pub options: Demand,
}

/// A block driver, as far as permissions are concerned.
#[derive(Debug)]
pub struct Driver {
    /// QEMU's name of it, for example `qcow2`.
    pub name: &'static str,
    /// Whether its nodes are filters: transparent for everybody who walks a backing chain.
    pub is_filter: bool,
    /// Whether its nodes may have a backing file.
    pub supports_backing: bool,
    /// The row for a child of the given role.
    pub row: fn(Role, Condition) -> Row,
}

/// Two drivers are the same when they are one and the same table.
impl PartialEq for Driver {
    fn eq(&self, other: &Driver) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Driver {}

const WRITE_AND_RESIZE: Permissions = Permissions::WRITE.union(Permissions::RESIZE);

/// The row of a child by its role alone.
///
/// Source: `bdrv_default_perms` in `block.c`, QEMU 10.0.
///
/// # Panics
///
/// Panics when the role is none of filtered, backing, data and metadata.
pub fn default_row(role: Role, condition: Condition) -> Row {
    if role.contains(Role::FILTERED) {
        Row::IDENTITY
    } else if role.contains(Role::COW) {
        unless_inactive(cow_row(), condition.state)
    } else {
        assert!(role.intersects(Role::DATA | Role::METADATA), "a child has a kind: {role:?}");
        unless_inactive(storage_row(role, condition.state), condition.state)
    }
}

/// An inactive parent lets others write and resize its storage and backing file.
fn unless_inactive(row: Row, state: State) -> Row {
    if state.contains(State::INACTIVE) {
        row.without(Demand::unsharing(WRITE_AND_RESIZE))
    } else {
        row
    }
}

/// A backing file is only ever read, and may be resized only by whom it may be written by.
///
/// Source: `bdrv_default_perms_for_cow`.
const fn cow_row() -> Row {
    Row::NOTHING
        .passing(Demand::taking(Permissions::CONSISTENT_READ))
        .deriving(Demand::unsharing(Permissions::WRITE), Demand::unsharing(WRITE_AND_RESIZE))
}

/// Source: `bdrv_default_perms_for_storage`.
fn storage_row(role: Role, state: State) -> Row {
    let mut row = Row::IDENTITY;
    if role.contains(Role::METADATA) {
        row = row.adding(Demand::new(Permissions::CONSISTENT_READ, WRITE_AND_RESIZE));
        if state.is_writable() {
            row = row.adding(Demand::taking(WRITE_AND_RESIZE));
        }
    }
    if role.contains(Role::DATA) {
        // Writing, visibly or not, may have to allocate, which writes and grows the storage.
        row = row
            .adding(Demand::unsharing(Permissions::RESIZE))
            .deriving(Demand::taking(Permissions::ANY_WRITE), Demand::taking(WRITE_AND_RESIZE));
    }
    row
}

/// A child that is passed everything, plus what the node's options demand.
fn filtered_with_options(_: Role, condition: Condition) -> Row {
    Row::IDENTITY.adding(condition.options)
}

/// Part of an image file: not resized by others, and written only where the node is written.
///
/// Source: `raw_child_perm` in `block/raw-format.c`, QEMU 10.0.
fn raw_window_row(_: Role, condition: Condition) -> Row {
    let row = Row::IDENTITY.adding(Demand::unsharing(Permissions::RESIZE));
    unless_inactive(row, condition.state)
}

const fn driver(name: &'static str) -> Driver {
    Driver { name, is_filter: false, supports_backing: false, row: default_row }
}

/// `null-co`: reads as zeroes, forgets what is written.
pub static NULL_CO: Driver = driver("null-co");
/// `null-aio`: likewise.
pub static NULL_AIO: Driver = driver("null-aio");
/// `file`: a file of the host.
pub static FILE: Driver = driver("file");
/// `raw` over a whole child. Not a filter to those who walk chains, though its edge is filtered.
pub static RAW: Driver = driver("raw");
/// `raw` with an offset or a size.
pub static RAW_WINDOW: Driver = Driver { row: raw_window_row, ..driver("raw") };
/// `qcow2`: QEMU's own format.
pub static QCOW2: Driver = Driver { supports_backing: true, ..driver("qcow2") };
/// `blkdebug`: a filter that takes and unshares what its options say.
pub static BLKDEBUG: Driver =
    Driver { is_filter: true, row: filtered_with_options, ..driver("blkdebug") };

#[cfg(test)]
mod tests {
    use super::*;

    /// The default rules written down from the specification as operations on QEMU's two masks.
    fn specified(role: Role, state: State, input: Demand) -> Demand {
        use Permissions as P;
        let (take, shared) = (input.take(), input.shared());
        let mut perm = take;
        let mut share = shared;
        if role.contains(Role::COW) {
            perm = take & P::CONSISTENT_READ;
            share = P::CONSISTENT_READ | P::WRITE_UNCHANGED;
            if shared.contains(P::WRITE) {
                share |= P::WRITE | P::RESIZE;
            }
        } else if !role.contains(Role::FILTERED) {
            if role.contains(Role::METADATA) {
                if state.is_writable() {
                    perm |= P::WRITE | P::RESIZE;
                }
                perm |= P::CONSISTENT_READ;
                share &= !(P::WRITE | P::RESIZE);
            }
            if role.contains(Role::DATA) {
                share &= !P::RESIZE;
                if perm.contains(P::WRITE_UNCHANGED) {
                    perm |= P::WRITE;
                }
                if perm.contains(P::WRITE) {
                    perm |= P::RESIZE;
                }
            }
        }
        if state.contains(State::INACTIVE) && !role.contains(Role::FILTERED) {
            share |= P::WRITE | P::RESIZE;
        }
        Demand::from_masks(perm, share)
    }

    #[test]
    fn default_rows_equal_the_specified_operations_on_masks_for_all_inputs() {
        let roles = [
            Role::FILTERED,
            Role::COW,
            Role::DATA,
            Role::METADATA,
            Role::IMAGE,
            Role::METADATA | Role::PRIMARY,
        ];
        let mut cases = 0;
        for role in roles {
            for bits in 0..4 {
                let state = State::from_bits_truncate(bits);
                let row = default_row(role, Condition { state, options: Demand::NONE });
                for input in (0..Demand::COUNT).map(Demand::from_index) {
                    let expected = specified(role, state, input);
                    assert_eq!(row.evaluate(input, true), expected, "{role:?} {state:?} {input}");
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 6 * 4 * 256);
    }
}
