//! An explanation for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use blkperm_explain::{Fate, Held, Proposals, deed, derivation, sides};
use blkperm_graph::{Fault, Permissions, Refusal, State};
use comfy_table::{Attribute, Cell, Color};
use serde_json::Value;

use super::answer::Answer;
use super::story::{self, verdict};
use super::subject::{Asked, Subject};
use crate::output::{Widths, heading, notes, table, width};

const BAD: Style = AnsiColor::Red.on_default().bold();

/// Writes what was asked for: edges, or else who holds what; then what would happen.
pub(super) fn write(
    out: &mut impl Write,
    subject: &Subject,
    asked: &[Asked],
    answers: &[Answer],
) -> io::Result<()> {
    writeln!(out, "{}", heading(&subject.title()))?;
    write_notes(out, subject)?;
    let tries = !answers[0].tried.is_empty() || answers[0].impossible.is_some();
    if !asked.is_empty() {
        asked.iter().try_for_each(|edge| write_edge(out, edge))?;
    } else if !tries {
        writeln!(out, "\n{}", holders(subject))?;
    }
    write_questions(out, answers)?;
    for answer in answers {
        write_details(out, answer)?;
    }
    Ok(())
}

fn write_notes(out: &mut impl Write, subject: &Subject) -> io::Result<()> {
    let lines = story::notes(subject);
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", notes(width(), lines.into_iter().map(|line| ("-".to_owned(), line))))
}

/// The table of who holds what.
fn holders(subject: &Subject) -> String {
    let mut header = vec![Cell::new("node")];
    header.extend(Permissions::EACH.map(|permission| Cell::new(permission.qmp_name())));
    let rows = subject.who().into_iter().map(|held| row(subject, &held));
    let widths = Widths { first: 14, others: 15 };
    table(header, rows.collect(), width(), widths)
}

fn row(subject: &Subject, held: &Held) -> Vec<Cell> {
    let is_inferred = subject.survey().is_some_and(|survey| survey.is_inferred(&held.node));
    let mut first = format!("{}\n{}{}", held.node, held.driver, if is_inferred { "?" } else { "" });
    for (flag, word) in [(State::READ_ONLY, "read-only"), (State::INACTIVE, "inactive")] {
        if held.state.contains(flag) {
            first.push_str(&format!(", {word}"));
        }
    }
    let cell = |place: usize| {
        let signed = story::signed(held, place).into_iter();
        let signed = signed.map(|(sign, holder)| format!("{sign} {holder}"));
        Cell::new(signed.collect::<Vec<_>>().join(
            "
",
        ))
    };
    let mut cells = vec![Cell::new(first)];
    cells.extend((0..4).map(cell));
    cells
}

/// An edge with the derivation of all that it holds.
fn write_edge(out: &mut impl Write, edge: &Asked) -> io::Result<()> {
    let Asked { parent, child, masks, derivations } = edge;
    writeln!(out, "\n{}", heading(&format!("{parent} on '{child}'  {masks}")))?;
    if derivations.is_empty() {
        writeln!(out, "  takes nothing and shares all")?;
    }
    for steps in derivations {
        let Some(own) = steps.first() else { continue };
        writeln!(out, "  {}", deed(own.slot))?;
        write_steps(out, &derivation(steps), "    ")?;
    }
    Ok(())
}

fn write_steps(out: &mut impl Write, sentences: &[String], indent: &str) -> io::Result<()> {
    let numbered = sentences.iter().enumerate();
    let lines = numbered.map(|(place, step)| (format!("{}.", place + 1), step.clone()));
    let text = notes(width().saturating_sub(indent.len() as u16), lines);
    text.lines().try_for_each(|line| writeln!(out, "{indent}{line}"))
}

