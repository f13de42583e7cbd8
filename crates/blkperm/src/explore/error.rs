//! What ends an exploration early.

use blkperm_explore::UniverseError;
use blkperm_qmp::play;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing could be explored or shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The universe is not one.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// A file could not be read.
    #[error("failed to read '{}'", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("failed to write '{}'", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// QEMU cannot be used.
    #[error(transparent)]
    Qemu(#[from] blkperm_qemu::Error),
    /// QEMU did not play a witness to its end.
    #[error("QEMU gave up on a witness")]
    Play(#[from] play::Error),
    /// The output could not be written.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
    /// The output could not be written as JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What to make of a failure to write `file`.
    pub(crate) fn write(file: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let file = file.to_owned();
        |source| Error::Write { file, source }
    }
}
