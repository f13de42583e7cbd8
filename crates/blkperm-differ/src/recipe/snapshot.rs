//! Overlays that take a node's place, and transactions of them and of backups.

use serde_json::{Value, json};

use super::{Arguments, job};
use crate::scene::Scene;
use crate::world::Node;

/// Puts an overlay in a node's place.
pub(super) fn snapshot(scene: &mut Scene) -> Option<Value> {
    let data = overlay(scene)?;
    Some(json!({"execute": "blockdev-snapshot", "arguments": data}))
}

/// Makes or opens an overlay that takes a node's place.
pub(super) fn snapshot_sync(scene: &mut Scene) -> Option<Value> {
    Some(made_overlay(scene)?.of("blockdev-snapshot-sync"))
}

/// A node, and one that can be its overlay: mostly.
fn overlay(scene: &mut Scene) -> Option<Value> {
    const WITH_BACKING: [&str; 4] = ["qcow", "qcow2", "qed", "vmdk"];
    let is_free = |node: &Node| {
        let is_fit = WITH_BACKING.contains(&node.driver.as_str()) && node.backing().is_none();
        is_fit && !node.has_backend && !node.has_parent
    };
    let overlay = scene.node(is_free)?;
    let below: Vec<String> = scene.world.nodes_below(&overlay);
    let node = covered(scene, |node| !below.contains(&node.name))?;
    Some(json!({"node": node, "overlay": overlay}))
}

/// A node to put an overlay above, mostly one where that makes sense; never where QEMU hangs, nor
/// above what shows the file of an image, whose length the overlay would take.
fn covered(scene: &mut Scene, fits: impl Fn(&Node) -> bool) -> Option<String> {
    let node = scene.node(|node| node.is_top() && node.driver != "file" && fits(node))?;
    let world = &scene.world;
    (!world.cannot_be_covered(&node) && !world.shows_image_file(&node)).then_some(node)
}

/// A node, and an overlay that is made or opened for it.
fn made_overlay(scene: &mut Scene) -> Option<Arguments> {
    const FORMATS: &[(u32, Option<&str>)] = &[
        (30, None),
        (6, Some("qcow2")),
        (4, Some("qed")),
        (3, Some("qcow")),
        (1, Some("vmdk")),
        (1, Some("raw")),
        (1, Some("nosuch")),
    ];
    let node = covered(scene, |_| true)?;
    let taken = scene.node_names();
    let overlay = scene.name('n', &taken);
    let existing = scene.dice.chance(20);
    let image = scene.free_image_of(|format| format.name() == "qcow2").filter(|_| existing);
    let filename = match &image {
        Some(image) => image.filename.clone(),
        None => format!("{}.img", scene.fresh('i')),
    };
    let format = scene.dice.weighted(FORMATS).filter(|_| image.is_none());
    let mode = match (image, scene.dice.chance(10)) {
        (Some(_), _) => Some("existing"),
        (None, true) => Some("absolute-paths"),
        (None, false) => None,
    };
    let arguments = Arguments::default().with("node-name", node).with("snapshot-file", filename);
    let arguments = match scene.dice.chance(99) {
        true => arguments.with("snapshot-node-name", overlay),
        false => arguments,
    };
    Some(arguments.with_some("format", format).with_some("mode", mode))
}

/// Several snapshots and backups, or none of them.
pub(super) fn transaction(scene: &mut Scene) -> Option<Value> {
    let grouped = scene.dice.chance(50);
    let (mut actions, mut used) = (Vec::new(), Vec::new());
    for _ in 0..scene.dice.weighted(&[(4, 1), (5, 2), (1, 3)]) {
        let kinds = &[(4, Kind::Backup), (3, Kind::Snapshot), (3, Kind::SnapshotSync)];
        let kind = if grouped { Kind::Backup } else { scene.dice.weighted(kinds) };
        let action = match kind {
            Kind::Backup => ("blockdev-backup", job::backup_options(scene)?.object()),
            Kind::Snapshot => ("blockdev-snapshot", overlay(scene)?),
            Kind::SnapshotSync => ("blockdev-snapshot-sync", made_overlay(scene)?.object()),
        };
        let nodes = nodes_of(&action.1);
        let is_used = nodes.iter().any(|node| used.contains(node));
        if !is_used || scene.dice.chance(10) {
            used.extend(nodes);
            actions.push(json!({"type": action.0, "data": action.1}));
        }
    }
    if scene.dice.chance(if grouped { 2 } else { 15 }) {
        actions.push(json!({"type": "abort", "data": {}}));
    }
    let arguments = Arguments::default().with("actions", actions);
    let arguments = match grouped {
        true => arguments.with("properties", json!({"completion-mode": "grouped"})),
        false => arguments,
    };
    Some(arguments.of("transaction"))
}

/// The nodes that an action is about.
fn nodes_of(data: &Value) -> Vec<Value> {
    let members = ["node", "overlay", "node-name", "device", "target"];
    members.iter().filter_map(|member| data.get(member).cloned()).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Backup,
    Snapshot,
    SnapshotSync,
}
