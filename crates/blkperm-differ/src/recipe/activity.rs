//! Nodes that become inactive, and active again.

use serde_json::Value;

use super::Arguments;
use crate::scene::Scene;

/// Makes a node inactive, or all; mostly active again what is inactive.
pub(super) fn set_active(scene: &mut Scene) -> Option<Value> {
    let active = scene.world.nodes.iter().any(|node| !node.is_active) && scene.dice.chance(90);
    let node = match scene.dice.chance(25) {
        true => None,
        false if active => Some(scene.node(|node| !node.is_active)?),
        false => Some(scene.node(|node| node.is_active && !node.has_parent)?),
    };
    let arguments = Arguments::default().with_some("node-name", node).with("active", active);
    Some(arguments.of("blockdev-set-active"))
}
