//! What stands in the images that nodes have open, and what is written there.

use blkperm_graph::driver::{Length, QUORUM};
use blkperm_graph::{NodeId, Role, Rule};

use super::Monitor;
use crate::image::{ImageFormat, ImageHeader, Mapped};

/// What an image calls its backing file.
#[derive(Clone, Debug)]
pub(super) struct BackingName {
    /// The name.
    pub(super) filename: String,
    /// The backing file's format, if the image says that.
    pub(super) format: Option<String>,
}

impl BackingName {
    /// What an image with that header calls its backing file, if it has one.
    fn of(header: &ImageHeader) -> Option<BackingName> {
        let filename = header.backing_file.clone()?;
        Some(BackingName { filename, format: header.backing_format.clone() })
    }
}

impl<R: Rule> Monitor<R> {
    /// The path of the file whose bytes the node presents.
    pub(super) fn path_of(&self, node: NodeId) -> Option<&str> {
        let graph = &self.layer.graph;
        let presented = std::iter::successors(Some(node), |&node| {
            let votes = graph.driver(node) == &QUORUM;
            let role = if votes { Role::DATA } else { Role::FILTERED };
            Some(graph.child_of(graph.child_by_role(node, role)?))
        });
        self.nodes.get(graph.name(presented.last()?))?.filename.as_deref()
    }

    /// The header of the image in the given format whose bytes the node presents.
    pub(super) fn header_of(&self, node: NodeId, format: ImageFormat) -> Option<ImageHeader> {
        let header = self.images.probe(self.path_of(node)?).ok()?;
        (header.format == format).then_some(header)
    }

    /// The header of the image in the given format that a new node is to present, and whose bytes
    /// `file` presents; takes note of what it calls its backing file, of its clusters, and of what it has of its own.
    pub(super) fn read_header(
        &mut self,
        node: NodeId,
        file: NodeId,
        format: ImageFormat,
    ) -> Option<ImageHeader> {
        let header = self.header_of(file, format)?;
        self.name_backing(node, BackingName::of(&header));
        if let Some(size) = header.cluster_size() {
            self.layer.set_cluster_size(node, size);
        }
        for bytes in header.own_bytes() {
            self.layer.add_own_bytes(node, bytes);
        }
        Some(header)
    }

    /// The path of the file in which the node's image is.
    pub(super) fn image_path(&self, node: NodeId) -> Option<&str> {
        let graph = &self.layer.graph;
        self.path_of(graph.child_edge(node, "file").map_or(node, |edge| graph.child_of(edge)))
    }

    /// Takes note of what the image of a node calls its backing file.
    fn name_backing(&mut self, node: NodeId, backing: Option<BackingName>) {
        let name = self.layer.graph.name(node).to_owned();
        let detail = self.nodes.get_mut(&name);
        detail.auto_backing = backing.as_ref().map(|it| it.filename.clone()).unwrap_or_default();
        detail.backing_name = backing;
    }

    /// Lets the image of a node call its backing file so.
    ///
    /// Source: `bdrv_change_backing_file` in `block.c`, QEMU 10.0.
    pub(super) fn change_backing_file(&mut self, node: NodeId, backing: Option<BackingName>) {
        self.name_backing(node, backing.clone());
        self.rewrite_header(node, |header| {
            let (filename, format) = backing.map(|it| (it.filename, it.format)).unzip();
            header.backing_file = filename;
            header.backing_format = format.flatten();
        });
    }

    /// Lets images know how long they have become, and what was written to them.
    pub(super) fn keep_images(&mut self) {
        for node in self.layer.take_changed() {
            let graph = &self.layer.graph;
            if !graph.contains_node(node) {
                continue;
            }
            let (driver, length) = (graph.driver(node), graph.length(node));
            let is_file = driver.is_protocol;
            let mapped = driver.supports_backing.then(|| self.layer.own_bytes(node));
            if mapped.is_none() && driver.length != Length::Own {
                continue;
            }
            self.rewrite_header(node, |header| {
                if let Some(mapped) = mapped {
                    header.mapped = Mapped::Bytes(mapped);
                }
                if is_file {
                    header.file_length = length;
                }
                if !is_file || header.format == ImageFormat::Raw {
                    header.virtual_size = length;
                }
            });
        }
    }

    /// Changes the header of a node's image.
    fn rewrite_header(&mut self, node: NodeId, change: impl FnOnce(&mut ImageHeader)) {
        let Some(path) = self.image_path(node).map(str::to_owned) else { return };
        let Ok(mut header) = self.images.probe(&path) else { return };
        change(&mut header);
        // What has no place for it stays as it is.
        let _ = self.images.insert(&path, header);
    }
}
