//! What nodes are called by their content.

use blkperm_graph::driver::{COPY_BEFORE_WRITE, QUORUM};
use blkperm_graph::{EdgeId, Graph, NodeId, Role, Rule};
use serde_json::{Map, Value, json};

use super::Monitor;
use super::node::NodeDetail;
use crate::qapi::flat::Options;
use crate::qapi::qdict_order;

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

impl<R: Rule> Monitor<R> {
    /// What a node is called by its content: a path, or its options as `json:{...}`.
    ///
    /// Source: `bdrv_refresh_filename` in `block.c`, QEMU 10.0.
    pub(super) fn filename(&self, node: NodeId) -> String {
        self.plain_filename(node)
            .unwrap_or_else(|| format!("json:{}", json_text(&self.full_options(node).into())))
    }

    /// The options of the node that say what its content is.
    fn strong_options(&self, node: NodeId) -> Options {
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node));
        let strong =
            |detail: &NodeDetail| strong_options(graph.driver(node).name, &detail.explicit);
        detail.map(strong).unwrap_or_default()
    }

    /// The path that says all about the node's content, if there is one.
    fn plain_filename(&self, node: NodeId) -> Option<String> {
        if let Some(below) = below_implicit(&self.layer.graph, node) {
            return self.plain_filename(below);
        }
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node));
        let child = |name: &str| graph.child_edge(node, name).map(|edge| graph.child_of(edge));
        match graph.driver(node).name {
            "file" => detail?.filename.clone(),
            driver @ ("null-co" | "null-aio") => {
                self.strong_options(node).is_empty().then(|| format!("{driver}://"))
            }
            "blkdebug" => {
                let mut options = self.strong_options(node);
                let config = options.shift_remove("config").unwrap_or_default();
                let image = self.plain_filename(child("image")?)?;
                let config = config.as_str().unwrap_or_default();
                options.is_empty().then(|| format!("blkdebug:{config}:{image}"))
            }
            "blkverify" => {
                let [raw, test] = ["raw", "test"].map(|name| self.plain_filename(child(name)?));
                Some(format!("blkverify:{}:{}", raw?, test?))
            }
            "copy-before-write" | "snapshot-access" => Some(self.filename(child("file")?)),
            "mirror_top" | "commit_top" => Some(self.filename(child("backing")?)),
            _ => self.filename_of_file(node),
        }
    }

    /// The path of the file that holds all that the node is made of, and tells what it is.
    fn filename_of_file(&self, node: NodeId) -> Option<String> {
        let graph = &self.layer.graph;
        let edge = graph.child_by_role(node, Role::PRIMARY)?;
        let file = graph.child_of(edge);
        let is_plain = graph.driver(file).is_protocol
            && !graph.driver(node).is_filter
            && self.strong_options(node).is_empty()
            && !self.is_backing_overridden(node);
        if is_plain { self.plain_filename(file) } else { None }
    }

    /// Whether the node has another backing file than its image has by itself.
    ///
    /// Source: `bdrv_backing_overridden` in `block.c`, QEMU 10.0.
    pub(super) fn is_backing_overridden(&self, node: NodeId) -> bool {
        let graph = &self.layer.graph;
        let backing = graph.backing_edge(node).map(|edge| self.filename(graph.child_of(edge)));
        let auto = self.nodes.get(graph.name(node)).map(|detail| detail.auto_backing.as_str());
        backing.as_deref().unwrap_or_default() != auto.unwrap_or_default()
    }

    /// All options that say what the node's content is.
    fn full_options(&self, node: NodeId) -> Map<String, Value> {
        let graph = &self.layer.graph;
        if let Some(below) = below_implicit(&self.layer.graph, node) {
            return self.full_options(below);
        }
        let mut options = Map::new();
        options.insert("driver".to_owned(), json!(graph.driver(node).name));
        options.extend(self.strong_options(node));
        let overridden = self.is_backing_overridden(node);
        let child = |edge| Value::Object(self.full_options(graph.child_of(edge)));
        if graph.driver(node) == &QUORUM {
            // By their numbers: an edge that has moved is the newest, and not the last of its driver's.
            let mut edges: Vec<EdgeId> = graph.children(node).collect();
            let number = |edge: &EdgeId| graph.edge_name(*edge).rsplit('.').next()?.parse().ok();
            edges.sort_by_key(|edge| -> Option<u64> { number(edge) });
            let children: Vec<Value> = edges.into_iter().map(child).collect();
            options.insert("children".to_owned(), children.into());
            return options;
        }
        for edge in graph.children(node) {
            let is_backing = graph.role(edge).contains(Role::COW);
            if !is_backing || overridden {
                options.insert(graph.edge_name(edge).to_owned(), child(edge));
            }
        }
        if overridden {
            options.entry("backing").or_insert(Value::Null);
        }
        options
    }
}

/// A value as QEMU writes it into a file name.
fn json_text(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Object(members) => {
            let member = |(name, value)| format!("{}: {}", json!(name), json_text(value));
            format!("{{{}}}", list(qdict_order(members).into_iter().map(member).collect()))
        }
        Value::Array(items) => format!("[{}]", list(items.iter().map(json_text).collect())),
        scalar => scalar.to_string(),
    }
}
