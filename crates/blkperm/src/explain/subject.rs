//! What is explained: a graph that was found, or that of a scenario.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use blkperm_baseline::Baseline;
use blkperm_explain::{Address, Doubt, Held, Replies, Survey, ask, edge_called, holder, who};
use blkperm_graph::{EdgeId, Refusal, Rule, Step};
use blkperm_jobs::Completion;
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::scenario::{Action, Scenario};
use blkperm_qmp::transcript::Reply;
use blkperm_qmp::{Monitor, MonitorEndpoint};
use serde_json::{Value, json};

use super::Error;
use crate::source::Source;

/// The largest file of answers that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// What is explained.
pub(crate) struct Subject {
    origin: Origin,
    /// The graph under QEMU's rule.
    monitor: Monitor<Baseline>,
}

enum Origin {
    /// What a QEMU answered.
    Found(Box<Survey>),
    /// A scenario up to the line with this place.
    Played { scenario: Scenario, end: usize },
}

/// An edge that was asked for.
pub(crate) struct Asked {
    /// Who its parent is.
    pub(crate) parent: String,
    /// The node where it ends.
    pub(crate) child: String,
    /// What it holds: QEMU's two masks.
    pub(crate) masks: String,
    /// The derivation of each thing that it takes or unshares, the nearest step first.
    pub(crate) derivations: Vec<Vec<Step>>,
}

/// What a command is given to look at.
pub(crate) enum Given {
    /// A scenario.
    Scenario(Scenario),
    /// What a QEMU answered.
    Replies(Replies),
}

impl Given {
    /// Reads files, or asks a QEMU, which may take so many seconds to answer.
    pub(crate) fn read(
        files: &[PathBuf],
        qmp: Option<&Address>,
        timeout: u64,
    ) -> Result<Given, Error> {
        if let Some(address) = qmp {
            return Ok(Given::Replies(ask(address, Duration::from_secs(timeout))?));
        }
        if let [file] = files
            && let Some(source) = scenario(file)?
        {
            return Ok(Given::Scenario(source.scenario));
        }
        let mut replies = Replies::default();
        for file in files {
            let bytes = read_bytes(file)?;
            let failed = |source| Error::Reply { file: file.clone(), source };
            replies.read(&bytes).map_err(failed)?;
        }
        Ok(Given::Replies(replies))
    }
}

impl Subject {
    /// What is to be explained; of a scenario also the command that is to be tried.
    pub(crate) fn new(
        given: Given,
        line: Option<usize>,
    ) -> Result<(Subject, Option<Value>), Error> {
        match given {
            Given::Scenario(scenario) => Subject::played(scenario, line),
            Given::Replies(replies) => Ok((Subject::found(&replies)?, None)),
        }
    }

    pub(crate) fn found(replies: &Replies) -> Result<Subject, Error> {
        let survey = Survey::of(replies)?;
        let built = survey.build(Baseline, Completion::Stepwise);
        let monitor = built.map_err(blkperm_explain::ImportError::Impossible)?.monitor;
        Ok(Subject { origin: Origin::Found(Box::new(survey)), monitor })
    }

    /// The scenario before the given line, or before the first at which something goes wrong, or at
    /// its end.
    fn played(scenario: Scenario, line: Option<usize>) -> Result<(Subject, Option<Value>), Error> {
        let end = match line {
            None => first_failure(&scenario),
            Some(line) => {
                let place = scenario.lines.iter().position(|one| one.number == line);
                let name = || scenario.name.clone();
                place.ok_or_else(|| Error::NoSuchLine { scenario: name(), line })?
            }
        };
        let tried = scenario.lines.get(end).and_then(|line| match &line.action {
            Action::Command(command) => Some(command.clone()),
            Action::Image(_) => None,
        });
        let monitor = played(Baseline, Completion::Stepwise, &scenario, end);
        Ok((Subject { origin: Origin::Played { scenario, end }, monitor }, tried))
    }

    /// The graph under `rule`.
    ///
    /// # Errors
    ///
    /// The refusal where the rule does not allow the graph as it is.
    pub(crate) fn monitor<R: Rule + Clone>(
        &self,
        rule: R,
        completion: Completion,
    ) -> Result<Monitor<R>, Refusal> {
        match &self.origin {
            Origin::Found(survey) => survey.build(rule, completion).map(|built| built.monitor),
            Origin::Played { scenario, end } => Ok(played(rule, completion, scenario, *end)),
        }
    }

    /// The graph as it may be instead, where the answers leave that open.
    pub(crate) fn doubts<R: Rule + Clone>(
        &self,
        rule: &R,
        completion: Completion,
    ) -> Vec<Doubt<R>> {
        let built = self.survey().map(|survey| survey.build_doubtful(rule, completion));
        built.unwrap_or_default()
    }

    /// What was made of a QEMU's answers; none for a scenario.
    pub(crate) fn survey(&self) -> Option<&Survey> {
        match &self.origin {
            Origin::Found(survey) => Some(survey),
            Origin::Played { .. } => None,
        }
    }

    /// A request with the node of a drive in place of the drive's name, and with its id for the job, as
    /// QEMU takes it. A storage daemon has no drives.
    pub(crate) fn resolved(&self, mut request: Value) -> Value {
        let is_verb = request["execute"].as_str().is_some_and(|name| name.contains("job-"));
        let device = request["arguments"]["device"].as_str().map(str::to_owned);
        let devices = self.survey().map(Survey::devices).unwrap_or_default();
        let drive = devices.iter().find(|(name, _)| Some(*name) == device.as_deref());
        if let Some(&(name, node)) = drive.filter(|_| !is_verb) {
            request["arguments"]["device"] = json!(node);
            if let Some(arguments) = request["arguments"].as_object_mut() {
                arguments.entry("job-id").or_insert_with(|| json!(name));
            }
        }
        request
    }

