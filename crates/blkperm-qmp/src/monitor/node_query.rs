//! `query-named-block-nodes`, and what nodes are called by their content.

use blkperm_graph::driver::{LUKS, QUORUM};
use blkperm_graph::{NodeId, Role, Rule, State};
use serde_json::{Map, Value, json};

use super::Monitor;
use crate::qapi::qdict_order;

impl<R: Rule> Monitor<R> {
    /// Source: `bdrv_named_nodes_list`, `bdrv_block_device_info` in `block/qapi.c`, QEMU 10.0.
    pub(super) fn query_named_block_nodes(&self, flat: bool) -> Value {
        self.layer.graph.nodes().into_iter().rev().map(|node| self.describe(node, flat)).collect()
    }

    fn describe(&self, node: NodeId, flat: bool) -> Value {
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node)).cloned().unwrap_or_default();
        let state = graph.state(node);
        let cache = |option: fn(&_) -> Option<bool>| detail.cache.as_ref().and_then(option);
        let mut members = json!({
            "node-name": graph.name(node),
            "drv": graph.driver(node).name,
            "ro": state.contains(State::READ_ONLY),
            "active": !state.contains(State::INACTIVE),
            "file": self.filename(node),
            "detect_zeroes": detail.detect_zeroes.map_or("off", |mode| mode.as_str()),
            "encrypted": graph.driver(node) == &LUKS,
            "backing_file_depth": if flat { 0 } else { self.layer.graph.chain(node).count() - 1 },
            "write_threshold": 0,
            "cache": {
                "no-flush": cache(|cache| cache.no_flush).unwrap_or(false),
                "direct": cache(|cache| cache.direct).unwrap_or(false),
                "writeback": true,
            },
            "image": self.image(node, flat),
        });
        for limit in ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"] {
            members[limit] = json!(0);
        }
        if let Some(edge) = graph.backing_edge(node) {
            members["backing_file"] = json!(self.filename(graph.child_of(edge)));
        }
        members
    }

    /// What is known of the node's image.
    fn image(&self, node: NodeId, flat: bool) -> Value {
        let graph = &self.layer.graph;
        let driver = graph.driver(node).name;
        let mut members = json!({
            "filename": self.filename(node),
            "format": driver,
            "virtual-size": graph.length(node),
        });
        match driver {
            "file" => {
                members["format-specific"] = json!({"type": "file", "data": {}});
                members["dirty-flag"] = json!(false);
            }
            "qcow2" => members["dirty-flag"] = json!(false),
            _ => {}
        }
        if let Some(edge) = graph.chain_edge(node).filter(|_| !flat) {
            members["backing-image"] = self.image(graph.child_of(edge), flat);
        }
        members
    }

    /// What a node is called by its content: a path, or its options as `json:{...}`.
    ///
    /// Source: `bdrv_refresh_filename` in `block.c`, QEMU 10.0.
    pub(super) fn filename(&self, node: NodeId) -> String {
        self.plain_filename(node)
            .unwrap_or_else(|| format!("json:{}", json_text(&self.full_options(node).into())))
    }

    /// The path that says all about the node's content, if there is one.
    fn plain_filename(&self, node: NodeId) -> Option<String> {
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node));
        let child = |name: &str| graph.child_edge(node, name).map(|edge| graph.child_of(edge));
        match graph.driver(node).name {
            "file" => detail?.filename.clone(),
            driver @ ("null-co" | "null-aio") => {
                detail?.options.is_empty().then(|| format!("{driver}://"))
            }
            "blkdebug" => Some(format!("blkdebug::{}", self.plain_filename(child("image")?)?)),
            "blkverify" => {
                let [raw, test] = ["raw", "test"].map(|name| self.plain_filename(child(name)?));
                Some(format!("blkverify:{}:{}", raw?, test?))
            }
            "copy-before-write" | "snapshot-access" => Some(self.filename(child("file")?)),
            "mirror_top" | "commit_top" => self.plain_filename(child("backing")?),
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
            && self.nodes.get(graph.name(node))?.options.is_empty()
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
        if let Some(edge) = graph.filtered_edge(node).filter(|_| graph.filter_owner(node).is_some())
        {
            return self.full_options(graph.child_of(edge));
        }
        let mut options = Map::new();
        options.insert("driver".to_owned(), json!(graph.driver(node).name));
        let detail = self.nodes.get(graph.name(node));
        options.extend(detail.into_iter().flat_map(|detail| detail.options.clone()));
        let overridden = self.is_backing_overridden(node);
        let child = |edge| Value::Object(self.full_options(graph.child_of(edge)));
        if graph.driver(node) == &QUORUM {
            let mut children: Vec<Value> = graph.children(node).map(child).collect();
            children.reverse();
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
