//! Filters that a user adds, and what is built like them: a table of drivers and their children.

use serde_json::{Value, json};

use super::{Arguments, node};
use crate::scene::Scene;
use crate::world::Node;

/// Which node may be a child of a driver.
#[derive(Clone, Copy)]
enum Child {
    /// One that nobody below uses, as the main child.
    Main,
    /// One that nobody uses at all, of the same length as the main child.
    Spare,
    /// A node of this driver.
    Of(&'static str),
}

/// A driver, and its children by their options.
type Filter = (&'static str, &'static [(&'static str, Child)]);

const FILTERS: &[(u32, Filter)] = &[
    (6, ("copy-on-read", &[("file", Child::Main)])),
    (6, ("copy-before-write", &[("file", Child::Main), ("target", Child::Spare)])),
    (5, ("throttle", &[("file", Child::Main)])),
    (4, ("preallocate", &[("file", Child::Main)])),
    (3, ("compress", &[("file", Child::Of("qcow2"))])),
    (3, ("blkverify", &[("raw", Child::Main), ("test", Child::Spare)])),
    (3, ("blklogwrites", &[("file", Child::Main), ("log", Child::Spare)])),
    (3, ("snapshot-access", &[("file", Child::Of("copy-before-write"))])),
];

/// A filter above a node that nothing below uses, mostly.
pub(super) fn filter(scene: &mut Scene) -> Option<Value> {
    let (driver, children) = scene.dice.weighted(FILTERS);
    let mut node = Arguments::default().with("driver", driver);
    let mut main: Option<Node> = None;
    for &(option, child) in children {
        let taken = main.as_ref().map(|node| (node.name.clone(), node.length));
        let name = match child {
            Child::Main => scene.node(|node| node.is_active && !node.has_parent)?,
            Child::Of(driver) => scene.node(|node| node.is_active && node.driver == driver)?,
            Child::Spare => scene.node(|node| {
                let is_other = taken.as_ref().is_some_and(|(name, _)| *name != node.name);
                let fits = taken.as_ref().is_some_and(|(_, length)| *length == node.length);
                is_other && fits && node.is_spare()
            })?,
        };
        main = main.or_else(|| scene.world.node(&name).cloned());
        node = node.with(option, name);
    }
    if driver == "throttle" {
        node = node.with("throttle-group", node::THROTTLE_GROUP);
    }
    let is_read_only = main.is_some_and(|node| node.is_read_only);
    let node = match is_read_only && scene.dice.chance(85) {
        true => node.with("read-only", true),
        false => node::flags(scene, node, 5),
    };
    Some(node::named(scene, node).of("blockdev-add"))
}

/// Several nodes that are to have the same content, mostly of one length.
pub(crate) fn quorum(scene: &mut Scene) -> Option<Value> {
    let first = scene.node(Node::is_spare)?;
    let length = scene.world.node(&first).map(|node| node.length);
    let mut children: Vec<Value> = vec![first.clone().into()];
    for _ in 0..scene.dice.weighted(&[(1, 0), (4, 1), (2, 2)]) {
        let null = scene.dice.chance(40).then(|| node::null_options(scene).object());
        let other = null.or_else(|| {
            let is_new = |node: &Node| !children.contains(&json!(node.name));
            let fits = |node: &Node| Some(node.length) == length && is_new(node) && node.is_spare();
            scene.node(fits).map(Value::from)
        });
        children.extend(other);
    }
    let threshold = scene.dice.weighted(&[(8, 1), (2, 2), (1, 0)]);
    let node = Arguments::default().with("driver", "quorum").with("children", children);
    let node = node.with("vote-threshold", threshold);
    let node = match scene.dice.chance(10) {
        true => node.with("rewrite-corrupted", true),
        false => node,
    };
    Some(node::named(scene, node).of("blockdev-add"))
}