    /// What it is, in words.
    pub(crate) fn title(&self) -> String {
        let graph = &self.monitor.layer().graph;
        let count = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let jobs = self.monitor.layer().jobs().len();
        let counts = format!(
            "{}, {}, {}",
            count(graph.node_count(), "node"),
            count(graph.edge_count(), "edge"),
            count(jobs, "job"),
        );
        match &self.origin {
            Origin::Found(survey) => match survey.unexplained().len() {
                0 => format!("{counts}; the rules of QEMU 10.0 explain every edge"),
                some => format!(
                    "{counts}; the rules of QEMU 10.0 do not explain {}",
                    count(some, "edge")
                ),
            },
            Origin::Played { scenario, end } => match scenario.lines.get(*end) {
                Some(line) => format!("{} before line {}: {counts}", scenario.name, line.number),
                None => format!("{} at its end: {counts}", scenario.name),
            },
        }
    }

    /// Who holds what on each node.
    pub(crate) fn who(&self) -> Vec<Held> {
        who(&self.monitor.layer().graph)
    }

    /// The edges into the nodes, and the edges themselves, that were asked for.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuch`] and [`Error::NotAnEdge`].
    pub(crate) fn asked(&self, nodes: &[String], edges: &[String]) -> Result<Vec<Asked>, Error> {
        let graph = &self.monitor.layer().graph;
        let mut asked = Vec::new();
        for name in nodes {
            let node = graph.node_by_name(name).ok_or_else(|| {
                let known = graph.nodes().into_iter().map(|node| graph.name(node).to_owned());
                Error::NoSuch { what: "node", name: name.clone(), known: known.collect() }
            })?;
            asked.extend(graph.parents(node).chain(graph.children(node)));
        }
        for text in edges {
            // An edge's name has no colon; an id may have.
            let (parent, name) =
                text.rsplit_once(':').ok_or_else(|| Error::NotAnEdge(text.clone()))?;
            let edge = edge_called(graph, parent, name);
            let known = Vec::new;
            asked.push(edge.ok_or_else(|| Error::NoSuch {
                what: "edge",
                name: text.clone(),
                known: known(),
            })?);
        }
        Ok(asked.into_iter().map(|edge| self.describe(edge)).collect())
    }

    fn describe(&self, edge: EdgeId) -> Asked {
        let graph = &self.monitor.layer().graph;
        let demand = graph.demand(edge);
        Asked {
            parent: holder(graph, edge),
            child: graph.name(graph.child_of(edge)).to_owned(),
            masks: demand.to_string(),
            derivations: demand.slots().map(|slot| graph.why(edge, slot)).collect(),
        }
    }
}

/// The scenario that is meant, if it is one: one that is built in, or a file called as scenarios are.
fn scenario(file: &Path) -> Result<Option<Source>, Error> {
    let is_scenario = file.extension().is_some_and(|end| end == "qmp");
    let is_built_in = file.components().count() == 1 && !file.exists() && file.as_os_str() != "-";
    if is_scenario || is_built_in {
        return Ok(Some(Source::named(file).map_err(Box::new)?));
    }
    Ok(None)
}

/// The place of the first line at which QEMU answers with an error, a job fails, or all ends.
fn first_failure(scenario: &Scenario) -> usize {
    let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
    for (place, line) in scenario.lines.iter().enumerate() {
        let went_well = match &line.action {
            Action::Image(image) => endpoint.create_image(image).is_ok(),
            Action::Command(command) => carry_out(&mut endpoint, command),
        };
        let failed = |event: &blkperm_qmp::transcript::Event| event.data.get("error").is_some();
        if !went_well || endpoint.take_events().iter().any(failed) {
            return place;
        }
    }
    scenario.lines.len()
}

fn carry_out<R: Rule>(endpoint: &mut MonitorEndpoint<R>, command: &Value) -> bool {
    let reply = endpoint.execute(command);
    let settled: Result<(), Stop> = endpoint.settle();
    matches!(reply, Ok(Reply::Return(_))) && settled.is_ok()
}

/// What a monitor is after the lines before `end`.
fn played<R: Rule + Clone>(
    rule: R,
    completion: Completion,
    scenario: &Scenario,
    end: usize,
) -> Monitor<R> {
    let mut endpoint = MonitorEndpoint::new(rule, completion);
    for line in &scenario.lines[..end] {
        match &line.action {
            // What is refused here is refused there.
            Action::Image(image) => drop(endpoint.create_image(image)),
            Action::Command(command) => {
                carry_out(&mut endpoint, command);
            }
        }
    }
    endpoint.monitor().clone()
}

/// The text of a file.
pub(super) fn read(file: &Path) -> Result<String, Error> {
    let bytes = read_bytes(file)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is in a file, or comes from standard input.
fn read_bytes(file: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| {
        Error::Source(Box::new(crate::error::Error::Read { file: file.to_owned(), source }))
    };
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let open = File::open(file).map_err(failed)?;
        open.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("larger than {} MiB", MAX_BYTES >> 20);
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    Ok(bytes)
}
