//! Searches in files: to go on later, or on other machines.
//!
//! A file begins with a line of JSON that says what it is and has all that is not a long list. After
//! that come the lists, as little-endian numbers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::finding::Class;
use crate::search::{Part, Search};
use crate::shard::Shard;
use crate::store::Store;
use crate::system::{Key, System};
use crate::worker::{Arrival, Seen, Yield};

const FORMAT: &str = "blkperm search 2";

/// What is explored in a search.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// What the universe is called.
    pub name: String,
    /// The text of the universe.
    pub universe: String,
    /// The rule and the completion, in words of whoever writes the file.
    pub judged: String,
    /// Those that they are compared with.
    pub against: Option<String>,
    /// Whether false accepts are looked for.
    pub judges: bool,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("failed to read '{}'", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("failed to write '{}'", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("'{}' is not {what}: {reason}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Parts do not make a whole.
    #[error("the parts do not make a whole: {0}")]
    Parts(String),
}

/// The line of JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    subject: Subject,
    /// The place in the search: of a part, where it begins.
    place: Place,
    /// The shard, of a part.
    shard: Option<String>,
    transitions: u64,
    refused: u64,
    /// How many arrivals follow, in a part.
    arrivals: usize,
    seconds: f64,
    seen: Vec<(Class, Record)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Place {
    states: usize,
    next: usize,
    level_end: usize,
    depth: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Record {
    count: u64,
    from: u32,
    action: u32,
    then: Vec<u32>,
}

impl From<&Seen> for Record {
    fn from(seen: &Seen) -> Record {
        let then = seen.then.iter().map(|action| action.code()).collect();
        Record { count: seen.count, from: seen.from, action: seen.action.code(), then }
    }
}

impl Record {
    fn seen(&self) -> Option<Seen> {
        let Record { count, from, .. } = *self;
        let action = Action::from_code(self.action)?;
        let then = self.then.iter().map(|&code| Action::from_code(code)).collect::<Option<_>>()?;
        Some(Seen { count, from, action, then })
    }
}

fn records(seen: &BTreeMap<Class, Seen>) -> Vec<(Class, Record)> {
    seen.iter().map(|(class, seen)| (class.clone(), seen.into())).collect()
}

/// What is explored in the search that a file holds.
///
/// # Errors
///
/// When the file cannot be read or holds no search.
pub fn subject(file: &Path) -> Result<Subject, FileError> {
    let reader = Reader::open(file, "a search")?;
    reader.require(reader.header.shard.is_none(), "it is a part of one")?;
    Ok(reader.header.subject)
}

impl<'a, S: System> Search<'a, S> {
    fn place(&self) -> Place {
        let Search { next, level_end, depth, .. } = *self;
        Place { states: self.store.len(), next, level_end, depth }
    }

    /// Writes the search into a file, which is there as a whole or as it was.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self, subject: &Subject, file: &Path) -> Result<(), FileError> {
        let header = Header {
            format: FORMAT.to_owned(),
            subject: subject.clone(),
            place: self.place(),
            shard: None,
            transitions: self.transitions,
            refused: self.refused,
            arrivals: 0,
            seconds: self.elapsed.as_secs_f64(),
            seen: records(&self.seen),
        };
        write(file, &header, |out| {
            for id in 0..self.store.len() {
                write_key(out, &self.store.key(id))?;
                let (parent, action) = self.store.origin(id);
                out.write_all(&parent.to_le_bytes())?;
                out.write_all(&action.to_le_bytes())?;
            }
            Ok(())
        })
    }

    /// The search that a file holds.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds another search or none.
    pub fn load(system: &'a S, subject: &Subject, file: &Path) -> Result<Self, FileError> {
        let mut reader = Reader::open(file, "a search")?;
        reader.require(&reader.header.subject == subject, "it holds another search")?;
        reader.require(reader.header.shard.is_none(), "it is a part of one")?;
        let Place { states, next, level_end, depth } = reader.header.place;
        let in_order = 0 < level_end && next <= level_end && level_end <= states;
        reader.require(in_order && states <= Store::<S::Key>::MOST, "its numbers make no sense")?;
        let mut store = None;
        for id in 0..states {
            let key: S::Key = reader.key()?;
            let (parent, action) = (reader.number()?, reader.number()?);
            let is_known = Action::from_code(action).is_some() && (parent as usize) < id.max(1);
            reader.require(is_known, "its states make no sense")?;
            match &mut store {
                None => store = Some(Store::new(key)),
                Some(store) => store.insert_code(key, parent, action),
            }
        }
        let store = store.filter(|store| store.len() == states);
        reader.require(store.is_some(), "a state is there twice")?;
        let store = store.expect("it was just looked at");
        reader.require(store.key(0) == system.key(&system.start()), "it begins elsewhere")?;
        let seen = reader.seen(states)?;
        let elapsed = reader.elapsed();
        let Header { transitions, refused, .. } = reader.header;
        let search = Search::of_store(system, store);
        Ok(Search { seen, transitions, refused, next, level_end, depth, elapsed, ..search })
    }

    /// Writes what a shard has found into a file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save_part(
        &self,
        subject: &Subject,
        part: &Part<S::Key>,
        file: &Path,
    ) -> Result<(), FileError> {
        let header = Header {
            format: FORMAT.to_owned(),
            subject: subject.clone(),
            place: self.place(),
            shard: Some(part.shard.to_string()),
            transitions: part.work.transitions,
            refused: part.work.refused,
            arrivals: part.work.arrivals.len(),
            seconds: part.elapsed.as_secs_f64(),
            seen: records(&part.work.seen),
        };
        write(file, &header, |out| {
            for arrival in &part.work.arrivals {
                write_key(out, &arrival.key)?;
                out.write_all(&arrival.from.to_le_bytes())?;
                out.write_all(&arrival.action.code().to_le_bytes())?;
            }
            Ok(())
        })
    }

    fn load_part(&self, subject: &Subject, file: &Path) -> Result<Part<S::Key>, FileError> {
        let mut reader = Reader::open(file, "a part of this search")?;
        reader.require(&reader.header.subject == subject, "it belongs to another search")?;
        let is_here = reader.header.place == self.place();
        reader
            .require(is_here, "it belongs to another level, or to another state of the search")?;
        let shard = reader.header.shard.as_deref().and_then(|shard| shard.parse().ok());
        reader.require(shard.is_some(), "it is a whole search")?;
        let shard: Shard = shard.expect("it was just looked at");
        let mut work = Yield { seen: reader.seen(self.level_end)?, ..Yield::default() };
        (work.transitions, work.refused) = (reader.header.transitions, reader.header.refused);
        let elapsed = reader.elapsed();
        for _ in 0..reader.header.arrivals {
            let key = reader.key()?;
            let (from, action) = (reader.number()?, Action::from_code(reader.number()?));
            let is_of_level = (self.next..self.level_end).contains(&(from as usize));
            reader.require(action.is_some() && is_of_level, "its states make no sense")?;
            work.arrivals.extend(action.map(|action| Arrival { key, from, action }));
        }
        Ok(Part { shard, elapsed, work })
    }

    /// Puts together what all shards of the level in hand have found, which is in these files. The
    /// search is then what it would be if one machine had explored the level.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not a part of this search, and when a shard is missing or is
    /// there twice; the search is then as before.
    pub fn merge_files(&mut self, subject: &Subject, files: &[PathBuf]) -> Result<(), FileError> {
        let parts = files.iter().map(|file| self.load_part(subject, file));
        let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
        parts.sort_by_key(|part| part.shard);
        let Some(first) = parts.first() else {
            return Err(FileError::Parts("there are none".to_owned()));
        };
        let count = first.shard.count;
        if let Some(part) = parts.iter().find(|part| part.shard.count != count) {
            let (one, other) = (first.shard, part.shard);
            return Err(FileError::Parts(format!("{one} and {other} are of different splits")));
        }
        let have = |number| parts.iter().filter(|part| part.shard.number == number).count();
        if let Some(number) = (1..=count).find(|&number| have(number) != 1) {
            let what = if have(number) == 0 { "missing" } else { "there twice" };
            return Err(FileError::Parts(format!("shard {number}/{count} is {what}")));
        }
        self.merge_parts(parts);
        Ok(())
    }
}

fn write_key<K: Key>(out: &mut impl Write, key: &K) -> io::Result<()> {
    key.as_ref().iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
}

fn write(
    file: &Path,
    header: &Header,
    lists: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), FileError> {
    // Renamed when it is whole, so that whoever stops in the middle has the one before.
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let written = || {
        let mut out = BufWriter::new(File::create(&unfinished)?);
        serde_json::to_writer(&mut out, header)?;
        out.write_all(b"\n")?;
        lists(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&unfinished, file)
    };
    written().map_err(|source| FileError::Write { file: file.to_owned(), source })
}

struct Reader<'f> {
    file: &'f Path,
    what: &'static str,
    input: BufReader<File>,
    header: Header,
}

