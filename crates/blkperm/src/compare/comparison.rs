//! A scenario beside itself: what each combination and QEMU made of it.

use crate::error::Error;
use crate::label::label;
use crate::outcome::{Kind, Outcome, Verdict};
use crate::qemu::{How, Qemu};
use crate::registry::Combination;
use crate::source::Source;
use blkperm_qemu::Version;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Difference, Step, Transcript};
use std::fmt;

/// Whose answers a column has.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Player {
    /// Our rules'.
    Ours(Combination),
    /// QEMU's.
    Qemu(How, Version),
}

/// Writes `baseline+stepwise` or `QEMU`.
impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Player::Ours(combination) => combination.fmt(f),
            Player::Qemu(..) => f.write_str("QEMU"),
        }
    }
}

/// What one player made of a scenario.
#[derive(Debug)]
pub(super) struct Column {
    /// Who it is.
    pub(super) player: Player,
    /// All that it answered.
    pub(super) transcript: Transcript,
    /// What came of each command, until it died.
    pub(super) outcomes: Vec<Outcome>,
    /// What came of all.
    pub(super) verdict: Verdict,
}

impl Column {
    pub(super) fn new(player: Player, transcript: Transcript) -> Column {
        let outcomes = Outcome::of(&transcript);
        let verdict = Verdict::of(&outcomes);
        Column { player, transcript, outcomes, verdict }
    }
}

/// A scenario and what each player made of it.
#[derive(Debug)]
pub(super) struct Comparison {
    /// The scenario.
    pub(super) scenario: Scenario,
    /// What it is called on a command line.
    pub(super) argument: String,
    /// What the combinations made of it, in their order, and QEMU last if it was asked.
    pub(super) columns: Vec<Column>,
}

/// Rows of a table: one command, or several that need no attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Row {
    /// The command with this number.
    Command(usize),
    /// So many commands from this number on, done by all.
    Folded(usize, usize),
}

impl Comparison {
    /// Plays the scenario to all.
    pub(super) fn play(source: Source, qemu: Qemu) -> Result<Comparison, Error> {
        let answers = qemu.answers(&source)?;
        let mut columns = Vec::new();
        for combination in Combination::COMPARED {
            let transcript = play(&mut *combination.endpoint(), &source.scenario)
                .map_err(|source| Error::Play { combination, source })?;
            columns.push(Column::new(Player::Ours(combination), transcript));
        }
        columns.extend(answers.map(|answers| {
            Column::new(Player::Qemu(answers.how, answers.version), answers.transcript)
        }));
        Ok(Comparison { scenario: source.scenario, argument: source.argument, columns })
    }

    /// The column of a combination.
    pub(super) fn ours(&self, combination: Combination) -> Option<&Column> {
        self.columns.iter().find(|column| column.player == Player::Ours(combination))
    }

    /// QEMU's column; none where it was not asked.
    pub(super) fn qemu(&self) -> Option<&Column> {
        self.columns.iter().find(|column| matches!(column.player, Player::Qemu(..)))
    }

    /// In what our baseline differs from QEMU; none where QEMU was not asked.
    pub(super) fn differences(&self) -> Option<Vec<Difference>> {
        let (ours, qemu) = (self.ours(Combination::QEMU)?, self.qemu()?);
        Some(ours.transcript.differences(&qemu.transcript))
    }

    /// The line of each command, and the command in few words.
    pub(super) fn commands(&self) -> Vec<(usize, String)> {
        self.scenario.commands().map(|(line, command)| (line, label(command))).collect()
    }

    /// The rows of the table: commands one by one, but without `all_rows` those that prepare the
    /// story are told together.
    pub(super) fn rows(&self, all_rows: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for command in 0..self.scenario.commands().count() {
            let quiet = !all_rows && self.is_quiet(command);
            match rows.last_mut() {
                Some(Row::Folded(_, count)) if quiet => *count += 1,
                _ if quiet => rows.push(Row::Folded(command, 1)),
                _ => rows.push(Row::Command(command)),
            }
        }
        for row in &mut rows {
            if let Row::Folded(command, 1) = *row {
                *row = Row::Command(command);
            }
        }
        rows
    }

    /// Whether all have carried out the command, and it stirred no job.
    fn is_quiet(&self, command: usize) -> bool {
        let stirs = |step: &Step| step.events.iter().any(|event| event.job().is_some());
        self.columns.iter().all(|column| {
            column.outcomes.get(command).is_some_and(|outcome| outcome.kind() == Kind::Done)
                && column.transcript.steps.get(command).is_some_and(|step| !stirs(step))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn rows(name: &str, all_rows: bool) -> Vec<Row> {
        let source = Source::named(Path::new(name)).unwrap();
        Comparison::play(source, Qemu::Recorded).unwrap().rows(all_rows)
    }

    #[test]
    fn what_prepares_the_story_is_one_row() {
        let rows = rows("active-commit-complete", false);
        assert!(matches!(rows[0], Row::Folded(0, 8)), "{rows:?}");
        assert_eq!(rows[1], Row::Command(8), "the job starts, done by all");
    }

    #[test]
    fn a_folded_row_has_more_than_one_command() {
        for source in Source::seed().unwrap() {
            let name = source.scenario.name.clone();
            let commands = source.scenario.commands().count();
            let comparison = Comparison::play(source, Qemu::Recorded).unwrap();
            let folded: usize = comparison
                .rows(false)
                .iter()
                .map(|row| match row {
                    Row::Command(_) => 1,
                    Row::Folded(_, 1) => panic!("{name}: one command is folded"),
                    Row::Folded(_, count) => *count,
                })
                .sum();
            assert_eq!(folded, commands, "{name}");
        }
    }

    #[test]
    fn every_command_can_have_its_row() {
        let rows = rows("active-commit-complete", true);
        let expected: Vec<Row> = (0..rows.len()).map(Row::Command).collect();
        assert_eq!(rows, expected);
    }
}
