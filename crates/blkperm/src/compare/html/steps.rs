//! The steps of a scenario with their pictures, those that look alike to several players once.

use super::{class, row_label};
use crate::compare::comparison::{Column, Comparison, Player, Row};
use crate::error::Error;
use crate::film::{self, Frame};
use crate::outcome::Outcome;
use crate::registry::Combination;
use blkperm_draw::Picture;
use blkperm_draw::page::{self, Album, Print, Text};
use blkperm_draw::svg::View;
use blkperm_qmp::transcript::Step;
use maud::{Markup, html};
use std::ops::ControlFlow;
use std::rc::Rc;

/// What the commands of a row did to the graph.
struct Shot {
    /// The row's number.
    row: usize,
    /// The graph before the first command.
    before: Rc<Picture>,
    /// The last command.
    last: Frame,
}

/// What a row looks like to one player, or to several.
struct Sight {
    players: Vec<String>,
    outcome: Outcome,
    /// Both states in one picture.
    picture: Picture,
    print: Print,
    /// What a job was refused.
    setback: Option<(Picture, Print)>,
}

/// A section for each row of the table.
///
/// # Errors
///
/// Fails when the scenario cannot be played.
pub(super) fn steps(
    comparison: &Comparison,
    rows: &[Row],
    album: &mut Album,
) -> Result<Vec<Markup>, Error> {
    let mut sights: Vec<Vec<Sight>> = rows.iter().map(|_| Vec::new()).collect();
    for column in &comparison.columns {
        let shots = match column.player {
            Player::Ours(combination) => shots(rows, played(comparison, combination)?),
            Player::Qemu(..) => qemus_own(comparison, rows, &mut sights, column),
        };
        for shot in shots {
            if let Some(outcome) = column.outcomes.get(first(rows[shot.row])) {
                see(&mut sights[shot.row], &column.player, outcome, &shot, album);
            }
        }
    }
    let sections = rows.iter().zip(sights);
    Ok(sections
        .map(|(row, sights)| section(&row_label(comparison, *row), &sights, album))
        .collect())
}

/// The number of a row's first command, whose outcome is that of all.
fn first(row: Row) -> usize {
    let (Row::Command(command) | Row::Folded(command, _)) = row;
    command
}

/// How many commands a row has.
fn length(row: Row) -> usize {
    match row {
        Row::Command(_) => 1,
        Row::Folded(_, count) => count,
    }
}

/// A shot for each row that was reached.
fn shots(rows: &[Row], frames: Vec<Frame>) -> Vec<Shot> {
    let mut row_of_command = rows.iter().enumerate().flat_map(|(row, one)| vec![row; length(*one)]);
    let mut shots: Vec<Shot> = Vec::new();
    for (frame, row) in frames.into_iter().zip(&mut row_of_command) {
        match shots.last_mut() {
            Some(shot) if shot.row == row => shot.last = frame,
            _ => shots.push(Shot { row, before: Rc::clone(&frame.before), last: frame }),
        }
    }
    shots
}

/// What the scenario looks like under a combination.
fn played(comparison: &Comparison, combination: Combination) -> Result<Vec<Frame>, Error> {
    let mut frames = Vec::new();
    film::show(combination, &comparison.scenario, &mut |frame| {
        frames.push(frame);
        ControlFlow::Continue(())
    })
    .map_err(|source| Error::Play { combination, source })?;
    Ok(frames)
}

/// The rows in which QEMU's graph is not our baseline's. In all others it is named beside the
/// baseline, whose picture tells more: who uses a BlockBackend, and what is at fault.
fn qemus_own(
    comparison: &Comparison,
    rows: &[Row],
    sights: &mut [Vec<Sight>],
    qemu: &Column,
) -> Vec<Shot> {
    let differences = comparison.differences().unwrap_or_default();
    let differs = |step: &Step| differences.iter().any(|difference| difference.line == step.line);
    // Of the step before, too: there the picture begins.
    let is_own = |row: &Row| {
        let (first, end) = (first(*row), first(*row) + length(*row));
        let steps = qemu.transcript.steps.iter().take(end).skip(first.saturating_sub(1));
        steps.into_iter().any(differs)
    };
    let baseline = Combination::QEMU.to_string();
    for (row, sights) in rows.iter().zip(sights).filter(|(row, _)| !is_own(row)) {
        let sight = sights.iter_mut().find(|sight| sight.players.contains(&baseline));
        if let Some(sight) = sight.filter(|_| first(*row) < qemu.outcomes.len()) {
            sight.players.push(qemu.player.to_string());
        }
    }
    if differences.is_empty() {
        return Vec::new();
    }
    let mut shots = shots(rows, film::of_answers(&qemu.transcript));
    shots.retain(|shot| is_own(&rows[shot.row]));
    shots
}

/// Adds what a row looks like to a player to what it looks like to the others.
fn see(
    sights: &mut Vec<Sight>,
    player: &Player,
    outcome: &Outcome,
    shot: &Shot,
    album: &mut Album,
) {
    let mut picture = Picture::between(&shot.before, &shot.last.ending());
    if picture.is_empty_before() && !picture.shows_refusal() {
        // Where all is new, nothing need be marked.
        picture = shot.last.ending();
    }
    let setback = shot.last.setback();
    let same = |sight: &&mut Sight| {
        let known = sight.setback.as_ref().map(|(picture, _)| picture);
        sight.outcome == *outcome && sight.picture == picture && known == setback.as_ref()
    };
    if let Some(sight) = sights.iter_mut().find(same) {
        sight.players.push(player.to_string());
        return;
    }
    sights.push(Sight {
        players: vec![player.to_string()],
        outcome: outcome.clone(),
        print: album.print(&picture),
        picture,
        setback: setback.map(|picture| {
            let print = album.print(&picture);
            (picture, print)
        }),
    });
}

fn section(label: &str, sights: &[Sight], album: &Album) -> Markup {
    html! {
        details {
            summary {
                span class="command" { (Text(label)) }
                @if sights.len() > 1 {
                    span class="chips" {
                        @for (number, sight) in sights.iter().enumerate() {
                            @if number > 0 { "; " }
                            span class=(class(sight.outcome.kind())) {
                                (Text(sight.outcome.to_string()))
                            }
                            " " span class="faint" { (sight.players.join(", ")) }
                        }
                    }
                }
            }
            @for sight in sights { (shown(sight, album)) }
        }
    }
}

fn shown(sight: &Sight, album: &Album) -> Markup {
    let is_death = matches!(sight.outcome, Outcome::Died(_));
    let Sight { picture, .. } = sight;
    let views: &[(View, &str)] = match (picture.shows_change(), picture.shows_refusal()) {
        (_, true) if picture.is_empty_before() => &[(View::After, "What was refused")],
        (_, true) if is_death => &[(View::Before, "Before"), (View::After, "At its end")],
        (_, true) => &[(View::Before, "As it stays"), (View::After, "What was refused")],
        (true, false) => &[(View::Before, "Before"), (View::After, "After")],
        (false, false) => &[(View::After, "Afterwards")],
    };
    html! {
        h4 {
            (sight.players.join(", ")) ": "
            span class=(class(sight.outcome.kind())) { (Text(sight.outcome.to_string())) }
        }
        @if let Some(words) = sight.outcome.text() { p { (Text(words)) } }
        (album.views(&sight.print, views))
        (page::changes(&sight.picture))
        @if let Some((picture, print)) = &sight.setback {
            h4 { "What the job was refused" }
            (album.views(print, &[(View::After, "In the graph before the command")]))
            (page::changes(picture))
        }
    }
}
