//! What went wrong, in classes.

use std::fmt;

use blkperm_graph::{Fault, Holder, NodeId, Parent, ParentName, Party, Refusal, Rule};

use crate::action::{Action, Verb};
use crate::stage::{Stage, World};

/// How something went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// QEMU's process would have ended.
    Abort,
    /// A job can neither complete nor be cancelled.
    Stuck,
    /// A law or an invariant does not hold.
    Broken,
}

/// What findings have in common that are the same mistake.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Class {
    /// How it went wrong.
    pub outcome: Outcome,
    /// The type of the job that the last command is about; empty where it is about none.
    pub job: &'static str,
    /// The last command.
    pub command: &'static str,
    /// Who took what, who unshared it, and where that was before the last command; or what does not
    /// hold.
    pub cause: String,
}

/// `abort: active commit, job-complete: consistent-read, ...`
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Abort => "abort",
            Outcome::Stuck => "stuck",
            Outcome::Broken => "broken",
        };
        let job = if self.job.is_empty() { "no job" } else { self.job };
        write!(f, "{outcome}: {job}, {}: {}", self.command, self.cause)
    }
}

/// All findings of one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The class.
    pub class: Class,
    /// How many transitions belong to it.
    pub count: u64,
    /// The commands of a shortest way to it.
    pub witness: Vec<Action>,
}

impl<R: Rule> Stage<R> {
    /// The class of a refusal that ended the process, or of jobs that are stuck.
    pub(crate) fn class(
        &self,
        before: &World<R>,
        action: Action,
        outcome: Outcome,
        refusal: Option<&Refusal>,
    ) -> Class {
        let cause = match refusal {
            Some(refusal) => self.cause(before, action, refusal),
            None => self.strangers(before, action),
        };
        Class { outcome, job: job_type(before, action), command: command(action), cause }
    }

    fn cause(&self, before: &World<R>, action: Action, refusal: &Refusal) -> String {
        let Refusal::Permissions(faults) = refusal else { return refusal.to_string() };
        let Fault::Conflict(conflict) = &faults[0] else { return refusal.to_string() };
        let permissions: Vec<&str> = conflict.permissions.iter().map(|p| p.qmp_name()).collect();
        let party = |party: &Party| self.party(before, action, party);
        let (taker, unsharer) = (party(&conflict.requirer), party(&conflict.unsharer));
        format!("{}, taken by {taker}, unshared by {unsharer}", permissions.join(" and "))
    }

    fn party(&self, before: &World<R>, action: Action, party: &Party) -> String {
        match &party.parent {
            ParentName::Node(name) if name.starts_with("stranger") => {
                let graph = &before.layer.graph;
                let stranger = graph.node_by_name(name);
                let edge = stranger.and_then(|stranger| graph.filtered_edge(stranger));
                let below = edge.map(|edge| graph.child_of(edge));
                let role = below.map_or("nothing", |below| self.role(before, action, below));
                format!("a stranger on {role}")
            }
            ParentName::Node(name) if name.starts_with("filter") => "a job's filter".to_owned(),
            ParentName::Node(_) => "an image".to_owned(),
            ParentName::Root(Holder::Backend { purpose }) if purpose.starts_with("export") => {
                "an export".to_owned()
            }
            ParentName::Root(_) => "a job".to_owned(),
        }
    }

    /// Where each stranger stands, and what it demands.
    fn strangers(&self, before: &World<R>, action: Action) -> String {
        let graph = &before.layer.graph;
        let strangers = (0..self.universe.strangers as u8).filter_map(|slot| {
            let edge = graph.filtered_edge(Stage::stranger(graph, slot)?)?;
            let role = self.role(before, action, graph.child_of(edge));
            let demand = graph.row(edge).constant;
            let slot = demand.slots().next()?;
            let verb = if slot.is_take() { "taking" } else { "unsharing" };
            Some(format!("a stranger on {role} {verb} {}", slot.permission().qmp_name()))
        });
        let mut strangers: Vec<String> = strangers.collect();
        strangers.sort();
        strangers.join(", ")
    }

    /// What a node is to the job that a command is about.
    fn role(&self, before: &World<R>, action: Action, node: NodeId) -> &'static str {
        let graph = &before.layer.graph;
        let job = subject(action).and_then(|slot| Stage::job(&before.layer, slot));
        let Some(job) = job else { return "a node" };
        let of_job = |&edge: &blkperm_graph::EdgeId| match graph.parent_of(edge) {
            Parent::Root(root) => {
                matches!(graph.holder(root), Holder::Job { id, .. } if id == job.id())
            }
            Parent::Node(_) => false,
        };
        let names: Vec<&str> =
            graph.parents(node).filter(of_job).map(|edge| graph.edge_name(edge)).collect();
        let is_active_commit = job.is_mirror() && job.kind() == "commit";
        match names.as_slice() {
            _ if graph.filter_owner(node).is_some() => "a filter",
            [] => "another node",
            names if names.contains(&"source") => "the source",
            names if names.contains(&"target") && is_active_commit => "the base",
            names if names.contains(&"target") => "the target",
            names if names.contains(&"base") => "the base",
            names if names.contains(&"intermediate node") => "an intermediate node",
            _ => "the device",
        }
    }
}

/// The number of the job that a command is about.
fn subject(action: Action) -> Option<u8> {
    match action {
        Action::Verb(slot, _) | Action::Mirror { slot, .. } | Action::Commit { slot, .. } => {
            Some(slot)
        }
        _ => None,
    }
}

fn job_type<R: Rule>(before: &World<R>, action: Action) -> &'static str {
    let job = subject(action).and_then(|slot| Stage::job(&before.layer, slot));
    match (job, action) {
        (Some(job), _) if job.kind() == "commit" && job.is_mirror() => "active commit",
        (Some(job), _) => job.kind(),
        (None, Action::Mirror { .. }) => "mirror",
        (None, Action::Commit { .. }) => "commit",
        (None, _) => "",
    }
}

fn command(action: Action) -> &'static str {
    match action {
        Action::AddStranger { .. } => "blockdev-add",
        Action::RemoveStranger(_) => "blockdev-del",
        Action::AddExport { .. } => "block-export-add",
        Action::RemoveExport(_) => "block-export-del",
        Action::Mirror { .. } => "blockdev-mirror",
        Action::Commit { .. } => "block-commit",
        // Graceful or not, a cancelled job leaves in the same way.
        Action::Verb(_, Verb::Cancel) => Verb::ForceCancel.command(),
        Action::Verb(_, verb) => verb.command(),
    }
}
