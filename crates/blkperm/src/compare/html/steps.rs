//! The steps of a scenario with their pictures, those that look alike under several rules once.

use super::{class, row_label};
use crate::compare::comparison::{Comparison, Player, Row};
use crate::error::Error;
use crate::film::{self, Frame};
use crate::outcome::Outcome;
use crate::registry::Combination;
use blkperm_draw::Picture;
use blkperm_draw::page::{self, Album, Print, Text};
use blkperm_draw::svg::View;
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

/// What a row looks like under one combination, or under several.
struct Sight {
    combinations: Vec<String>,
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
        let Player::Ours(combination) = column.player else { continue };
        for shot in shots(comparison, rows, combination)? {
            let (Row::Command(command) | Row::Folded(command, _)) = rows[shot.row];
            if let Some(outcome) = column.outcomes.get(command) {
                see(&mut sights[shot.row], combination, outcome, &shot, album);
            }
        }
    }
    let sections = rows.iter().zip(sights);
    Ok(sections
        .map(|(row, sights)| section(&row_label(comparison, *row), &sights, album))
        .collect())
}

/// A shot for each row that was reached.
fn shots(
    comparison: &Comparison,
    rows: &[Row],
    combination: Combination,
) -> Result<Vec<Shot>, Error> {
    let lengths = rows.iter().map(|row| match row {
        Row::Command(_) => 1,
        Row::Folded(_, count) => *count,
    });
    let mut row_of_command = lengths.enumerate().flat_map(|(row, length)| vec![row; length]);
    let mut shots: Vec<Shot> = Vec::new();
    film::show(combination, &comparison.scenario, &mut |frame| {
        let Some(row) = row_of_command.next() else { return ControlFlow::Break(()) };
        match shots.last_mut() {
            Some(shot) if shot.row == row => shot.last = frame,
            _ => shots.push(Shot { row, before: Rc::clone(&frame.before), last: frame }),
        }
        ControlFlow::Continue(())
    })
    .map_err(|source| Error::Play { combination, source })?;
    Ok(shots)
}

/// Adds what a row looks like under a combination to what it looks like under the others.
fn see(
    sights: &mut Vec<Sight>,
    combination: Combination,
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
        sight.combinations.push(combination.to_string());
        return;
    }
    sights.push(Sight {
        combinations: vec![combination.to_string()],
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
                            " " span class="faint" { (sight.combinations.join(", ")) }
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
            (sight.combinations.join(", ")) ": "
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
