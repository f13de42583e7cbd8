//! What can go wrong between us and QEMU.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// QEMU or a recording of it could not be used; a refusal or a death is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("'{program}' is not in PATH: install it, on Debian with `apt install qemu-utils`")]
    NotInstalled {
        /// The program's name.
        program: &'static str,
    },
    /// A program could not be started.
    #[error("failed to start '{}'", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program does not begin to speak QMP.
    #[error("'{}' does not speak QMP: {said}", program.display())]
    NoGreeting {
        /// The program.
        program: PathBuf,
        /// What it said instead.
        said: String,
    },
    /// `qemu-img` made no image.
    #[error("failed to make the image '{filename}': {message}")]
    Image {
        /// The image's file name.
        filename: String,
        /// What `qemu-img` said.
        message: String,
    },
    /// Nothing came before the deadline; the program was killed.
    #[error("no answer to {what} within {after:?}")]
    Timeout {
        /// What should have been answered.
        what: String,
        /// How long we waited.
        after: Duration,
    },
    /// The jobs went on moving until the deadline; the daemon was killed.
    #[error("the jobs did not settle within {after:?}: {jobs}")]
    Unsettled {
        /// What `query-block-jobs` and `query-jobs` returned last.
        jobs: String,
        /// How long we waited.
        after: Duration,
    },
    /// The daemon was killed after an earlier error.
    #[error("the daemon was killed after an earlier error")]
    Killed,
    /// The daemon said something that is not QMP.
    #[error("not a message of QMP: {text}")]
    NotQmp {
        /// What it said.
        text: String,
        /// Why it is not JSON, if it is not.
        source: Option<serde_json::Error>,
    },
    /// Input or output failed.
    #[error("failed to {what}")]
    Io {
        /// What failed.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A recording is not as it should be.
    #[error("'{}' is not a recording: record it again", file.display())]
    BadRecording {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A recording is of another scenario, or of an earlier version of it.
    #[error("the recording does not have the command {command}: record it again")]
    Stale {
        /// The command.
        command: String,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}
