//! What comparisons show, in sentences that are computed from them.

use super::comparison::{Column, Comparison, Player};
use crate::outcome::{Kind, Verdict};
use crate::registry::Combination;

/// What a scenario shows: who ended how and where, the worst first.
pub(super) fn shows(comparison: &Comparison) -> String {
    let mut groups: Vec<(&Verdict, Vec<String>)> = Vec::new();
    for column in &comparison.columns {
        let name = column.player.to_string();
        match groups.iter_mut().find(|(verdict, _)| **verdict == column.verdict) {
            Some((_, names)) => names.push(name),
            None => groups.push((&column.verdict, vec![name])),
        }
    }
    groups.sort_by_key(|(verdict, _)| std::cmp::Reverse(verdict.worst));
    let commands = comparison.commands();
    let phrases: Vec<String> = groups
        .iter()
        .map(|(verdict, names)| {
            let who = match names.len() == comparison.columns.len() {
                true => "all".to_owned(),
                false => enumerated(names),
            };
            format!("{} under {who}", phrase(verdict, commands.get(verdict.at)))
        })
        .collect();
    format!("{}.", phrases.join("; "))
}

/// How a scenario ended, and at which command.
fn phrase(verdict: &Verdict, command: Option<&(usize, String)>) -> String {
    let place = command.map_or_else(String::new, |(line, label)| {
        let words: Vec<&str> = label.split(' ').take(2).collect();
        format!("{} (line {line})", words.join(" "))
    });
    match (verdict.worst, verdict.refused) {
        (Kind::Done, _) => "Every command is done".to_owned(),
        (Kind::Refused, 1) => format!("{place} is refused"),
        (Kind::Refused, count) => format!("{place} and {} more are refused", count - 1),
        (worst, _) => format!("{} at {place}", worst.of_scenario()),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// What a player made of all scenarios.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    /// Who it is.
    pub(super) player: String,
    /// How many scenarios ended with each of [`Kind::ALL`] as the worst.
    pub(super) counts: [usize; Kind::ALL.len()],
}

/// What each player made of all scenarios, in the order of the columns.
pub(super) fn tallies(comparisons: &[Comparison]) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for column in comparisons.iter().flat_map(|comparison| &comparison.columns) {
        let player = column.player.to_string();
        let known = tallies.iter().position(|tally| tally.player == player);
        let at = known.unwrap_or_else(|| {
            tallies.push(Tally { player, counts: [0; Kind::ALL.len()] });
            tallies.len() - 1
        });
        tallies[at].counts[column.verdict.worst as usize] += 1;
    }
    tallies
}

/// What one combination changes for the better and for the worse, measured by QEMU's own.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cure {
    /// The combination.
    pub(super) combination: String,
    /// Where QEMU's aborts, and this one neither aborts nor sticks.
    pub(super) cures: Vec<String>,
    /// Where this one aborts.
    pub(super) aborts: Vec<String>,
    /// Where this one sticks.
    pub(super) sticks: Vec<String>,
    /// Where QEMU's succeeds, and this one does not.
    pub(super) costs: Vec<String>,
}

/// What each combination cures of what QEMU's own suffers.
pub(super) fn cures(comparisons: &[Comparison]) -> Vec<Cure> {
    let others = Combination::COMPARED.into_iter().filter(|one| *one != Combination::QEMU);
    others.map(|combination| cure(comparisons, combination)).collect()
}

fn cure(comparisons: &[Comparison], combination: Combination) -> Cure {
    let names = |holds: fn(Kind, Kind) -> bool| -> Vec<String> {
        let pairs = comparisons.iter().filter_map(|comparison| {
            let worst = |one| comparison.ours(one).map(|column: &Column| column.verdict.worst);
            Some((comparison, worst(Combination::QEMU)?, worst(combination)?))
        });
        let found = pairs.filter(|(_, qemu, this)| holds(*qemu, *this));
        found.map(|(comparison, ..)| comparison.scenario.name.clone()).collect()
    };
    Cure {
        combination: combination.to_string(),
        cures: names(|qemu, this| qemu == Kind::Abort && this < Kind::Stuck),
        aborts: names(|_, this| this == Kind::Abort),
        sticks: names(|_, this| this == Kind::Stuck),
        costs: names(|qemu, this| qemu == Kind::Done && this != Kind::Done),
    }
}

/// How many scenarios QEMU's own combination aborts in.
pub(super) fn aborts(comparisons: &[Comparison]) -> usize {
    let columns = comparisons.iter().filter_map(|comparison| comparison.ours(Combination::QEMU));
    columns.filter(|column| column.verdict.worst == Kind::Abort).count()
}

/// What a combination cures, in one sentence.
pub(super) fn cure_sentence(cure: &Cure, aborts: usize) -> String {
    let mut sentence = format!("{} cures {} of {aborts}", cure.combination, cure.cures.len());
    let prices = [
        ("aborts in", &cure.aborts),
        ("sticks in", &cure.sticks),
        ("succeeds no more in", &cure.costs),
    ];
    for (what, names) in prices.into_iter().filter(|(_, names)| !names.is_empty()) {
        sentence += &format!("; {what} {}: {}", names.len(), names.join(", "));
    }
    sentence + "."
}

/// Which QEMU was asked, and how; none where it was not.
pub(super) fn asked(comparisons: &[Comparison]) -> Option<String> {
    comparisons.iter().find_map(|comparison| match &comparison.qemu()?.player {
        Player::Qemu(how, version) => Some(format!("QEMU {version}, {}", how.words())),
        Player::Ours(_) => None,
    })
}
