//! Images that exist only by declaration.

use super::{ImageError, ImageFormat, ImageHeader, ImageStore, whole_sectors};
use crate::scenario::Image;
use std::collections::HashMap;

/// The images that a scenario made, without any file: comparing needs no disk.
///
/// Each has the header that a file made by `qemu-img create` would have.
#[derive(Clone, Debug, Default)]
pub struct DeclaredImages {
    headers: HashMap<String, ImageHeader>,
}

impl ImageStore for DeclaredImages {
    fn probe(&self, filename: &str) -> Result<ImageHeader, ImageError> {
        let plain = filename.trim_start_matches("./");
        self.headers.get(plain).cloned().ok_or(ImageError::NotFound)
    }

    /// Makes an image, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// Fails with [`ImageError::NotFound`] when its backing file was not made before: `qemu-img`
    /// opens it, even when the size is given.
    fn create(&mut self, image: &Image) -> Result<(), ImageError> {
        let backing = image.backing.as_ref();
        let backing_header = backing.map(|backing| self.probe(&backing.filename)).transpose()?;
        let inherited = || backing_header.map_or(0, |header| header.virtual_size);
        let virtual_size = whole_sectors(image.size.unwrap_or_else(inherited));
        let header = ImageHeader {
            format: image.format,
            virtual_size,
            file_length: match image.format {
                ImageFormat::Raw => virtual_size,
                ImageFormat::Qcow2 => fresh_qcow2_length(virtual_size),
            },
            backing_file: backing.map(|backing| backing.filename.clone()),
            backing_format: backing.map(|backing| backing.format.to_string()),
            data_file: None,
            writable: true,
        };
        self.headers.insert(image.filename.clone(), header);
        Ok(())
    }

    fn fork(&self) -> Box<dyn ImageStore> {
        Box::new(self.clone())
    }
}

/// The file length of an empty qcow2 image: header, refcount table and refcount block take a
/// cluster each, and the L1 table after them is not padded (`qcow2_co_create`, QEMU 10.0).
fn fresh_qcow2_length(virtual_size: u64) -> u64 {
    const CLUSTER: u64 = 64 << 10;
    const L1_ENTRY: u64 = 8;
    // An L2 table is one cluster of entries of eight bytes, each for a cluster of data.
    const MAPPED_BY_L2_TABLE: u64 = CLUSTER / 8 * CLUSTER;
    3 * CLUSTER + virtual_size.div_ceil(MAPPED_BY_L2_TABLE) * L1_ENTRY
}
