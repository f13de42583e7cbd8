//! What rules answer, with pictures.

use blkperm_draw::Picture;
use blkperm_draw::page::{self, Album, Text, scrolled};
use blkperm_draw::svg::View;
use blkperm_explain::{Action, Fate, Proposals, sides};
use blkperm_graph::{Fault, Refusal};
use maud::{Markup, html};

use crate::explain::answer::{Answer, Outcome};
use crate::explain::pictures::Pictures;
use crate::explain::story::{self, verdict};

/// The class in whose colour a fate is shown.
fn class(fate: &Fate) -> &'static str {
    match fate {
        Fate::Done => "kind-done",
        Fate::Refused { .. } => "kind-refused",
        Fate::Fails { .. } => "kind-job-failed",
        Fate::Stuck { .. } => "kind-stuck",
        Fate::Aborts(_) => "kind-abort",
    }
}

/// The table of what would happen, a row a question and a column a rule.
pub(super) fn questions(answers: &[Answer]) -> Markup {
    let questions = story::questions(answers);
    let impossible = answers.iter().any(|answer| answer.impossible.is_some());
    if questions.is_empty() && !impossible {
        return html! { p { "No job runs, and nothing is tried: nothing is in the way." } };
    }
    scrolled(
        "What would happen",
        html! {
            table {
                thead { tr {
                    th scope="col" { "what" }
                    @for answer in answers { th scope="col" { (answer.combination) } }
                } }
                tbody {
                    @if impossible { tr {
                        th scope="row" { "the graph as it is" }
                        @for answer in answers { td {
                            @match &answer.impossible {
                                Some(refusal) => (Text(format!("would not be: {refusal}"))),
                                None => "is",
                            }
                        } }
                    } }
                    @for question in &questions { tr {
                        th scope="row" { (Text(question)) }
                        @for answer in answers {
                            @match story::fate(answer, question) {
                                Some(fate) => td class=(class(fate)) { (Text(verdict(fate))) },
                                None => td { "-" },
                            }
                        }
                    } }
                }
            }
        },
    )
}

/// All that one rule answers: for each question what would happen, why, and what to do.
pub(super) fn answer(answer: &Answer, pictures: &Pictures, album: &mut Album) -> Markup {
    let rule = answer.combination;
    let impossible = answer.impossible.as_ref().map(|refusal| {
        let print = album.print(&pictures.graph);
        html! {
            details open {
                summary { span class="name" { "The graph as it is" } " under " (rule) }
                (refused(refusal))
                (album.views(&print, &[(View::After, "Why it could not have come about")]))
            }
        }
    });
    let shown = pictures.tried.iter().chain(&pictures.endings);
    let details: Vec<Markup> = answer
        .outcomes()
        .zip(shown)
        .map(|((what, outcome), picture)| {
            let Outcome { fate, proposals, .. } = outcome;
            let print = album.print(picture);
            html! {
                details open[!fate.is_done()] {
                    summary {
                        span class="name" { (Text(&what)) } " under " (rule)
                        span class="chips" {
                            span class=(class(fate)) { (Text(verdict(fate))) }
                        }
                    }
                    @if let Fate::Refused { error, .. } = fate {
                        p { "QEMU answers: " (Text(&error.desc)) }
                    }
                    @if let Some(refusal) = fate.refusal() { (refused(refusal)) }
                    @if !fate.is_done() { (to_do(proposals)) }
                    @if let Some(doubt) = story::doubt(outcome) { p { (Text(doubt)) } }
                    (album.views(&print, views(fate, picture)))
                    (page::changes(picture))
                }
            }
        })
        .collect();
    html! {
        @if let Some(impossible) = impossible { (impossible) }
        @for one in details { (one) }
    }
}

fn views(fate: &Fate, picture: &Picture) -> &'static [(View, &'static str)] {
    match fate {
        Fate::Done if picture.shows_change() => &[(View::Before, "Now"), (View::After, "Then")],
        Fate::Done => &[(View::After, "The graph does not change")],
        Fate::Aborts(_) => &[(View::Before, "Now"), (View::After, "When QEMU aborts")],
        Fate::Fails { .. } | Fate::Stuck { .. } => {
            &[(View::Before, "Now"), (View::After, "What the job is refused")]
        }
        Fate::Refused { .. } if picture.shows_refusal() => {
            &[(View::Before, "As it stays"), (View::After, "What is refused")]
        }
        Fate::Refused { .. } => &[(View::After, "As it stays")],
    }
}

/// Every pair at fault, with the derivation of each side.
fn refused(refusal: &Refusal) -> Markup {
    let Refusal::Permissions(faults) = refusal else {
        return html! { p { (Text(refusal.to_string())) } };
    };
    html! {
        ul {
            @for fault in faults {
                @if let Fault::Conflict(conflict) = fault {
                    @for (title, steps) in sides(conflict) {
                        @if let [step] = &steps[..] {
                            li { (Text(step)) }
                        } @else {
                            li {
                                (Text(title))
                                ol { @for step in &steps { li { (Text(step)) } } }
                            }
                        }
                    }
                } @else {
                    li { (Text(fault.to_string())) }
                }
            }
        }
    }
}

/// Lines that stay lines.
fn lines(lines: &[String]) -> Markup {
    html! { @for line in lines { (Text(line)) "\n" } }
}

fn to_do(proposals: &Proposals) -> Markup {
    let first = story::remedies(proposals);
    html! {
        p { strong { (first) } }
        ul {
            @for proposal in &proposals.found {
                @let words: Vec<String> =
                    proposal.actions.iter().map(ToString::to_string).collect();
                li {
                    (Text(words.join(", then ")))
                    @if let Some(doubt) = story::reservation(proposal) { " (" (Text(doubt)) ")" }
                    @let commands = proposal.actions.iter().filter_map(Action::command);
                    @let commands: Vec<String> = commands.map(|one| one.to_string()).collect();
                    @if !commands.is_empty() { pre { (lines(&commands)) } }
                }
            }
        }
    }
}
