//! Comparisons as a page: the tables, and for each step the graph before and after.

mod steps;

use super::comparison::{Comparison, Player, Row};
use super::story;
use crate::error::Error;
use crate::outcome::Kind;
use crate::registry::Combination;
use blkperm_draw::page::{self, Album, Text, scrolled};
use maud::{Markup, html};

/// The whole page.
///
/// # Errors
///
/// Fails when a scenario cannot be played.
pub(super) fn report(comparisons: &[Comparison], all_rows: bool) -> Result<String, Error> {
    let mut album = Album::default();
    let scenarios: Vec<Markup> = comparisons
        .iter()
        .map(|comparison| scenario(comparison, all_rows, &mut album))
        .collect::<Result<_, _>>()?;
    let title = match comparisons {
        [one] => format!("{} under every rule", one.scenario.name),
        _ => "QEMU's block permissions under every rule".to_owned(),
    };
    let body = html! {
        header {
            h1 { (Text(&title)) }
            p { "What each rule makes of the same QMP commands, step by step." }
            p class="faint" { (Text(asked(comparisons))) }
        }
        main {
            @if comparisons.len() > 1 { (summary(comparisons)) }
            details {
                summary { span class="name" { "How to read the pictures" } }
                (album.legend())
            }
            h2 { "Step by step" }
            p {
                button type="button" data-open="true" data-of="details.scenario" hidden {
                    "Open all scenarios"
                }
                button type="button" data-open="false" data-of="details" hidden { "Close all" }
            }
            @for one in scenarios { (one) }
        }
    };
    Ok(page::document(&title, &body))
}

fn asked(comparisons: &[Comparison]) -> String {
    match story::asked(comparisons) {
        Some(asked) => format!("Beside them: {asked}."),
        None => "QEMU was not asked.".to_owned(),
    }
}

/// The class in whose colour a kind of outcome is shown.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Done => "kind-done",
        Kind::Refused => "kind-refused",
        Kind::JobFailed => "kind-job-failed",
        Kind::Stuck => "kind-stuck",
        Kind::Abort => "kind-abort",
    }
}

fn summary(comparisons: &[Comparison]) -> Markup {
    let tallies = story::tallies(comparisons);
    let aborts = story::aborts(comparisons);
    let worst_first = || Kind::ALL.into_iter().rev();
    html! {
        h2 { (format!("All {} scenarios", comparisons.len())) }
        (scrolled("How often each ended how", html! {
            table {
                thead { tr {
                    th scope="col" { "outcomes" }
                    @for kind in worst_first() { th scope="col" { (kind.of_scenario()) } }
                } }
                tbody { @for tally in &tallies { tr {
                    th scope="row" { (tally.player) }
                    @for kind in worst_first() {
                        @let count = tally.counts[kind as usize];
                        td class=(format!("number {}", class(kind))) {
                            @if count == 0 { "-" } @else { (count) }
                        }
                    }
                } } }
            }
        }))
        ul {
            @for cure in story::cures(comparisons) {
                li { (Text(story::cure_sentence(&cure, aborts))) }
            }
        }
        details {
            summary { span class="name" { "Every scenario's outcome" } }
            (verdicts(comparisons))
        }
    }
}

fn verdicts(comparisons: &[Comparison]) -> Markup {
    let widest = comparisons.iter().max_by_key(|comparison| comparison.columns.len());
    let players: Vec<String> = widest
        .into_iter()
        .flat_map(|comparison| comparison.columns.iter().map(|column| column.player.to_string()))
        .collect();
    scrolled(
        "Every scenario's outcome",
        html! {
            table {
                thead { tr {
                    th scope="col" { "scenario" }
                    @for player in &players { th scope="col" { (broken(player)) } }
                } }
                tbody { @for comparison in comparisons { tr {
                    th scope="row" {
                        a href=(format!("#{}", anchor(comparison))) {
                            (Text(&comparison.scenario.name))
                        }
                    }
                    @for player in &players {
                        @let column = comparison.columns.iter()
                            .find(|column| column.player.to_string() == *player);
                        @match column {
                            Some(column) => td class=(class(column.verdict.worst)) {
                                (column.verdict)
                            },
                            None => td { "-" },
                        }
                    }
                } } }
            }
        },
    )
}

