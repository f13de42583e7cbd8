//! Nodes that come and go.

use blkperm_qmp::image::ImageFormat;
use serde_json::{Value, json};

use super::Arguments;
use crate::scene::Scene;
use crate::world::Node;

/// The formats of images besides qcow2 and raw.
pub(super) const OTHER_FORMATS: [ImageFormat; 8] = [
    ImageFormat::Luks,
    ImageFormat::Parallels,
    ImageFormat::Qcow,
    ImageFormat::Qed,
    ImageFormat::Vdi,
    ImageFormat::Vhdx,
    ImageFormat::Vmdk,
    ImageFormat::Vpc,
];

/// Those of them whose images can have a backing file.
const HAVE_BACKING: [ImageFormat; 3] = [ImageFormat::Qcow, ImageFormat::Qed, ImageFormat::Vmdk];

/// The throttle group that every script has, and the secret of its encrypted images.
pub(super) const THROTTLE_GROUP: &str = "group";
pub(super) const SECRET: &str = "secret";

/// A node without content.
pub(super) fn null(scene: &mut Scene) -> Option<Value> {
    let node = null_options(scene);
    let node = leaf(scene, node);
    Some(named(scene, node).of("blockdev-add"))
}

/// An image's file.
pub(super) fn file(scene: &mut Scene) -> Option<Value> {
    let format = scene.dice.weighted(&[(1, ImageFormat::Qcow2), (1, ImageFormat::Raw)]);
    let image = scene.free_image(format, false)?;
    let filename = if scene.dice.chance(4) { "nosuch.img".to_owned() } else { image.filename };
    let node = Arguments::default().with("driver", "file").with("filename", filename);
    let node = flags(scene, node, 15);
    let node = leaf(scene, node);
    Some(named(scene, node).of("blockdev-add"))
}

/// A raw node above another, or above an image of its own.
pub(super) fn raw(scene: &mut Scene) -> Option<Value> {
    let file = match scene.dice.below(10) {
        0 => null_options(scene).object(),
        1 | 2 => image_file(scene, ImageFormat::Raw)?,
        _ => {
            let name = scene.node(Node::is_top)?;
            if scene.has_changed_images && scene.world.shows_file(&name) {
                return None;
            }
            name.into()
        }
    };
    let mut node = Arguments::default().with("driver", "raw").with("file", file);
    if scene.dice.chance(25) {
        let offset = scene.dice.weighted(&[(6, 0), (3, 512), (1, -1), (1, 1 << 30)]);
        node = node.with("offset", offset);
    }
    if scene.dice.chance(25) {
        let size = scene.dice.weighted(&[(8, 1 << 19), (2, 1 << 20), (1, 1000)]);
        node = node.with("size", size);
    }
    let node = flags(scene, node, 15);
    Some(named(scene, node).of("blockdev-add"))
}

/// A qcow2 node with the file and the backing file that it finds.
pub(super) fn qcow2(scene: &mut Scene) -> Option<Value> {
    let read_only = scene.dice.chance(15);
    // What a job has made of a file's image is known only while that is open.
    let by_name = !read_only && !scene.has_changed_images && scene.dice.chance(20);
    let backing = backing(scene);
    let file = if by_name {
        scene.node(|node| node.driver == "file" && !node.has_parent)?.into()
    } else {
        let image = scene.free_image(ImageFormat::Qcow2, backing.is_none())?;
        file_of(scene, &image.filename, !read_only)
    };
    let node = Arguments::default().with("driver", "qcow2").with("file", file);
    let node = node.with_some("backing", backing);
    let node = if read_only { node.with("read-only", true) } else { flags(scene, node, 0) };
    Some(named(scene, node).of("blockdev-add"))
}

/// An image of another format than qcow2 and raw.
pub(super) fn format(scene: &mut Scene) -> Option<Value> {
    let image = scene.free_image_of(|format| OTHER_FORMATS.contains(&format))?;
    let read_only = scene.dice.chance(15);
    let file = file_of(scene, &image.filename, !read_only);
    let mut node = Arguments::default().with("driver", image.format.name()).with("file", file);
    if image.format == ImageFormat::Luks {
        node = node.with("key-secret", SECRET);
    }
    if HAVE_BACKING.contains(&image.format) {
        let backing = backing(scene).filter(|_| image.format != ImageFormat::Vmdk);
        node = node.with_some("backing", backing);
    }
    let node = if read_only { node.with("read-only", true) } else { node };
    Some(named(scene, node).of("blockdev-add"))
}

