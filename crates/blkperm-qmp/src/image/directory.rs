//! Images in real files.

use super::{ImageError, ImageFormat, ImageHeader, ImageStore, whole_sectors};
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The image files of a directory, to which relative filenames belong.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Looks relative filenames up in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Directory {
        Directory { path: path.into() }
    }
}

impl ImageStore for Directory {
    fn probe(&self, filename: &str) -> Result<ImageHeader, ImageError> {
        let path = self.path.join(filename);
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Err(ImageError::IsADirectory);
        }
        // Opening a pipe would wait for somebody at its other end.
        if !metadata.is_file() {
            return Err(ImageError::Io(io::ErrorKind::Unsupported.into()));
        }
        let mut file = File::open(&path)?;
        let raw = ImageHeader {
            format: ImageFormat::Raw,
            virtual_size: whole_sectors(metadata.len()),
            file_length: metadata.len(),
            backing_file: None,
            backing_format: None,
            data_file: None,
            writable: OpenOptions::new().write(true).open(&path).is_ok(),
        };
        if is_qcow2(&mut file)? { qcow2_header(&path, raw) } else { Ok(raw) }
    }

    fn fork(&self) -> Box<dyn ImageStore> {
        Box::new(self.clone())
    }
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> ImageError {
        match error.kind() {
            io::ErrorKind::NotFound => ImageError::NotFound,
            io::ErrorKind::IsADirectory => ImageError::IsADirectory,
            io::ErrorKind::NotADirectory => ImageError::NotADirectory,
            io::ErrorKind::InvalidFilename => ImageError::NameTooLong,
            io::ErrorKind::PermissionDenied => ImageError::PermissionDenied,
            _ => ImageError::Io(error),
        }
    }
}

/// Whether the file begins as `qcow2_probe` wants it: the magic, and a version of 2 or more.
fn is_qcow2(file: &mut File) -> Result<bool, ImageError> {
    let mut head = [0; 8];
    match file.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let [magic @ .., v0, v1, v2, v3] = head;
    Ok(magic == *b"QFI\xfb" && u32::from_be_bytes([v0, v1, v2, v3]) >= 2)
}

/// Opens read-only, and neither the backing nor the data file.
fn qcow2_header(path: &Path, raw: ImageHeader) -> Result<ImageHeader, ImageError> {
    let image = Qcow2::<Storage>::open_path(path, false).map_err(ImageError::BadQcow2)?;
    let data_file = image.implicit_external_data_file().cloned().unwrap_or_default();
    Ok(ImageHeader {
        format: ImageFormat::Qcow2,
        virtual_size: imago::format::drivers::FormatDriverInstance::size(&image),
        backing_file: image.implicit_backing_file().cloned(),
        backing_format: image.implicit_backing_format().cloned(),
        data_file: image.requires_external_data_file().then_some(data_file),
        ..raw
    })
}
