//! The commands that the search tries.

use crate::universe::Universe;

/// Where something is done: at an image, at a job's filter, or at an image's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The image with that number in the universe.
    Image(u8),
    /// The filter of the job with that number.
    Filter(u8),
    /// The file node below the image with that number.
    File(u8),
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
    /// A stream starts.
    Stream {
        /// The job.
        slot: u8,
        /// Into which node data is copied.
        device: Place,
        /// Down to which node, exclusive; none for the whole chain.
        base: Option<Place>,
        /// Whether the job waits to be finalized and dismissed.
        manual: bool,
    },
    /// A backup starts.
    Backup {
        /// The job.
        slot: u8,
        /// What is saved.
        source: Place,
        /// To where.
        target: Place,
        /// Whether the job waits to be finalized and dismissed.
        manual: bool,
    },
    /// Something is asked of a job.
    Verb(u8, Verb),
}

impl Action {
    /// Whether the command brings nothing new: it asks something of a job, or removes something.
    pub fn winds_down(self) -> bool {
        matches!(self, Action::RemoveStranger(_) | Action::RemoveExport(_) | Action::Verb(..))
    }

    /// The number of the job that the command is about.
    pub(crate) fn job(self) -> Option<u8> {
        match self {
            Action::Verb(slot, _)
            | Action::Mirror { slot, .. }
            | Action::Commit { slot, .. }
            | Action::Stream { slot, .. }
            | Action::Backup { slot, .. } => Some(slot),
            _ => None,
        }
    }

    /// The command in 32 bits: four for what it is, one for its yes or no, then four for each of its
    /// numbers.
    pub(crate) fn code(self) -> u32 {
        let (tag, flag, numbers) = match self {
            Action::AddStranger { slot, place, demand } => {
                (0, false, [slot, place.code(), demand, 0])
            }
            Action::RemoveStranger(slot) => (1, false, [slot, 0, 0, 0]),
            Action::AddExport { slot, place, writable } => {
                (2, writable, [slot, place.code(), 0, 0])
            }
            Action::RemoveExport(slot) => (3, false, [slot, 0, 0, 0]),
            Action::Mirror { slot, source, target, manual } => {
                (4, manual, [slot, source.code(), target.code(), 0])
            }
            Action::Commit { slot, device, top, base, manual } => {
                (5, manual, [slot, device.code(), top.code(), base.code()])
            }
            Action::Verb(slot, verb) => (6, false, [slot, verb as u8, 0, 0]),
            Action::Stream { slot, device, base, manual } => {
                (7, manual, [slot, device.code(), base.map_or(NO_PLACE, Place::code), 0])
            }
            Action::Backup { slot, source, target, manual } => {
                (8, manual, [slot, source.code(), target.code(), 0])
            }
        };
        let shifted = numbers.into_iter().rev().fold(0, |code, n| code << 4 | u32::from(n));
        shifted << 5 | u32::from(flag) << 4 | tag
    }

    /// The command with that code, if there is one.
    pub(crate) fn from_code(code: u32) -> Option<Action> {
        let number = |index: u32| (code >> (5 + 4 * index) & 15) as u8;
        let place = |index| Place::from_code(number(index));
        let (slot, flag) = (number(0), code >> 4 & 1 == 1);
        Some(match code & 15 {
            0 => Action::AddStranger { slot, place: place(1)?, demand: number(2) },
            1 => Action::RemoveStranger(slot),
            2 => Action::AddExport { slot, place: place(1)?, writable: flag },
            3 => Action::RemoveExport(slot),
            4 => Action::Mirror { slot, source: place(1)?, target: place(2)?, manual: flag },
            5 => Action::Commit {
                slot,
                device: place(1)?,
                top: place(2)?,
                base: place(3)?,
                manual: flag,
            },
            6 => Action::Verb(slot, *Verb::ALL.get(usize::from(number(1)))?),
            7 => {
                let base = if number(2) == NO_PLACE { None } else { Some(place(2)?) };
                Action::Stream { slot, device: place(1)?, base, manual: flag }
            }
            8 => Action::Backup { slot, source: place(1)?, target: place(2)?, manual: flag },
            _ => return None,
        })
    }
}

/// The code that stands for no place.
pub(crate) const NO_PLACE: u8 = 15;

/// The codes of the first filter and of the first file.
const FILTERS: u8 = Universe::IMAGES as u8;
const FILES: u8 = FILTERS + Universe::JOBS as u8;
const PLACES: u8 = FILES + Universe::IMAGES as u8;
const _: () = assert!(PLACES <= NO_PLACE, "a place has room in four bits");

impl Place {
    /// The place in four bits: images, then filters, then files.
    pub(crate) fn code(self) -> u8 {
        match self {
            Place::Image(image) => image,
            Place::Filter(filter) => FILTERS + filter,
            Place::File(image) => FILES + image,
        }
    }

    fn from_code(code: u8) -> Option<Place> {
        match code {
            0..FILTERS => Some(Place::Image(code)),
            FILTERS..FILES => Some(Place::Filter(code - FILTERS)),
            FILES..PLACES => Some(Place::File(code - FILES)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_its_code_says() {
        let (image, filter, file) = (Place::Image(4), Place::Filter(1), Place::File(4));
        let mut actions = vec![
            Action::AddStranger { slot: 2, place: filter, demand: 15 },
            Action::AddStranger { slot: 1, place: file, demand: 0 },
            Action::RemoveStranger(2),
            Action::AddExport { slot: 1, place: image, writable: true },
            Action::AddExport { slot: 0, place: image, writable: false },
            Action::RemoveExport(1),
            Action::Mirror { slot: 1, source: filter, target: image, manual: true },
            Action::Commit { slot: 1, device: filter, top: image, base: image, manual: false },
            Action::Stream { slot: 1, device: image, base: Some(filter), manual: true },
            Action::Stream { slot: 0, device: filter, base: None, manual: false },
            Action::Backup { slot: 0, source: filter, target: image, manual: true },
        ];
        actions.extend(Verb::ALL.map(|verb| Action::Verb(1, verb)));
        for action in actions {
            assert_eq!(Action::from_code(action.code()), Some(action));
        }
        let nowhere = u32::from(NO_PLACE) << 9;
        assert_eq!([9, nowhere].map(Action::from_code), [None, None]);
    }
}
