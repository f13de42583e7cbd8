//! What an explanation says, whatever it is written for.

use blkperm_explain::{Fate, Held};

use super::answer::{Answer, Foreseen};
use super::subject::Subject;
use crate::label::label;

/// What the answers of a QEMU do not tell.
pub(super) const UNTOLD: &str = "if nodes were opened with their parents and go with them, if what a job \
                      writes was read-only before, or if a node's options demand what its parents \
                      demand, too";

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
    let tried = answers.iter().flat_map(|answer| &answer.tried).map(|trial| label(&trial.request));
    let ended = answers.iter().flat_map(|answer| &answer.endings).map(question);
    let mut questions: Vec<String> = Vec::new();
    for question in tried.chain(ended) {
        if !questions.contains(&question) {
            questions.push(question);
        }
    }
    questions
}

/// What a rule answers to each question that it has an answer to.
pub(super) fn fates(answer: &Answer) -> Vec<(String, &Fate)> {
    let tried = answer.tried.iter().map(|trial| (label(&trial.request), &trial.fate));
    let ended = answer.endings.iter().map(|one| (question(one), &one.ending.fate));
    tried.chain(ended).collect()
}

/// The end of a job as a question.
pub(super) fn question(foreseen: &Foreseen) -> String {
    let ending = &foreseen.ending;
    format!("{} job '{}': {}", ending.kind, ending.job, ending.way)
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
