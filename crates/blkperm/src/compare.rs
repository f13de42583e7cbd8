//! `blkperm compare`: scenarios played to every combination, with real QEMU beside them.

mod comparison;
mod html;
mod json;
mod story;
mod text;

use crate::error::Error;
use crate::output::{self, Format};
use crate::qemu::Qemu;
use crate::source::Source;
use comparison::Comparison;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  blkperm compare
          All built-in scenarios, beside what QEMU 10.0.2 answered when they were recorded
  blkperm compare active-commit-cancel-stranger-on-top --all-rows
          One of them, with every command in a row of its own
  blkperm compare my.qmp --qemu live
          Your own script, beside the qemu-storage-daemon that is installed here
  blkperm compare --html report.html
          A page to look at: for every step the graph before and after, under each rule
  blkperm compare --format json | jq '.scenarios[] | {name, verdicts}'
          For programs

Exit status:
  0  baseline+stepwise equals QEMU everywhere, or QEMU was not asked
  1  baseline+stepwise differs from QEMU; every difference is printed
  2  bad input, or QEMU cannot be used

A scenario has one JSON object a line: a QMP command, or an image to make, as in
  {\"image\": {\"filename\": \"base.qcow2\", \"format\": \"qcow2\", \"size\": \"1M\"}}
Blank lines and lines that begin with # are skipped. The first comment is its title.";

/// The arguments of `blkperm compare`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Scenario files, or names of built-in scenarios; all built-in ones when none is given
    scenarios: Vec<PathBuf>,
    /// Where QEMU's answers come from
    #[arg(long, value_enum, default_value_t, value_name = "WHERE")]
    qemu: Qemu,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A row for every command, also where all agree that it is done
    #[arg(long)]
    all_rows: bool,
    /// Write a page with pictures of every step to this file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Compare {
    /// Plays the scenarios and prints what came of them.
    ///
    /// # Errors
    ///
    /// Fails when a scenario cannot be read or played; then nothing is printed.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let sources = match self.scenarios.as_slice() {
            [] => Source::seed()?,
            named => named.iter().map(|name| Source::named(name)).collect::<Result<_, _>>()?,
        };
        let played = sources.into_iter().map(|source| Comparison::play(source, self.qemu));
        let comparisons: Vec<Comparison> = played.collect::<Result<_, _>>()?;
        if let Some(file) = &self.html {
            let page = html::report(&comparisons, self.all_rows)?;
            fs::write(file, page).map_err(|source| Error::Write { file: file.clone(), source })?;
        }
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Text => {
                let text = text::report(&comparisons, self.all_rows, output::width());
                out.write_all(text.as_bytes())?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &json::report(&comparisons))?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        let differs = |one: &Comparison| one.differences().is_some_and(|found| !found.is_empty());
        Ok(ExitCode::from(u8::from(comparisons.iter().any(differs))))
    }
}

#[cfg(test)]
mod tests;