impl<'f> Reader<'f> {
    fn open(file: &'f Path, what: &'static str) -> Result<Reader<'f>, FileError> {
        let failed = |source| FileError::Read { file: file.to_owned(), source };
        let mut input = BufReader::new(File::open(file).map_err(failed)?);
        let mut line = Vec::new();
        // The line holds a universe and what was found, which is megabytes at most.
        input.by_ref().take(1 << 28).read_until(b'\n', &mut line).map_err(failed)?;
        let content = |reason| FileError::Content { file: file.to_owned(), what, reason };
        let header: Header =
            serde_json::from_slice(&line).map_err(|error| content(error.to_string()))?;
        if header.format != FORMAT {
            return Err(content(format!("its format is '{}', not '{FORMAT}'", header.format)));
        }
        Ok(Reader { file, what, input, header })
    }

    fn require(&self, holds: bool, reason: &str) -> Result<(), FileError> {
        let (file, what) = (self.file.to_owned(), self.what);
        if holds {
            Ok(())
        } else {
            Err(FileError::Content { file, what, reason: reason.to_owned() })
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.header.seconds).unwrap_or_default()
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        let read = self.input.read_exact(&mut bytes);
        read.map_err(|source| FileError::Read { file: self.file.to_owned(), source })?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, FileError> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn key<K: Key>(&mut self) -> Result<K, FileError> {
        let mut key = K::default();
        for word in key.as_mut() {
            *word = self.bytes().map(u64::from_le_bytes)?;
        }
        Ok(key)
    }

    /// What was found, from states below `states`.
    fn seen(&self, states: usize) -> Result<BTreeMap<Class, Seen>, FileError> {
        let known = |record: &Record| record.seen().filter(|seen| (seen.from as usize) < states);
        let records = self.header.seen.iter();
        let seen: Option<BTreeMap<Class, Seen>> =
            records.map(|(class, record)| Some((class.clone(), known(record)?))).collect();
        self.require(seen.is_some(), "its findings make no sense")?;
        Ok(seen.unwrap_or_default())
    }
}
