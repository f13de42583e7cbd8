//! What a hunt shows: a bar on its way, each difference, and counts in the end.

use crate::document;
use crate::error::Error;
use crate::machine::Machine;
use crate::output::{self, Widths};
use crate::registry::Combination;
use blkperm_differ::{Counts, Found, Hunt, Plan, Progress, Script, Tally};
use blkperm_qemu::Version;
use blkperm_qmp::play::EndpointError;
use comfy_table::Cell;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const BAR: &str = "{bar:24} {pos}/{len} scripts  {msg}  {elapsed}";

/// What was found so far.
pub(super) struct Report {
    seed: u64,
    /// The number of the first script.
    from: u64,
    /// How many commands a script has.
    length: usize,
    tested: Combination,
    keep: Option<PathBuf>,
    bar: ProgressBar,
    tally: Tally,
    scripts: u64,
    differing: u64,
    unplayed: u64,
    /// The first reason why something could not be written.
    failure: Option<Error>,
}

impl Report {
    /// A report on these scripts; its bar is shown on a terminal only.
    pub(super) fn new(hunt: &Hunt, tested: Combination, keep: Option<PathBuf>) -> Report {
        let bar = ProgressBar::new(hunt.scripts.end - hunt.scripts.start);
        bar.set_style(ProgressStyle::with_template(BAR).expect("the template is well formed"));
        Report {
            seed: hunt.seed,
            from: hunt.scripts.start,
            length: hunt.length,
            tested,
            keep,
            bar,
            tally: Tally::default(),
            scripts: 0,
            differing: 0,
            unplayed: 0,
            failure: None,
        }
    }

    /// Takes note of one script.
    pub(super) fn note(&mut self, progress: Progress) {
        self.scripts += 1;
        let result = match progress {
            Progress::Agreed(tally) => {
                self.tally.add(&tally);
                Ok(())
            }
            Progress::Differed(tally, found) => {
                self.tally.add(&tally);
                self.differing += 1;
                found.map_or(Ok(()), |found| self.show(&found))
            }
            Progress::Failed { plan, script, error } => {
                self.unplayed += 1;
                self.show_failed(plan, &script, &error)
            }
        };
        if let (Err(error), None) = (result, &self.failure) {
            self.failure = Some(error);
        }
        self.bar.set_message(format!("{} commands, {} differ", self.commands(), self.differing));
        self.bar.inc(1);
    }

    fn commands(&self) -> u64 {
        self.tally.0.values().map(|counts| counts.accepted + counts.refused + counts.fatal).sum()
    }

    /// Shows a difference, and keeps its script.
    fn show(&self, found: &Found) -> Result<(), Error> {
        let scenario = scenario(self.tested, found);
        let name = format!("differ-{}-{}", found.plan.seed, found.plan.index);
        self.print(&format!("{}\n{scenario}", output::heading(&name)))?;
        let Some(folder) = &self.keep else { return Ok(()) };
        let file = folder.join(name).with_extension("qmp");
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, scenario));
        written.map_err(|source| Error::Write { file, source })
    }

    fn show_failed(&self, plan: Plan, script: &Script, error: &EndpointError) -> Result<(), Error> {
        let mut causes = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            causes = format!("{causes}: {cause}");
            next = cause.source();
        }
        let name = format!("script {} of seed {} could not be played", plan.index, plan.seed);
        self.print(&format!("{}\n# {causes}\n{script}", output::heading(&name)))
    }

    /// Prints above the bar.
    fn print(&self, text: &str) -> Result<(), Error> {
        Ok(self.bar.suspend(|| writeln!(anstream::stdout(), "{text}"))?)
    }

    /// Shows the counts, and writes them into a document if there is to be one; gives the status
    /// with which to exit.
    pub(super) fn finish(
        mut self,
        document: Option<(PathBuf, &Version)>,
    ) -> Result<ExitCode, Error> {
        self.bar.finish_and_clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some((file, qemu)) = document {
            let name = format!("blkperm differ --seed {}", self.seed);
            let written = document::rewrite(&file, &name, &self.part(qemu));
            written.map_err(|source| Error::Write { file, source })?;
        }
        let header = ["command", "accepted", "refused", "died"].map(Cell::new).to_vec();
        let rows = self.tally.0.iter().map(|(command, counts)| {
            let counts = [counts.accepted, counts.refused, counts.fatal];
            std::iter::once(Cell::new(command)).chain(counts.map(Cell::new)).collect()
        });
        let least = Widths { first: 24, others: 10 };
        let table = output::table(header, rows.collect(), output::width(), least);
        let mut out = anstream::stdout();
        writeln!(out, "{table}\n")?;
        let (scripts, commands, differing) = (self.scripts, self.commands(), self.differing);
        let what = format!(
            "seed {}: {scripts} scripts, {commands} commands: {differing} differ",
            self.seed
        );
        match self.unplayed {
            0 => writeln!(out, "{what}")?,
            unplayed => writeln!(out, "{what}, {unplayed} could not be played")?,
        }
        io::stdout().flush()?;
        let clean = self.differing == 0 && self.unplayed == 0;
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Report {
    /// The counts as a part of a page of Markdown.
    fn part(&self, qemu: &Version) -> String {
        let Report { seed, from, length, scripts, differing, unplayed, .. } = self;
        let (commands, tested) = (self.commands(), self.tested);
        let mut text = format!(
            "## Seed {seed}\n\n\
             {scripts} scripts of {length} commands, {commands} commands played, to {tested} and to QEMU \
             {qemu}: **{differing} differ**, {unplayed} could not be played. By\n\n\
             ```\n\
             blkperm differ --seed {seed} --from {from} --scripts {scripts} --length {length} --write FILE\n\
             ```\n\n\
             On {machine}.\n\n\
             | command | accepted | refused | QEMU died |\n|---|---:|---:|---:|\n",
            machine = Machine::here().name(),
        );
        for (command, counts) in &self.tally.0 {
            let Counts { accepted, refused, fatal } = counts;
            text += &format!("| `{command}` | {accepted} | {refused} | {fatal} |\n");
        }
        text
    }
}

/// The script as a scenario's file, with what differs as its leading comment.
fn scenario(tested: Combination, found: &Found) -> String {
    let command = &found.finding.differences[0].command;
    let respect = &found.finding.differences[0].respect;
    let Plan { seed, index, .. } = found.plan;
    let mut text = format!("# {command}: {tested} and QEMU differ in {respect}\n#\n");
    text += &format!("# Script {index} of seed {seed}, shrunk. On the left {tested}, on the ");
    text += "right QEMU:\n";
    for difference in &found.finding.differences {
        text += &format!("# {difference}\n");
    }
    format!("{text}{}", found.script)
}
