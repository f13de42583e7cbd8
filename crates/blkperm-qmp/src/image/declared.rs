//! Images that exist only by declaration.

use super::{Extent, ImageError, ImageFormat, ImageHeader, ImageStore, fresh, whole_sectors};
use crate::scenario::{Image, VmdkSubformat};
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

    /// Makes an image, in place of one of the same name, and the other files that belong to it.
    ///
    /// # Errors
    ///
    /// Fails with [`ImageError::NotFound`] when its backing file was not made before: `qemu-img`
    /// opens it, even when the size is given.
    fn create(&mut self, image: &Image) -> Result<(), ImageError> {
        let backing = image.backing.as_ref();
        let backing_header = backing.map(|backing| self.probe(&backing.filename)).transpose()?;
        let inherited = || backing_header.map_or(0, |header| header.virtual_size);
        let size = whole_sectors(image.size.unwrap_or_else(inherited));
        let backing = backing.map(|it| (it.filename.as_str(), it.format.name()));
        let header = ImageHeader {
            data_file: image.data_file().map(str::to_owned),
            data_file_is_raw: image.data_file_is_raw(),
            extents: self.extents(image, size),
            passphrase: image.secret.clone(),
            ..ImageHeader::fresh(image.format, size, backing)
        };
        let file_length = match &header {
            header if !header.extents.is_empty() => fresh::DESCRIPTION,
            _ if image.data_file_is_raw() => fresh::qcow2_of_raw_data(size),
            header => header.file_length,
        };
        if let Some(data_file) = image.data_file() {
            self.headers.insert(data_file.to_owned(), ImageHeader::raw(size));
        }
        self.headers.insert(image.filename.clone(), ImageHeader { file_length, ..header });
        Ok(())
    }

    fn insert(&mut self, filename: &str, header: ImageHeader) -> Result<(), ImageError> {
        let plain = filename.trim_start_matches("./");
        if plain.is_empty() || plain.contains('/') {
            return Err(ImageError::NotFound);
        }
        self.headers.insert(plain.to_owned(), header);
        Ok(())
    }

    fn remove(&mut self, filename: &str) {
        self.headers.remove(filename.trim_start_matches("./"));
    }

    fn fork(&self) -> Box<dyn ImageStore> {
        Box::new(self.clone())
    }
}

/// The extents of a vmdk image that is but a description of them.
struct Extents {
    /// What their names end with, but for a number.
    suffix: &'static str,
    /// The length of all but the last; none for a single one without a number.
    largest: Option<u64>,
    is_sparse: bool,
}

/// Source: `vmdk_co_do_create` in `block/vmdk.c`, QEMU 10.0.
fn extents_of(subformat: VmdkSubformat) -> Option<Extents> {
    const LARGEST: Option<u64> = Some(2 << 30);
    let (suffix, largest, is_sparse) = match subformat {
        VmdkSubformat::MonolithicSparse | VmdkSubformat::StreamOptimized => return None,
        VmdkSubformat::MonolithicFlat => ("flat", None, false),
        VmdkSubformat::TwoGbMaxExtentSparse => ("s", LARGEST, true),
        VmdkSubformat::TwoGbMaxExtentFlat => ("f", LARGEST, false),
    };
    Some(Extents { suffix, largest, is_sparse })
}

impl DeclaredImages {
    /// Makes the files with the data of a vmdk image that is but a description of them.
    fn extents(&mut self, image: &Image, size: u64) -> Vec<Extent> {
        let is_vmdk = image.format == ImageFormat::Vmdk;
        let Some(Extents { suffix, largest, is_sparse }) =
            extents_of(image.subformat()).filter(|_| is_vmdk)
        else {
            return Vec::new();
        };
        let (stem, ending) = match image.filename.rfind('.') {
            Some(dot) => image.filename.split_at(dot),
            None => (image.filename.as_str(), ""),
        };
        let mut extents = Vec::new();
        let mut start = 0;
        while start < size {
            let number = extents.len() + 1;
            let filename = match largest {
                Some(_) => format!("{stem}-{suffix}{number:03}{ending}"),
                None => format!("{stem}-{suffix}{ending}"),
            };
            let length = largest.map_or(size, |largest| largest.min(size - start));
            let header = match is_sparse {
                true => ImageHeader {
                    format: ImageFormat::Vmdk,
                    virtual_size: length,
                    ..ImageHeader::raw(fresh::length(ImageFormat::Vmdk, length, 0))
                },
                false => ImageHeader::raw(length),
            };
            self.headers.insert(filename.clone(), header);
            extents.push(Extent { filename, length, is_sparse });
            start += length;
        }
        extents
    }
}
