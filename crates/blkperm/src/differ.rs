//! `blkperm differ`: random scripts, played to real QEMU and to a rule.

mod report;

use crate::error::Error;
use crate::registry::{Combination, CompletionName, RuleName};
use blkperm_differ::{Contest, Hunt, Progress, Scope, hunt};
use blkperm_document as document;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::{Endpoint, EndpointError};
use clap::value_parser;
use report::Report;
use std::error;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const LONG_ABOUT: &str = "\
Plays random scripts to a real qemu-storage-daemon and to a rule, and compares after every command
what they answer, the events and states of jobs, every edge with its permissions, and how QEMU dies.

A script on which they differ is shrunk to a minimal one, which is shown, and kept with --keep.
What differs is played three times more, to fresh daemons: only what differs each time counts, the
rest is listed as flaky, with its number. The seed and the number of a script mean the same script on
every machine. A script ends before a step in which QEMU crashes or hangs in a way that is known and
has nothing to do with permissions (docs/differences.md); these are counted.

With the baseline rule and stepwise completion, all must agree. Any other combination must agree
with QEMU where no job is, so it is compared up to the first command that starts one.";

const EXAMPLES: &str = "\
Examples:
  blkperm differ
          300 random scripts, to the baseline and to the qemu-storage-daemon that is installed here
  blkperm differ --minutes 10 --seed 7 --scripts 1000000 --keep found
          Hunt for ten minutes, and keep a minimal scenario of each difference
  blkperm differ --from 123 --scripts 1
          One script again
  blkperm differ --rule ownership --completion atomic
          That ownership answers as QEMU does wherever no job is

Exit status:
  0  no difference that repeats
  1  a difference, whose minimal script is shown, or a script that could not be played
  2  bad input, or QEMU cannot be used";

/// How long QEMU may take for one command, and the jobs that follow from it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The arguments of `blkperm differ`.
#[derive(clap::Args)]
#[command(long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub(crate) struct Differ {
    /// How many scripts to play
    #[arg(long, value_name = "N", default_value = "300", value_parser = value_parser!(u64).range(1..))]
    scripts: u64,
    /// The number of the first script, for playing one again
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The seed from which all scripts follow
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many commands a script has
    #[arg(long, value_name = "L", default_value = "25")]
    length: NonZero<usize>,
    /// Stop after so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// How many scripts to play at once; as many as there are processors when absent
    #[arg(long, value_name = "T")]
    threads: Option<NonZero<usize>>,
    /// The rule by which permissions are judged
    #[arg(long, value_enum, default_value = "baseline")]
    rule: RuleName,
    /// How a job's completion is carried out
    #[arg(long, value_enum, default_value = "stepwise")]
    completion: CompletionName,
    /// Write each minimal script into this directory, as a scenario
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Write the counts of each command into FILE, as a part of it in Markdown
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

impl Differ {
    /// Plays the scripts; fails the process when there is a difference.
    ///
    /// # Errors
    ///
    /// When an option makes no sense, QEMU is not installed, or a scenario cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn error::Error + Send + Sync>> {
        let plan = self.plan()?;
        let programs = Programs::find()?;
        if let Some(file) = &self.write {
            let checked = document::require_writable(file);
            checked.map_err(|source| Error::Write { file: file.clone(), source })?;
        }
        let tested = Combination { rule: self.rule, completion: self.completion };
        let left = || Ok(tested.endpoint());
        let right = || -> Result<Box<dyn Endpoint>, EndpointError> {
            Ok(Box::new(Daemon::start_with_patience(&programs, PATIENCE)?))
        };
        let is_qemus = tested == Combination::QEMU;
        let scope = if is_qemus { Scope::Everything } else { Scope::BeforeJobs };
        let contest = Contest { left: &left, right: &right, scope };
        let mut report = Report::new(&plan, tested, self.keep);
        let reference = || Ok(Combination::QEMU.endpoint());
        hunt(&plan, &contest, &reference, &mut |progress: Progress| report.note(progress));
        let Some(file) = self.write else { return Ok(report.finish(None)?) };
        let qemu = Daemon::start(&programs)?;
        Ok(report.finish(Some((file, qemu.version())))?)
    }

    fn plan(&self) -> Result<Hunt, Error> {
        let seconds = self.minutes.map(|minutes| minutes * 60.0);
        let limit = seconds.map(Duration::try_from_secs_f64).transpose();
        let limit = limit.map_err(|_| Error::NoTime(self.minutes.unwrap_or_default()))?;
        let one = NonZero::<usize>::MIN;
        Ok(Hunt {
            seed: self.seed,
            scripts: self.from..self.from.saturating_add(self.scripts),
            length: self.length.get(),
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            threads: self.threads.unwrap_or_else(|| thread::available_parallelism().unwrap_or(one)),
        })
    }
}
