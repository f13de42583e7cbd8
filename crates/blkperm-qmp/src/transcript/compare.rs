//! Where two transcripts differ.

use super::names::Names;
use serde_json::Value;

use super::{Death, Event, GraphDump, GraphEdge, Job, NodeType, Reply, Step, Transcript};
use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// One respect in which two transcripts differ, and what each of them has there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The line of the scenario.
    pub line: usize,
    /// The command's name.
    pub command: String,
    /// In which respect.
    pub respect: Respect,
    /// What the left transcript has.
    pub left: String,
    /// What the right transcript has.
    pub right: String,
}

/// Writes one line, for example `line 12 (job-complete), verdict: {} / no reply`.
impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { line, command, respect, left, right } = self;
        write!(f, "line {line} ({command}), {respect}: {left} / {right}")
    }
}

/// In which respect two transcripts differ.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Respect {
    /// Other commands were played, or one transcript goes on where the other ends.
    Commands,
    /// One accepts what the other refuses, or gives no reply at all.
    Verdict,
    /// What an accepted command returns.
    Value,
    /// The class of a refusal.
    Class,
    /// The text of a refusal.
    Text,
    /// The events of this job, or those that belong to none.
    Events(Option<String>),
    /// Which jobs there are, their type, status and error.
    Jobs,
    /// How far a job has come.
    Progress,
    /// Which nodes, jobs and BlockBackends the graph has.
    Nodes,
    /// Which edges the graph has.
    Edges,
    /// What an edge takes and shares.
    Permissions,
    /// The order of the nodes, which are the same.
    NodeOrder,
    /// The order of the edges, which are the same.
    EdgeOrder,
    /// The jobs that can neither be completed nor cancelled.
    Stuck,
    /// Whether the endpoint died, and by what.
    Death,
    /// The last message of a dying endpoint.
    DeathText,
}

/// Writes the respect in words, for example `events of job 'j0'`.
impl Display for Respect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Respect::Commands => "commands",
            Respect::Verdict => "verdict",
            Respect::Value => "return value",
            Respect::Class => "error class",
            Respect::Text => "error text",
            Respect::Events(Some(job)) => return write!(f, "events of job '{job}'"),
            Respect::Events(None) => "other events",
            Respect::Jobs => "jobs",
            Respect::Progress => "progress",
            Respect::Nodes => "nodes",
            Respect::Edges => "edges",
            Respect::Permissions => "permissions",
            Respect::NodeOrder => "order of nodes",
            Respect::EdgeOrder => "order of edges",
            Respect::Stuck => "stuck jobs",
            Respect::Death => "death",
            Respect::DeathText => "last words",
        })
    }
}

/// What [`Transcript::differences`] returns.
pub(super) fn differences(left: &Transcript, right: &Transcript) -> Vec<Difference> {
    let mut comparison = Comparison::default();
    for (left, right) in left.steps.iter().zip(&right.steps) {
        comparison.step(left, right);
    }
    let common = left.steps.len().min(right.steps.len());
    let one_died = [left, right].iter().any(|one| one.death().is_some());
    let (next_left, next_right) = (left.steps.get(common), right.steps.get(common));
    if let (Some(next), false) = (next_left.or(next_right), one_died) {
        let what = |step: Option<&Step>| step.map_or("ends here", Step::command_name).to_owned();
        comparison.at(next);
        comparison.note(Respect::Commands, what(next_left), what(next_right));
    }
    comparison.found
}

/// What was found so far, and where the comparison stands.
#[derive(Default)]
struct Comparison {
    names: Names,
    found: Vec<Difference>,
    line: usize,
    command: String,
}

impl Comparison {
    fn at(&mut self, step: &Step) {
        self.line = step.line;
        step.command_name().clone_into(&mut self.command);
    }

    fn note(&mut self, respect: Respect, left: impl Display, right: impl Display) {
        let (left, right) = (left.to_string(), right.to_string());
        let command = self.command.clone();
        self.found.push(Difference { line: self.line, command, respect, left, right });
    }

