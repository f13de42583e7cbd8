//! `blkperm merge`: what the shards of one level have found, put together.

use super::error::Error;
use super::subject::{WithSystem, with_system};
use blkperm_explore::{Search, Subject, System, subject};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const LONG_ABOUT: &str = "\
Puts together what the shards of one level have found, and brings the search's file up to date.

A search goes level by level: first all states that are one command from the start, then all that are
two, and so on. The states of a level are split among N shards by their packed form, so that nothing is
done twice; each shard's findings go into a file of its own. They may be made on any machines, in any
order, again if one fails. When all are there, merge puts them together, and the next level can begin.
What comes out is, state for state, what one machine alone would have found.";

const EXAMPLES: &str = "\
Examples:
  blkperm explore large --depth 4 --file s
          The first levels, which are too small to be shared
  blkperm explore large --file s --shard 1/2 --part s.1
  blkperm explore large --file s --shard 2/2 --part s.2
          The next level, on two machines; as an array of jobs, `--shard 2` finds its place by itself
  blkperm merge s s.1 s.2
          Their findings, put together in s; and so on, until merge ends with 0
  blkperm explore large --file s
          What was found

Exit status:
  0  everything is explored
  2  a file is none of this search or of this level, or a shard is missing
  3  there is another level to explore";

/// The arguments of `blkperm merge`.
#[derive(clap::Args)]
#[command(long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub(crate) struct Merge {
    /// The file of the search, which is brought up to date
    search: PathBuf,
    /// What the shards have found, in any order
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

impl Merge {
    /// Merges, and says how far the search is.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be used or a shard is missing; the search is then as before.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let subject = subject(&self.search)?;
        let (file, parts) = (&*self.search, &*self.parts);
        with_system(&subject, Merging { subject: &subject, file, parts })
    }
}

struct Merging<'a> {
    subject: &'a Subject,
    file: &'a Path,
    parts: &'a [PathBuf],
}

impl WithSystem for Merging<'_> {
    type Output = ExitCode;

    fn run<S: System>(self, system: &S) -> Result<ExitCode, Error> {
        let mut search = Search::load(system, self.subject, self.file)?;
        search.merge_files(self.subject, self.parts)?;
        search.save(self.subject, self.file)?;
        let progress = search.progress();
        let rest = match search.is_complete() {
            true => "everything is explored".to_owned(),
            false => format!("{} of them to be explored next", progress.frontier),
        };
        let (states, transitions) = (progress.states, progress.transitions);
        let seconds = progress.elapsed.as_secs_f64();
        writeln!(
            anstream::stdout(),
            "{states} states, {transitions} transitions; {rest}; {seconds:.1} s of all shards together"
        )?;
        Ok(ExitCode::from(if search.is_complete() { 0 } else { 3 }))
    }
}
