//! The NBD server and its exports.

use serde_json::{Value, json};

use super::Arguments;
use crate::scene::Scene;

/// An export of a node that nothing below uses, mostly.
pub(super) fn add(scene: &mut Scene) -> Option<Value> {
    let node = scene.node(|node| !node.has_parent)?;
    let taken = scene.world.exports.clone();
    let id = scene.name('e', &taken);
    let export = Arguments::default().with("type", "nbd").with("id", id).with("node-name", node);
    let writable = scene.dice.weighted(&[(6, Some(true)), (2, None), (2, Some(false))]);
    let export = export.with_some("writable", writable);
    let export = if scene.dice.chance(30) { export.with("allow-inactive", true) } else { export };
    // The node's name is no good for a second export of it.
    let export = match scene.dice.chance(80) {
        true => export.with("name", scene.fresh('x')),
        false => export,
    };
    Some(export.of("block-export-add"))
}

pub(super) fn delete(scene: &mut Scene) -> Option<Value> {
    let exports = scene.world.exports.clone();
    let known = scene.dice.pick(&exports)?;
    let id = if scene.dice.chance(96) { known } else { "nosuch".to_owned() };
    let mode = scene.dice.weighted(&[(8, None), (1, Some("hard")), (1, Some("safe"))]);
    let arguments = Arguments::default().with("id", id).with_some("mode", mode);
    Some(arguments.of("block-export-del"))
}

pub(super) fn start_server(_: &mut Scene) -> Option<Value> {
    let addr = json!({"type": "unix", "data": {"path": "nbd.sock"}});
    Some(json!({"execute": "nbd-server-start", "arguments": {"addr": addr}}))
}

pub(super) fn stop_server(_: &mut Scene) -> Option<Value> {
    Some(json!({"execute": "nbd-server-stop"}))
}
