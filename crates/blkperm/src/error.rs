//! What ends a command early, and how that is shown.

use crate::explain;
use crate::qemu::How;
use crate::registry::Combination;
use crate::source;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use blkperm_qmp::play;
use blkperm_qmp::scenario::LineError;
use std::ops::Range;
use std::path::PathBuf;
use std::{error, io};

/// What ends a command early: bad input, or QEMU that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such scenario.
    #[error("'{0}' is neither a file nor a built-in scenario")]
    NoSuchScenario(String),
    /// A directory stands where a scenario should.
    #[error("'{}' is a directory", .0.display())]
    Directory(PathBuf),
    /// A file could not be read.
    #[error("failed to read '{}'", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is larger than a scenario can be.
    #[error("'{}' is larger than {} MiB", .0.display(), source::MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// A file is not text.
    #[error("{}:{line}:{column}: not UTF-8", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A line of a scenario is not as it should be.
    #[error(transparent)]
    Line(#[from] Box<LineError>),
    /// A scenario could not be played to its end.
    #[error("{combination} gave up")]
    Play {
        /// To which rule it was played.
        combination: Combination,
        /// Where it ended.
        source: play::Error,
    },
    /// QEMU or its recording did not play a scenario to its end.
    #[error("{} QEMU gave up", how.words())]
    AskQemu {
        /// How QEMU was asked.
        how: How,
        /// Where it ended.
        source: play::Error,
    },
    /// QEMU or its recording cannot be used.
    #[error(transparent)]
    Qemu(#[from] blkperm_qemu::Error),
    /// There is no recording of what QEMU answers.
    #[error("no answers of QEMU to '{0}' are recorded")]
    NotRecorded(String),
    /// A file could not be written.
    #[error("failed to write '{}'", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A number of minutes is none.
    #[error("{0} is no number of minutes")]
    NoTime(f64),
    /// A picture could not be made.
    #[error(transparent)]
    Draw(#[from] crate::draw::DrawError),
    /// The output could not be written.
    #[error("failed to write the output")]
    Output(#[from] io::Error),
    /// The output could not be written as JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What to do about it; none where the message says all.
    fn help(&self) -> Option<String> {
        match self {
            Error::NoSuchScenario(name) => Some(source::suggestion(name)),
            Error::Directory(_) => Some("give the .qmp files in it".to_owned()),
            Error::TooLarge(_) => Some("give a file with one QMP command a line".to_owned()),
            Error::NotUtf8 { .. } => Some("save the file as UTF-8".to_owned()),
            Error::Line(error) => Some(error.help()),
            Error::Draw(error) => error.help(),
            Error::Qemu(_) | Error::AskQemu { .. } | Error::NotRecorded(_) => {
                Some("`--qemu off` compares without QEMU, `--qemu live` without a recording".into())
            }
            Error::Read { .. }
            | Error::Play { .. }
            | Error::Write { .. }
            | Error::NoTime(_)
            | Error::Output(_)
            | Error::Json(_) => None,
        }
    }
}

/// Whether nobody reads the output any more, as when it goes through `head`.
pub(crate) fn is_broken_pipe(error: &(dyn error::Error + 'static)) -> bool {
    chain(error).any(|error| {
        let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = error.downcast_ref::<serde_json::Error>().and_then(|it| it.io_error_kind());
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// The error with its causes, the place and a caret where there is one, and what to do about it.
///
/// The text is styled; `anstream` removes what a stream cannot show.
pub(crate) fn render(error: &(dyn error::Error + 'static)) -> String {
    let explained = error.downcast_ref::<explain::Error>();
    let own = match explained {
        Some(explain::Error::Source(error)) => Some(&**error),
        _ => error.downcast_ref::<Error>(),
    };
    let excerpt = match own {
        Some(Error::Line(error)) => Some(Excerpt::of(error)),
        _ => None,
    };
    let title = match own {
        Some(Error::Line(error)) => error.problem.to_string(),
        _ => chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": "),
    };
    let mut group = Group::with_title(Level::ERROR.primary_title(title));
    if let Some(excerpt) = &excerpt {
        group = excerpt.add_to(group);
    }
    let help = own.and_then(Error::help).or(explained.and_then(explain::Error::help));
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::styled().render(&[group])
}

/// An error and what caused it.
fn chain<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// As much of a broken line as fits on a screen, and what is at fault in it.
struct Excerpt<'a> {
    error: &'a LineError,
    text: String,
    span: Range<usize>,
    cut: bool,
}

impl<'a> Excerpt<'a> {
    /// A line can be 16 MB long; what is shown of it need not.
    const BEFORE: usize = 60;
    const LENGTH: usize = 240;

    fn of(error: &'a LineError) -> Excerpt<'a> {
        let column = error.column.saturating_sub(1);
        let cut = column + Self::BEFORE > Self::LENGTH;
        let skipped = if cut { column - Self::BEFORE } else { 0 };
        let text: String = error.text.chars().skip(skipped).take(Self::LENGTH).collect();
        let byte = |character: usize| {
            text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
        };
        let start = byte(column - skipped);
        let span = start..byte(column - skipped + error.width);
        Excerpt { error, text, span, cut }
    }

    fn add_to(&'a self, group: Group<'a>) -> Group<'a> {
        let LineError { file, line, column, .. } = self.error;
        let annotation = AnnotationKind::Primary.span(self.span.clone());
        let snippet = Snippet::source(&self.text).line_start(*line).annotation(annotation);
        let file = file.to_string_lossy();
        if self.cut {
            // The snippet would count the column from where it was cut.
            let origin = Origin::path(file).line(*line).char_column(*column);
            group.element(origin).element(snippet)
        } else {
            group.element(snippet.path(file))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_qmp::scenario::Scenario;
    use std::path::Path;

    fn rendered(text: &str) -> String {
        let error = Scenario::parse(Path::new("x.qmp"), text).unwrap_err();
        anstream::adapter::strip_str(&render(&Error::from(error))).to_string()
    }

    #[test]
    fn a_caret_is_below_the_fault() {
        let shown = rendered("# x\n{\"execute\": nope}");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].contains("x.qmp:2:13"), "{shown}");
        let source = lines.iter().position(|line| line.starts_with("2 |")).unwrap();
        assert_eq!(lines[source].find("nope"), lines[source + 1].find("^^^^"), "{shown}");
        assert!(shown.contains("help: "), "{shown}");
    }

    #[test]
    fn a_fault_at_the_end_of_a_line_has_a_caret_too() {
        for text in ["{", "{\"execute\": \"quit\"", "{\"é\u{1F980}\": 1"] {
            assert!(rendered(text).contains('^'), "{}", rendered(text));
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_fault() {
        let text = format!("{{\"execute\": \"{}\", nope}}", "é".repeat(100_000));
        let shown = rendered(&text);
        assert!(shown.len() < 2_000 && shown.contains("nope"), "{shown}");
        assert!(shown.contains("x.qmp:1:100017"), "{shown}");
    }
}
