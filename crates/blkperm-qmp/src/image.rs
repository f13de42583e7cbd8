//! The headers of image files, as far as the graph needs them.
//!
//! Nothing here ever writes.

mod declared;
mod directory;
mod fresh;
mod header;

pub use declared::DeclaredImages;
pub use directory::Directory;

use crate::scenario::Image;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// The table of formats: variants and names.
macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The format of an image.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum ImageFormat {
            $($(#[$doc])* $variant,)*
        }

        impl ImageFormat {
            /// All formats.
            pub const ALL: &'static [ImageFormat] = &[$(ImageFormat::$variant),*];

            /// What QEMU calls the format: also the name of its driver.
            pub fn name(self) -> &'static str {
                match self {
                    $(ImageFormat::$variant => $name,)*
                }
            }
        }
    };
}

formats! {
    /// Bytes as the guest sees them; also what no other format is known for.
    Raw = "raw",
    /// QEMU's own format, version 2 or 3.
    Qcow2 = "qcow2",
    /// QEMU's first format.
    Qcow = "qcow",
    /// QEMU's enhanced disk.
    Qed = "qed",
    /// VirtualBox's format.
    Vdi = "vdi",
    /// Hyper-V's format.
    Vhdx = "vhdx",
    /// Virtual PC's format.
    Vpc = "vpc",
    /// Parallels' format.
    Parallels = "parallels",
    /// VMware's format, in one file or with extents.
    Vmdk = "vmdk",
    /// Encrypted.
    Luks = "luks",
}

impl ImageFormat {
    /// The format that QEMU calls `name`.
    pub fn from_name(name: &str) -> Option<ImageFormat> {
        ImageFormat::ALL.iter().copied().find(|format| format.name() == name)
    }
}

/// Writes [`ImageFormat::name`].
impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known about an image file without reading its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageHeader {
    /// The format, by the first bytes of the file: QEMU's `bdrv_probe_all`.
    pub format: ImageFormat,
    /// The size that the guest sees, in bytes; a raw image's is rounded up to whole sectors.
    pub virtual_size: u64,
    /// The length of the file in bytes, exactly.
    pub file_length: u64,
    /// The name of the backing file, as the header has it.
    pub backing_file: Option<String>,
    /// The name of the backing file's format, if the header has one.
    pub backing_format: Option<String>,
    /// The name of the external data file; empty when the image needs one but does not name it.
    pub data_file: Option<String>,
    /// Whether the external data file can be used without the image, which maps all of it.
    pub data_file_is_raw: bool,
    /// The files with the data, where the image is but a text that names them; all are in its
    /// directory.
    pub extents: Vec<Extent>,
    /// Which bytes of the image are mapped.
    pub mapped: Mapped,
    /// The passphrase with which an encrypted image is opened, if that is known.
    pub passphrase: Option<String>,
    /// Whether the file can be opened for writing.
    pub writable: bool,
}

impl ImageHeader {
    /// A raw image of so many bytes that can be written.
    pub fn raw(file_length: u64) -> ImageHeader {
        ImageHeader {
            format: ImageFormat::Raw,
            virtual_size: whole_sectors(file_length),
            file_length,
            backing_file: None,
            backing_format: None,
            data_file: None,
            data_file_is_raw: false,
            extents: Vec::new(),
            mapped: Mapped::Bytes(Vec::new()),
            passphrase: None,
            writable: true,
        }
    }

    /// A new image in one file, of which the guest sees `size` bytes or a little more, with the names
    /// of its backing file and of that one's format.
    pub fn fresh(format: ImageFormat, size: u64, backing: Option<(&str, &str)>) -> ImageHeader {
        let size = whole_sectors(size);
        let virtual_size = if format == ImageFormat::Vpc { fresh::vpc_size(size) } else { size };
        let name = backing.map_or(0, |(filename, _)| filename.len() as u64);
        ImageHeader {
            format,
            virtual_size,
            backing_file: backing.map(|(filename, _)| filename.to_owned()),
            backing_format: backing.and_then(|(_, backing)| fresh::written_format(format, backing)),
            ..ImageHeader::raw(fresh::length(format, virtual_size, name))
        }
    }

    /// How large the clusters of a new image like it are, in bytes; none where the driver says
    /// nothing of clusters, or the first of its extents has none.
    ///
    /// Source: `bdrv_co_get_info` of each `BlockDriver`, QEMU 10.0.
    pub(crate) fn cluster_size(&self) -> Option<u64> {
        let is_sparse = self.extents.first().is_none_or(|extent| extent.is_sparse);
        let size = fresh::cluster_size(self.format, self.virtual_size, self.backing_file.is_some());
        size.filter(|_| is_sparse)
    }

