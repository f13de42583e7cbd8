//! `blkperm draw`: a graph as a picture.

mod error;

pub(crate) use error::Error as DrawError;

use crate::error::Error;
use crate::film::{self, Frame};
use crate::label::label;
use crate::registry::{Combination, CompletionName, RuleName};
use crate::source::Source;
use blkperm_draw::{Picture, dot, svg};
use blkperm_qmp::scenario::Scenario;
use clap::ValueEnum;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  blkperm draw active-commit-complete-stranger-on-top > abort.svg
          The graph in which QEMU dies, with the conflict in red
  blkperm draw active-commit-complete-stranger-on-top --rule ownership --line 26 -o refused.svg
          The same scenario under ownership: the stranger is refused, and the picture says why
  blkperm draw mirror-full-complete --line 17 --changes -o mirror.svg
          What one command changes
  blkperm draw mirror-twice --format dot | dot -Tpdf > twice.pdf
          With Graphviz's layout

Boxes are nodes, pills BlockBackends (exports, devices), hexagons jobs. Below the name of an edge
stands what its parent takes (+) and unshares (-) on the child: c consistent-read, w write,
u write-unchanged, r resize. A legend is below the picture; tooltips say it in words.

Exit status:
  0  drawn
  2  bad input, or the file cannot be written";

/// The arguments of `blkperm draw`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Draw {
    /// A scenario file, or the name of a built-in scenario
    scenario: PathBuf,
    /// After the command in this line of the scenario, not at the end
    #[arg(long, value_name = "LINE", conflicts_with = "step")]
    line: Option<usize>,
    /// After this command of the scenario, counted from 1
    #[arg(long, value_name = "NUMBER")]
    step: Option<usize>,
    /// Mark what the last command has changed
    #[arg(long)]
    changes: bool,
    /// Only what is above and below these nodes
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
    /// The rule
    #[arg(long, value_enum, default_value_t = RuleName::Baseline, value_name = "RULE")]
    rule: RuleName,
    /// How jobs complete
    #[arg(long, value_enum, default_value_t = CompletionName::Stepwise, value_name = "HOW")]
    completion: CompletionName,
    /// The format; by default what the file's name says, or SVG
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file to write, not standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The format of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For browsers
    Svg,
    /// For Graphviz
    Dot,
}

impl Format {
    /// What a file's name says.
    fn of(file: &Path) -> Option<Format> {
        match file.extension()?.to_str()? {
            "svg" => Some(Format::Svg),
            "dot" | "gv" => Some(Format::Dot),
            _ => None,
        }
    }
}

impl Draw {
    /// Draws.
    ///
    /// # Errors
    ///
    /// Fails when the scenario cannot be read or played or has no such line or node, and when the
    /// file cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let format = self.format()?;
        let Source { scenario, .. } = Source::named(&self.scenario)?;
        let combination = Combination { rule: self.rule, completion: self.completion };
        let frame = self.frame(combination, &scenario)?;
        let mut picture = frame.ending();
        if self.changes {
            picture = Picture::between(&frame.before, &picture);
        }
        if !self.node.is_empty() {
            picture = picture
                .around(&self.node)
                .map_err(|name| DrawError::NoSuchNode { name, names: picture.node_names() })?;
        }
        let title = format!(
            "{} under {combination}, after line {}: {}",
            scenario.name,
            frame.step.line,
            label(&frame.step.command)
        );
        self.write(&match format {
            Format::Svg => svg::document(&picture, &title),
            Format::Dot => dot::document(&picture, &title),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn format(&self) -> Result<Format, DrawError> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::Svg),
            (None, Some(file)) => {
                Format::of(file).ok_or_else(|| DrawError::UnknownFormat(file.clone()))
            }
        }
    }

    /// What came of the command that was asked for.
    fn frame(&self, combination: Combination, scenario: &Scenario) -> Result<Frame, Error> {
        let (mut found, mut lines) = (None, Vec::new());
        film::show(combination, scenario, &mut |frame| {
            lines.push(frame.step.line);
            let is_asked_for = self.line == Some(frame.step.line) || self.step == Some(lines.len());
            if is_asked_for || self.line.or(self.step).is_none() {
                found = Some(frame);
            }
            if is_asked_for { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|source| Error::Play { combination, source })?;
        let missing = match (self.line, self.step) {
            (Some(line), _) => DrawError::NoSuchLine { line, lines },
            (None, Some(step)) => DrawError::NoSuchStep { step, steps: lines.len() },
            (None, None) => DrawError::NoCommands,
        };
        Ok(found.ok_or(missing)?)
    }

    fn write(&self, text: &str) -> Result<(), Error> {
        match &self.output {
            Some(file) => {
                fs::write(file, text).map_err(|source| Error::Write { file: file.clone(), source })
            }
            None => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
                Ok(())
            }
        }
    }
}
