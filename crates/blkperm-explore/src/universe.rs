//! Universes: which images, strangers, exports and jobs there may be.

use blkperm_graph::{Demand, Permissions};
use serde::Deserialize;

/// One image, opened as a qcow2 node above a file node.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// The name of the node.
    pub name: String,
    /// The name of its backing node, which is listed before it.
    pub backing: Option<String>,
}

/// One permission that a stranger takes or unshares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demanded {
    /// Takes `consistent-read`.
    TakeConsistentRead,
    /// Takes `write`.
    TakeWrite,
    /// Takes `write-unchanged`.
    TakeWriteUnchanged,
    /// Takes `resize`.
    TakeResize,
    /// Unshares `consistent-read`.
    UnshareConsistentRead,
    /// Unshares `write`.
    UnshareWrite,
    /// Unshares `write-unchanged`.
    UnshareWriteUnchanged,
    /// Unshares `resize`.
    UnshareResize,
}

impl Demanded {
    /// All eight.
    pub const ALL: [Demanded; 8] = [
        Demanded::TakeConsistentRead,
        Demanded::TakeWrite,
        Demanded::TakeWriteUnchanged,
        Demanded::TakeResize,
        Demanded::UnshareConsistentRead,
        Demanded::UnshareWrite,
        Demanded::UnshareWriteUnchanged,
        Demanded::UnshareResize,
    ];

    /// The permission.
    pub fn permission(self) -> Permissions {
        Permissions::EACH[self as usize % 4]
    }

    /// Whether it is taken; otherwise it is unshared.
    pub fn is_take(self) -> bool {
        (self as usize) < 4
    }

    /// It as a demand.
    pub fn demand(self) -> Demand {
        match self.is_take() {
            true => Demand::taking(self.permission()),
            false => Demand::unsharing(self.permission()),
        }
    }
}

/// A kind of job that may be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// `blockdev-mirror`.
    Mirror,
    /// `block-commit`, active or not.
    Commit,
}

/// What there may be.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Universe {
    /// The images, each after its backing image; all are open from the start, read-write.
    pub images: Vec<ImageSpec>,
    /// How many strangers there may be at once: blkdebug nodes on an image or on a job's filter.
    pub strangers: usize,
    /// What a stranger may demand, one thing each.
    pub demands: Vec<Demanded>,
    /// How many exports there may be at once.
    pub exports: usize,
    /// How many jobs there may be at once.
    pub jobs: usize,
    /// Which kinds of jobs.
    pub kinds: Vec<JobKind>,
    /// Whether jobs may also be started that neither finalize nor dismiss themselves.
    pub manual: bool,
    /// Whether jobs may be paused and resumed.
    pub pauses: bool,
}

/// Why a universe cannot be explored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UniverseError {
    /// The text is not a universe.
    #[error("not a universe: {0}")]
    Syntax(String),
    /// No preset has that name.
    #[error("no universe is called '{0}'; there are {1}")]
    NoPreset(String, String),
    /// Nothing can happen, since a list is empty.
    #[error("'{0}' is empty: nothing can happen")]
    Empty(&'static str),
    /// An image has a backing image that is not listed before it.
    #[error("image '{image}' has the backing image '{backing}', which is not listed before it")]
    UnknownBacking {
        /// The image.
        image: String,
        /// What it names.
        backing: String,
    },
    /// Two images have one name, or a name is one that the search uses itself.
    #[error("'{0}' cannot be an image's name: it is used twice, or the search uses it")]
    Name(String),
    /// There is more than the packed form of a state has room for.
    #[error("{count} {what}, and a packed state has room for {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// The presets: a name, what it is, and its text.
const PRESETS: &[(&str, &str)] = &[
    ("chain", include_str!("universe/chain.json")),
    ("pair", include_str!("universe/pair.json")),
    ("two-jobs", include_str!("universe/two-jobs.json")),
    ("large", include_str!("universe/large.json")),
];

impl Universe {
    /// The most there may be of everything, which the packed form of a state has room for.
    pub const LIMITS: [(&'static str, usize); 4] =
        [("images", 5), ("strangers", 3), ("exports", 2), ("jobs", 2)];

    /// The names of the presets.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The preset of that name.
    ///
    /// # Errors
    ///
    /// [`UniverseError::NoPreset`].
    pub fn preset(name: &str) -> Result<Universe, UniverseError> {
        match PRESETS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Universe::parse(text),
            None => {
                let known: Vec<&str> = Universe::presets().collect();
                Err(UniverseError::NoPreset(name.to_owned(), known.join(", ")))
            }
        }
    }

    /// The universe that a JSON text describes.
    ///
    /// # Errors
    ///
    /// An unknown name, an empty list, or more than a packed state has room for.
    pub fn parse(text: &str) -> Result<Universe, UniverseError> {
        let universe: Universe =
            serde_json::from_str(text).map_err(|error| UniverseError::Syntax(error.to_string()))?;
        universe.check()?;
        Ok(universe)
    }

    fn check(&self) -> Result<(), UniverseError> {
        let counts = [self.images.len(), self.strangers, self.exports, self.jobs];
        for ((what, limit), count) in Universe::LIMITS.into_iter().zip(counts) {
            if count > limit {
                return Err(UniverseError::TooMany { what, count, limit });
            }
        }
        let empty = [
            ("images", self.images.is_empty()),
            ("demands", self.demands.is_empty() && self.strangers > 0),
            ("kinds", self.kinds.is_empty() && self.jobs > 0),
            ("strangers, exports and jobs", counts[1..] == [0, 0, 0]),
        ];
        if let Some((what, _)) = empty.into_iter().find(|(_, is_empty)| *is_empty) {
            return Err(UniverseError::Empty(what));
        }
        if self.demands.len() > Demanded::ALL.len() {
            let (count, limit) = (self.demands.len(), Demanded::ALL.len());
            return Err(UniverseError::TooMany { what: "demands", count, limit });
        }
        for (place, ImageSpec { name, backing }) in self.images.iter().enumerate() {
            let before = &self.images[..place];
            if is_reserved(name) || before.iter().any(|image| image.name == *name) {
                return Err(UniverseError::Name(name.clone()));
            }
            if let Some(backing) = backing
                && before.iter().all(|image| image.name != *backing)
            {
                let (image, backing) = (name.clone(), backing.clone());
                return Err(UniverseError::UnknownBacking { image, backing });
            }
        }
        Ok(())
    }

    /// The number of the image's backing image.
    pub(crate) fn backing(&self, image: usize) -> Option<usize> {
        let backing = self.images[image].backing.as_ref()?;
        self.images.iter().position(|image| image.name == *backing)
    }
}

/// Whether the search gives that name to strangers, filters or files, or QEMU allows no such name.
fn is_reserved(name: &str) -> bool {
    let ours = ["stranger", "filter"].iter().any(|prefix| name.starts_with(prefix));
    ours || name.ends_with("-file") || name.len() > 20 || !blkperm_jobs::is_wellformed(name)
}