    /// The bytes that the image does not leave to a backing file: what its tables map, all of a raw data
    /// file, which follows the image's length, or what is in extents without a map.
    ///
    /// Source: `vmdk_co_block_status` in `block/vmdk.c`, `qcow2_co_truncate` in `block/qcow2.c`,
    /// QEMU 10.0.
    pub(crate) fn own_bytes(&self) -> Vec<Range<u64>> {
        let (everything, mut end) = (0..u64::MAX, 0_u64);
        if self.data_file_is_raw {
            return vec![everything];
        }
        let ranges = self.extents.iter().map(|extent| {
            let start = end;
            end = end.saturating_add(extent.length);
            (start..end, extent.is_sparse)
        });
        let flat = ranges.filter(|(_, is_sparse)| !is_sparse).map(|(range, _)| range);
        flat.chain(self.mapped.bytes()).collect()
    }
}

/// Where it stands which bytes of an image are mapped, to data or to zeroes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mapped {
    /// Here: nobody has written to the image, or jobs have.
    Bytes(Vec<Range<u64>>),
    /// In the tables of that qcow2 file, which are read when the image is opened.
    Tables(PathBuf),
}

impl Mapped {
    /// The bytes; of a damaged image those up to the first table that cannot be read, since nobody
    /// reads the data behind it.
    fn bytes(&self) -> Vec<Range<u64>> {
        match self {
            Mapped::Bytes(bytes) => bytes.clone(),
            Mapped::Tables(path) => header::mapped(path),
        }
    }
}

/// A file with a part of an image's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The name of the file.
    pub filename: String,
    /// How many bytes of the image it has.
    pub length: u64,
    /// Whether the file has metadata of its own; it is raw otherwise.
    pub is_sparse: bool,
}

/// An image file cannot be used.
///
/// Its text is the reason alone, as QEMU writes it after `Could not open 'x': `.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is no such file.
    #[error("No such file or directory")]
    NotFound,
    /// It is a directory.
    #[error("Is a directory")]
    IsADirectory,
    /// What should be a directory on the way to it is none.
    #[error("Not a directory")]
    NotADirectory,
    /// Its name, or a part of it, is longer than names can be.
    #[error("File name too long")]
    NameTooLong,
    /// It may not be read.
    #[error("Permission denied")]
    PermissionDenied,
    /// It begins like an image of some format, but is none that could be used.
    #[error("Invalid argument")]
    BadImage(#[source] io::Error),
    /// It could not be read for another reason.
    #[error("Input/output error")]
    Io(#[source] io::Error),
}

/// Where filenames are looked up.
pub trait ImageStore: Send {
    /// Reads the header of the image file called `filename`.
    ///
    /// # Errors
    ///
    /// Says why the file cannot be used; a file in an unknown format is no error but raw.
    fn probe(&self, filename: &str) -> Result<ImageHeader, ImageError>;

    /// Reads a whole file with a passphrase.
    ///
    /// # Errors
    ///
    /// Says why the file cannot be read; [`ImageError::NotFound`] where there are only images.
    fn read_passphrase(&self, _filename: &str) -> Result<Vec<u8>, ImageError> {
        Err(ImageError::NotFound)
    }

    /// Makes an image, where images can be made.
    ///
    /// # Errors
    ///
    /// Fails where the store only reads, and when the image's backing file is not there.
    fn create(&mut self, _image: &Image) -> Result<(), ImageError> {
        Err(ImageError::PermissionDenied)
    }

    /// Puts an image there whose header is known, in place of one of the same name, as a driver that
    /// makes images does.
    ///
    /// # Errors
    ///
    /// Fails where there cannot be such a file, and where the store only reads.
    fn insert(&mut self, _filename: &str, _header: ImageHeader) -> Result<(), ImageError> {
        Err(ImageError::PermissionDenied)
    }

    /// Takes an image away that was [put there](ImageStore::insert).
    fn remove(&mut self, _filename: &str) {}

    /// The store as it is, for a fork of the monitor that looks images up in it.
    fn fork(&self) -> Box<dyn ImageStore>;
}

impl Clone for Box<dyn ImageStore> {
    fn clone(&self) -> Box<dyn ImageStore> {
        self.fork()
    }
}

/// Rounds up to whole sectors, in which QEMU counts lengths.
fn whole_sectors(bytes: u64) -> u64 {
    const SECTOR: u64 = 512;
    bytes.next_multiple_of(SECTOR)
}

#[cfg(test)]
mod tests;
