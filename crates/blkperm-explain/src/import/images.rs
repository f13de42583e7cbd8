//! The images of a QEMU that was asked from elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use blkperm_qmp::image::{Directory, ImageError, ImageFormat, ImageHeader, ImageStore};

use super::Survey;

/// Images by what QEMU said of them; others as they are here, and those that are not here as a
/// command would want them to be.
#[derive(Clone, Debug)]
pub(super) struct KnownImages {
    headers: Arc<HashMap<String, ImageHeader>>,
    here: Directory,
    assumed: ImageHeader,
}

impl KnownImages {
    pub(super) fn of(survey: &Survey) -> KnownImages {
        let mut headers = HashMap::new();
        let mut longest = 0;
        for node in &survey.nodes {
            let Some(info) = &node.info else { continue };
            longest = longest.max(info.image.virtual_size);
            let format = match info.drv.as_str() {
                "file" => ImageFormat::Raw,
                "raw" => continue,
                driver => match ImageFormat::from_name(driver) {
                    Some(format) => format,
                    None => continue,
                },
            };
            let header = ImageHeader {
                format,
                backing_file: info.image.backing_filename.clone(),
                backing_format: info.image.backing_filename_format.clone(),
                ..ImageHeader::raw(info.image.virtual_size)
            };
            // A format says more of its file than the file says of itself.
            if format != ImageFormat::Raw || !headers.contains_key(&info.file) {
                headers.insert(info.file.clone(), header);
            }
        }
        let assumed = ImageHeader { format: ImageFormat::Qcow2, ..ImageHeader::raw(longest) };
        KnownImages { headers: Arc::new(headers), here: Directory::new("."), assumed }
    }
}

impl ImageStore for KnownImages {
    /// An image that is neither known nor here is assumed to be a qcow2 image as long as the longest
    /// node, without backing file: so that a command is judged by the graph.
    fn probe(&self, filename: &str) -> Result<ImageHeader, ImageError> {
        match self.headers.get(filename) {
            Some(header) => Ok(header.clone()),
            None => Ok(self.here.probe(filename).unwrap_or_else(|_| self.assumed.clone())),
        }
    }

    fn insert(&mut self, filename: &str, header: ImageHeader) -> Result<(), ImageError> {
        Arc::make_mut(&mut self.headers).insert(filename.to_owned(), header);
        Ok(())
    }

    fn remove(&mut self, filename: &str) {
        Arc::make_mut(&mut self.headers).remove(filename);
    }

    fn fork(&self) -> Box<dyn ImageStore> {
        Box::new(self.clone())
    }
}
