//! What nodes are called by their content.

use std::collections::HashMap;

use blkperm_graph::driver::{COPY_BEFORE_WRITE, QUORUM};
use blkperm_graph::{EdgeId, Graph, NodeId, Role, Rule};
use serde_json::{Value, json};

use super::Monitor;
use super::node::NodeDetail;
use crate::qapi::flat::Options;
use crate::qapi::qdict_order;

/// How many bytes a filename has at most, and how one ends that would have more.
///
/// Source: `bdrv_refresh_filename` in `block.c`, QEMU 10.0.
const LONGEST: usize = 4095;
const CUT: &str = "...";

/// The options of each driver that say what the node's content is; all that begin so where a name ends
/// with a dot. Other drivers have none.
///
/// Source: `strong_runtime_opts` of each `BlockDriver`, and what `blkdebug_refresh_filename` and
/// `blk_log_writes_refresh_filename` add, QEMU 10.0.
const STRONG: [(&str, &[&str]); 11] = [
    (
        "blkdebug",
        &[
            "config",
            "inject-error.",
            "set-state.",
            "align",
            "max-transfer",
            "opt-write-zero",
            "max-write-zero",
            "opt-discard",
            "max-discard",
        ],
    ),
    ("blklogwrites", &["log-sector-size", "log-append"]),
    ("file", &["filename"]),
    ("luks", &["key-secret"]),
    ("null-aio", &["size", "read-zeroes"]),
    ("null-co", &["size", "read-zeroes"]),
    ("quorum", &["vote-threshold", "blkverify", "rewrite-corrupted", "read-pattern"]),
    ("raw", &["offset", "size"]),
    ("replication", &["mode", "top-id"]),
    ("qcow2", &["encrypt."]),
    ("throttle", &["throttle-group"]),
];

/// Those of the options that say what the content of a node of that driver is.
fn strong_options(driver: &str, options: &Options) -> Options {
    let row = STRONG.iter().find(|(name, _)| *name == driver);
    let strong = row.map_or(&[][..], |(_, names)| names);
    let is_strong = |option: &str| {
        let is_one =
            |name: &&str| option == *name || name.ends_with('.') && option.starts_with(name);
        strong.iter().any(is_one)
    };
    let chosen = options.iter().filter(|(option, _)| is_strong(option));
    chosen.map(|(option, value)| (option.clone(), value.clone())).collect()
}

/// Whether the node is a job's filter that was given no name; that of a backup never is, QEMU's quirk.
///
/// Source: `bdrv_cbw_append` in `block/copy-before-write.c`, QEMU 10.0.
pub(super) fn is_implicit<R: Rule>(graph: &Graph<R>, node: NodeId) -> bool {
    let is_jobs = graph.filter_owner(node).is_some() && graph.driver(node) != &COPY_BEFORE_WRITE;
    is_jobs && graph.name(node).starts_with('#')
}

/// The node below one that is implicit.
pub(super) fn below_implicit<R: Rule>(graph: &Graph<R>, node: NodeId) -> Option<NodeId> {
    let edge = graph.filtered_edge(node).filter(|_| is_implicit(graph, node))?;
    Some(graph.child_of(edge))
}

/// What is known of a node's name.
#[derive(Debug)]
struct Called {
    /// What the node is called.
    filename: String,
    /// The path that says all about the node's content, if there is one.
    plain: Option<String>,
    /// All options that say what the node's content is, as QEMU writes them into a filename, as far as
    /// they can matter.
    options: String,
}

/// What nodes are called by their content: a path, or their options as `json:{...}`.
///
/// The name of a node is made of those of its children, so each is made once.
///
/// Source: `bdrv_refresh_filename` in `block.c`, QEMU 10.0.
pub(super) struct Filenames<'m, R: Rule> {
    monitor: &'m Monitor<R>,
    known: HashMap<NodeId, Called>,
}