    fn step(&mut self, left: &Step, right: &Step) {
        self.at(left);
        if !self.names.agree_values(&left.command, &right.command) {
            self.note(Respect::Commands, &left.command, &right.command);
        }
        let (left_reply, right_reply) = match left.command_name() {
            // These are about the program, not about its graph.
            "query-version" | "query-commands" => (None, None),
            "query-named-block-nodes" => common_replies(left.reply.as_ref(), right.reply.as_ref()),
            _ => (left.reply.clone(), right.reply.clone()),
        };
        self.reply(left_reply.as_ref(), right_reply.as_ref());
        self.events(&left.events, &right.events);
        self.jobs(&left.jobs, &right.jobs);
        if let (Some(left), Some(right)) = (&left.graph, &right.graph) {
            self.graph(left, right);
        }
        if sorted(&left.stuck) != sorted(&right.stuck) {
            self.note(Respect::Stuck, list(&left.stuck), list(&right.stuck));
        }
        self.death(left.death.as_ref(), right.death.as_ref());
    }

    fn reply(&mut self, left: Option<&Reply>, right: Option<&Reply>) {
        match (left, right) {
            (None, None) => {}
            (Some(Reply::Return(left)), Some(Reply::Return(right))) => {
                if !self.names.agree_values(left, right) {
                    self.note(Respect::Value, left, right);
                }
            }
            (
                Some(Reply::Error { class: left_class, desc: left }),
                Some(Reply::Error { class: right_class, desc: right }),
            ) => {
                if left_class != right_class {
                    self.note(Respect::Class, left_class, right_class);
                }
                if !self.names.agree(left, right) {
                    self.note(Respect::Text, left, right);
                }
            }
            _ => self.note(Respect::Verdict, or("no reply", left), or("no reply", right)),
        }
    }

    /// Events of different jobs may overtake each other; those of one job may not. Those that tell of
    /// data are not compared.
    fn events(&mut self, left: &[Event], right: &[Event]) {
        let all = left.iter().chain(right).filter(|event| !event.tells_of_data());
        let jobs: BTreeSet<Option<&str>> = all.map(Event::job).collect();
        for job in jobs {
            let of_job = |event: &&Event| event.job() == job && !event.tells_of_data();
            let left: Vec<&Event> = left.iter().filter(of_job).collect();
            let right: Vec<&Event> = right.iter().filter(of_job).collect();
            let same = left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|(l, r)| l.name == r.name && self.names.agree_values(&l.data, &r.data));
            if !same {
                self.note(Respect::Events(job.map(str::to_owned)), list(&left), list(&right));
            }
        }
    }

    fn jobs(&mut self, left: &[Job], right: &[Job]) {
        let same = left.len() == right.len()
            && left.iter().zip(right).all(|(l, r)| {
                (&l.id, &l.r#type, &l.status) == (&r.id, &r.r#type, &r.status)
                    && match (&l.error, &r.error) {
                        (Some(left), Some(right)) => self.names.agree(left, right),
                        (left, right) => left == right,
                    }
            });
        if !same {
            return self.note(Respect::Jobs, list(left), list(right));
        }
        for (l, r) in left.iter().zip(right) {
            let progress = |job: &Job| (job.current_progress, job.total_progress);
            if progress(l) != progress(r) {
                let text =
                    |job: &Job| format!("{} of {}", job.current_progress, job.total_progress);
                self.note(Respect::Progress, text(l), text(r));
            }
        }
    }

    fn graph(&mut self, left: &GraphDump, right: &GraphDump) {
        fn node_names(graph: &GraphDump) -> impl Iterator<Item = &str> {
            let nodes = graph.nodes.iter().filter(|node| node.r#type == NodeType::BlockDriver);
            nodes.map(|node| node.name.as_str())
        }
        self.names.pair_in_order(node_names(left), node_names(right));

        let nodes = left.nodes.iter().map(|node| {
            let mut node = node.clone();
            node.name = self.names.translate(&node.name);
            node
        });
        let nodes: Vec<_> = nodes.collect();
        let (mut only_left, mut only_right) = leftovers(&nodes, &right.nodes);
        if !only_left.is_empty() || !only_right.is_empty() {
            self.note(Respect::Nodes, list(&only_left), list(&only_right));
        } else if nodes != right.nodes {
            (only_left, only_right) = (nodes.iter().collect(), right.nodes.iter().collect());
            self.note(Respect::NodeOrder, list(&only_left), list(&only_right));
        }
        let edges: Vec<_> = left.edges.iter().map(|edge| self.translated(edge)).collect();
        self.edges(&edges, &right.edges);
    }

    fn translated(&self, edge: &GraphEdge) -> GraphEdge {
        let mut edge = edge.clone();
        edge.child = self.names.translate(&edge.child);
        edge.parent.name = self.names.translate(&edge.parent.name);
        edge
    }

    fn edges(&mut self, left: &[GraphEdge], right: &[GraphEdge]) {
        let (only_left, mut only_right) = leftovers(left, right);
        if only_left.is_empty() && only_right.is_empty() {
            if left != right {
                self.note(Respect::EdgeOrder, list(left), list(right));
            }
            return;
        }
        for l in only_left {
            let place =
                |edge: &GraphEdge| (edge.child.clone(), edge.parent.clone(), edge.name.clone());
            match only_right.iter().position(|r| place(l) == place(r)) {
                Some(at) => self.note(Respect::Permissions, l, only_right.remove(at)),
                None => self.note(Respect::Edges, l, ABSENT),
            }
        }
        for r in only_right {
            self.note(Respect::Edges, ABSENT, r);
        }
    }

    fn death(&mut self, left: Option<&Death>, right: Option<&Death>) {
        match (left, right) {
            (Some(left), Some(right)) if left.signal == right.signal => {
                if !self.names.agree(&left.message, &right.message) {
                    self.note(Respect::DeathText, &left.message, &right.message);
                }
            }
            (None, None) => {}
            _ => self.note(Respect::Death, or("lives", left), or("lives", right)),
        }
    }
}

const ABSENT: &str = "absent";

fn or(missing: &str, value: Option<&impl Display>) -> String {
    value.map_or_else(|| missing.to_owned(), ToString::to_string)
}

fn list(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(", "))
}

