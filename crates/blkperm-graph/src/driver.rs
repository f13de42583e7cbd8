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
        /// The node locks a file of the host: see [`Graph::lock_file`](crate::Graph::lock_file).
        const LOCKING = 16;
        /// A `preallocate` node takes itself to have preallocated, so that it keeps its child to itself.
        const PREALLOCATED = 32;
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

/// Where the length of a driver's nodes comes from, and so whether they can become longer.
///
/// Source: `bdrv_co_truncate` in `block/io.c`, and the drivers' functions of that name, QEMU 10.0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// The driver says it, and can say another.
    Own,
    /// It is what the options or an image's header say; the driver cannot change it.
    Fixed,
    /// It is that of the main child.
    Child,
    /// It is what the main child has behind an offset or a header.
    Rest,
    /// It is that of each child: where they differ, there is none.
    Children,
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
    /// Whether its nodes are images (`is_format`): their children discard what is discarded.
    pub is_format: bool,
    /// Whether it opens its children itself, if it has any (`protocol_name`).
    pub is_protocol: bool,
    /// The children that the driver itself drops when a node is closed, before the block layer drops
    /// the others: what the names of their edges begin with.
    ///
    /// Source: `bdrv_close` of each `BlockDriver`, QEMU 10.0, found with the daemon.
    pub drops: Option<&'static str>,
    /// Where the length of its nodes comes from.
    pub length: Length,
    /// The row for a child of the given role.
    pub row: fn(Role, Condition) -> Row,
}

impl Driver {
    /// A driver that is nothing in particular: its nodes are no filters, have no backing file, and
    /// cannot become longer.
    pub const fn new(name: &'static str, row: fn(Role, Condition) -> Row) -> Driver {
        Driver {
            name,
            is_filter: false,
            supports_backing: false,
            is_format: false,
            is_protocol: false,
            drops: None,
            length: Length::Fixed,
            row,
        }
    }
}

