//! Taking over a block layer that was made elsewhere.

use blkperm_graph::{RootId, Rule};
use blkperm_jobs::BlockLayer;
use serde_json::{Map, Value, json};

use super::Monitor;
use super::export::{Export, Exports};
use super::node::NodeDetails;
use super::object::Objects;
use crate::Phase;
use crate::image::ImageStore;

/// What is known of a node besides the graph.
#[derive(Clone, Debug)]
pub struct FoundNode {
    /// The node's name.
    pub name: String,
    /// What QEMU calls its content: a path, or options as `json:{...}`.
    pub filename: Option<String>,
    /// Whether the user has added it by name, and so can delete it.
    pub monitor_owned: bool,
    /// What its image calls its backing file.
    pub auto_backing: Option<String>,
}

/// An export of the block layer.
#[derive(Clone, Debug)]
pub struct FoundExport {
    /// Its id.
    pub id: String,
    /// QEMU's name of its type, for example `nbd`.
    pub kind: String,
    /// The node that it exports.
    pub node_name: String,
    /// Its BlockBackend.
    pub backend: RootId,
}

/// The driver's own options in what QEMU calls a node's content: the members of `json:{...}` that do
/// not tell of a child.
fn options_in(filename: &str) -> Map<String, Value> {
    let Some(object) = filename.strip_prefix("json:") else { return Map::new() };
    let mut options: Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    options.retain(|name, value| name != "driver" && is_scalar(value));
    options
}

impl<R: Rule> Monitor<R> {
    /// A monitor on a block layer that was made elsewhere, ready for commands; `exports` are listed
    /// oldest first.
    pub fn adopt(
        mut layer: BlockLayer<R>,
        images: impl ImageStore + 'static,
        nodes: Vec<FoundNode>,
        exports: Vec<FoundExport>,
    ) -> Monitor<R> {
        layer.graph.keep_gone();
        let mut details = NodeDetails::default();
        for found in nodes {
            let is_file = layer
                .graph
                .node_by_name(&found.name)
                .is_some_and(|node| layer.graph.driver(node).name == "file");
            let detail = details.get_mut(&found.name);
            detail.monitor_owned = found.monitor_owned;
            detail.auto_backing = found.auto_backing.unwrap_or_default();
            let Some(filename) = found.filename else { continue };
            detail.explicit = options_in(&filename);
            if is_file {
                detail.explicit.insert("filename".to_owned(), json!(filename));
                detail.filename = Some(filename);
            }
        }
        let nbd_server_runs = exports.iter().any(|export| export.kind == "nbd");
        let exports = exports.into_iter().map(|found| Export {
            place: (found.kind == "nbd").then_some(found.node_name),
            kind: found.kind,
            id: found.id,
            backend: found.backend,
        });
        Monitor {
            layer,
            images: Box::new(images),
            nodes: details,
            exports: Exports { nbd_server_runs, exports: exports.collect() },
            objects: Objects::default(),
            events: Vec::new(),
            phase: Phase::Commands { oob: false },
            quitting: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_a_filename_that_has_them() {
        let named = r#"json:{"driver": "raw", "size": 512, "file": {"driver": "file"}}"#;
        assert_eq!(Value::from(options_in(named)), json!({"size": 512}));
        for bare in ["disk.raw", "json:{", "json:[1]", ""] {
            assert!(options_in(bare).is_empty(), "{bare}");
        }
    }
}
