//! `blkperm explore` and `blkperm merge`: every sequence of commands in a universe, and where a rule
//! goes wrong in it.

mod confirm;
mod error;
mod merge;
mod report;
mod results;
mod search;
mod subject;

use crate::output::Format;
use crate::registry::{Combination, CompletionName, RuleName};
use blkperm_document as document;
use blkperm_explore::{Ended, Limits, Shard, ShardError, Subject, Universe};
use blkperm_qemu::Programs;
use error::Error;
pub(crate) use merge::Merge;
use report::Report;
use search::Explorer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  blkperm explore chain
          Every way in which QEMU's rule aborts on a chain of three images
  blkperm explore pair --rule ownership --completion atomic
          That the proposal does not, on a source and a target
  blkperm explore chain --rule ownership --completion atomic --against baseline+stepwise
          What the proposal refuses and QEMU accepts, and whether something goes wrong after it
  blkperm explore chain --confirm --witnesses found
          A scenario for each class of abort, played to the QEMU that is installed here
  blkperm explore my.json --file my.search --memory 4000
          Your own universe; stop it with Ctrl-C, and go on with the same command
  blkperm explore large --file s --shard 2/8 --part s.2 && blkperm merge s s.*
          One level of a search on eight machines: see blkperm merge

A universe is a JSON object, as in
  {\"images\": [{\"name\": \"base\"}, {\"name\": \"top\", \"backing\": \"base\"}], \"strangers\": 1,
   \"demands\": [\"unshare-consistent-read\", [\"take-write\", \"unshare-write\"]], \"exports\": 1,
   \"jobs\": 1, \"kinds\": [\"commit\"], \"manual\": true, \"pauses\": false}
An image with \"children\": [\"a\", \"b\"] instead of \"backing\" is a quorum; with \"files\": true, strangers
and exports stand on the images' files as well; \"depth\": 5 ends the search there. The presets are in
crates/blkperm-explore/src/universe/.

Exit status:
  0  nothing goes wrong in what was explored
  1  something does
  2  bad input, or QEMU cannot be used
  3  the memory was used up, or the search was stopped; what was covered is shown";

/// The arguments of `blkperm explore`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explore {
    /// A universe: chain-2, chain, chain-4, pair, copies, fork, two-jobs, large, or a file
    #[arg(required = true, value_name = "UNIVERSE")]
    universes: Vec<PathBuf>,
    /// The rule
    #[arg(long, value_enum, default_value_t = RuleName::Baseline, value_name = "RULE")]
    rule: RuleName,
    /// How jobs complete
    #[arg(long, value_enum, default_value_t = CompletionName::Stepwise, value_name = "HOW")]
    completion: CompletionName,
    /// Do the same under a second rule, and find where the verdicts part
    #[arg(long, value_name = "RULE+HOW")]
    against: Option<Combination>,
    /// Find false accepts too: commands after which something goes wrong, and before which nothing did
    #[arg(long, conflicts_with = "against")]
    judge: bool,
    /// The longest sequence of commands; by default what the universe says, or all
    #[arg(long, value_name = "COMMANDS", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// The memory for states and what is remembered of them, in MiB; when it is used up, what was
    /// covered is reported
    #[arg(long, default_value_t = 1024, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    memory: u32,
    /// Keep the search in FILE when it ends or is stopped; go on from there if it exists
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Expand only this shard's part of the level at which FILE stands: K/N, with K from 1 to N. With N
    /// alone, SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX say which: any N numbers in a row
    #[arg(long, value_name = "K/N", requires = "file", requires = "part", value_parser = shard)]
    shard: Option<Shard>,
    /// Where the shard's findings go
    #[arg(long, value_name = "FILE", requires = "shard")]
    part: Option<PathBuf>,
    /// Write a witness of each class into this directory, as a scenario
    #[arg(long, value_name = "DIRECTORY")]
    witnesses: Option<PathBuf>,
    /// Play every witness that QEMU's own rule and completion take part in to the qemu-storage-daemon
    /// in PATH
    #[arg(long)]
    confirm: bool,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Rewrite what FILE says of this search, between its marks
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Explore each universe under every combination of rule and completion, by itself and beside
    /// QEMU's, and rewrite what FILE says of them, between its marks
    #[arg(long, value_name = "FILE",
          conflicts_with_all = ["rule", "completion", "against", "judge", "witnesses", "file", "write"])]
    ablation: Option<PathBuf>,
}