/// Two drivers are the same when they are one and the same table.
impl PartialEq for Driver {
    fn eq(&self, other: &Driver) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Driver {}

pub(crate) const WRITE_AND_RESIZE: Permissions = Permissions::WRITE.union(Permissions::RESIZE);

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
/// QEMU's quirk 4: that nobody else may read the overlay consistently is not felt below it.
///
/// Source: `bdrv_default_perms_for_cow`.
const fn cow_row() -> Row {
    Row::NOTHING
        .passing(Demand::taking(Permissions::CONSISTENT_READ))
        .deriving(Demand::unsharing(Permissions::WRITE), Demand::unsharing(WRITE_AND_RESIZE))
}

/// What an image is stored in.
///
/// QEMU's quirk 2: metadata are demanded even by an image that nobody uses. QEMU's quirk 3: what is
/// unshared of the image's data, to read or to write unchanged, is unshared of its storage. QEMU's
/// quirk 5: whoever writes an image, resizes its storage.
///
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

/// A whole child, or part of an image file: that is not resized by others, and written only where
/// the node is written. Which of both is said by the role, which a reopen leaves as it is.
///
/// QEMU's quirk 5: nobody resizes a part for writing the node.
///
/// Source: `raw_child_perm` in `block/raw-format.c`, QEMU 10.0.
fn raw_row(role: Role, condition: Condition) -> Row {
    if role.contains(Role::FILTERED) {
        return default_row(role, condition);
    }
    let row = Row::IDENTITY.adding(Demand::unsharing(Permissions::RESIZE));
    unless_inactive(row, condition.state)
}

/// A child that is passed everything but `write-unchanged`, which the driver takes for itself and
/// lets others take.
///
/// Source: `cor_child_perm` in `block/copy-on-read.c`, QEMU 10.0.
fn copy_on_read_row(_: Role, condition: Condition) -> Row {
    const UNCHANGED: Permissions = Permissions::WRITE_UNCHANGED;
    let row = Row::IDENTITY.without(Demand::new(UNCHANGED, UNCHANGED));
    if condition.state.contains(State::INACTIVE) {
        row
    } else {
        row.adding(Demand::taking(UNCHANGED))
    }
}

/// A filtered child that nobody else may write or resize once both are done through the filter.
///
/// QEMU's quirk: nor when it could not be resized through the filter, which takes the error for what it
/// has preallocated.
///
/// Source: `preallocate_child_perm` in `block/preallocate.c`, QEMU 10.0.
fn preallocate_row(_: Role, condition: Condition) -> Row {
    let alone = Demand::new(WRITE_AND_RESIZE, WRITE_AND_RESIZE);
    if condition.state.contains(State::PREALLOCATED) {
        return Row::IDENTITY.adding(alone);
    }
    Row { together: Some((Demand::taking(WRITE_AND_RESIZE), alone)), ..Row::IDENTITY }
}

/// One of the children that hold the same data: nobody else may write or resize it.
///
/// QEMU's quirk 7: the rule is not that of data, which the children's role is.
///
/// Source: `quorum_child_perm` in `block/quorum.c`, QEMU 10.0.
fn quorum_row(_: Role, condition: Condition) -> Row {
    Row::IDENTITY.adding(condition.options).adding(Demand::unsharing(WRITE_AND_RESIZE))
}

/// The source, which is read and must not change behind the filter's back while somebody uses it;
/// and the target, which only the filter writes.
///
/// QEMU's quirk 1: a user that demands nothing is a user, too.
///
/// Source: `cbw_child_perm` in `block/copy-before-write.c`, QEMU 10.0.
fn copy_before_write_row(role: Role, condition: Condition) -> Row {
    if role.contains(Role::FILTERED) {
        let reading = Demand::new(Permissions::CONSISTENT_READ, WRITE_AND_RESIZE);
        Row::IDENTITY.adding_while_attached(reading.union(condition.options))
    } else {
        Row::NOTHING.adding(Demand::new(Permissions::WRITE, Permissions::RESIZE))
    }
}

/// A child that nothing is asked of.
fn empty_row(_: Role, _: Condition) -> Row {
    Row::NOTHING
}

/// What a replicated disk asks of its child, whatever is asked of it.
///
/// Source: `replication_child_perm` in `block/replication.c`, QEMU 10.0.
fn replication_row(_: Role, condition: Condition) -> Row {
    let mut take = Permissions::CONSISTENT_READ;
    take.set(Permissions::WRITE, condition.state.is_writable());
    Row::NOTHING.adding(Demand::new(take, Permissions::RESIZE))
}

/// An encrypted image, whose header stays as it is unless keys are changed.
///
/// QEMU's quirk 5: nobody resizes it for writing the node.
///
/// Source: `block_crypto_child_perms` in `block/crypto.c`, QEMU 10.0.
fn luks_row(_: Role, condition: Condition) -> Row {
    let row = Row::IDENTITY.adding(Demand::taking(Permissions::CONSISTENT_READ));
    unless_inactive(row, condition.state)
}

const fn protocol(name: &'static str) -> Driver {
    Driver { is_protocol: true, ..Driver::new(name, default_row) }
}

const fn format(name: &'static str) -> Driver {
    Driver { is_format: true, ..Driver::new(name, default_row) }
}

const fn format_with_backing(name: &'static str) -> Driver {
    Driver { supports_backing: true, ..format(name) }
}

const fn filter(name: &'static str, row: fn(Role, Condition) -> Row) -> Driver {
    Driver { is_filter: true, length: Length::Child, ..Driver::new(name, row) }
}

/// `null-co`: reads as zeroes, forgets what is written.
pub static NULL_CO: Driver = protocol("null-co");
/// `null-aio`: likewise.
pub static NULL_AIO: Driver = protocol("null-aio");
/// `file`: a file of the host.
pub static FILE: Driver = Driver { length: Length::Own, ..protocol("file") };
/// `raw` over a whole child.
///
/// QEMU's quirk 6: not a filter to those who walk chains, though its edge is filtered.
pub static RAW: Driver = Driver { length: Length::Child, row: raw_row, ..format("raw") };
/// `raw` from an offset on.
pub static RAW_OFFSET: Driver = Driver { length: Length::Rest, row: raw_row, ..format("raw") };
/// `raw` with a size, from an offset on or not.
pub static RAW_SIZED: Driver = Driver { row: raw_row, ..format("raw") };
/// `qcow2`: QEMU's own format.
pub static QCOW2: Driver =
    Driver { drops: Some("data-file"), length: Length::Own, ..format_with_backing("qcow2") };
/// `qcow`, the first of its kind.
pub static QCOW: Driver = format_with_backing("qcow");
/// `qed`: QEMU's enhanced disk.
pub static QED: Driver = Driver { length: Length::Own, ..format_with_backing("qed") };
/// `vdi`: VirtualBox's format.
pub static VDI: Driver = format("vdi");
/// `vhdx`: Hyper-V's format.
pub static VHDX: Driver = format("vhdx");
/// `vpc`: Virtual PC's format.
pub static VPC: Driver = format("vpc");
/// `parallels`: Parallels' format.
pub static PARALLELS: Driver = format_with_backing("parallels");
/// `vmdk`: VMware's format, in one file or with extents. It looks for extents to drop even where its
/// `file` is all that it has.
pub static VMDK: Driver = Driver { drops: Some("file"), ..format_with_backing("vmdk") };
/// `luks`: encrypted.
pub static LUKS: Driver = Driver { length: Length::Rest, row: luks_row, ..format("luks") };
/// `throttle`: a filter that limits the rate.
pub static THROTTLE: Driver = filter("throttle", default_row);
/// `compress`: a filter that compresses what is written.
pub static COMPRESS: Driver = filter("compress", default_row);
/// `blkverify`: a filter that compares two children.
pub static BLKVERIFY: Driver =
    Driver { is_protocol: true, drops: Some("test"), ..filter("blkverify", default_row) };
/// `blklogwrites`: a filter that logs what is written to another child.
pub static BLKLOGWRITES: Driver =
    Driver { drops: Some("log"), ..filter("blklogwrites", default_row) };
/// `copy-on-read`: a filter that copies what is read up from the backing file.
pub static COPY_ON_READ: Driver = filter("copy-on-read", copy_on_read_row);
/// `preallocate`: a filter that grows the file in large steps.
pub static PREALLOCATE: Driver = filter("preallocate", preallocate_row);
/// `quorum`: several children with the same data.
pub static QUORUM: Driver = Driver {
    drops: Some("children."),
    length: Length::Children,
    ..Driver::new("quorum", quorum_row)
};
/// `copy-before-write`: a filter that saves what is about to be overwritten.
pub static COPY_BEFORE_WRITE: Driver = filter("copy-before-write", copy_before_write_row);
/// `snapshot-access`: the state that a copy-before-write child has saved.
pub static SNAPSHOT_ACCESS: Driver = Driver::new("snapshot-access", empty_row);
/// `replication`: the disk of a replicated guest.
pub static REPLICATION: Driver = filter("replication", replication_row);
/// `blkdebug`: a filter that takes and unshares what its options say.
pub static BLKDEBUG: Driver =
    Driver { is_protocol: true, ..filter("blkdebug", filtered_with_options) };

#[cfg(test)]
mod tests;