fn sorted(items: &[String]) -> BTreeSet<&String> {
    items.iter().collect()
}

/// What each side has that the other has not, counting how often.
fn leftovers<'a, T: PartialEq>(left: &'a [T], right: &'a [T]) -> (Vec<&'a T>, Vec<&'a T>) {
    let mut only_right: Vec<&T> = right.iter().collect();
    let only_left = left.iter().filter(|l| match only_right.iter().position(|r| r == l) {
        Some(at) => {
            only_right.remove(at);
            false
        }
        None => true,
    });
    (only_left.collect(), only_right)
}

/// Replies that describe more than a graph has, for example how much of a disk an image takes: of
/// these, what both sides say is compared.
fn common_replies(left: Option<&Reply>, right: Option<&Reply>) -> (Option<Reply>, Option<Reply>) {
    match (left, right) {
        (Some(Reply::Return(left)), Some(Reply::Return(right))) => {
            let (left, right) = common(left, right);
            (Some(Reply::Return(left)), Some(Reply::Return(right)))
        }
        (left, right) => (left.cloned(), right.cloned()),
    }
}

/// What two values have in common the members of: of lists, that is item by item.
fn common(left: &Value, right: &Value) -> (Value, Value) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let shared =
                left.iter().filter_map(|(name, value)| Some((name, value, right.get(name)?)));
            let pairs = shared.map(|(name, left, right)| (name, common(left, right)));
            let (lefts, rights) = pairs
                .map(|(name, (left, right))| ((name.clone(), left), (name.clone(), right)))
                .unzip();
            (Value::Object(lefts), Value::Object(rights))
        }
        (Value::Array(left), Value::Array(right)) => {
            let (lefts, rights) =
                left.iter().zip(right).map(|(left, right)| common(left, right)).unzip();
            (Value::Array(lefts), Value::Array(rights))
        }
        _ => (left.clone(), right.clone()),
    }
}
