//! `blkperm explore`: every sequence of commands in a universe, and where a rule goes wrong in it.

mod confirm;
mod error;
mod report;
mod results;

use crate::output::Format;
use crate::registry::{Combination, CompletionName, RuleName, WithRule, with_rule};
use blkperm_explore::{Limits, Progress, Search, Stage, Universe, scenario};
use blkperm_graph::Rule;
use blkperm_qemu::Programs;
use blkperm_qmp::scenario::Scenario;
use error::Error;
use indicatif::ProgressBar;
use report::{Class, Report};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  blkperm explore chain
          Every way in which QEMU's rule aborts on a chain of three images
  blkperm explore pair --rule ownership --completion atomic
          That the proposal does not, on a source and a target
  blkperm explore chain --confirm --witnesses found
          A scenario for each class of abort, played to the QEMU that is installed here
  blkperm explore my.json --depth 8 --memory 500
          Your own universe, as far as eight commands and 500 MiB go

A universe is a JSON object, as in
  {\"images\": [{\"name\": \"base\"}, {\"name\": \"top\", \"backing\": \"base\"}], \"strangers\": 1,
   \"demands\": [\"unshare-consistent-read\"], \"exports\": 1, \"jobs\": 1, \"kinds\": [\"commit\"],
   \"manual\": true, \"pauses\": false}

Exit status:
  0  nothing goes wrong in what was explored
  1  something does
  2  bad input, or QEMU cannot be used";

/// What a state costs at most, with its share of the tables, which double as they grow.
const BYTES_PER_STATE: usize = 64;

/// The arguments of `blkperm explore`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explore {
    /// A universe: chain, pair, two-jobs, large, or a file
    universe: PathBuf,
    /// The rule
    #[arg(long, value_enum, default_value_t = RuleName::Baseline, value_name = "RULE")]
    rule: RuleName,
    /// How jobs complete
    #[arg(long, value_enum, default_value_t = CompletionName::Stepwise, value_name = "HOW")]
    completion: CompletionName,
    /// The longest sequence of commands; all by default
    #[arg(long, value_name = "COMMANDS")]
    depth: Option<u32>,
    /// The memory for states, in MiB; when it is used up, what was covered is reported
    #[arg(long, default_value_t = 1024, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=131_072))]
    memory: u32,
    /// Write a witness of each class into this directory, as a scenario
    #[arg(long, value_name = "DIRECTORY")]
    witnesses: Option<PathBuf>,
    /// Under QEMU's own rule and completion: play every witness to the qemu-storage-daemon in PATH
    #[arg(long)]
    confirm: bool,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Explore under every combination of rule and completion, and rewrite the universe's part of
    /// FILE, between its marks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rule", "completion", "witnesses"])]
    write: Option<PathBuf>,
}

impl Explore {
    /// Explores, and shows what was found.
    ///
    /// # Errors
    ///
    /// Fails before anything runs when the universe is not one, and when QEMU cannot be used or a
    /// file cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let universe = load(&self.universe)?;
        let programs = self.confirm.then(Programs::find).transpose()?;
        if let Some(directory) = &self.witnesses {
            fs::create_dir_all(directory).map_err(Error::write(directory))?;
        }
        if let Some(file) = &self.write {
            let each = Combination::COMPARED.into_iter();
            let explore = |one| self.explore(universe.clone(), one, programs.as_ref());
            let reports: Vec<Report> = each.map(explore).collect::<Result<_, _>>()?;
            results::rewrite(file, &reports)?;
            return Ok(ExitCode::SUCCESS);
        }
        let combination = Combination { rule: self.rule, completion: self.completion };
        let report = self.explore(universe, combination, programs.as_ref())?;
        if let Some(directory) = &self.witnesses {
            for (number, class) in report.classes.iter().enumerate() {
                let file = directory.join(format!("{}-{number:02}.qmp", report.universe_stem()));
                fs::write(&file, &class.text).map_err(Error::write(&file))?;
            }
        }
        self.show(&report)?;
        Ok(ExitCode::from(u8::from(!report.classes.is_empty())))
    }

    /// Explores under one combination; where there are `programs` and the combination is QEMU's, the
    /// witnesses of aborts are played to it.
    fn explore(
        &self,
        universe: Universe,
        combination: Combination,
        programs: Option<&Programs>,
    ) -> Result<Report, Error> {
        let limits = Limits {
            depth: self.depth.unwrap_or(u32::MAX),
            states: ((self.memory as usize) << 20) / BYTES_PER_STATE,
        };
        let name = self.universe.display().to_string();
        let mut report = with_rule(combination.rule, Work { universe, combination, limits, name });
        if let Some(programs) = programs.filter(|_| combination == Combination::QEMU) {
            for class in &mut report.classes {
                class.confirmed = Some(confirm::confirm(programs, &class.scenario)?);
            }
        }
        Ok(report)
    }

    fn show(&self, report: &Report) -> Result<(), Error> {
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Text => write!(out, "{}", report.text())?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, report)?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

/// The preset of that name, or else the file.
fn load(argument: &Path) -> Result<Universe, Error> {
    let name = argument.to_string_lossy();
    if Universe::presets().any(|preset| preset == name) || !argument.exists() {
        return Ok(Universe::preset(&name)?);
    }
    let text = fs::read_to_string(argument)
        .map_err(|source| Error::Read { file: argument.to_owned(), source })?;
    Ok(Universe::parse(&text)?)
}

/// A search, before the rule is known.
struct Work {
    universe: Universe,
    combination: Combination,
    limits: Limits,
    name: String,
}

impl WithRule for Work {
    type Output = Report;

    fn run<R>(self, rule: R) -> Report
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync,
    {
        let stage = Stage::new(self.universe, rule, self.combination.completion.completion());
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        let found = Search::new(&stage, self.limits).run(|progress| watch(&bar, progress));
        bar.finish_and_clear();
        let classes = found.findings.iter().map(|finding| {
            let title = finding.class.to_string();
            let text = scenario(&stage, &title, &finding.witness);
            let scenario = Scenario::parse(Path::new("witness"), &text);
            Class {
                outcome: finding.class.outcome,
                title,
                count: finding.count,
                length: finding.witness.len(),
                confirmed: None,
                scenario: scenario.expect("what the search writes is well formed"),
                text,
            }
        });
        Report {
            universe: self.name,
            combination: self.combination.to_string(),
            states: found.states,
            transitions: found.transitions,
            refused: found.refused,
            depth: found.depth,
            is_complete: found.is_complete,
            seconds: found.elapsed.as_secs_f64(),
            classes: classes.collect(),
        }
    }
}

fn watch(bar: &ProgressBar, progress: Progress) {
    let rate = progress.transitions as f64 / bar.elapsed().as_secs_f64().max(1e-3);
    bar.set_message(format!(
        "{} states, {} to expand, depth {}, {rate:.0} transitions/s",
        progress.states, progress.frontier, progress.depth
    ));
}
