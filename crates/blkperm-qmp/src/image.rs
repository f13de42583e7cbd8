//! The headers of image files, as far as the graph needs them.
//!
//! Nothing here ever writes.

mod declared;
mod directory;

pub use declared::DeclaredImages;
pub use directory::Directory;

use crate::scenario::Image;
use std::fmt;
use std::io;

/// The format of an image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ImageFormat {
    /// Bytes as the guest sees them; also what no other format is known for.
    Raw,
    /// QEMU's own format, version 2 or 3.
    Qcow2,
}

impl ImageFormat {
    /// The format that QEMU calls `name`.
    pub fn from_name(name: &str) -> Option<ImageFormat> {
        [ImageFormat::Raw, ImageFormat::Qcow2].into_iter().find(|format| format.name() == name)
    }

    /// What QEMU calls the format: also the name of its driver.
    pub fn name(self) -> &'static str {
        match self {
            ImageFormat::Raw => "raw",
            ImageFormat::Qcow2 => "qcow2",
        }
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
    /// The format, by the first bytes of the file: QEMU's `bdrv_probe_all` for the two formats.
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
    /// Whether the file can be opened for writing.
    pub writable: bool,
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
    /// It begins like a qcow2 image, but is none that could be used.
    #[error("Invalid argument")]
    BadQcow2(#[source] io::Error),
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

    /// Makes an image, where images can be made.
    ///
    /// # Errors
    ///
    /// Fails where the store only reads, and when the image's backing file is not there.
    fn create(&mut self, _image: &Image) -> Result<(), ImageError> {
        Err(ImageError::PermissionDenied)
    }

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
