//! What a rule's answers look like: the graph, and what would become of it.

use blkperm_draw::Picture;
use blkperm_explain::{Fate, Tried, endings, run_new_jobs};
use blkperm_graph::Rule;
use blkperm_qmp::Monitor;

use super::subject::Subject;
use crate::registry::{Combination, RuleName, WithRule, with_rule};

/// Pictures of the graph, and of what would become of it under one rule.
pub(super) struct Pictures {
    /// The graph as it is. Where it could not have come about under the rule, why not.
    pub(super) graph: Picture,
    /// For each command that is tried, up to the first that is not done: the graph before and
    /// afterwards in one.
    pub(super) tried: Vec<Picture>,
    /// For each job and way of its end after that: the same.
    pub(super) endings: Vec<Picture>,
}

impl Pictures {
    fn alone(graph: Picture) -> Pictures {
        Pictures { graph, tried: Vec::new(), endings: Vec::new() }
    }
}

/// The pictures under that rule.
pub(super) fn pictures(subject: &Subject, combination: Combination, tried: &[Tried]) -> Pictures {
    with_rule(combination.rule, Draw { subject, combination, asked: Some(tried) })
}

/// What the graph looks like under a rule. Where it could not have come about under it, why not.
pub(crate) fn graph(subject: &Subject, combination: Combination) -> Picture {
    with_rule(combination.rule, Draw { subject, combination, asked: None }).graph
}

struct Draw<'a> {
    subject: &'a Subject,
    combination: Combination,
    /// What is tried, where more than the graph is asked for.
    asked: Option<&'a [Tried]>,
}

impl WithRule for Draw<'_> {
    type Output = Pictures;

    fn run<R>(self, rule: R) -> Pictures
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync,
    {
        let Draw { subject, combination, asked } = self;
        let mut monitor = match subject.monitor(rule, combination.completion.completion()) {
            Ok(monitor) => monitor,
            Err(refusal) => {
                // It is there under QEMU's rule.
                let qemus = Combination { rule: RuleName::Baseline, ..combination };
                let mut picture = graph(subject, qemus);
                picture.show_refusal(&refusal);
                return Pictures::alone(picture);
            }
        };
        let mut pictures = Pictures::alone(picture(&monitor));
        let Some(tried) = asked else { return pictures };
        let jobs = monitor.layer().jobs().iter();
        let known: Vec<String> = jobs.map(|job| job.id().to_owned()).collect();
        for command in tried {
            let before = picture(&monitor);
            let fate = match run_new_jobs(&mut monitor, &known) {
                Fate::Done => command.play(&mut monitor),
                fate => fate,
            };
            pictures.tried.push(outcome(&before, &monitor, &fate));
            if !fate.is_done() {
                return pictures;
            }
        }
        let before = picture(&monitor);
        for ending in endings(&monitor) {
            let mut fork = monitor.clone();
            let fate = ending.play(&mut fork);
            pictures.endings.push(outcome(&before, &fork, &fate));
        }
        pictures
    }
}

fn picture<R: Rule>(monitor: &Monitor<R>) -> Picture {
    Picture::of(&monitor.layer().graph)
}

/// Before and afterwards in one. Of what a job was refused, the graph before with what it tried.
fn outcome<R: Rule>(before: &Picture, monitor: &Monitor<R>, fate: &Fate) -> Picture {
    let mut after = match fate {
        Fate::Fails { refusal: Some(_), .. } | Fate::Stuck { refusal: Some(_), .. } => {
            before.clone()
        }
        _ => picture(monitor),
    };
    if let Some(refusal) = fate.refusal() {
        after.show_refusal(refusal);
    }
    Picture::between(before, &after)
}
