//! What rules answer, with pictures.

use blkperm_draw::Picture;
use blkperm_draw::page::{self, Album, Text, scrolled};
use blkperm_draw::svg::View;
use blkperm_explain::{Action, Fate, Proposal, sides};
use blkperm_graph::{Fault, Refusal};
use maud::{Markup, html};

use crate::explain::answer::Answer;
use crate::explain::pictures::Pictures;
use crate::explain::story::{self, UNTOLD, fates, question, verdict};
use crate::label::label;

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
                            @match fates(answer).into_iter().find(|(asked, _)| asked == question) {
                                Some((_, fate)) => td class=(class(fate)) { (Text(verdict(fate))) },
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
    let tried = answer.tried.iter().zip(&pictures.tried).map(|(trial, picture)| {
        let doubt = trial.doubt.as_ref();
        let what = label(&trial.request);
        let more = html! {
            @if let Some(doubt) = doubt { p { (Text(format!("{}, {UNTOLD}", verdict(doubt)))) } }
        };
        (what, &trial.fate, &trial.proposals, picture, more)
    });
    let ended = answer.endings.iter().zip(&pictures.endings);
    let ended = ended
        .map(|(one, picture)| (question(one), &one.ending.fate, &one.proposals, picture, html! {}));
    let details: Vec<Markup> = tried
        .chain(ended)
        .map(|(what, fate, proposals, picture, more)| {
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
                    (more)
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

fn to_do(proposals: &[Proposal]) -> Markup {
    if proposals.is_empty() {
        return html! { p { "Nothing that could be released lets it pass." } };
    }
    let one = if proposals.len() == 1 { "this" } else { "one of these" };
    html! {
        p { strong { (format!("To let it pass, do {one}:")) } }
        ul {
            @for proposal in proposals {
                @let words: Vec<String> =
                    proposal.actions.iter().map(ToString::to_string).collect();
                li {
                    (Text(words.join(", then ")))
                    @if !proposal.is_sure { " (" (Text(format!("perhaps not {UNTOLD}"))) ")" }
                    @for command in proposal.actions.iter().filter_map(Action::command) {
                        pre { (Text(command.to_string())) }
                    }
                }
            }
        }
    }
}
