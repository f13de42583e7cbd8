//! What ends an exploration early.

use blkperm_explore::{FileError, UniverseError};
use blkperm_qmp::play;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing could be explored or shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A preset or what a search's file holds is no universe.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// A file holds no universe.
    #[error("'{}' cannot be explored", file.display())]
    UniverseFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: UniverseError,
    },
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of a search names no combination.
    #[error("the search is of something else: {0}")]
    Combination(String),
    /// There is no level to be shared.
    #[error("'{}' is not there: explore the first levels into it, then share the next", .0.display())]
    NothingToShare(PathBuf),
    /// A shard's findings would take the place of a search.
    #[error("'{}' is a search: give --part another file", .0.display())]
    PartIsSearch(PathBuf),
    /// A shard was stopped before its end.
    #[error("stopped: the shard's part is not written")]
    Stopped,
    /// A shard has found more than there is room for.
    #[error(
        "the memory is used up, and the shard's part is not written: give --memory more, or split \
             the level into more shards"
    )]
    ShardTooLarge,
    /// A search of an ablation did not come to its end.
    #[error("universe '{0}' was not explored to its end: give --memory more, or --depth")]
    Unfinished(String),
    /// Several universes, where one is explored.
    #[error("one universe at a time, except with --ablation")]
    OneUniverse,
    /// Signals cannot be caught.
    #[error("failed to listen for signals")]
    Signal(#[source] io::Error),
    /// QEMU cannot be used.
    #[error(transparent)]
    Qemu(#[from] blkperm_qemu::Error),
    /// QEMU, or our baseline beside it, did not play a witness to its end.
    #[error("a witness was not played to its end")]
    Play(#[from] play::Error),
    /// The output could not be written.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
    /// The output could not be written as JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What to make of a failure to read `file`.
    pub(super) fn read(file: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let file = file.to_owned();
        |source| FileError::Read { file, source }.into()
    }

    /// What to make of a failure to write `file`.
    pub(super) fn write(file: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let file = file.to_owned();
        |source| FileError::Write { file, source }.into()
    }
}
