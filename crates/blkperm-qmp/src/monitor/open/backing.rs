//! Opening backing files: those that are given, and those that an image names.

use blkperm_graph::{NodeId, Role, Rule};
use serde_json::{Map, Value, json};

use super::{Flags, driver};
use crate::command::blockdev::{BlockdevOptions, BlockdevRef, BlockdevRefOrNull};
use crate::image::ImageFormat;
use crate::monitor::image::BackingName;
use crate::monitor::{Failed, Monitor};
use crate::qapi;

impl<R: Rule> Monitor<R> {
    /// Opens and attaches the backing file of a node that is otherwise open; on failure the node is
    /// gone.
    ///
    /// Source: `bdrv_open_backing_file` in `block.c`, QEMU 10.0.
    pub(super) fn open_backing(
        &mut self,
        node: NodeId,
        options: &BlockdevOptions,
        flags: Flags,
    ) -> Result<(), Failed> {
        let Some(given) = driver::backing_of(&options.options) else { return Ok(()) };
        let graph = &self.layer.graph;
        let Some(edge) = graph.child_edge(node, "file") else { return Ok(()) };
        let (file, name) = (graph.child_of(edge), graph.name(node).to_owned());
        let named = self.nodes.get(&name).and_then(|detail| detail.backing_name.clone());
        let is_named = named.as_ref().is_some_and(|it| !it.filename.is_empty());
        let Some(backing) = self.backing_of(file, named, given) else { return Ok(()) };
        // Who says what is in the backing file's own file says enough.
        let has_filename = match &backing {
            BlockdevRef::Definition(options) => is_named && !driver::names_file(options),
            BlockdevRef::Reference(_) => false,
        };
        let opened = self.open_child(&backing, flags.for_backing(has_filename));
        let child = opened.map_err(|failed| match failed.into_answer() {
            Ok(error) => Failed::generic(format!("Could not open backing file: {error}")),
            Err(abort) => abort.into(),
        })?;
        if given.is_none() {
            self.nodes.get_mut(&name).auto_backing = self.filename(child.node);
        }
        let attached = self.attach(node, child.node, "backing", Role::COW);
        self.follow(child, node);
        if child.is_inline {
            self.layer.release(child.node);
        }
        attached
    }

    /// The backing file that the node above `file` is to have: the given one, or the one that its
    /// image names.
    fn backing_of(
        &self,
        file: NodeId,
        named: Option<BackingName>,
        given: Option<&BlockdevRefOrNull>,
    ) -> Option<BlockdevRef> {
        match given {
            Some(BlockdevRefOrNull::Null) => None,
            Some(BlockdevRefOrNull::Reference(name)) if name.is_empty() => None,
            Some(BlockdevRefOrNull::Reference(name)) => Some(BlockdevRef::Reference(name.clone())),
            Some(BlockdevRefOrNull::Definition(options)) => {
                Some(BlockdevRef::Definition(options.clone()))
            }
            None => {
                let BackingName { filename, format } = named?;
                let filename = relative_to(&self.filename(file), &filename);
                let definition = self.image_definition(&filename, format.as_deref());
                let options = qapi::from_arguments::<BlockdevOptions>(&definition);
                options.ok().map(|options| BlockdevRef::Definition(Box::new(options)))
            }
        }
    }

    /// The definition of a node for an image file, as a header names it.
    fn image_definition(&self, filename: &str, format: Option<&str>) -> Map<String, Value> {
        let probed =
            || self.images.probe(filename).map_or(ImageFormat::Raw, |header| header.format);
        let format = format.map_or_else(|| probed().name().to_owned(), str::to_owned);
        let file = json!({"driver": "file", "filename": filename});
        Map::from_iter([("driver".to_owned(), json!(format)), ("file".to_owned(), file)])
    }
}

/// A file name that is found in an image, seen from where the image is.
pub(in crate::monitor) fn relative_to(overlay: &str, backing: &str) -> String {
    match overlay.rsplit_once('/') {
        Some((folder, _)) if !backing.starts_with('/') => format!("{folder}/{backing}"),
        _ => backing.to_owned(),
    }
}
