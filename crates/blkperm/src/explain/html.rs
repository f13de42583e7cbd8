//! An explanation as a page: what the text says, with pictures of the graph and of what would become
//! of it.

mod answers;

use blkperm_draw::page::{self, Album, Text, scrolled};
use blkperm_draw::svg::View;
use blkperm_explain::{Held, Tried, deed, derivation};
use blkperm_graph::{Permissions, State};
use maud::{Markup, html};

use super::answer::Answer;
use super::pictures::{Pictures, pictures};
use super::story;
use super::subject::{Asked, Subject};

/// The whole page.
pub(super) fn report(
    subject: &Subject,
    asked: &[Asked],
    tried: &[Tried],
    answers: &[Answer],
) -> String {
    let mut album = Album::default();
    let pictures: Vec<Pictures> =
        answers.iter().map(|answer| pictures(subject, answer.combination, tried)).collect();
    let shown: Vec<Markup> = answers
        .iter()
        .zip(&pictures)
        .map(|(answer, pictures)| answers::answer(answer, pictures, &mut album))
        .collect();
    let print = album.print(&pictures[0].graph);
    let graph = album.views(&print, &[(View::After, "The graph")]);
    let notes = story::notes(subject);
    let body = html! {
        header {
            h1 { "Who holds what, and what would happen" }
            p { (Text(subject.title())) }
            @if !notes.is_empty() { ul { @for note in &notes { li { (Text(note)) } } } }
        }
        main {
            h2 { "What would happen" }
            (answers::questions(answers))
            @for one in shown { (one) }
            h2 { "The graph" }
            details {
                summary { span class="name" { "How to read the picture" } }
                (album.legend())
            }
            (graph)
            h2 { "Who holds what" }
            (holders(subject))
            @for edge in asked { (derived(edge)) }
        }
    };
    page::document("Who holds what, and what would happen", &body)
}

/// The table of who holds what.
fn holders(subject: &Subject) -> Markup {
    scrolled(
        "Who holds what",
        html! {
            table {
                thead { tr {
                    th scope="col" { "node" }
                    @for one in Permissions::EACH { th scope="col" { (one.qmp_name()) } }
                } }
                tbody { @for held in subject.who() { (row(subject, &held)) } }
            }
        },
    )
}

fn row(subject: &Subject, held: &Held) -> Markup {
    let is_inferred = subject.survey().is_some_and(|survey| survey.is_inferred(&held.node));
    let flags = [(State::READ_ONLY, ", read-only"), (State::INACTIVE, ", inactive")];
    html! {
        tr {
            th scope="row" {
                strong { (Text(&held.node)) }
                br;
                span class="faint" {
                    (held.driver)
                    @if is_inferred { "?" }
                    @for (flag, words) in flags { @if held.state.contains(flag) { (words) } }
                }
            }
            @for place in 0..4 {
                td {
                    @for (sign, holder) in story::signed(held, place) {
                        div { strong { (sign.to_string()) } " " (Text(holder)) }
                    }
                }
            }
        }
    }
}

/// An edge with the derivation of all that it holds.
fn derived(edge: &Asked) -> Markup {
    let Asked { parent, child, masks, derivations } = edge;
    html! {
        h3 { (Text(format!("{parent} on '{child}'"))) " " code { (masks) } }
        @if derivations.is_empty() { p { "takes nothing and shares all" } }
        @for steps in derivations {
            @if let Some(own) = steps.first() {
                p { (Text(deed(own.slot))) }
                ol { @for step in derivation(steps) { li { (Text(step)) } } }
            }
        }
    }
}
