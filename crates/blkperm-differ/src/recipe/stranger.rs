//! Users that take and unshare anything.

use serde_json::Value;

use super::{Arguments, node};
use crate::scene::Scene;

/// A blkdebug node, above any node.
pub(super) fn blkdebug(scene: &mut Scene) -> Option<Value> {
    let image = match scene.dice.below(20) {
        0 => node::null_options(scene).object(),
        _ => scene.node(|_| true)?.into(),
    };
    let (take, unshare) = demand(scene);
    let mut debug = Arguments::default().with("driver", "blkdebug").with("image", image);
    if !take.is_empty() || scene.dice.chance(1) {
        debug = debug.with("take-child-perms", take);
    }
    if !unshare.is_empty() || scene.dice.chance(1) {
        debug = debug.with("unshare-child-perms", unshare);
    }
    if scene.dice.chance(3) {
        let align = scene.dice.weighted(&[(3, 512), (3, 4096), (1, 3)]);
        debug = debug.with("align", align);
    }
    let debug = node::flags(scene, debug, 8);
    Some(node::named(scene, debug).of("blockdev-add"))
}

/// What a stranger takes and unshares: often one permission that matters, at times any.
fn demand(scene: &mut Scene) -> (Vec<&'static str>, Vec<&'static str>) {
    const READ: &str = "consistent-read";
    type Lists = (&'static [&'static str], &'static [&'static str]);
    const TYPICAL: &[(u32, Lists)] = &[
        (30, (&[], &[READ])),
        (15, (&[READ], &[])),
        (8, (&["write"], &[])),
        (4, (&["write", "resize"], &[])),
        (4, (&["resize"], &[])),
        (4, (&["write-unchanged"], &[])),
        (8, (&[], &["write"])),
        (4, (&[], &["resize"])),
        (3, (&[], &["write-unchanged"])),
        (5, (&[READ, "write"], &[])),
        (10, (&[], &[])),
    ];
    if scene.dice.chance(80) {
        let (take, unshare) = scene.dice.weighted(TYPICAL);
        return (take.to_vec(), unshare.to_vec());
    }
    let mut any = || {
        let all = [READ, "write", "write-unchanged", "resize"];
        all.into_iter().filter(|_| scene.dice.chance(30)).collect()
    };
    (any(), any())
}
