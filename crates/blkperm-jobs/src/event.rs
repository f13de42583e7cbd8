//! What jobs tell the world.

use crate::status::Status;

/// An event, in the order in which QEMU sends them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A job's status has changed: `JOB_STATUS_CHANGE`.
    StatusChange {
        /// The job's id.
        job: String,
        /// The new status.
        status: Status,
    },
    /// A block job has become ready: `BLOCK_JOB_READY`.
    Ready(Progress),
    /// A block job waits to be finalized: `BLOCK_JOB_PENDING`.
    Pending {
        /// The job's id.
        job: String,
        /// The job's type.
        kind: &'static str,
    },
    /// A block job is over, with or without an error: `BLOCK_JOB_COMPLETED`.
    Completed(Progress, Option<JobError>),
    /// A block job was cancelled: `BLOCK_JOB_CANCELLED`.
    Cancelled(Progress),
}

/// How far a block job is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The job's id.
    pub job: String,
    /// The job's type.
    pub kind: &'static str,
    /// How many bytes there are to work on, as far as known.
    pub len: u64,
    /// How many of them are done.
    pub offset: u64,
    /// The most bytes per second; 0 for no limit.
    pub speed: u64,
}

/// Why a job failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobError {
    /// A step of its completion was refused (`EPERM`).
    NotPermitted,
    /// A commit's base could not take the place of what is above it (`EIO`).
    Io,
    /// It was cancelled (`ECANCELED`).
    Cancelled,
    /// Source and target of a mirror have different sizes.
    DifferentSizes,
    /// A node could not be made longer (`ENOTSUP`).
    NotSupported,
}
