//! What can be wrong with a scenario file, where, and what to do about it.

use crate::image::ImageFormat;
use crate::json::JsonError;
use std::io;
use std::path::{Path, PathBuf};

/// A scenario could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("failed to read '{}'", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is not as it should be.
    #[error(transparent)]
    Line(#[from] Box<LineError>),
}

/// A line of a scenario that is neither a command nor an image.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {problem}", file.display())]
pub struct LineError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters are at fault, at least 1.
    pub width: usize,
    /// The whole line, for a display with a caret.
    pub text: String,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

impl LineError {
    pub(super) fn new(file: &Path, line: usize, text: &str, problem: Problem) -> LineError {
        let (column, width) = problem.place(text);
        LineError { file: file.to_owned(), line, column, width, text: text.to_owned(), problem }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        self.problem.help()
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not JSON.
    #[error("{}", .0.desc)]
    Json(#[source] JsonError),
    /// It is JSON, but not one object.
    #[error("not one object")]
    NotAnObject,
    /// It has neither `image` nor `execute`.
    #[error("neither a command nor an image")]
    NeitherImageNorCommand,
    /// It has another member beside `image`.
    #[error("`{0}` beside `image`")]
    BesideImage(String),
    /// A member is missing.
    #[error("`{object}` has no `{member}`")]
    Missing {
        /// The object.
        object: &'static str,
        /// The member that it lacks.
        member: &'static str,
    },
    /// A member that means nothing.
    #[error("`{object}` has no member `{member}`")]
    Unknown {
        /// The object.
        object: &'static str,
        /// The member.
        member: String,
        /// The members that it may have.
        known: String,
    },
    /// A member has another type.
    #[error("`{member}` is not {expected}")]
    WrongType {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A file name that is not plain.
    #[error("'{0}' is not a plain file name")]
    NotPlain(String),
    /// A file that the scenario has no business with.
    #[error("'{0}' is outside of the run's directory")]
    Outside(String),
    /// A format that cannot be made.
    #[error("no image can be made in the format {0}")]
    UnknownFormat(String),
    /// A size that `qemu-img` would refuse.
    #[error("{0} is not a size")]
    NotASize(String),
    /// A backing file where the format has none.
    #[error("a {0} image has no backing file")]
    NoBacking(ImageFormat),
    /// A subformat of vmdk that QEMU does not make.
    #[error("'{0}' is not a subformat of vmdk")]
    UnknownSubformat(String),
}

impl Problem {
    /// Column and width in characters.
    fn place(&self, text: &str) -> (usize, usize) {
        let found = match self {
            Problem::Json(JsonError { span, .. }) => {
                let width = span.end.column.saturating_sub(span.start.column).max(1);
                return (span.start.column as usize, width as usize);
            }
            Problem::NotAnObject | Problem::NeitherImageNorCommand => None,
            Problem::BesideImage(member) | Problem::Unknown { member, .. } => quoted(text, member),
            Problem::Missing { object, .. } => quoted(text, object),
            Problem::WrongType { member, .. } => quoted(text, member),
            Problem::NotPlain(word) | Problem::Outside(word) | Problem::UnknownSubformat(word) => {
                quoted(text, word)
            }
            Problem::UnknownFormat(value) | Problem::NotASize(value) => {
                literal(text, value).or_else(|| literal(text, &value.replace('"', "'")))
            }
            Problem::NoBacking(_) => quoted(text, "backing"),
        };
        let whole = || literal(text, text.trim());
        let (at, length) = found.or_else(whole).unwrap_or((0, text.len()));
        let characters = |text: &str| text.chars().count();
        (characters(&text[..at]) + 1, characters(&text[at..at + length]).max(1))
    }

    fn help(&self) -> String {
        match self {
            Problem::Json(_) | Problem::NotAnObject => {
                "write one JSON object on a line of its own, or begin the line with # to skip it"
            }
            Problem::NeitherImageNorCommand => {
                "give the object a member `execute` with the name of a command, or `image`"
            }
            Problem::BesideImage(_) => "make the image on a line of its own",
            Problem::Missing { object: "image", member: "size" } => {
                "add a size, as in \"size\": \"1M\"; only an image with a backing file has one without"
            }
            Problem::Missing { member, .. } => return format!("add the member `{member}`"),
            Problem::Unknown { known, .. } => return format!("known members are `{known}`"),
            Problem::WrongType { expected, .. } => return format!("write {expected} here"),
            Problem::NotPlain(_) => {
                "the file is made in the run's own directory: use a name without directory, \
                 protocol or option, as in base.qcow2"
            }
            Problem::Outside(_) => {
                "a scenario sees only the images that its `image` lines make, so that playing it \
                 to QEMU writes nothing else: name one of them; `blkperm serve` opens real images"
            }
            Problem::UnknownFormat(_) => {
                let names: Vec<_> = ImageFormat::ALL.iter().map(|format| format.name()).collect();
                return format!("known formats are {}", names.join(", "));
            }
            Problem::UnknownSubformat(_) => {
                "use monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat or \
                 streamOptimized"
            }
            Problem::NotASize(_) => "write a number of bytes, or a text like \"64K\", \"1M\" or \"1.5G\"",
            Problem::NoBacking(_) => "leave the backing file out, or make a qcow2 image",
        }
        .to_owned()
    }
}

/// QEMU's dialect has two kinds of quotes.
fn quoted(text: &str, word: &str) -> Option<(usize, usize)> {
    literal(text, &format!("\"{word}\"")).or_else(|| literal(text, &format!("'{word}'")))
}

fn literal(text: &str, word: &str) -> Option<(usize, usize)> {
    text.find(word).map(|at| (at, word.len()))
}
