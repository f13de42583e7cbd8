//! What an explanation says, whatever it is written for.

use blkperm_explain::{Fate, Held, Proposal, Proposals, Surety};

use super::answer::{Answer, Outcome};
use super::subject::Subject;

/// What is to be said of the answers that the graph was made from.
pub(super) fn notes(subject: &Subject) -> Vec<String> {
    let Some(survey) = subject.survey() else { return Vec::new() };
    let mut lines: Vec<String> = survey.notes().iter().map(ToString::to_string).collect();
    lines.extend(survey.unexplained().iter().map(|unexplained| {
        let edge = &unexplained.edge;
        match unexplained.expected {
            Some(expected) => format!("not explained: {edge}, by the rules {expected}"),
            None => format!("not explained: {edge}, an edge that the driver does not have"),
        }
    }));
    lines
}

/// Who holds a permission on a node, by its place among the permissions: behind `+` who takes it,
/// behind `-` who unshares it, behind `±` who does both.
pub(super) fn signed(held: &Held, place: usize) -> Vec<(char, &str)> {
    let (taken, unshared) = (&held.taken[place], &held.unshared[place]);
    let signed = taken.iter().map(|holder| {
        let sign = if unshared.contains(holder) { '±' } else { '+' };
        (sign, holder.as_str())
    });
    let rest = unshared.iter().filter(|holder| !taken.contains(holder));
    signed.chain(rest.map(|holder| ('-', holder.as_str()))).collect()
}

/// All that some rule has an answer to: the commands that are tried, then the ends of jobs.
pub(super) fn questions(answers: &[Answer]) -> Vec<String> {
    let mut questions: Vec<String> = Vec::new();
    for (question, _) in answers.iter().flat_map(Answer::outcomes) {
        if !questions.contains(&question) {
            questions.push(question);
        }
    }
    questions
}

/// What a rule answers to a question, if it has an answer to it.
pub(super) fn fate<'a>(answer: &'a Answer, question: &str) -> Option<&'a Fate> {
    let mut outcomes = answer.outcomes();
    outcomes.find(|(asked, _)| asked == question).map(|(_, outcome)| &outcome.fate)
}

/// What else may become of something, if anything may.
pub(super) fn doubt(outcome: &Outcome) -> Option<String> {
    let doubt = outcome.doubt.as_ref();
    doubt.map(|(untold, fate)| format!("perhaps {}, if {untold}", verdict(fate)))
}

/// Under what a proposal works or does not work, if it does not work in any case.
pub(super) fn reservation(proposal: &Proposal) -> Option<String> {
    match proposal.surety {
        Surety::Sure => None,
        Surety::Unless(untold) => Some(format!("perhaps not, if {untold}")),
        Surety::OnlyIf(untold) => Some(format!("perhaps, if {untold}")),
    }
}

/// What introduces proposals, or says that there are none.
pub(super) fn remedies(proposals: &Proposals) -> String {
    let more = if proposals.is_cut_short { ", of more that there may be" } else { "" };
    match (proposals.found.len(), proposals.is_cut_short) {
        (0, false) => "Nothing that could be released lets it pass.".to_owned(),
        (0, true) => {
            "Nothing was found that lets it pass; there is too much to try all.".to_owned()
        }
        (1, _) => format!("To let it pass, do this{more}:"),
        _ => format!("To let it pass, do one of these{more}:"),
    }
}

/// What became of something, in one sentence.
pub(super) fn verdict(fate: &Fate) -> String {
    match fate {
        Fate::Done => "nothing is in the way".to_owned(),
        Fate::Refused { denied: Some(denied), .. } => format!("refused: {denied}"),
        Fate::Refused { error, .. } => format!("refused: {}", error.desc),
        Fate::Fails { refusal: Some(refusal), .. } => format!("the job fails: {refusal}"),
        Fate::Fails { error, .. } => format!("the job fails: {error}"),
        Fate::Stuck { refusal: Some(refusal), .. } => format!("the job is stuck: {refusal}"),
        Fate::Stuck { .. } => "the job is stuck".to_owned(),
        Fate::Aborts(refusal) => format!("ABORTS QEMU: {refusal}"),
    }
}
