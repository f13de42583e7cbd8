//! What ends a measurement early.

use blkperm_graph::Refusal;
use blkperm_qmp::play::{EndpointError, Stop};
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// QEMU is not there.
    #[error("{0}; or leave QEMU out with `--without-qemu`")]
    NoQemu(blkperm_qemu::Error),
    /// QEMU, or a server of ours, cannot be used.
    #[error(transparent)]
    Qemu(#[from] blkperm_qemu::Error),
    /// A shape is not measured at so small a size.
    #[error("'{name}' is measured from {least} {unit} on: give `--up-to {least}` or more")]
    NoSize {
        /// The shape.
        name: &'static str,
        /// Its smallest size.
        least: usize,
        /// What one more of the size is.
        unit: &'static str,
    },
    /// A server could not be talked to.
    #[error("no answer from {subject}")]
    NoAnswer {
        /// The server.
        subject: String,
        /// Why not.
        source: EndpointError,
    },
    /// A server died.
    #[error("{subject} died of {signal}: {message}")]
    Died {
        /// The server.
        subject: String,
        /// The signal.
        signal: String,
        /// What it said last.
        message: String,
    },
    /// A command was refused that has to be accepted.
    #[error("{subject} refused {command}: {reply}")]
    Refused {
        /// The server.
        subject: String,
        /// The command.
        command: String,
        /// Its reply.
        reply: String,
    },
    /// The graph that was built is not the one that was to be measured.
    #[error("{subject} has a graph of {found} edges where {expected} were built")]
    OtherGraph {
        /// The server.
        subject: String,
        /// How many edges it has.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A file could not be read or written.
    #[error("failed to use '{}'", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The drawing could not be made.
    #[error("failed to draw: {0}")]
    Drawing(String),
    /// The output could not be written.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
    /// The output could not be written as JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What to make of a failure to use `file`.
    pub(crate) fn file(file: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let file = file.to_owned();
        |source| Error::File { file, source }
    }

    /// A graph without QMP that refused what has to be accepted.
    pub(crate) fn refused_by_graph(refusal: Refusal) -> Error {
        let (subject, command) = ("the graph".to_owned(), "an edge".to_owned());
        Error::Refused { subject, command, reply: refusal.to_string() }
    }

    /// A server that gave no reply.
    pub(crate) fn stopped(subject: &impl ToString, stop: Stop) -> Error {
        let subject = subject.to_string();
        match stop {
            Stop::Died(death) => {
                Error::Died { subject, signal: death.signal, message: death.message }
            }
            Stop::Failed(source) => Error::NoAnswer { subject, source },
        }
    }
}
