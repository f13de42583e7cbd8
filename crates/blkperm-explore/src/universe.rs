//! Universes: which images, strangers, exports and jobs there may be.

use std::fmt;

use blkperm_graph::{Demand, Permissions};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One image: a qcow2 node above a file node, or a quorum of images.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// The name of the node.
    pub name: String,
    /// The name of its backing node, which is listed before it.
    pub backing: Option<String>,
    /// Of a quorum: the names of its children, which are listed before it. One may be there twice.
    #[serde(default, deserialize_with = "one_or_more")]
    pub children: Vec<String>,
}

/// The children of an image that has some.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let children = Vec::deserialize(deserializer)?;
    if children.is_empty() {
        return Err(de::Error::custom("a quorum has children: leave `children` out for a qcow2"));
    }
    Ok(children)
}

/// What one stranger demands: in JSON one thing, or a list of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StrangerDemand(Vec<Demanded>);

impl StrangerDemand {
    /// All that it is.
    pub fn parts(&self) -> &[Demanded] {
        &self.0
    }

    /// It as a demand.
    pub fn demand(&self) -> Demand {
        self.0.iter().fold(Demand::NONE, |all, one| all.union(one.demand()))
    }
}

impl<'de> Deserialize<'de> for StrangerDemand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = StrangerDemand;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a stranger demands, as \"take-write\", or a list of such")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<StrangerDemand, E> {
        let one = Demanded::deserialize(text.into_deserializer())?;
        Ok(StrangerDemand(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<StrangerDemand, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(StrangerDemand)
    }
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
    /// `block-stream`.
    Stream,
    /// `blockdev-backup`.
    Backup,
}

/// What there may be.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Universe {
    /// The images, each after its backing image; all are open from the start, read-write.
    pub images: Vec<ImageSpec>,
    /// How many strangers there may be at once: blkdebug nodes on an image or on a job's filter.
    pub strangers: usize,
    /// Whether strangers and exports may stand on the images' files as well.
    #[serde(default)]
    pub files: bool,
    /// What a stranger may demand.
    pub demands: Vec<StrangerDemand>,
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
    /// The longest sequence of commands that is explored unless told otherwise; all when absent.
    pub depth: Option<u32>,
}

