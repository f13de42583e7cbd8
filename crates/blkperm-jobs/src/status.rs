//! The status of a job, and which verbs it allows.

use std::fmt;

/// The status of a job.
///
/// Source: `JobStatus` in `qapi/job.json`, QEMU 10.0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// Made, not started.
    Created,
    /// At work.
    Running,
    /// Paused while running.
    Paused,
    /// Source and target are the same, and kept so.
    Ready,
    /// Paused while ready.
    Standby,
    /// Done, waiting for the other jobs of its transaction.
    Waiting,
    /// Done, waiting to be finalized.
    Pending,
    /// Failed or cancelled, cleaning up.
    Aborting,
    /// Over, waiting to be dismissed.
    Concluded,
    /// Gone.
    Null,
}

impl Status {
    /// QEMU's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Ready => "ready",
            Status::Standby => "standby",
            Status::Waiting => "waiting",
            Status::Pending => "pending",
            Status::Aborting => "aborting",
            Status::Concluded => "concluded",
            Status::Null => "null",
        }
    }

    /// The status that QEMU calls `name`.
    pub fn from_name(name: &str) -> Option<Status> {
        use Status::*;
        const ALL: [Status; 10] =
            [Created, Running, Paused, Ready, Standby, Waiting, Pending, Aborting, Concluded, Null];
        ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a job of this status may be asked for `verb`.
    ///
    /// Source: `JobVerbTable` in `job.c`, QEMU 10.0.
    pub const fn allows(self, verb: Verb) -> bool {
        use Status::{Concluded, Created, Paused, Pending, Ready, Running, Standby, Waiting};
        match verb {
            Verb::Cancel => {
                matches!(self, Created | Running | Paused | Ready | Standby | Waiting | Pending)
            }
            Verb::Pause | Verb::SetSpeed | Verb::Change => {
                matches!(self, Created | Running | Paused | Ready | Standby)
            }
            Verb::Complete => matches!(self, Ready | Standby),
            Verb::Finalize => matches!(self, Pending),
            Verb::Dismiss => matches!(self, Concluded),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a user may ask of a job, so far as the job's status decides whether it is done.
///
/// Source: `JobVerb` in `qapi/job.json`, QEMU 10.0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verb {
    /// End without effect.
    Cancel,
    /// Stop working for a while.
    Pause,
    /// Change the speed.
    SetSpeed,
    /// End a job that is ready.
    Complete,
    /// Make the end of a pending job final.
    Finalize,
    /// Forget a concluded job.
    Dismiss,
    /// Change what else can be changed.
    Change,
}

impl Verb {
    /// QEMU's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Cancel => "cancel",
            Verb::Pause => "pause",
            Verb::SetSpeed => "set-speed",
            Verb::Complete => "complete",
            Verb::Finalize => "finalize",
            Verb::Dismiss => "dismiss",
            Verb::Change => "change",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
