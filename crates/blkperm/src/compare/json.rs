//! Comparisons for programs.

use super::comparison::{Comparison, Player};
use super::story;
use crate::outcome::{Kind, Outcome};
use serde_json::{Map, Value, json};

/// The whole report.
pub(super) fn report(comparisons: &[Comparison]) -> Value {
    let equal = comparisons.iter().filter_map(Comparison::differences);
    let equal: Vec<bool> = equal.map(|found| found.is_empty()).collect();
    json!({
        "equal": (!equal.is_empty()).then(|| equal.iter().all(|one| *one)),
        "scenarios": comparisons.iter().map(scenario).collect::<Vec<_>>(),
        "tallies": tallies(comparisons),
        "cures": story::cures(comparisons),
    })
}

fn scenario(comparison: &Comparison) -> Value {
    let commands = comparison.scenario.commands().zip(comparison.commands()).enumerate();
    let commands: Vec<Value> = commands
        .map(|(at, ((line, command), (_, label)))| {
            let outcomes = comparison.columns.iter().filter_map(|column| {
                Some((column.player.to_string(), outcome(column.outcomes.get(at)?)))
            });
            json!({
                "line": line,
                "label": label,
                "command": command,
                "outcomes": outcomes.collect::<Map<_, _>>(),
            })
        })
        .collect();
    json!({
        "name": comparison.scenario.name,
        "title": comparison.scenario.title,
        "shows": story::shows(comparison),
        "qemu": qemu(comparison),
        "verdicts": verdicts(comparison),
        "commands": commands,
        "differences": differences(comparison),
    })
}

/// What came of a command: its kind, and what is known of it.
pub(crate) fn outcome(outcome: &Outcome) -> Value {
    let mut members = Map::new();
    members.insert("outcome".to_owned(), json!(outcome.kind()));
    let details = match outcome {
        Outcome::Done => json!({}),
        Outcome::Refused(text) => json!({ "text": text }),
        Outcome::JobFailed { job, error } => json!({ "job": job, "error": error }),
        Outcome::Stuck(jobs) => json!({ "jobs": jobs }),
        Outcome::Died(death) => json!({ "signal": death.signal, "text": death.message }),
    };
    if let Value::Object(details) = details {
        members.extend(details);
    }
    if let Some(conflict) = outcome.conflict() {
        members.insert("conflict".to_owned(), json!(conflict));
    }
    Value::Object(members)
}

fn qemu(comparison: &Comparison) -> Option<Value> {
    match &comparison.qemu()?.player {
        Player::Qemu(how, version) => Some(json!({ "how": how, "version": version })),
        Player::Ours(_) => None,
    }
}

/// The worst that came of the commands, at which line first, and how many were refused.
fn verdicts(comparison: &Comparison) -> Map<String, Value> {
    let lines: Vec<usize> = comparison.scenario.commands().map(|(line, _)| line).collect();
    let verdicts = comparison.columns.iter().map(|column| {
        let verdict = &column.verdict;
        let at = lines.get(verdict.at).filter(|_| verdict.worst != Kind::Done);
        let value = json!({ "outcome": verdict.worst, "line": at, "refused": verdict.refused });
        (column.player.to_string(), value)
    });
    verdicts.collect()
}

/// In what baseline+stepwise differs from QEMU; null where QEMU was not asked.
fn differences(comparison: &Comparison) -> Option<Vec<Value>> {
    let found = comparison.differences()?;
    let values = found.iter().map(|one| {
        json!({
            "line": one.line,
            "command": one.command,
            "respect": one.respect.to_string(),
            "ours": one.left,
            "qemu": one.right,
        })
    });
    Some(values.collect())
}

fn tallies(comparisons: &[Comparison]) -> Map<String, Value> {
    let tallies = story::tallies(comparisons).into_iter().map(|tally| {
        let counts = Kind::ALL.into_iter().zip(tally.counts);
        let counts: Vec<Value> =
            counts.map(|(kind, count)| json!({ "outcome": kind, "scenarios": count })).collect();
        (tally.player, Value::from(counts))
    });
    tallies.collect()
}
