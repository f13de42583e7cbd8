//! Options of nodes that change while they are open.

use serde_json::{Map, Value, json};

use crate::scene::Scene;
use crate::world::{FORMATS, Node};

/// Reopens a node, or two at once, mostly with what it was opened with but for one thing.
///
/// Never two of which one is below the other: QEMU drains a node twice then, and only ends it once.
pub(super) fn reopen(scene: &mut Scene) -> Option<Value> {
    let mut options = vec![changed(scene)?];
    let second = scene.dice.chance(20).then(|| changed(scene)).flatten();
    if let Some(second) = second {
        let name = |options: &Value| options["node-name"].as_str().unwrap_or_default().to_owned();
        let (first, other) = (name(&options[0]), name(&second));
        if !scene.world.is_above(&first, &other) && !scene.world.is_above(&other, &first) {
            options.push(second);
        }
    }
    Some(json!({"execute": "blockdev-reopen", "arguments": {"options": options}}))
}

fn changed(scene: &mut Scene) -> Option<Value> {
    let name = scene.node(|_| true)?;
    let mut options = scene.definition(&name)?;
    options.insert("node-name".to_owned(), json!(name));
    let node = scene.world.node(&name)?.clone();
    if node.driver == "qcow2" && scene.dice.chance(92) {
        let backing = node.backing().map(str::to_owned);
        if backing.as_ref().is_some_and(|name| name.starts_with('#')) {
            return None;
        }
        options.insert("backing".to_owned(), backing.map_or(Value::Null, Value::from));
    }
    match scene.dice.below(12) {
        0..=4 => {
            let read_only = scene.dice.chance(60) && may_be_read_only(&options);
            options.insert("read-only".to_owned(), json!(read_only));
        }
        5..=7 if node.driver == "qcow2" => {
            let other = scene.node(|node| node.driver != "file").map(Value::from);
            let other = other.filter(|_| scene.dice.chance(75)).unwrap_or(Value::Null);
            options.insert("backing".to_owned(), other);
        }
        5 | 6 if node.driver == "raw" => {
            options.insert("file".to_owned(), scene.node(|node| !node.has_parent)?.into());
        }
        7 if node.driver == "raw" => {
            options.insert("size".to_owned(), json!(1 << 19));
        }
        8 => {
            let option = scene.dice.weighted(&[
                (2, ("auto-read-only", json!(true))),
                (2, ("discard", json!("unmap"))),
                (1, ("detect-zeroes", json!("unmap"))),
                (1, ("force-share", json!(true))),
                (1, ("cache", json!({"direct": false}))),
                (1, ("driver", json!("null-co"))),
            ]);
            options.insert(option.0.to_owned(), option.1);
        }
        9 => forget_one(scene, &mut options),
        10 => {
            let children = node.children.clone();
            let (edge, child) = scene.dice.pick(&children)?;
            if child.starts_with('#') {
                return None;
            }
            options.insert(edge, json!(child));
        }
        _ => {}
    }
    Some(Value::Object(options))
}

/// Whether nobody but the node can use its file, where that matters: see `node::file_of`.
fn may_be_read_only(options: &Map<String, Value>) -> bool {
    !FORMATS.contains(&options["driver"].as_str().unwrap_or_default())
        || options["file"].get("driver").is_some_and(|_| options["file"].get("node-name").is_none())
}

/// Leaves an option out that may be left out.
fn forget_one(scene: &mut Scene, options: &mut Map<String, Value>) {
    let may_go = |name: &&String| !["driver", "file", "image", "filename"].contains(&name.as_str());
    let names: Vec<String> = options.keys().filter(may_go).cloned().collect();
    if let Some(name) = scene.dice.pick(&names) {
        options.remove(&name);
    }
}

/// Gives a quorum another child, or takes one away.
pub(super) fn change_child(scene: &mut Scene) -> Option<Value> {
    let is_quorum = |node: &Node| node.driver == "quorum";
    if !scene.world.nodes.iter().any(is_quorum) && scene.dice.chance(90) {
        return None;
    }
    let parent = scene.node(is_quorum)?;
    let children = scene.world.node(&parent).map(|node| node.children.clone());
    let child = scene.dice.pick(&children.unwrap_or_default()).map(|(edge, _)| edge);
    let mut arguments = json!({"parent": parent});
    match child.filter(|_| scene.dice.chance(40)) {
        Some(child) => arguments["child"] = json!(child),
        None => {
            let world = scene.world.clone();
            let fits = |node: &Node| node.is_spare() && !world.is_above(&node.name, &parent);
            arguments["node"] = json!(scene.node(fits)?);
        }
    }
    Some(json!({"execute": "x-blockdev-change", "arguments": arguments}))
}
