//! What a picture cannot be made of.

use std::path::PathBuf;

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrawError {
    /// The line has no command, or the process died before it.
    #[error("no command was played in line {line}")]
    NoSuchLine {
        /// The line that was asked for.
        line: usize,
        /// The lines with commands.
        lines: Vec<usize>,
    },
    /// There are not so many commands.
    #[error("there is no step {step}")]
    NoSuchStep {
        /// The step that was asked for.
        step: usize,
        /// How many there are.
        steps: usize,
    },
    /// An option is about a scenario, and there is none.
    #[error("{0} is for scenarios")]
    NoScenario(&'static str),
    /// The scenario has no commands.
    #[error("there is no command in it")]
    NoCommands,
    /// There is no such node in the picture.
    #[error("there is no node '{name}'")]
    NoSuchNode {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// The graph is too large for a layout.
    #[error("{0} boxes with their edges are too many for a picture")]
    TooLarge(usize),
    /// The file's name does not tell a format.
    #[error("'{}' does not end in .svg, .dot or .gv", .0.display())]
    UnknownFormat(PathBuf),
}

impl DrawError {
    /// What to do about it; none where the message says all.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            DrawError::NoSuchLine { lines, .. } => {
                let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
                Some(format!("commands were played in the lines {}", lines.join(", ")))
            }
            DrawError::NoSuchStep { steps, .. } => Some(format!("{steps} commands were played")),
            DrawError::NoSuchNode { names, .. } => {
                const MOST: usize = 40;
                let more = if names.len() > MOST { ", ..." } else { "" };
                let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
                Some(format!("there are {}{more}", shown.join(", ")))
            }
            DrawError::TooLarge(_) => Some(
                "`--node NAME` draws what is above and below a node, `--format dot` has no limit"
                    .to_owned(),
            ),
            DrawError::UnknownFormat(_) => Some("say `--format svg` or `--format dot`".to_owned()),
            DrawError::NoScenario(_) => {
                Some("what a QEMU answers is its graph at one moment".to_owned())
            }
            DrawError::NoCommands => None,
        }
    }
}
