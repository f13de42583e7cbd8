//! How a script begins: images, an NBD server, chains of images with something in between, users.

use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::scenario::{Action, Backing, Image};
use serde_json::{Value, json};

use super::{Arguments, export, node};
use crate::scene::Scene;

/// The only encrypted image, and its passphrase.
const LUKS_FILE: &str = "luks.img";
const PASSPHRASE: &str = "open";

/// The images and commands with which a script begins.
pub(crate) fn opening(scene: &mut Scene) -> Vec<Action> {
    let longest = scene.dice.weighted(&[(1, 1), (3, 2), (4, 3), (2, 4)]);
    let other = scene.dice.weighted(&[(3, 1), (1, 2)]);
    let chain = images(scene, longest);
    let target = images(scene, other);
    // Others to be opened later.
    let spare = scene.dice.weighted(&[(1, 0), (2, 1), (1, 2)]);
    images(scene, spare);
    let raw = Image::new("raw.img", ImageFormat::Raw, Some(scene.size()));
    scene.images.push(raw);
    for _ in 0..scene.dice.weighted(&[(1, 0), (2, 1), (3, 2)]) {
        other_image(scene);
    }
    let mut actions: Vec<Action> = scene.images.iter().cloned().map(Action::Image).collect();

    let mut commands = Vec::new();
    if scene.dice.chance(95) {
        commands.extend(export::start_server(scene));
    }
    let object = |kind: &str, id: &str| Arguments::default().with("qom-type", kind).with("id", id);
    if scene.dice.chance(60) {
        commands.push(object("throttle-group", node::THROTTLE_GROUP).of("object-add"));
    }
    if scene.images.iter().any(|image| image.format == ImageFormat::Luks) {
        let secret = object("secret", node::SECRET).with("data", PASSPHRASE);
        commands.push(secret.of("object-add"));
    }
    let top = open(scene, &chain, &mut commands);
    open(scene, &target, &mut commands);
    if scene.dice.chance(75) {
        let writable = scene.dice.chance(75);
        let export = Arguments::default().with("type", "nbd").with("id", scene.fresh('e'));
        let export = export.with("node-name", top).with("writable", writable);
        commands.push(export.of("block-export-add"));
    }
    actions.extend(commands.into_iter().map(Action::Command));
    actions
}

/// An image of a format that is opened later.
fn other_image(scene: &mut Scene) {
    let format = scene.dice.pick(&node::OTHER_FORMATS).expect("there are formats");
    let filename = format!("{}.{format}", scene.fresh('i'));
    let mut image = Image::new(filename, format, Some(scene.size()));
    match format {
        // It takes seconds to make one, so that one and the same is for all scripts.
        ImageFormat::Luks if scene.image(LUKS_FILE).is_some() => return,
        ImageFormat::Luks => {
            image = Image::new(LUKS_FILE, format, Some(1 << 20));
            image.secret = Some(PASSPHRASE.to_owned());
        }
        ImageFormat::Vmdk if scene.dice.chance(50) => {
            image.options.insert("subformat".to_owned(), "monolithicFlat".to_owned());
        }
        _ => {}
    }
    scene.images.push(image);
}

/// Images, each the backing file of the next.
fn images(scene: &mut Scene, count: usize) -> Vec<Image> {
    let mut backing: Option<Image> = None;
    let mut images = Vec::new();
    for _ in 0..count {
        let filename = format!("{}.qcow2", scene.fresh('i'));
        let size = scene.size();
        let image = Image {
            backing: backing
                .filter(|_| scene.dice.chance(75))
                .map(|below| Backing { filename: below.filename, format: ImageFormat::Qcow2 }),
            ..Image::new(filename, ImageFormat::Qcow2, Some(size))
        };
        scene.images.push(image.clone());
        images.push(image.clone());
        backing = Some(image);
    }
    images
}

/// Opens a chain in one of the ways in which that is done; gives the name of its top.
fn open(scene: &mut Scene, images: &[Image], commands: &mut Vec<Value>) -> String {
    match scene.dice.below(10) {
        0 | 1 => open_by_header(scene, images, commands),
        2 => open_inline(scene, images, commands),
        _ => open_by_name(scene, images, commands),
    }
}

/// Opens the top only, and leaves the rest to the headers.
fn open_by_header(scene: &mut Scene, images: &[Image], commands: &mut Vec<Value>) -> String {
    let image = images.last().expect("a chain has an image");
    let node = qcow2(scene, image, true);
    let name = add(scene, node, commands);
    scene.by_header.push(name.clone());
    name
}

/// Opens the whole chain with one command.
fn open_inline(scene: &mut Scene, images: &[Image], commands: &mut Vec<Value>) -> String {
    let mut below = Value::Null;
    let (top, rest) = images.split_last().expect("a chain has an image");
    for image in rest {
        let mut node = qcow2(scene, image, false).with("backing", below);
        if scene.dice.chance(50) {
            node = node.with("node-name", scene.fresh('n'));
        }
        below = node.object();
    }
    let node = qcow2(scene, top, true).with("backing", below);
    add(scene, node, commands)
}

/// Opens each image by itself, at times with a filter or a raw node above it.
fn open_by_name(scene: &mut Scene, images: &[Image], commands: &mut Vec<Value>) -> String {
    let mut below: Option<String> = None;
    for image in images {
        let read_only = scene.dice.chance(20);
        let node = qcow2(scene, image, !read_only || below.is_none());
        let node = if read_only { node.with("read-only", true) } else { node };
        let mut name = add(scene, node.with("backing", below), commands);
        if scene.dice.chance(8) {
            let (driver, edge) =
                scene.dice.weighted(&[(4, ("blkdebug", "image")), (1, ("raw", "file"))]);
            let filter = Arguments::default().with("driver", driver).with(edge, name);
            let filter = if read_only { filter.with("read-only", true) } else { filter };
            name = add(scene, filter, commands);
        }
        below = Some(name);
    }
    below.expect("a chain has an image")
}

fn qcow2(scene: &mut Scene, image: &Image, may_have_name: bool) -> Arguments {
    let file = node::file_of(scene, &image.filename, may_have_name);
    Arguments::default().with("driver", "qcow2").with("file", file)
}

fn add(scene: &mut Scene, node: Arguments, commands: &mut Vec<Value>) -> String {
    let name = scene.fresh('n');
    let arguments = node.with("node-name", name.clone()).object();
    commands.push(json!({"execute": "blockdev-add", "arguments": arguments}));
    name
}
