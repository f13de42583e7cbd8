//! The drivers of the filters that jobs put into the graph.

use blkperm_graph::driver::{Length, default_row};
use blkperm_graph::{Condition, Demand, Driver, Permissions, Role, Row};

/// `mirror_top` of a mirror: passes everything.
pub static MIRROR_TOP: Driver = filter("mirror_top", default_row);

/// `mirror_top` of an active commit: hides that its parents need consistent reads, which the job
/// breaks below, and lets others write, as the job does.
///
/// Source: `bdrv_mirror_top_child_perm` in `block/mirror.c`, QEMU 10.0.
pub static MIRROR_TOP_OF_COMMIT: Driver = filter("mirror_top", hiding_row);

/// `mirror_top` while its job ends: holds nothing, whatever its parents need.
///
/// Source: `bdrv_mirror_top_child_perm`, `bs_opaque->stop`.
pub static MIRROR_TOP_STOPPING: Driver = filter("mirror_top", empty_row);

/// `commit_top`: holds nothing, whatever its parents need.
///
/// QEMU's quirk 7: the rule is not that of a filter's child, which the edge is by its role.
///
/// Source: `bdrv_commit_top_child_perm` in `block/commit.c`, QEMU 10.0.
pub static COMMIT_TOP: Driver = filter("commit_top", empty_row);

/// Whether no job may freeze an edge to a node of this driver, so that its own job can take it out.
///
/// Source: `never_freeze` in `block/mirror.c` and `block/commit.c`, QEMU 10.0.
pub(crate) fn is_never_frozen(driver: &Driver) -> bool {
    [&MIRROR_TOP, &MIRROR_TOP_OF_COMMIT, &MIRROR_TOP_STOPPING, &COMMIT_TOP].contains(&driver)
}

/// What the edge from a job's filter to the node below it is to the filter.
pub const FILTERED: Role = Role::FILTERED.union(Role::PRIMARY);

const fn filter(name: &'static str, row: fn(Role, Condition) -> Row) -> Driver {
    Driver { is_filter: true, length: Length::Child, ..Driver::new(name, row) }
}

fn hiding_row(_: Role, _: Condition) -> Row {
    let hidden = Demand::new(Permissions::CONSISTENT_READ, Permissions::WRITE);
    Row::IDENTITY.without(hidden)
}

fn empty_row(_: Role, _: Condition) -> Row {
    Row::NOTHING
}
