//! What cannot be explained.

use std::io;
use std::path::PathBuf;

use blkperm_explain::{AskError, CommandSyntaxError, ImportError, ReplyError, Untried};

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be read.
    #[error(transparent)]
    Source(#[from] Box<crate::error::Error>),
    /// A file does not hold answers of QEMU.
    #[error("'{}' does not hold what QEMU answers", file.display())]
    Reply {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: ReplyError,
    },
    /// A monitor cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The answers do not make a graph.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// There is nothing of that name in the graph.
    #[error("there is no {what} '{name}' in the graph")]
    NoSuch {
        /// What.
        what: &'static str,
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// An edge is not called as edges are.
    #[error("'{0}' is no edge")]
    NotAnEdge(String),
    /// The scenario does nothing at that line.
    #[error("line {line} of '{scenario}' has no command")]
    NoSuchLine {
        /// The scenario's name.
        scenario: String,
        /// The line.
        line: usize,
    },
    /// Something that is to be tried is no command.
    #[error("'{text}' is no command")]
    Command {
        /// What it is.
        text: String,
        /// What is wrong with it.
        source: CommandSyntaxError,
    },
    /// A command cannot be tried.
    #[error(transparent)]
    Untried(#[from] Untried),
    /// The output could not be written.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
}

impl Error {
    /// What to do about it; none where the message says all.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Error::Import(ImportError::NoGraph) => Some(
                "save what `{\"execute\": \"x-debug-query-block-graph\"}` returns, or ask with --qmp"
                    .to_owned(),
            ),
            Error::Reply { .. } => Some(
                "give JSON as QEMU writes it: what a query returns, its reply, or a session".to_owned(),
            ),
            Error::Ask(AskError::Silence(_)) => Some(
                "a monitor talks to one client at a time: is another one connected? \
                 --timeout gives it more time"
                    .to_owned(),
            ),
            Error::Ask(AskError::NoGreeting | AskError::NotJson(_)) => {
                Some("is that a QMP monitor? one for people (HMP) does not do".to_owned())
            }
            Error::NoSuch { known, .. } if !known.is_empty() => {
                Some(format!("there are {}", known.join(", ")))
            }
            Error::NotAnEdge(_) => {
                Some("give PARENT:NAME, for example top:backing or j0:target".to_owned())
            }
            Error::Command { .. } => {
                Some("give '{\"execute\": ...}' or 'name key=value ...'".to_owned())
            }
            _ => None,
        }
    }
}
