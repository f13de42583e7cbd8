//! What keeps the server from starting, and how it is told.

use super::command_line::UsageError;
use super::options::OptionError;
use blkperm_qmp::server::Refused;
use blkperm_qmp::transcript::Death;
use signal_hook::consts::SIGSEGV;
use signal_hook::low_level::emulate_default_handler;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

/// What keeps the server from starting.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    /// The command line is not made of options.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// An option cannot be followed.
    #[error("{written}: {fault}")]
    Option {
        /// The option, as it stands on the command line.
        written: String,
        /// Why not.
        fault: OptionFault,
    },
    /// The file with the process ID cannot be made.
    #[error("cannot create PID file: {0}")]
    PidFile(String),
    /// Signals cannot be caught.
    #[error("cannot catch signals: {}", reason(.0))]
    Signals(#[source] io::Error),
}

/// Why an option cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OptionFault {
    /// Its argument is wrong in itself.
    #[error(transparent)]
    Argument(#[from] OptionError),
    /// It is none of several words.
    #[error("'{given}' is none of {known}")]
    NoSuchWord {
        /// What was given.
        given: String,
        /// The words.
        known: String,
    },
    /// An id is no identifier.
    #[error(
        "Parameter 'id' expects an identifier\n\
         Identifiers consist of letters, digits, '-', '.', '_', starting with a letter."
    )]
    NoIdentifier,
    /// Something with that id is there already.
    #[error("attempt to add duplicate property '{0}' to object (type 'container')")]
    Duplicate(String),
    /// The daemon could do it, this cannot.
    #[error("{what} is not supported by blkperm; {remedy}")]
    Unsupported {
        /// What cannot be done.
        what: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// QEMU's own words, for what needs none of ours.
    #[error("{0}")]
    Other(String),
    /// QEMU's process would die of it.
    #[error("{}", .0.message)]
    Death(Death),
}

impl OptionFault {
    /// A fault in QEMU's own words.
    pub(super) fn other(text: impl Into<String>) -> OptionFault {
        OptionFault::Other(text.into())
    }
}

impl From<Refused> for OptionFault {
    fn from(refused: Refused) -> OptionFault {
        match refused {
            Refused::Error(error) => OptionFault::Other(error.desc),
            Refused::Death(death) => OptionFault::Death(death),
        }
    }
}

/// Why something failed, as C's `strerror` has it.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split(" (os error").next().unwrap_or(text).to_owned()
}

/// Tells something on standard error, under the program's name.
pub(super) fn report(what: &dyn Display) {
    // When standard error is gone too, the exit status is all that can be told.
    let _ = writeln!(io::stderr(), "{}: {what}", program());
}

/// What the process was started as: whoever starts it in the daemon's name finds the daemon's lines.
fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    match Path::new(&path).file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => env!("CARGO_PKG_NAME").to_owned(),
    }
}

/// Ends the process as QEMU's ends where it assumes that something succeeds, and it fails.
///
/// Source: `error_handle` in `util/error.c`, QEMU 10.0.
pub(super) fn die(death: &Death, message: &dyn Display) -> ! {
    if let Some(origin) = &death.origin {
        let _ = writeln!(io::stderr(), "Unexpected error in {origin}:");
    }
    report(message);
    if death.signal == "SIGSEGV" {
        let _ = emulate_default_handler(SIGSEGV);
    }
    std::process::abort()
}
