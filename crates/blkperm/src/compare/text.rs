//! Comparisons for people: a table for each scenario, and one over all.

use super::comparison::{Column, Comparison, Player, Row};
use super::story;
use crate::outcome::{Kind, Outcome};
use crate::output::{GAP, Widths, heading, hyphenated, notes, table};
use crate::registry::Combination;
use comfy_table::{Attribute, Cell, CellAlignment};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Writing into a `String` does not fail.
macro_rules! put {
    ($text:expr, $($arguments:tt)*) => {
        let _ = writeln!($text, $($arguments)*);
    };
}

/// The whole report, for a terminal of `width` columns.
pub(super) fn report(comparisons: &[Comparison], all_rows: bool, width: u16) -> String {
    let mut text = String::new();
    for comparison in comparisons {
        scenario(&mut text, comparison, all_rows, width);
    }
    if comparisons.len() > 1 {
        summary(&mut text, comparisons, width);
    }
    if let [one] = comparisons
        && one.columns.iter().any(|column| column.verdict.worst != Kind::Done)
    {
        let why = format!("`blkperm explain {}` says why, and what to do.", one.argument);
        put!(text, "{}", notes(width, [("=>".to_owned(), why)]));
    }
    put!(text, "{}", notes(width, [("=>".to_owned(), equality(comparisons))]));
    text
}

/// A command, and `mirror-top` in a cell, can be read with ease.
const COMMANDS: Widths = Widths { first: 32, others: 10 + GAP };

/// What `succeeded` and `ownership` take.
const VERDICT_WIDTH: u16 = 9 + GAP;

fn scenario(text: &mut String, comparison: &Comparison, all_rows: bool, width: u16) {
    put!(text, "{}", heading(&comparison.scenario.name));
    if !comparison.scenario.title.is_empty() {
        put!(text, "{}", comparison.scenario.title);
    }
    let commands = comparison.commands();
    let rows = comparison.rows(all_rows).into_iter();
    let rows = rows.map(|row| cells(comparison, &commands, row)).collect();
    put!(text, "{}", table(header("command", &comparison.columns), rows, width, COMMANDS));
    put!(text, "{}", notes(width, [("=>".to_owned(), story::shows(comparison))]));
    let words = all_words(comparison);
    if !words.is_empty() {
        put!(text, "{}", notes(width, words));
    }
    differences(text, comparison, width);
    put!(text, "");
}

fn header(first: &str, columns: &[Column]) -> Vec<Cell> {
    let names = columns.iter().map(|column| match &column.player {
        Player::Ours(combination) => combination.to_string().replace('+', "\n+"),
        Player::Qemu(_, version) => format!("QEMU\n{}", version.qemu),
    });
    std::iter::once(first.to_owned()).chain(names).map(Cell::new).collect()
}

fn cells(comparison: &Comparison, commands: &[(usize, String)], row: Row) -> Vec<Cell> {
    let (first, command) = match row {
        Row::Command(command) => {
            let (line, label) = &commands[command];
            (format!("{line}: {label}"), command)
        }
        Row::Folded(command, count) => (format!("({count} commands)"), command),
    };
    let outcomes = comparison.columns.iter().map(|column| match column.outcomes.get(command) {
        Some(outcome) => colored(outcome, outcome.kind()),
        None => Cell::new(""),
    });
    std::iter::once(Cell::new(first)).chain(outcomes).collect()
}

fn colored(content: impl ToString, kind: Kind) -> Cell {
    let cell = Cell::new(content);
    match kind.color() {
        Some(color) => cell.fg(color).add_attribute(Attribute::Bold),
        None => cell,
    }
}

/// What QEMU's texts say in full: each once, behind the lines at which it was said.
fn all_words(comparison: &Comparison) -> Vec<(String, String)> {
    let mut said: Vec<(&str, BTreeSet<usize>)> = Vec::new();
    for column in &comparison.columns {
        let steps = column.transcript.steps.iter().zip(&column.outcomes);
        let words = steps.filter_map(|(step, outcome)| Some((step.line, Outcome::text(outcome)?)));
        for (line, words) in words {
            match said.iter_mut().find(|(known, _)| *known == words) {
                Some((_, lines)) => drop(lines.insert(line)),
                None => said.push((words, BTreeSet::from([line]))),
            }
        }
    }
    said.sort_by_key(|(_, lines)| lines.first().copied());
    let lines = |lines: BTreeSet<usize>| {
        let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
        format!("{}:", lines.join(", "))
    };
    said.into_iter().map(|(words, at)| (lines(at), words.to_owned())).collect()
}

