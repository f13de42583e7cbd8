//! `blkperm draw`: a graph as a picture.

mod failure;

pub(crate) use failure::DrawError;

use crate::error::Error;
use crate::explain::{self, Given, Subject};
use crate::film::{self, Frame};
use crate::label::label;
use crate::registry::{Combination, CompletionName, RuleName};
use blkperm_draw::{Picture, dot, svg};
use blkperm_explain::Address;
use blkperm_qmp::scenario::Scenario;
use clap::ValueEnum;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{error, fs};

const EXAMPLES: &str = "\
Examples:
  blkperm draw active-commit-complete-stranger-on-top > abort.svg
          The graph in which QEMU dies, with the conflict in red
  blkperm draw active-commit-complete-stranger-on-top --rule ownership --line 26 -o refused.svg
          The same scenario under ownership: the stranger is refused, and the picture says why
  blkperm draw mirror-full-complete --line 17 --changes -o mirror.svg
          What one command changes
  blkperm draw --qmp unix:/run/vm.qmp -o now.svg
          The graph of a running QEMU
  blkperm draw graph.json nodes.json exports.json --node top -o top.svg
          From answers that were saved, as `blkperm explain` takes them: what is above and below top
  blkperm draw mirror-twice --format dot | dot -Tpdf > twice.pdf
          With Graphviz's layout

Boxes are nodes, pills exports, boxes without corners the guest's devices, hexagons jobs, and
slanting boxes what jobs make for themselves. Below the name of an edge stands what its parent takes
(+) and unshares (-) on the child: c consistent-read, w write, u write-unchanged, r resize. A legend
is below the picture; tooltips say it in words.

Exit status:
  0  drawn
  2  bad input, or the file cannot be written";

/// The arguments of `blkperm draw`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Draw {
    /// A scenario, or files with answers of QEMU as `blkperm explain` takes them, - for standard
    /// input
    #[arg(required_unless_present = "qmp", conflicts_with = "qmp", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask a running QEMU: unix:PATH or tcp:HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    qmp: Option<Address>,
    /// How long a running QEMU may take to answer, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Of a scenario: after the command in this line, not at the end
    #[arg(long, value_name = "LINE", conflicts_with = "step")]
    line: Option<usize>,
    /// Of a scenario: after this command, counted from 1
    #[arg(long, value_name = "NUMBER")]
    step: Option<usize>,
    /// Of a scenario: mark what the command has changed
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
    /// Fails when there is nothing to draw, no such line or node, or the file cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn error::Error + Send + Sync>> {
        let format = self.format().map_err(Error::from)?;
        let combination = Combination { rule: self.rule, completion: self.completion };
        let (mut picture, title) = match Given::read(&self.files, self.qmp.as_ref(), self.timeout)?
        {
            Given::Scenario(scenario) => self.played(combination, &scenario)?,
            Given::Replies(replies) => {
                self.needs_no_scenario().map_err(Error::from)?;
                let subject = Subject::found(&replies)?;
                let title = format!("{} under {combination}", subject.title());
                (explain::picture(&subject, combination), title)
            }
        };
        if !self.node.is_empty() {
            let part = picture.around(&self.node);
            let no_such = |name| DrawError::NoSuchNode { name, names: picture.node_names() };
            picture = part.map_err(no_such).map_err(Error::from)?;
        }
        if format == Format::Svg && picture.is_too_large() {
            return Err(Error::from(DrawError::TooLarge(picture.vertices.len())).into());
        }
        self.write(&match format {
            Format::Svg => svg::document(&picture, &title),
            Format::Dot => dot::document(&picture, &title),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// What a scenario looks like, and what that is.
    fn played(
        &self,
        combination: Combination,
        scenario: &Scenario,
    ) -> Result<(Picture, String), Error> {
        let frame = self.frame(combination, scenario)?;
        let mut picture = frame.ending();
        if self.changes {
            picture = Picture::between(&frame.before, &picture);
        }
        let (name, line) = (&scenario.name, frame.step.line);
        let command = label(&frame.step.command);
        Ok((picture, format!("{name} under {combination}, after line {line}: {command}")))
    }

    /// Only scenarios have steps.
    fn needs_no_scenario(&self) -> Result<(), DrawError> {
        let options = [
            ("--line", self.line.is_some()),
            ("--step", self.step.is_some()),
            ("--changes", self.changes),
        ];
        match options.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(DrawError::NoScenario(option)),
            None => Ok(()),
        }
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
