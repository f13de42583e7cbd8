//! The commands that the search tries.

/// Where something is done: at an image, or at a job's filter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The image with that number in the universe.
    Image(u8),
    /// The filter of the job with that number.
    Filter(u8),
}

/// What is asked of a job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// `job-complete`.
    Complete,
    /// `block-job-cancel` without force.
    Cancel,
    /// `job-cancel`.
    ForceCancel,
    /// `job-finalize`.
    Finalize,
    /// `job-dismiss`.
    Dismiss,
    /// `job-pause`.
    Pause,
    /// `job-resume`.
    Resume,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 7] = [
        Verb::Complete,
        Verb::Cancel,
        Verb::ForceCancel,
        Verb::Finalize,
        Verb::Dismiss,
        Verb::Pause,
        Verb::Resume,
    ];

    /// The QMP command.
    pub fn command(self) -> &'static str {
        match self {
            Verb::Complete => "job-complete",
            Verb::Cancel => "block-job-cancel",
            Verb::ForceCancel => "job-cancel",
            Verb::Finalize => "job-finalize",
            Verb::Dismiss => "job-dismiss",
            Verb::Pause => "job-pause",
            Verb::Resume => "job-resume",
        }
    }
}

/// One command. Strangers, exports and jobs go by numbers, the lowest that is free.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Action {
    /// A stranger comes to a place, with the demand of that number in the universe.
    AddStranger {
        /// The stranger.
        slot: u8,
        /// Where.
        place: Place,
        /// What it demands.
        demand: u8,
    },
    /// A stranger goes.
    RemoveStranger(u8),
    /// An export comes to a place.
    AddExport {
        /// The export.
        slot: u8,
        /// Where.
        place: Place,
        /// Whether it is written through.
        writable: bool,
    },
    /// An export goes.
    RemoveExport(u8),
    /// A mirror starts.
    Mirror {
        /// The job.
        slot: u8,
        /// What is mirrored.
        source: Place,
        /// To where.
        target: Place,
        /// Whether the job waits to be finalized and dismissed.
        manual: bool,
    },
    /// A commit starts.
    Commit {
        /// The job.
        slot: u8,
        /// The active layer.
        device: Place,
        /// The topmost node to be committed.
        top: Place,
        /// Into which node.
        base: Place,
        /// Whether the job waits to be finalized and dismissed.
        manual: bool,
    },
    /// Something is asked of a job.
    Verb(u8, Verb),
}

impl Action {
    /// The command that takes this one back, where there is one.
    pub(crate) fn inverse(self) -> Option<Action> {
        match self {
            Action::AddStranger { slot, .. } => Some(Action::RemoveStranger(slot)),
            Action::AddExport { slot, .. } => Some(Action::RemoveExport(slot)),
            _ => None,
        }
    }
}