fn differences(text: &mut String, comparison: &Comparison, width: u16) {
    let found = comparison.differences().unwrap_or_default();
    if found.is_empty() {
        return;
    }
    let count = counted(found.len());
    put!(text, "{}", heading(&format!("{} differs from QEMU: {count}", Combination::QEMU)));
    let places = found.iter().map(|one| {
        let place = format!("line {} ({}), {}:", one.line, one.command, one.respect);
        (place, format!("ours: {}\nQEMU: {}", one.left, one.right))
    });
    put!(text, "{}", notes(width, places));
}

fn counted(differences: usize) -> String {
    match differences {
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    }
}

fn summary(text: &mut String, comparisons: &[Comparison], width: u16) {
    put!(text, "{}", heading(&format!("All {} scenarios", comparisons.len())));
    let widest = comparisons.iter().max_by_key(|comparison| comparison.columns.len());
    let columns = widest.map_or(&[] as &[Column], |comparison| &comparison.columns);
    let mut head = header("scenario", columns);
    head.push(Cell::new("baseline\n= QEMU"));
    let room = width.saturating_sub((head.len() as u16 - 1) * VERDICT_WIDTH + GAP);
    let names = comparisons.iter().map(|one| hyphenated(&one.scenario.name, room.into()));
    let names: Vec<String> = names.collect();
    let longest = names.iter().flat_map(|name| name.lines()).map(str::len).max();
    let rows = comparisons.iter().zip(names).map(|(one, name)| verdicts(one, columns, name));
    let least = Widths { first: longest.unwrap_or_default() as u16 + GAP, others: VERDICT_WIDTH };
    put!(text, "{}", table(head, rows.collect(), width, least));
    put!(text, "\n{}", totals(comparisons, width));
    let aborts = story::aborts(comparisons);
    let (count, own) = (comparisons.len(), Combination::QEMU);
    put!(text, "\nWhat cures what: {own} aborts in {aborts} of {count} scenarios.");
    let cures = story::cures(comparisons).into_iter();
    let sentences = cures.map(|cure| ("-".to_owned(), story::cure_sentence(&cure, aborts)));
    put!(text, "{}", notes(width, sentences));
    put!(text, "");
}

/// A scenario's row; the columns are those of the scenario that has most.
fn verdicts(comparison: &Comparison, columns: &[Column], name: String) -> Vec<Cell> {
    let mut cells = vec![Cell::new(name)];
    for column in columns {
        let same = |other: &&Column| other.player.to_string() == column.player.to_string();
        cells.push(match comparison.columns.iter().find(same) {
            Some(column) => colored(&column.verdict, column.verdict.worst),
            None => Cell::new("-"),
        });
    }
    cells.push(match comparison.differences() {
        None => Cell::new("-"),
        Some(found) if found.is_empty() => Cell::new("yes"),
        Some(found) => colored(counted(found.len()), Kind::Abort),
    });
    cells
}

/// How often each player ended how.
fn totals(comparisons: &[Comparison], width: u16) -> String {
    let worst_first = || Kind::ALL.into_iter().rev();
    let names = std::iter::once("outcomes").chain(worst_first().map(Kind::of_scenario));
    let rows = story::tallies(comparisons).into_iter().map(|tally| {
        let counts = worst_first().map(|kind| match tally.counts[kind as usize] {
            0 => Cell::new("-"),
            count => colored(count, kind),
        });
        let counts = counts.map(|cell| cell.set_alignment(CellAlignment::Right));
        std::iter::once(Cell::new(&tally.player)).chain(counts).collect()
    });
    table(names.map(Cell::new).collect(), rows.collect(), width, Widths::default())
}

/// Whether our baseline is QEMU's.
fn equality(comparisons: &[Comparison]) -> String {
    let Some(asked) = story::asked(comparisons) else {
        return "QEMU was not asked.".to_owned();
    };
    let compared: Vec<usize> =
        comparisons.iter().filter_map(|one| Some(one.differences()?.len())).collect();
    let equal = compared.iter().filter(|count| **count == 0).count();
    format!(
        "{} equals {asked}, in {equal} of {} scenarios: replies, events, jobs, graphs and deaths.",
        Combination::QEMU,
        compared.len(),
    )
}