/// The `backing` of a new qcow2 node; none leaves the choice to the image's header.
fn backing(scene: &mut Scene) -> Option<Value> {
    match scene.dice.below(10) {
        0 | 1 => None,
        2..=4 => Some(Value::Null),
        5 => Some(null_options(scene).with("driver", "null-co").object()),
        _ => {
            let is_fit = |node: &Node| {
                node.is_active && matches!(node.driver.as_str(), "qcow2" | "blkdebug" | "qed")
            };
            scene.node(is_fit).map(Value::from)
        }
    }
}

/// An image's file, opened inline, with a name at times if it may have one.
///
/// That of a read-only image may not: nobody else is to use it. Where a read-only overlay cannot be
/// made writable, to be told of another backing file, QEMU crashes when the commit is undone.
pub(super) fn file_of(scene: &mut Scene, filename: &str, may_have_name: bool) -> Value {
    let file = Arguments::default().with("driver", "file").with("filename", filename);
    if !may_have_name || scene.dice.chance(50) {
        return file.object();
    }
    file.with("node-name", scene.fresh('n')).object()
}

fn image_file(scene: &mut Scene, format: ImageFormat) -> Option<Value> {
    let image = scene.free_image(format, false)?;
    Some(file_of(scene, &image.filename, true))
}

/// The options of a node without content, but its name.
pub(super) fn null_options(scene: &mut Scene) -> Arguments {
    let driver = scene.dice.weighted(&[(4, "null-co"), (1, "null-aio")]);
    let size = scene.size();
    let node = Arguments::default().with("driver", driver).with("size", size);
    // What reads as nothing in particular counts as data, and ends up in images.
    let node = node.with("read-zeroes", true);
    flags(scene, node, 10)
}

/// Adds the options that all drivers have, at times.
pub(super) fn flags(scene: &mut Scene, node: Arguments, read_only: u32) -> Arguments {
    let dice = &mut scene.dice;
    let node = if dice.chance(read_only) { node.with("read-only", dice.chance(80)) } else { node };
    if dice.chance(3) { node.with("auto-read-only", true) } else { node }
}

/// Adds `force-share` at times.
///
/// Not to a node with children of its own: those inherit it, and cannot be reopened then.
fn leaf(scene: &mut Scene, node: Arguments) -> Arguments {
    if scene.dice.chance(4) { node.with("force-share", true) } else { node }
}

/// Gives the node a name.
pub(super) fn named(scene: &mut Scene, node: Arguments) -> Arguments {
    if scene.dice.chance(1) {
        return node;
    }
    let taken = scene.node_names();
    let name = scene.name('n', &taken);
    node.with("node-name", name)
}

/// Makes a node longer or shorter: mostly one that nothing uses.
///
/// Not through a blkverify node, of which QEMU crashes.
pub(super) fn resize(scene: &mut Scene) -> Option<Value> {
    const FIXED: [&str; 4] = ["null-co", "null-aio", "quorum", "snapshot-access"];
    let fits = |node: &Node| node.is_spare() && !FIXED.contains(&node.driver.as_str());
    let name = scene.node(fits)?;
    if scene.world.is_above_driver(&name, "blkverify") {
        return None;
    }
    let size = scene.dice.weighted(&[(6, 1 << 20), (4, 2 << 20), (4, 1 << 19), (1, 1000), (1, -1)]);
    Some(json!({"execute": "block_resize", "arguments": {"node-name": name, "size": size}}))
}

/// Deletes a node: mostly one that nothing uses.
pub(super) fn delete(scene: &mut Scene) -> Option<Value> {
    let unused = |node: &Node| !node.has_parent && !node.has_backend;
    if !scene.world.nodes.iter().any(unused) && scene.dice.chance(80) {
        return None;
    }
    let name = scene.node(unused)?;
    if scene.world.is_above_filtered(&name) {
        return None;
    }
    Some(json!({"execute": "blockdev-del", "arguments": {"node-name": name}}))
}
