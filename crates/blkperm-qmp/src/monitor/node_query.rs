//! `query-named-block-nodes`.

use blkperm_graph::driver::LUKS;
use blkperm_graph::{NodeId, Rule, State};
use serde_json::{Value, json};

use super::Monitor;
use super::filename::Filenames;
use super::image::BackingName;
use super::open::backing::relative_to;

impl<R: Rule> Monitor<R> {
    /// Source: `bdrv_named_nodes_list`, `bdrv_block_device_info` in `block/qapi.c`, QEMU 10.0.
    pub(super) fn query_named_block_nodes(&self, flat: bool) -> Value {
        let mut names = Filenames::of(self);
        let nodes = self.layer.graph.nodes().into_iter().rev();
        nodes.map(|node| self.describe(node, flat, &mut names)).collect()
    }

    fn describe(&self, node: NodeId, flat: bool, names: &mut Filenames<'_, R>) -> Value {
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node)).cloned().unwrap_or_default();
        let state = graph.state(node);
        let cache = |option: fn(&_) -> Option<bool>| detail.cache.as_ref().and_then(option);
        let mut members = json!({
            "node-name": graph.name(node),
            "drv": graph.driver(node).name,
            "ro": state.contains(State::READ_ONLY),
            "active": !state.contains(State::INACTIVE),
            "file": names.filename(node),
            "detect_zeroes": detail.detect_zeroes.map_or("off", |mode| mode.as_str()),
            "encrypted": graph.driver(node) == &LUKS,
            "backing_file_depth": if flat { 0 } else { self.layer.graph.chain(node).count() - 1 },
            "write_threshold": 0,
            "cache": {
                "no-flush": cache(|cache| cache.no_flush).unwrap_or(false),
                "direct": cache(|cache| cache.direct).unwrap_or(false),
                "writeback": true,
            },
            "image": self.image(node, flat, names),
        });
        for limit in ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"] {
            members[limit] = json!(0);
        }
        if let Some(edge) = graph.backing_edge(node) {
            members["backing_file"] = json!(names.filename(graph.child_of(edge)));
        }
        members
    }

    /// What is known of the node's image.
    fn image(&self, node: NodeId, flat: bool, names: &mut Filenames<'_, R>) -> Value {
        let graph = &self.layer.graph;
        let driver = graph.driver(node).name;
        let mut members = json!({
            "filename": names.filename(node),
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
        let detail = self.nodes.get(graph.name(node));
        if let Some(backing) = detail.and_then(|detail| detail.backing_name.as_ref()) {
            members["backing-filename"] = json!(backing.filename);
            members["full-backing-filename"] = json!(self.full_backing_filename(node, backing));
            if let Some(format) = &backing.format {
                members["backing-filename-format"] = json!(format);
            }
        }
        if let Some(edge) = graph.chain_edge(node).filter(|_| !flat) {
            members["backing-image"] = self.image(graph.child_of(edge), flat, names);
        }
        members
    }

    /// The name of a backing file as seen from here, where the image that has it is in a file.
    fn full_backing_filename(&self, node: NodeId, backing: &BackingName) -> String {
        relative_to(self.image_path(node).unwrap_or_default(), &backing.filename)
    }
}