/// Why a universe cannot be explored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UniverseError {
    /// The text is not a universe.
    #[error("not a universe: {0}")]
    Syntax(String),
    /// No preset has that name.
    #[error("no universe is called '{0}', and there is no such file; there are {1}")]
    NoPreset(String, String),
    /// Nothing can happen, since a list is empty or a number is 0.
    #[error("'{0}' is empty: nothing can happen")]
    Empty(&'static str),
    /// Two strangers, or two jobs, would be told apart that are the same.
    #[error("'{0}' has the same thing twice")]
    Twice(&'static str),
    /// An image stands on one that is not listed before it.
    #[error("image '{image}' stands on '{below}', which is not listed before it")]
    UnknownImage {
        /// The image.
        image: String,
        /// What it names.
        below: String,
    },
    /// An image has a backing image and children.
    #[error("image '{0}' has a backing image and children: it is a qcow2 or a quorum, not both")]
    TwoKinds(String),
    /// An image cannot have that name.
    #[error("an image cannot be called '{name}': {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
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

/// The presets: a name, and its text.
const PRESETS: &[(&str, &str)] = &[
    ("chain-2", include_str!("universe/chain-2.json")),
    ("chain", include_str!("universe/chain.json")),
    ("chain-4", include_str!("universe/chain-4.json")),
    ("pair", include_str!("universe/pair.json")),
    ("copies", include_str!("universe/copies.json")),
    ("fork", include_str!("universe/fork.json")),
    ("two-jobs", include_str!("universe/two-jobs.json")),
    ("large", include_str!("universe/large.json")),
];

impl Universe {
    /// How many images there may be.
    pub const IMAGES: usize = 5;
    /// How many strangers there may be at once.
    pub const STRANGERS: usize = 3;
    /// How many exports there may be at once.
    pub const EXPORTS: usize = 2;
    /// How many jobs there may be at once.
    pub const JOBS: usize = 2;
    /// How many different demands a stranger may have.
    pub const DEMANDS: usize = 16;
    /// How many edges there may be between images.
    pub const EDGES: usize = 5;

    /// The names of the presets.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The text of the preset of that name.
    ///
    /// # Errors
    ///
    /// [`UniverseError::NoPreset`].
    pub fn preset(name: &str) -> Result<&'static str, UniverseError> {
        match PRESETS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Ok(text),
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
        let limits = [
            ("images", self.images.len(), Universe::IMAGES),
            ("strangers", self.strangers, Universe::STRANGERS),
            ("exports", self.exports, Universe::EXPORTS),
            ("jobs", self.jobs, Universe::JOBS),
            ("demands", self.demands.len(), Universe::DEMANDS),
        ];
        if let Some((what, count, limit)) = limits.into_iter().find(|(_, count, most)| count > most)
        {
            return Err(UniverseError::TooMany { what, count, limit });
        }
        let empty = [
            ("images", self.images.is_empty()),
            ("demands", self.demands.is_empty()),
            ("a demand", self.demands.iter().any(|demand| demand.parts().is_empty())),
            ("kinds", self.kinds.is_empty()),
            ("strangers, exports and jobs", self.strangers + self.exports + self.jobs == 0),
            ("depth", self.depth == Some(0)),
        ];
        if let Some((what, _)) = empty.into_iter().find(|(_, is_empty)| *is_empty) {
            return Err(UniverseError::Empty(what));
        }
        let demands: Vec<Demand> = self.demands.iter().map(StrangerDemand::demand).collect();
        let twice = [("demands", has_twice(&demands)), ("kinds", has_twice(&self.kinds))];
        if let Some((what, _)) = twice.into_iter().find(|(_, is_twice)| *is_twice) {
            return Err(UniverseError::Twice(what));
        }
        (0..self.images.len()).try_for_each(|place| self.check_image(place))?;
        let count: usize = (0..self.images.len()).map(|place| self.edges(place).count()).sum();
        let (what, limit) = ("edges between images", Universe::EDGES);
        if count > limit { Err(UniverseError::TooMany { what, count, limit }) } else { Ok(()) }
    }

    fn check_image(&self, place: usize) -> Result<(), UniverseError> {
        let ImageSpec { name, backing, children } = &self.images[place];
        let before = &self.images[..place];
        let is_before = |below: &&String| before.iter().any(|image| image.name == **below);
        let used_twice = is_before(&name).then_some("another image is called so");
        if let Some(reason) = used_twice.or_else(|| why_no_name(name)) {
            return Err(UniverseError::Name { name: name.clone(), reason });
        }
        if backing.is_some() && !children.is_empty() {
            return Err(UniverseError::TwoKinds(name.clone()));
        }
        match backing.iter().chain(children).find(|below| !is_before(below)) {
            Some(below) => {
                Err(UniverseError::UnknownImage { image: name.clone(), below: below.clone() })
            }
            None => Ok(()),
        }
    }

    /// The edges from an image to other images: what the image calls each, and where it ends.
    pub(crate) fn edges(&self, image: usize) -> impl Iterator<Item = (String, usize)> + '_ {
        let ImageSpec { backing, children, .. } = &self.images[image];
        let place = |name: &String| self.images.iter().position(|image| image.name == *name);
        let backing =
            backing.iter().filter_map(move |name| Some(("backing".to_owned(), place(name)?)));
        let children = children.iter().enumerate();
        let children =
            children.filter_map(move |(n, name)| Some((format!("children.{n}"), place(name)?)));
        backing.chain(children)
    }
}

fn has_twice<T: PartialEq>(all: &[T]) -> bool {
    all.iter().enumerate().any(|(place, one)| all[..place].contains(one))
}

/// How long an image's name may be, in bytes: QEMU's names of nodes have 31, and the search adds to it.
const NAME_LENGTH: usize = 20;

/// Why an image cannot have that name; none where it can.
fn why_no_name(name: &str) -> Option<&'static str> {
    let ours = ["stranger", "filter"].iter().any(|prefix| name.starts_with(prefix));
    if ours || name.ends_with("-file") {
        return Some(
            "the search itself gives names that begin with 'stranger' or 'filter', or end with '-file'",
        );
    }
    if name.len() > NAME_LENGTH {
        return Some("a name has at most 20 characters");
    }
    let reason = "a name is a letter, then letters, digits, '-', '.' and '_'";
    (!blkperm_jobs::is_wellformed(name)).then_some(reason)
}
