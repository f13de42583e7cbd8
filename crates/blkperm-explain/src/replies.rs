//! What QEMU answered to queries, told apart by shape.

mod shape;

pub(crate) use shape::{BlockJob, Device, Export, Job, NodeInfo};

use blkperm_qmp::json::{self, JsonError};
use blkperm_qmp::transcript::{GraphDump, GraphEdge, NodeType, Step};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What QEMU answered: the graph, and whatever else is known of it.
///
/// Of several answers to the same query the last one counts.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    /// `x-debug-query-block-graph`.
    pub(crate) graph: Option<GraphDump>,
    /// `query-named-block-nodes`.
    pub(crate) nodes: Option<Vec<NodeInfo>>,
    /// `query-jobs`.
    pub(crate) jobs: Option<Vec<Job>>,
    /// `query-block-jobs`.
    pub(crate) block_jobs: Option<Vec<BlockJob>>,
    /// `query-block-exports`.
    pub(crate) exports: Option<Vec<Export>>,
    /// `query-block`.
    pub(crate) devices: Option<Vec<Device>>,
    /// How many lists were empty, which do not tell to which query they belong.
    empty: usize,
}

/// A text does not hold what QEMU answers to queries.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A reply has the shape of a query's, but not its content.
    #[error("not what '{query}' of QEMU 10.0 returns")]
    Content {
        /// The query whose reply it seems to be.
        query: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// QEMU refused a query.
    #[error("QEMU did not answer: {0}")]
    Refused(String),
}

impl Replies {
    /// Takes over what is in a text: return values, QMP replies, or the lines of a QMP session.
    ///
    /// What is neither, and replies to other commands, are passed over.
    ///
    /// # Errors
    ///
    /// [`ReplyError`].
    pub fn read(&mut self, text: &[u8]) -> Result<(), ReplyError> {
        for located in json::read_all(text)? {
            self.take(&located.value)?;
        }
        Ok(())
    }

    /// What is known of a QEMU at a step of its transcript: the graph and the jobs.
    pub fn at(step: &Step) -> Replies {
        Replies {
            graph: step.graph.clone(),
            jobs: Some(step.jobs.iter().map(Job::from).collect()),
            ..Replies::default()
        }
    }

    /// Whether there is a graph, without which nothing can be explained.
    pub fn has_graph(&self) -> bool {
        self.graph.is_some()
    }

    /// The queries to which there is no answer, but for the graph. An empty list is an answer to any
    /// of them.
    pub fn missing(&self) -> Vec<&'static str> {
        let have = [
            ("query-named-block-nodes", self.nodes.is_some()),
            ("query-block-jobs", self.block_jobs.is_some()),
            ("query-jobs", self.jobs.is_some()),
            ("query-block-exports", self.exports.is_some()),
            ("query-block", self.devices.is_some()),
        ];
        let missing: Vec<&str> =
            have.into_iter().filter(|&(_, have)| !have).map(|(query, _)| query).collect();
        if self.empty >= missing.len() { Vec::new() } else { missing }
    }

    /// Whether a stream is over and has left its filter without a child: QEMU 10.0 then crashes on
    /// `query-named-block-nodes`.
    pub(crate) fn has_childless_filter(&self) -> bool {
        let edges = || self.graph.iter().flat_map(|graph| &graph.edges);
        let main_node = |edge: &&GraphEdge| {
            edge.parent.r#type == NodeType::BlockJob && edge.name == "main node"
        };
        let is_parent = |node: &str| {
            let of_node = |edge: &GraphEdge| edge.parent.r#type == NodeType::BlockDriver;
            edges().any(|edge| of_node(edge) && edge.parent.name == node)
        };
        let is_stream =
            |id: &str| self.jobs.iter().flatten().any(|job| job.id == id && job.r#type == "stream");
        edges()
            .filter(main_node)
            .any(|edge| is_stream(&edge.parent.name) && !is_parent(&edge.child))
    }

    /// Takes over the reply to a query that is known, so that an empty list tells something too.
    pub(crate) fn answer(&mut self, query: &str, reply: &Value) -> Result<(), ReplyError> {
        let is_empty = reply["return"].as_array().is_some_and(Vec::is_empty);
        match query {
            "query-named-block-nodes" if is_empty => self.nodes = Some(Vec::new()),
            "query-jobs" if is_empty => self.jobs = Some(Vec::new()),
            "query-block-jobs" if is_empty => self.block_jobs = Some(Vec::new()),
            "query-block-exports" if is_empty => self.exports = Some(Vec::new()),
            "query-block" if is_empty => self.devices = Some(Vec::new()),
            _ => return self.take(reply),
        }
        Ok(())
    }

    /// Takes over one value: a bare return value, or a message of a QMP session.
    ///
    /// # Errors
    ///
    /// [`ReplyError::Content`], and [`ReplyError::Refused`] for an error message.
    pub fn take(&mut self, value: &Value) -> Result<(), ReplyError> {
        if let Some(error) = value.get("error").filter(|_| value.get("event").is_none()) {
            let desc = error["desc"].as_str().unwrap_or("the reply is an error");
            return Err(ReplyError::Refused(desc.to_owned()));
        }
        match value.get("return").unwrap_or(value) {
            Value::Object(members)
                if members.contains_key("nodes") && members.contains_key("edges") =>
            {
                let query = "x-debug-query-block-graph";
                let graph = GraphDump::from_return(value.get("return").unwrap_or(value));
                self.graph = Some(graph.map_err(|source| ReplyError::Content { query, source })?);
            }
            Value::Array(items) => self.take_list(items)?,
            _ => {}
        }
        Ok(())
    }

    fn take_list(&mut self, items: &[Value]) -> Result<(), ReplyError> {
        let Some(first) = items.first() else {
            self.empty += 1;
            return Ok(());
        };
        let has = |keys: &[&str]| keys.iter().all(|key| first.get(key).is_some());
        if has(&["node-name", "drv"]) {
            self.nodes = Some(parsed("query-named-block-nodes", items)?);
        } else if has(&["id", "type", "current-progress"]) {
            self.jobs = Some(parsed("query-jobs", items)?);
        } else if has(&["device", "type", "len", "offset"]) {
            self.block_jobs = Some(parsed("query-block-jobs", items)?);
        } else if has(&["id", "type", "node-name"]) {
            self.exports = Some(parsed("query-block-exports", items)?);
        } else if has(&["device", "removable", "locked"]) {
            self.devices = Some(parsed("query-block", items)?);
        }
        Ok(())
    }
}

fn parsed<T: DeserializeOwned>(query: &'static str, items: &[Value]) -> Result<Vec<T>, ReplyError> {
    let parse = |item: &Value| T::deserialize(item);
    items
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(|source| ReplyError::Content { query, source })
}

#[cfg(test)]
mod tests;
