//! Where scenarios come from: the seed, which is built in, and files.

use crate::error::Error;
use blkperm_qemu::Recording;
use blkperm_qmp::scenario::Scenario;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: far more than a scenario needs, and read in no time.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// A scenario of the seed.
struct BuiltIn {
    name: &'static str,
    text: &'static str,
    recording: Option<&'static str>,
}

const SEED: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/seed.rs"));

/// A scenario, and where QEMU's answers to it are recorded.
#[derive(Debug)]
pub(crate) struct Source {
    /// The scenario.
    pub(crate) scenario: Scenario,
    /// What it is called on a command line: a name, or a file.
    pub(crate) argument: String,
    recording: Place,
}

#[derive(Debug)]
enum Place {
    BuiltIn(Option<&'static str>),
    Beside(PathBuf),
}

impl Source {
    /// All scenarios of the seed, by name.
    pub(crate) fn seed() -> Result<Vec<Source>, Error> {
        SEED.iter().map(Source::built_in).collect()
    }

    /// The built-in scenario of that name, or else the file.
    pub(crate) fn named(argument: &Path) -> Result<Source, Error> {
        match SEED.iter().find(|one| Path::new(one.name) == argument) {
            Some(one) => Source::built_in(one),
            None => Source::file(argument),
        }
    }

    /// What QEMU answered to the scenario, if that is recorded.
    pub(crate) fn recording(&self) -> Result<Option<Recording>, Error> {
        Ok(match &self.recording {
            Place::BuiltIn(None) => None,
            Place::BuiltIn(Some(text)) => {
                Some(Recording::parse(Path::new(&self.scenario.name), text)?)
            }
            Place::Beside(file) if file.exists() => Some(Recording::load(file)?),
            Place::Beside(_) => None,
        })
    }

    fn built_in(one: &BuiltIn) -> Result<Source, Error> {
        let scenario = Scenario::parse(Path::new(one.name), one.text)?;
        let argument = one.name.to_owned();
        Ok(Source { scenario, argument, recording: Place::BuiltIn(one.recording) })
    }

    fn file(file: &Path) -> Result<Source, Error> {
        let scenario = Scenario::parse(file, &read(file)?)?;
        let argument = file.display().to_string();
        Ok(Source { scenario, argument, recording: Place::Beside(Recording::path(file)) })
    }
}

/// The text of a file that may be anything, and endless.
fn read(file: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { file: file.to_owned(), source };
    if file.is_dir() {
        return Err(Error::Directory(file.to_owned()));
    }
    let not_found = || Error::NoSuchScenario(file.display().to_string());
    let open = File::open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not_found(),
        _ => failed(error),
    })?;
    let mut bytes = Vec::new();
    open.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge(file.to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let (line, column) = end_of(&before);
        Error::NotUtf8 { file: file.to_owned(), line, column }
    })
}

/// Line and column behind a text, both from 1.
fn end_of(text: &str) -> (usize, usize) {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (text.matches('\n').count() + 1, last.chars().count() + 1)
}

/// The built-in scenarios that were perhaps meant.
pub(crate) fn suggestion(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    let names = || SEED.iter().map(|one| one.name);
    let mut close: Vec<&str> = names().filter(|one| one.contains(&*stem)).collect();
    if close.is_empty() {
        close = names().collect();
    }
    format!("built in are\n{}", close.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_seed_is_well_formed_and_recorded() {
        let seed = Source::seed().unwrap();
        assert!(seed.len() >= 20, "{} scenarios", seed.len());
        for source in seed {
            assert!(!source.scenario.title.is_empty(), "{}", source.scenario.name);
            assert!(source.recording().unwrap().is_some(), "{}", source.scenario.name);
        }
    }

    #[test]
    fn a_built_in_scenario_is_found_by_its_name() {
        for one in SEED {
            assert_eq!(Source::named(Path::new(one.name)).unwrap().scenario.name, one.name);
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        assert_eq!(suggestion("twice"), "built in are\nmirror-twice");
        assert_eq!(suggestion("some/mirror-twice.qmp"), "built in are\nmirror-twice");
        assert_eq!(suggestion("nothing like it").lines().count(), SEED.len() + 1);
    }

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        assert_eq!(end_of(""), (1, 1));
        assert_eq!(end_of("a\né"), (2, 2));
        assert_eq!(end_of("a\n"), (2, 1));
    }
}
