//! An explanation for programs.

use std::io::{self, Write};

use blkperm_explain::{Action, Ending, Fate, Held, Proposal, Surety};
use blkperm_graph::{Fault, ParentName, Permissions, Refusal, State, Step};
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::subject::{Asked, Subject};

/// Writes one object.
pub(super) fn write(
    out: &mut impl Write,
    subject: &Subject,
    asked: &[Asked],
    answers: &[Answer],
) -> io::Result<()> {
    let survey = subject.survey();
    let notes = survey.iter().flat_map(|survey| survey.notes()).map(ToString::to_string);
    let unexplained = survey.iter().flat_map(|survey| survey.unexplained());
    let unexplained = unexplained.map(|one| {
        let expected = one.expected.map(|demand| demand.to_string());
        json!({"edge": one.edge, "expected": expected})
    });
    let value = json!({
        "notes": notes.collect::<Vec<_>>(),
        "unexplained": unexplained.collect::<Vec<_>>(),
        "nodes": subject.who().iter().map(held).collect::<Vec<_>>(),
        "edges": asked.iter().map(edge).collect::<Vec<_>>(),
        "answers": answers.iter().map(answer).collect::<Vec<_>>(),
    });
    writeln!(out, "{value}")
}

fn held(held: &Held) -> Value {
    let by_permission = |lists: &[Vec<String>; 4]| {
        let named = Permissions::EACH.into_iter().zip(lists);
        let named = named.map(|(permission, who)| (permission.qmp_name().to_owned(), json!(who)));
        Value::Object(named.collect())
    };
    json!({
        "node-name": held.node,
        "drv": held.driver,
        "ro": held.state.contains(State::READ_ONLY),
        "active": !held.state.contains(State::INACTIVE),
        "taken": by_permission(&held.taken),
        "unshared": by_permission(&held.unshared),
    })
}

fn edge(edge: &Asked) -> Value {
    let derivations: Vec<Value> = edge.derivations.iter().map(|steps| way(steps)).collect();
    json!({
        "parent": edge.parent,
        "child": edge.child,
        "masks": edge.masks,
        "derivations": derivations,
    })
}

/// A derivation, from where it began down to the edge.
fn way(steps: &[Step]) -> Value {
    let sentences = blkperm_explain::derivation(steps);
    let steps = steps.iter().rev().zip(sentences).map(|(step, sentence)| {
        json!({
            "parent": step.parent.to_string(),
            "edge": step.edge,
            "child": step.child,
            "takes": step.slot.is_take(),
            "permission": step.slot.permission().qmp_name(),
            "reason": sentence,
        })
    });
    steps.collect()
}

fn answer(answer: &Answer) -> Value {
    let tried = answer.tried.iter().map(|one| told(json!({"command": one.what}), &one.outcome));
    let endings = answer.endings.iter().map(|one| {
        let Ending { job, kind, way } = &one.what;
        told(json!({"job": job, "type": kind, "way": way.to_string()}), &one.outcome)
    });
    json!({
        "rule": answer.combination.rule,
        "completion": answer.combination.completion,
        "impossible": answer.impossible.as_ref().map(refusal),
        "tried": tried.collect::<Vec<_>>(),
        "endings": endings.collect::<Vec<_>>(),
    })
}

/// What becomes of something, with what it is.
fn told(mut what: Value, outcome: &Outcome) -> Value {
    let Outcome { fate: became, proposals, doubt } = outcome;
    what["outcome"] = fate(became);
    what["proposals"] = json!(proposals_in(&proposals.found));
    what["more-proposals"] = json!(proposals.is_cut_short);
    what["perhaps"] = json!(doubt.as_ref().map(|(untold, other)| {
        let mut other = fate(other);
        other["if"] = json!(untold.to_string());
        other
    }));
    what
}

fn fate(fate: &Fate) -> Value {
    let (outcome, error) = match fate {
        Fate::Done => ("done", None),
        Fate::Refused { error, .. } => ("refused", Some(json!(error))),
        Fate::Fails { error, .. } => ("job-fails", Some(json!({"desc": error}))),
        Fate::Stuck { .. } => ("stuck", None),
        Fate::Aborts(_) => ("aborts", None),
    };
    json!({"outcome": outcome, "error": error, "refusal": fate.refusal().map(refusal)})
}

fn refusal(refusal: &Refusal) -> Value {
    let Refusal::Permissions(faults) = refusal else {
        return json!([{"text": refusal.to_string()}]);
    };
    faults.iter().map(fault).collect()
}

fn fault(fault: &Fault) -> Value {
    let Fault::Conflict(conflict) = fault else { return json!({"text": fault.to_string()}) };
    let party = |party: &blkperm_graph::Party| {
        let sources: Vec<String> = party.sources.iter().map(ParentName::to_string).collect();
        json!({
            "parent": party.parent.to_string(),
            "edge": party.edge,
            "masks": party.demand.to_string(),
            "derivation": way(&party.why),
            "sources": sources,
        })
    };
    let permissions: Vec<&str> = conflict.permissions.iter().map(Permissions::qmp_name).collect();
    json!({
        "text": conflict.to_string(),
        "node": conflict.node,
        "permissions": permissions,
        "taken-by": party(&conflict.requirer),
        "unshared-by": party(&conflict.unsharer),
    })
}

fn proposals_in(proposals: &[Proposal]) -> Vec<Value> {
    let action = |action: &Action| json!({"text": action.to_string(), "command": action.command()});
    let proposal = |proposal: &Proposal| {
        let actions: Vec<Value> = proposal.actions.iter().map(action).collect();
        let (fails_if, works_if) = match proposal.surety {
            Surety::Sure => (None, None),
            Surety::Unless(untold) => (Some(untold.to_string()), None),
            Surety::OnlyIf(untold) => (None, Some(untold.to_string())),
        };
        json!({
            "actions": actions,
            "sure": proposal.surety == Surety::Sure,
            "fails-if": fails_if,
            "works-if": works_if,
        })
    };
    proposals.iter().map(proposal).collect()
}
