//! The drivers below which there is no node: `file`, and those without any content.

use blkperm_graph::Rule;

use super::Opening;
use super::driver::size_option;
use crate::QmpError;
use crate::command::OnOffAuto;
use crate::command::blockdev::{BlockdevOptionsFile, BlockdevOptionsNull};
use crate::image::ImageError;
use crate::monitor::{Failed, Monitor};

/// The length of a null node whose size is not given.
const NULL_SIZE: u64 = 1 << 30;

impl<R: Rule> Monitor<R> {
    pub(super) fn open_null(
        &mut self,
        opening: Opening,
        null: &BlockdevOptionsNull,
    ) -> Result<u64, Failed> {
        if null.latency_ns.is_some_and(|latency| i64::try_from(latency).is_err()) {
            return Err(Failed::generic("latency-ns is invalid"));
        }
        let length = size_option("size", null.size)?.unwrap_or(NULL_SIZE);
        if null.read_zeroes == Some(true) {
            self.layer.add_own_bytes(opening.node, 0..length);
        }
        Ok(length)
    }

    pub(super) fn open_file(
        &mut self,
        opening: Opening,
        file: &BlockdevOptionsFile,
    ) -> Result<u64, Failed> {
        let Opening { node, flags, .. } = opening;
        let filename = &file.filename;
        let header = self.images.probe(filename).map_err(|error| match error {
            // A directory can be opened for reading, and is then found not to be a file.
            ImageError::IsADirectory if flags.read_only => QmpError::generic(format!(
                "'file' driver requires '{filename}' to be a regular file"
            )),
            error => QmpError::generic(format!("Could not open '{filename}': {error}")),
        })?;
        if !header.writable && !flags.read_only {
            let error = ImageError::PermissionDenied;
            return Err(Failed::generic(format!("Could not open '{filename}': {error}")));
        }
        let length = header.file_length;
        if file.locking != Some(OnOffAuto::Off) {
            self.layer.graph.lock_file(node, filename);
        }
        let name = self.layer.graph.name(node).to_owned();
        let detail = self.nodes.get_mut(&name);
        detail.filename = Some(filename.clone());
        Ok(length)
    }
}