impl Explore {
    /// Explores, and shows what was found.
    ///
    /// # Errors
    ///
    /// Fails before anything runs when the universe is not one, a file is none of this search, or QEMU
    /// cannot be used; and when a file cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let texts = self.universes.iter().map(|universe| load(universe));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let programs = self.confirm.then(Programs::find).transpose()?;
        if let Some(part) = self.part.as_ref().filter(|part| blkperm_explore::subject(part).is_ok())
        {
            return Err(Error::PartIsSearch(part.clone()));
        }
        let written = [&self.write, &self.ablation, &self.file, &self.part];
        for file in written.into_iter().flatten() {
            document::require_writable(file).map_err(Error::write(file))?;
        }
        if let Some(directory) = &self.witnesses {
            fs::create_dir_all(directory).map_err(Error::write(directory))?;
        }
        let limits = |universe: &str| self.limits(universe);
        if let Some(file) = &self.ablation {
            results::write_ablation(file, &self.universes, limits, programs.as_ref())?;
            return Ok(ExitCode::SUCCESS);
        }
        let ([universe], [text]) = (&*self.universes, &*texts) else {
            return Err(Error::OneUniverse);
        };
        let (subject, limits) = (self.subject(stem(universe), text.clone()), self.limits(text)?);
        let explorer =
            Explorer { subject: &subject, limits, file: self.file.as_deref(), shard: self.shard() };
        let Some(mut report) = explorer.run()? else { return Ok(ExitCode::SUCCESS) };
        if let Some(programs) = &programs {
            confirm::confirm_all(programs, &mut report)?;
        }
        self.write_witnesses(&report)?;
        if let Some(file) = &self.write {
            results::write_search(file, &report)?;
        }
        report.show(self.format)?;
        Ok(exit_code(&report))
    }

    fn limits(&self, universe: &str) -> Result<Limits, Error> {
        let depth = self.depth.or(Universe::parse(universe)?.depth).unwrap_or(u32::MAX);
        Ok(Limits { depth, bytes: (self.memory as usize) << 20 })
    }

    fn subject(&self, name: String, universe: String) -> Subject {
        let judged = Combination { rule: self.rule, completion: self.completion };
        Subject {
            name,
            universe,
            judged: judged.to_string(),
            against: self.against.map(|one| one.to_string()),
            judges: self.judge,
        }
    }

    fn shard(&self) -> Option<(Shard, &Path)> {
        self.shard.zip(self.part.as_deref())
    }

    fn write_witnesses(&self, report: &Report) -> Result<(), Error> {
        let Some(directory) = &self.witnesses else { return Ok(()) };
        for (number, class) in report.classes.iter().enumerate() {
            let file = directory.join(format!("{}-{number:02}.qmp", report.universe));
            fs::write(&file, &class.text).map_err(Error::write(&file))?;
        }
        Ok(())
    }
}

fn exit_code(report: &Report) -> ExitCode {
    ExitCode::from(match report.ended {
        Ended::Memory | Ended::Stopped => 3,
        Ended::Complete | Ended::Depth => u8::from(report.goes_wrong()),
    })
}

/// The text of the preset of that name, or else of the file.
fn load(argument: &Path) -> Result<String, Error> {
    let name = argument.to_string_lossy();
    let is_a_word = argument.extension().is_none() && argument.components().count() == 1;
    if Universe::presets().any(|preset| preset == name) || is_a_word && !argument.exists() {
        return Ok(Universe::preset(&name)?.to_owned());
    }
    let text = fs::read_to_string(argument).map_err(Error::read(argument))?;
    let file = argument.to_owned();
    Universe::parse(&text).map_err(|source| Error::UniverseFile { file, source })?;
    Ok(text)
}

/// The universe's name, for titles and file names.
fn stem(argument: &Path) -> String {
    argument.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `K/N`, or `N` for the place that a scheduler has given to this process.
fn shard(text: &str) -> Result<Shard, String> {
    let variable = |name| Some((name, std::env::var(name).ok()?));
    let Ok(count) = text.parse::<u32>() else {
        return text.parse().map_err(|error: ShardError| error.to_string());
    };
    let task = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"].into_iter().find_map(variable);
    let Some((name, task)) = task else {
        return Err("give K/N: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX says which \
                    shard this is"
            .to_owned());
    };
    let task: u32 =
        task.parse().map_err(|_| format!("give K/N: {name} is '{task}', which is no number"))?;
    // Whether tasks are numbered from 0, from 1, or from elsewhere: N of them in a row are all shards.
    let place = task.checked_rem(count).unwrap_or_default();
    Shard::new(place + 1, count).map_err(|error| error.to_string())
}
