//! What one endpoint answered to a scenario, in a form that can be kept and compared.

mod compare;
mod graph_dump;
mod names;

pub use compare::{Difference, Respect};
pub use graph_dump::{GraphDump, GraphEdge, GraphNode, NodeType};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What one endpoint answered to a scenario: one step for each command.
///
/// It ends early when the endpoint died; the last step then carries the [`Death`].
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transcript {
    /// The steps, in the order of the commands.
    pub steps: Vec<Step>,
}

impl Transcript {
    /// How the endpoint died, if it did.
    pub fn death(&self) -> Option<&Death> {
        self.steps.last().and_then(|step| step.death.as_ref())
    }

    /// Every respect in which `other` differs, in the order of the commands.
    ///
    /// Generated node names (`#block012`) are compared by place: the first one that stands where
    /// the other transcript has another is taken for its counterpart from there on, in graphs and
    /// in texts alike.
    pub fn differences(&self, other: &Transcript) -> Vec<Difference> {
        compare::differences(self, other)
    }
}

/// What followed one command, until no job moved by itself any more.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The line of the scenario, from 1.
    pub line: usize,
    /// The command as it was sent.
    pub command: Value,
    /// The reply; none when the endpoint died first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// The events since the previous step, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// What `query-jobs` returned; empty after a death.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// What `x-debug-query-block-graph` returned; none after a death.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphDump>,
    /// The jobs that can neither be completed nor cancelled; QEMU would have died instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
    /// How the endpoint died, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub death: Option<Death>,
}

impl Step {
    /// A step that knows its command only.
    pub fn new(line: usize, command: Value) -> Step {
        let (events, jobs, stuck) = (Vec::new(), Vec::new(), Vec::new());
        Step { line, command, reply: None, events, jobs, graph: None, stuck, death: None }
    }

    /// The name of the command, `execute`; empty when the line has none.
    pub fn command_name(&self) -> &str {
        self.command["execute"].as_str().unwrap_or_default()
    }
}

/// A reply of QMP.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The command was carried out; `{}` for most commands.
    Return(Value),
    /// The command was refused.
    Error {
        /// `QapiErrorClass`, for example `GenericError`.
        class: String,
        /// The text for people.
        desc: String,
    },
}

impl Reply {
    /// The reply in a message of QMP, `{"return": ...}` or `{"error": {...}}`; none in any other.
    pub fn from_message(message: &Value) -> Option<Reply> {
        if let Some(value) = message.get("return") {
            return Some(Reply::Return(value.clone()));
        }
        let error = message.get("error")?;
        let word = |key: &str| error.get(key)?.as_str().map(str::to_owned);
        Some(Reply::Error { class: word("class")?, desc: word("desc")? })
    }

    /// Whether the command was carried out.
    pub fn is_return(&self) -> bool {
        matches!(self, Reply::Return(_))
    }
}

/// Writes `{}` for an empty return value and `GenericError: text` for a refusal.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Return(value) => value.fmt(f),
            Reply::Error { class, desc } => write!(f, "{class}: {desc}"),
        }
    }
}

/// An event of QMP without its timestamp.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The name, for example `JOB_STATUS_CHANGE`.
    pub name: String,
    /// What the event tells; null when it tells nothing more.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Event {
    /// The event in a message of QMP; none in any other message.
    pub fn from_message(message: &Value) -> Option<Event> {
        let name = message.get("event")?.as_str()?.to_owned();
        Some(Event { name, data: message.get("data").cloned().unwrap_or_default() })
    }

    /// Whether the event tells of what was read, which a model of the graph alone cannot know.
    pub fn tells_of_data(&self) -> bool {
        self.name == "QUORUM_REPORT_BAD"
    }

    /// The job that the event is about; none for other events.
    pub fn job(&self) -> Option<&str> {
        let key = match self.name.as_str() {
            "JOB_STATUS_CHANGE" => "id",
            "BLOCK_JOB_PENDING" => "id",
            name if name.starts_with("BLOCK_JOB_") => "device",
            _ => return None,
        };
        self.data.get(key)?.as_str()
    }
}

/// Writes the name, and what the event tells as JSON.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), self.data["status"].as_str()) {
            ("JOB_STATUS_CHANGE", Some(status)) => f.write_str(status),
            _ if self.data.is_null() => f.write_str(&self.name),
            _ => write!(f, "{} {}", self.name, self.data),
        }
    }
}

/// A job as `query-jobs` shows it (`JobInfo`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// `JobType`, for example `mirror`.
    pub r#type: String,
    /// `JobStatus`, for example `ready`.
    pub status: String,
    /// How much is done, in a unit of the job's own.
    pub current_progress: u64,
    /// What [`Job::current_progress`] will be in the end, as far as known.
    pub total_progress: u64,
    /// Why the job failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Writes the status, and why the job failed.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} job '{}': {}", self.r#type, self.id, self.status)?;
        match &self.error {
            Some(error) => write!(f, ", {error}"),
            None => Ok(()),
        }
    }
}

/// The end of the endpoint's process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// What ended it, `SIGABRT` for an abort, `SIGSEGV` for a crash, `exit status: 1` for an exit.
    pub signal: String,
    /// The last message before the end, without the program's name; may be empty.
    pub message: String,
    /// Where QEMU says that the error was unexpected, `bdrv_a_allow_b() at block.c:2243`; this is
    /// not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// Writes the signal and the message.
impl Death {
    /// The end of a process that was asked to quit.
    pub fn exit() -> Death {
        Death { signal: "exit status: 0".to_owned(), message: String::new(), origin: None }
    }

    /// Whether the process ended because it was asked to.
    pub fn is_exit(&self) -> bool {
        *self == Death::exit()
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.signal, self.message)
    }
}

#[cfg(test)]
mod tests;
