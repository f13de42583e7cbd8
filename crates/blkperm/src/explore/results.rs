//! What searches have found, as parts of a document that are rewritten.

use super::confirm::{Confirmed, confirm_all};
use super::error::Error;
use super::report::{Class, Report};
use super::search::Explorer;
use super::{load, stem};
use crate::machine::Machine;
use crate::registry::Combination;
use blkperm_document as document;
use blkperm_explore::{Ended, Limits, Outcome, Subject};
use blkperm_qemu::Programs;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the columns of an ablation count, and how they are called.
const COLUMNS: [(Outcome, &str); 7] = [
    (Outcome::Abort, "abort"),
    (Outcome::Stuck, "stuck"),
    (Outcome::Broken, "law broken"),
    (Outcome::FalseAccept, "false accept"),
    (Outcome::FalseRefusal, "false refusal"),
    (Outcome::Averted, "averted"),
    (Outcome::Allowed, "allowed"),
];

/// A universe under one combination: by itself, and beside QEMU's.
struct Row {
    alone: Report,
    beside_qemu: Option<Report>,
}

impl Row {
    /// The classes of an outcome. What goes wrong by itself counts from the search that is not cut off
    /// where the verdicts part.
    fn classes(&self, outcome: Outcome) -> impl Iterator<Item = &Class> {
        let by_itself = matches!(
            outcome,
            Outcome::Abort | Outcome::Stuck | Outcome::Broken | Outcome::FalseAccept
        );
        let report = if by_itself { Some(&self.alone) } else { self.beside_qemu.as_ref() };
        let classes = report.into_iter().flat_map(|report| &report.classes);
        classes.filter(move |class| class.outcome == outcome)
    }

    /// How many classes and how many transitions have an outcome; `-` where nobody looked.
    fn cell(&self, outcome: Outcome) -> Tally {
        let times = self.classes(outcome).map(|class| class.count).sum();
        Tally { classes: self.classes(outcome).count(), times }
    }
}

/// What several universes have of an outcome.
#[derive(Clone, Default)]
struct Sum {
    /// The classes, each once.
    titles: BTreeSet<String>,
    times: u64,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    classes: usize,
    times: u64,
}

impl Tally {
    fn text(self) -> String {
        let Tally { classes, times } = self;
        if times == 0 { "0".to_owned() } else { format!("{classes} ({times})") }
    }
}

/// Explores universes under every combination, each beside QEMU's, and rewrites their parts of a
/// document, and the one that sums them up. QEMU is asked about its own rule and about the proposal.
pub(super) fn write_ablation(
    file: &Path,
    universes: &[PathBuf],
    limits: impl Fn(&str) -> Result<Limits, Error>,
    programs: Option<&Programs>,
) -> Result<(), Error> {
    let mut sums = vec![vec![Sum::default(); COLUMNS.len()]; Combination::ALL.len()];
    let mut in_part = Vec::new();
    for universe in universes {
        let text = load(universe)?;
        let limits = limits(&text)?;
        let rows = Combination::ALL.map(|one| row(&stem(universe), &text, one, limits, programs));
        let rows: Vec<Row> = rows.into_iter().collect::<Result<_, _>>()?;
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, (outcome, _)) in sums.iter_mut().zip(COLUMNS) {
                sum.titles.extend(row.classes(outcome).map(|class| class.title.clone()));
                sum.times += row.cell(outcome).times;
            }
        }
        if rows.iter().any(|row| row.alone.ended != Ended::Complete) {
            in_part.push(format!("`{}`", stem(universe)));
        }
        write(file, &stem(universe), &universe_part(&stem(universe), &rows))?;
    }
    let names: Vec<String> =
        universes.iter().map(|universe| format!("`{}`", stem(universe))).collect();
    write(file, "ablation", &ablation_part(&names, &in_part, &sums))
}

fn row(
    name: &str,
    universe: &str,
    combination: Combination,
    limits: Limits,
    programs: Option<&Programs>,
) -> Result<Row, Error> {
    let explore = |against: Option<Combination>| -> Result<Report, Error> {
        let subject = Subject {
            name: name.to_owned(),
            universe: universe.to_owned(),
            judged: combination.to_string(),
            against: against.map(|one| one.to_string()),
            judges: against.is_none(),
        };
        let explorer = Explorer { subject: &subject, limits, file: None, shard: None };
        let mut report = explorer.run()?.expect("a search without shards has a report");
        if matches!(report.ended, Ended::Memory | Ended::Stopped) {
            return Err(Error::Unfinished(name.to_owned()));
        }
        let asked = [Combination::QEMU, Combination::PROPOSAL].contains(&combination);
        let programs = programs.filter(|_| asked);
        programs.map_or(Ok(()), |programs| confirm_all(programs, &mut report))?;
        Ok(report)
    };
    let beside = (combination != Combination::QEMU).then(|| explore(Some(Combination::QEMU)));
    Ok(Row { alone: explore(None)?, beside_qemu: beside.transpose()? })
}

fn table_head() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(_, name)| *name).collect();
    format!("{} |\n", names.join(" | "))
}

