//! Images in real files.

use super::{ImageError, ImageHeader, ImageStore, header};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::{fs, io};

/// The image files of a directory, to which relative filenames belong, and those that were put there
/// without anything being written.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    /// What was put there; nothing where that was taken away again.
    imagined: HashMap<PathBuf, Option<ImageHeader>>,
}

impl Directory {
    /// Looks relative filenames up in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Directory {
        Directory { path: path.into(), imagined: HashMap::new() }
    }
}

impl ImageStore for Directory {
    fn probe(&self, filename: &str) -> Result<ImageHeader, ImageError> {
        let path = self.path.join(filename);
        if let Some(imagined) = self.imagined.get(&path) {
            return imagined.clone().ok_or(ImageError::NotFound);
        }
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            return Err(ImageError::IsADirectory);
        }
        // Opening a pipe would wait for somebody at its other end.
        if !metadata.is_file() {
            return Err(ImageError::Io(io::ErrorKind::Unsupported.into()));
        }
        let file = File::open(&path)?;
        let raw = ImageHeader {
            writable: OpenOptions::new().write(true).open(&path).is_ok(),
            ..ImageHeader::raw(metadata.len())
        };
        header::read(&path, &file, raw)
    }

    fn read_passphrase(&self, filename: &str) -> Result<Vec<u8>, ImageError> {
        Ok(fs::read(self.path.join(filename))?)
    }

    fn insert(&mut self, filename: &str, header: ImageHeader) -> Result<(), ImageError> {
        let path = self.path.join(filename);
        match path.metadata() {
            _ if filename.is_empty() => return Err(ImageError::NotFound),
            Ok(metadata) if metadata.is_dir() => return Err(ImageError::IsADirectory),
            Ok(_) => drop(OpenOptions::new().write(true).open(&path)?),
            Err(_) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                folder.map_or(Ok(()), |folder| folder.metadata().map(|_| ()))?;
            }
        }
        self.imagined.insert(path, Some(header));
        Ok(())
    }

    fn remove(&mut self, filename: &str) {
        self.imagined.insert(self.path.join(filename), None);
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