impl<'m, R: Rule> Filenames<'m, R> {
    /// Nothing is known yet.
    pub(super) fn of(monitor: &'m Monitor<R>) -> Filenames<'m, R> {
        Filenames { monitor, known: HashMap::new() }
    }

    /// What the node is called.
    pub(super) fn filename(&mut self, node: NodeId) -> &str {
        &self.called(node).filename
    }

    /// Whether the node has another backing file than its image has by itself.
    ///
    /// Source: `bdrv_backing_overridden` in `block.c`, QEMU 10.0.
    pub(super) fn is_backing_overridden(&mut self, node: NodeId) -> bool {
        self.called(node);
        self.overrides(node)
    }

    /// Makes the names below the node first: a chain may be longer than the stack.
    fn called(&mut self, node: NodeId) -> &Called {
        let graph = &self.monitor.layer.graph;
        let mut left = vec![node];
        while let Some(&node) = left.last() {
            let children = graph.children(node).map(|edge| graph.child_of(edge));
            let before = left.len();
            left.extend(children.filter(|child| !self.known.contains_key(child)));
            if left.len() == before {
                left.pop();
                let called = self.call(node);
                self.known.insert(node, called);
            }
        }
        &self.known[&node]
    }

    /// The name of a node whose children's are known.
    fn call(&self, node: NodeId) -> Called {
        if let Some(below) = below_implicit(&self.monitor.layer.graph, node) {
            let Called { filename, plain, options } = &self.known[&below];
            let (filename, plain, options) = (filename.clone(), plain.clone(), options.clone());
            return Called { filename, plain, options };
        }
        let mut options = self.options(node);
        let plain = self.plain(node);
        let mut filename = plain.clone().unwrap_or_else(|| format!("json:{options}"));
        if filename.len() > LONGEST {
            truncate(&mut filename, LONGEST - CUT.len());
            filename.push_str(CUT);
        }
        truncate(&mut options, LONGEST);
        Called { filename, plain, options }
    }

    /// The options of the node that say what its content is.
    fn strong_options(&self, node: NodeId) -> Options {
        let graph = &self.monitor.layer.graph;
        let detail = self.monitor.nodes.get(graph.name(node));
        let strong =
            |detail: &NodeDetail| strong_options(graph.driver(node).name, &detail.explicit);
        detail.map(strong).unwrap_or_default()
    }

    fn plain(&self, node: NodeId) -> Option<String> {
        let graph = &self.monitor.layer.graph;
        let detail = self.monitor.nodes.get(graph.name(node));
        let child = |name: &str| {
            let edge = graph.child_edge(node, name)?;
            Some(&self.known[&graph.child_of(edge)])
        };
        match graph.driver(node).name {
            "file" => detail?.filename.clone(),
            driver @ ("null-co" | "null-aio") => {
                self.strong_options(node).is_empty().then(|| format!("{driver}://"))
            }
            "blkdebug" => {
                let mut options = self.strong_options(node);
                let config = options.shift_remove("config").unwrap_or_default();
                let image = child("image")?.plain.as_ref()?;
                let config = config.as_str().unwrap_or_default();
                options.is_empty().then(|| format!("blkdebug:{config}:{image}"))
            }
            "blkverify" => {
                let [raw, test] = ["raw", "test"].map(|name| child(name)?.plain.as_ref());
                Some(format!("blkverify:{}:{}", raw?, test?))
            }
            "copy-before-write" | "snapshot-access" => Some(child("file")?.filename.clone()),
            "mirror_top" | "commit_top" => Some(child("backing")?.filename.clone()),
            _ => self.filename_of_file(node),
        }
    }

    /// The path of the file that holds all that the node is made of, and tells what it is.
    fn filename_of_file(&self, node: NodeId) -> Option<String> {
        let graph = &self.monitor.layer.graph;
        let edge = graph.child_by_role(node, Role::PRIMARY)?;
        let file = graph.child_of(edge);
        let is_plain = graph.driver(file).is_protocol
            && !graph.driver(node).is_filter
            && self.strong_options(node).is_empty()
            && !self.overrides(node);
        if is_plain { self.known[&file].plain.clone() } else { None }
    }

    fn overrides(&self, node: NodeId) -> bool {
        let graph = &self.monitor.layer.graph;
        let backing = graph.backing_edge(node).map(|edge| &self.known[&graph.child_of(edge)]);
        let detail = self.monitor.nodes.get(graph.name(node));
        let auto = detail.map(|detail| detail.auto_backing.as_str());
        backing.map(|it| it.filename.as_str()).unwrap_or_default() != auto.unwrap_or_default()
    }

    fn options(&self, node: NodeId) -> String {
        let graph = &self.monitor.layer.graph;
        let child = |edge| self.known[&graph.child_of(edge)].options.clone();
        let mut options = vec![("driver".to_owned(), json_text(&json!(graph.driver(node).name)))];
        let strong = self.strong_options(node);
        options.extend(strong.iter().map(|(name, value)| (name.clone(), json_text(value))));
        if graph.driver(node) == &QUORUM {
            // By their numbers: an edge that has moved is the newest, and not the last of its driver's.
            let mut edges: Vec<EdgeId> = graph.children(node).collect();
            let number = |edge: &EdgeId| graph.edge_name(*edge).rsplit('.').next()?.parse().ok();
            edges.sort_by_key(|edge| -> Option<u64> { number(edge) });
            let children: Vec<String> = edges.into_iter().map(child).collect();
            options.push(("children".to_owned(), format!("[{}]", children.join(", "))));
            return object_text(&options);
        }
        let overridden = self.overrides(node);
        for edge in graph.children(node) {
            let is_backing = graph.role(edge).contains(Role::COW);
            if !is_backing || overridden {
                options.push((graph.edge_name(edge).to_owned(), child(edge)));
            }
        }
        if overridden && graph.child_edge(node, "backing").is_none() {
            options.push(("backing".to_owned(), Value::Null.to_string()));
        }
        object_text(&options)
    }
}

impl<R: Rule> Monitor<R> {
    /// What a node is called by its content.
    pub(super) fn filename(&self, node: NodeId) -> String {
        Filenames::of(self).filename(node).to_owned()
    }
}

/// Leaves out what is behind so many bytes, or a little less.
fn truncate(text: &mut String, bytes: usize) {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.truncate(end.unwrap_or_default());
}

/// A value as QEMU writes it into a filename.
fn json_text(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), json_text(value)));
            object_text(&members.collect::<Vec<_>>())
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

/// Members with their values' texts as an object.
fn object_text(members: &[(String, String)]) -> String {
    let ordered = qdict_order(members.iter().map(|(name, value)| (name, value))).into_iter();
    let texts = ordered.map(|(name, value)| format!("{}: {value}", json!(name)));
    format!("{{{}}}", texts.collect::<Vec<_>>().join(", "))
}