/// What would happen, a row a question and a column a rule.
fn write_questions(out: &mut impl Write, answers: &[Answer]) -> io::Result<()> {
    let mut header = vec![Cell::new("what would happen")];
    header.extend(answers.iter().map(|answer| Cell::new(answer.combination.to_string())));
    let questions = story::questions(answers);
    if questions.is_empty() && answers.iter().all(|answer| answer.impossible.is_none()) {
        return Ok(());
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    if answers.iter().any(|answer| answer.impossible.is_some()) {
        let mut row = vec![Cell::new("the graph as it is")];
        row.extend(answers.iter().map(|answer| match &answer.impossible {
            Some(refusal) => Cell::new(format!("would not be: {refusal}")),
            None => Cell::new("is"),
        }));
        rows.push(row);
    }
    for question in questions {
        let mut row = vec![Cell::new(&question)];
        row.extend(answers.iter().map(|answer| cell(answer, &question)));
        rows.push(row);
    }
    writeln!(out, "\n{}", table(header, rows, width(), Widths { first: 24, others: 20 }))
}

fn cell(answer: &Answer, asked: &str) -> Cell {
    match story::fate(answer, asked) {
        None => Cell::new("-"),
        Some(fate) if matches!(fate, Fate::Aborts(_)) => {
            Cell::new(verdict(fate)).fg(Color::Red).add_attribute(Attribute::Bold)
        }
        Some(fate) => Cell::new(verdict(fate)),
    }
}

/// Why, and what to do, for all that is not done.
fn write_details(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let rule = answer.combination;
    if let Some(refusal) = &answer.impossible {
        writeln!(out, "\n{}", heading(&format!("The graph as it is, under {rule}")))?;
        write_refusal(out, refusal)?;
    }
    for (what, outcome) in answer.outcomes().filter(|(_, outcome)| !outcome.fate.is_done()) {
        let fate = &outcome.fate;
        let style = if matches!(fate, Fate::Aborts(_)) { BAD } else { Style::new().bold() };
        writeln!(out, "\n{style}{what}, under {rule}{style:#}")?;
        if let Fate::Refused { error, .. } = fate {
            let answer = [("answer:".to_owned(), error.desc.clone())];
            write_indented(out, &notes(width().saturating_sub(2), answer), "  ")?;
        }
        if let Some(refusal) = fate.refusal() {
            write_refusal(out, refusal)?;
        }
        write_proposals(out, &outcome.proposals)?;
    }
    for (what, outcome) in answer.outcomes() {
        if let Some(doubt) = story::doubt(outcome) {
            writeln!(out, "\n{}", notes(width(), [(format!("{what}:"), doubt)]))?;
        }
    }
    Ok(())
}

fn write_indented(out: &mut impl Write, text: &str, indent: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "{indent}{}", line.trim_end()))
}

/// Every pair at fault, with the derivation of each side.
fn write_refusal(out: &mut impl Write, refusal: &Refusal) -> io::Result<()> {
    let Refusal::Permissions(faults) = refusal else { return writeln!(out, "  * {refusal}") };
    for fault in faults {
        let Fault::Conflict(conflict) = fault else {
            writeln!(out, "  * {fault}")?;
            continue;
        };
        for (title, steps) in sides(conflict) {
            // A single step says all that the title says.
            if let [step] = &steps[..] {
                let lines = notes(width().saturating_sub(2), [("*".to_owned(), step.clone())]);
                write_indented(out, &lines, "  ")?;
                continue;
            }
            writeln!(out, "  * {title}")?;
            write_steps(out, &steps, "    ")?;
        }
    }
    Ok(())
}

fn write_proposals(out: &mut impl Write, proposals: &Proposals) -> io::Result<()> {
    writeln!(out, "  {}", story::remedies(proposals))?;
    for proposal in &proposals.found {
        let words: Vec<String> = proposal.actions.iter().map(ToString::to_string).collect();
        writeln!(out, "  - {}", words.join(", then "))?;
        if let Some(doubt) = story::reservation(proposal) {
            let lines = notes(width().saturating_sub(6), [("?".to_owned(), doubt)]);
            write_indented(out, &lines, "      ")?;
        }
        for command in proposal.actions.iter().filter_map(blkperm_explain::Action::command) {
            writeln!(out, "      {}", compact(&command))?;
        }
    }
    Ok(())
}

fn compact(command: &Value) -> String {
    command.to_string()
}