fn ablation_part(universes: &[String], in_part: &[String], sums: &[Vec<Sum>]) -> String {
    let mut text = format!("\n## All of {} together\n\n", universes.join(", "));
    let _ = write!(text, "| rule and completion | {}", table_head());
    let _ = writeln!(text, "|---|{}", "---:|".repeat(COLUMNS.len()));
    for (combination, sums) in Combination::ALL.iter().zip(sums) {
        let tally = |sum: &Sum| Tally { classes: sum.titles.len(), times: sum.times };
        let cells: Vec<String> = sums.iter().map(|sum| tally(sum).text()).collect();
        let _ = writeln!(text, "| {combination} | {} |", cells.join(" | "));
    }
    text.push_str(
        "\nClasses, each once in however many universes it is, and in parentheses transitions.",
    );
    if in_part.is_empty() {
        text.push('\n');
    } else {
        let _ = writeln!(
            text,
            " They are lower bounds: of {}, all sequences up to the length that each names are \
             explored, and none that is longer.",
            in_part.join(", ")
        );
    }
    text
}

fn universe_part(name: &str, rows: &[Row]) -> String {
    let mut text = format!("\n## Universe `{name}`\n\n");
    let head = "| rule and completion | states | transitions | longest | covered ";
    let _ = write!(text, "{head}| {}", table_head());
    let _ = writeln!(text, "|---|---:|---:|---:|---|{}", "---:|".repeat(COLUMNS.len()));
    for row in rows {
        let Report { combination, states, transitions, depth, ended, .. } = &row.alone;
        let covered = if *ended == Ended::Complete { "all" } else { "in part" };
        let cells: Vec<String> = COLUMNS.map(|(outcome, _)| row.cell(outcome).text()).into();
        let _ = writeln!(
            text,
            "| {combination} | {states} | {transitions} | {depth} | {covered} | {} |",
            cells.join(" | ")
        );
    }
    text.push_str(&costs(rows));
    for row in rows {
        let classes = COLUMNS.iter().flat_map(|&(outcome, _)| row.classes(outcome));
        let classes: Vec<&Class> = classes.collect();
        if !classes.is_empty() {
            let _ = writeln!(text, "\n### {}\n", row.alone.combination);
            text.push_str("| class | times | first after | QEMU |\n|---|---:|---:|---|\n");
            classes.iter().for_each(|class| text.push_str(&class_line(class)));
            text.push_str(&witnesses(&classes));
        }
    }
    text
}

/// What each search has taken: by itself, with false accepts looked for, and beside QEMU's combination.
fn costs(rows: &[Row]) -> String {
    let mut text =
        "\n| rule and completion | s | transitions/s | bytes a state | beside QEMU's: s \
                    | transitions/s | bytes a state |\n|---|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for Row { alone, beside_qemu } in rows {
        let cost = |report: &Report| {
            format!("{:.1} | {:.0} | {}", report.seconds, report.rate(), report.bytes_a_state())
        };
        let beside = beside_qemu.as_ref().map_or("- | - | -".to_owned(), cost);
        let _ = writeln!(text, "| {} | {} | {beside} |", alone.combination, cost(alone));
    }
    let _ = writeln!(text, "\nOn {}; by `{}`.", Machine::here().name(), command_line());
    text
}

/// The command by which this is written.
fn command_line() -> String {
    let words = env::args().skip(1);
    std::iter::once("blkperm".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The smallest witnesses of what a rule refuses for nothing, and of laws that it breaks.
fn witnesses(classes: &[&Class]) -> String {
    let is_shown =
        |class: &&&Class| matches!(class.outcome, Outcome::FalseRefusal | Outcome::Broken);
    let mut text = String::new();
    for class in classes.iter().filter(is_shown) {
        if text.is_empty() {
            text.push_str("\nSmallest witnesses:\n\n");
        }
        let commands: Vec<String> = class.commands().map(|one| format!("`{one}`")).collect();
        let _ = writeln!(text, "* {}: {}", class.title, commands.join(", "));
    }
    text
}

fn class_line(class: &Class) -> String {
    let Class { title, count, length, then, confirmed, .. } = class;
    let later = if *then > 0 { format!(" + {then}") } else { String::new() };
    let qemu = match confirmed {
        Some(Confirmed::Died { signal, foretold: None, .. }) => format!("{signal}, same text"),
        Some(Confirmed::Died { signal, message, .. }) => format!("{signal}, but: {message}"),
        Some(Confirmed::Lived) => "lives".to_owned(),
        Some(Confirmed::DiedEarlier) => "dies earlier".to_owned(),
        None => "not asked".to_owned(),
    };
    format!("| {title} | {count} | {length}{later} | {qemu} |\n")
}

/// Rewrites the part of a document that tells of one search.
pub(super) fn write_search(file: &Path, report: &Report) -> Result<(), Error> {
    let Report { universe, combination, states, transitions, refused, seconds, .. } = report;
    let beside = report.against.as_ref().map(|other| format!(" against {other}"));
    let name = format!("{universe} {combination}{}", beside.unwrap_or_default());
    let mut text = format!("\n## Universe `{universe}` under {}\n\n", &name[universe.len() + 1..]);
    let _ = writeln!(
        text,
        "{}: {states} states, {transitions} transitions, {refused} of them refused, ways of up to {} \
         commands; {seconds:.0} s, {:.0} transitions a second, {} bytes a state, on {}; by `{}`.",
        report.covered(),
        report.depth,
        report.rate(),
        report.bytes_a_state(),
        Machine::here().name(),
        command_line()
    );
    if report.classes.is_empty() {
        text.push_str("\nNothing goes wrong, and no law is broken.\n");
    } else {
        text.push_str("\n| class | times | first after | QEMU |\n|---|---:|---:|---|\n");
        report.classes.iter().for_each(|class| text.push_str(&class_line(class)));
    }
    write(file, &name, &text)
}

fn write(file: &Path, name: &str, text: &str) -> Result<(), Error> {
    document::rewrite(file, name, text).map_err(Error::write(file))
}