/// A player's name, to be broken before the completion.
fn broken(player: &str) -> Markup {
    let parts: Vec<&str> = player.splitn(2, '+').collect();
    match parts.as_slice() {
        [rule, completion] => html! { (rule) br; "+" (completion) },
        _ => html! { (player) },
    }
}

/// Where a scenario is in the page.
fn anchor(comparison: &Comparison) -> String {
    let harmless = |c: char| if c.is_alphanumeric() { c } else { '-' };
    format!("scenario-{}", comparison.scenario.name.chars().map(harmless).collect::<String>())
}

fn scenario(comparison: &Comparison, all_rows: bool, album: &mut Album) -> Result<Markup, Error> {
    let rows = comparison.rows(all_rows);
    let steps = steps::steps(comparison, &rows, album)?;
    let columns = &comparison.columns;
    Ok(html! {
        details class="scenario" id=(anchor(comparison)) {
            summary {
                span class="name" { (Text(&comparison.scenario.name)) }
                " " span class="faint" { (Text(&comparison.scenario.title)) }
                span class="chips" { (chips(comparison)) }
            }
            p { (Text(story::shows(comparison))) }
            (scrolled("Every command under every rule", html! {
                table {
                    thead { tr {
                        th scope="col" { "command" }
                        @for column in columns {
                            th scope="col" {
                                (broken(&column.player.to_string()))
                                @if let Player::Qemu(_, version) = &column.player {
                                    br; (Text(&version.qemu))
                                }
                            }
                        }
                    } }
                    tbody { @for row in &rows { (table_row(comparison, *row)) } }
                }
            }))
            (differences(comparison))
            @for step in steps { (step) }
        }
    })
}

/// How each ended, those that ended alike together.
fn chips(comparison: &Comparison) -> Markup {
    let mut chips: Vec<(String, Kind, Vec<String>)> = Vec::new();
    for column in &comparison.columns {
        let verdict = column.verdict.to_string();
        let player = column.player.to_string();
        match chips.iter_mut().find(|(known, ..)| *known == verdict) {
            Some((.., players)) => players.push(player),
            None => chips.push((verdict, column.verdict.worst, vec![player])),
        }
    }
    html! {
        @for (number, (verdict, kind, players)) in chips.iter().enumerate() {
            @if number > 0 { "; " }
            span class=(class(*kind)) { (verdict) }
            " " span class="faint" { (players.join(", ")) }
        }
    }
}

/// What a row is about.
fn row_label(comparison: &Comparison, row: Row) -> String {
    match row {
        Row::Command(command) => {
            let commands = comparison.commands();
            let (line, label) = &commands[command];
            format!("{line}: {label}")
        }
        Row::Folded(_, count) => format!("({count} commands)"),
    }
}

fn table_row(comparison: &Comparison, row: Row) -> Markup {
    let command = match row {
        Row::Command(command) | Row::Folded(command, _) => command,
    };
    html! {
        tr {
            th scope="row" { (Text(row_label(comparison, row))) }
            @for column in &comparison.columns {
                @match column.outcomes.get(command) {
                    Some(outcome) => td class=(class(outcome.kind())) {
                        (Text(outcome.to_string()))
                    },
                    None => td {},
                }
            }
        }
    }
}

/// Where our baseline is not QEMU's.
fn differences(comparison: &Comparison) -> Markup {
    let found = comparison.differences().unwrap_or_default();
    html! {
        @if !found.is_empty() {
            h3 { (format!("{} differs from QEMU", Combination::QEMU)) }
            ul { @for one in &found { li {
                (Text(format!("line {} ({}), {}: ", one.line, one.command, one.respect)))
                br; "ours: " code { (Text(one.left.to_string())) }
                br; "QEMU: " code { (Text(one.right.to_string())) }
            } } }
        }
    }
}
