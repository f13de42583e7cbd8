//! What a hunt shows: a bar on its way, each difference, and counts in the end.

use crate::error::Error;
use crate::machine::Machine;
use crate::output::{self, Widths};
use crate::registry::Combination;
use blkperm_differ::{Counts, Found, Hunt, Plan, Progress, Tally, Verdict};
use blkperm_document as document;
use blkperm_qemu::Version;
use comfy_table::Cell;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
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
    flaky: u64,
    unplayed: u64,
    /// How many scripts ended before each known oddity of QEMU.
    oddities: BTreeMap<&'static str, u64>,
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
            flaky: 0,
            unplayed: 0,
            oddities: BTreeMap::new(),
            failure: None,
        }
    }

    /// Takes note of one script.
    pub(super) fn note(&mut self, progress: Progress) {
        let Progress { plan, tally, oddity, verdict } = progress;
        self.scripts += 1;
        self.tally.add(&tally);
        if let Some(oddity) = oddity {
            *self.oddities.entry(oddity).or_default() += 1;
        }
        let result = match verdict {
            Verdict::Agreed => Ok(()),
            Verdict::Differed(found) => {
                self.differing += 1;
                match found {
                    Some(found) => self.show(&found),
                    None => self.print(&headed(plan, "differs like an earlier one", "")),
                }
            }
            Verdict::Flaky(seen) => {
                self.flaky += 1;
                self.print(&headed(plan, "is flaky: it differed, but not each time", &seen))
            }
            Verdict::Unplayed { script, error } => {
                self.unplayed += 1;
                let text = format!("{error}\n{script}");
                self.print(&headed(plan, "could not be played", &text))
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
        for (oddity, count) in &self.oddities {
            writeln!(out, "ended by a known oddity of QEMU: {count}: {oddity}")?;
        }
        let seed = self.seed;
        write!(out, "seed {seed}: {scripts} scripts, {commands} commands: {differing} differ")?;
        for (count, what) in [(self.flaky, "are flaky"), (self.unplayed, "could not be played")] {
            if count > 0 {
                write!(out, ", {count} {what}")?;
            }
        }
        writeln!(out)?;
        io::stdout().flush()?;
        let clean = self.differing == 0 && self.unplayed == 0;
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Report {
    /// The counts as a part of a page of Markdown.
    fn part(&self, qemu: &Version) -> String {
        let Report { seed, from, length, scripts, differing, flaky, unplayed, .. } = self;
        let (commands, tested) = (self.commands(), self.tested);
        let mut text = format!(
            "## Seed {seed}\n\n\
             {scripts} scripts of {length} commands, {commands} commands played, to {tested} and to QEMU \
             {qemu}: **{differing} differ**, {flaky} are flaky, {unplayed} could not be played. By\n\n\
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
        if !self.oddities.is_empty() {
            text += "\n| ended by a known oddity of QEMU | scripts |\n|---|---:|\n";
        }
        for (oddity, count) in &self.oddities {
            text += &format!("| {oddity} | {count} |\n");
        }
        text
    }
}

/// A script that is no scenario to keep: its place, what is to be said of it, and more as comments.
fn headed(plan: Plan, what: &str, more: &str) -> String {
    let Plan { seed, index, .. } = plan;
    let name = output::heading(&format!("script {index} of seed {seed} {what}"));
    match more {
        "" => format!("{name}\n"),
        more => format!("{name}\n# {more}\n"),
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
