//! Images that `qemu-img` has made once already.
//!
//! A random script takes a handful of images of a few kinds, and `qemu-img` takes longer to make
//! one than the daemon to carry out the whole script.

use crate::Error;
use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::scenario::Image;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The bytes between two of which a file may have a hole.
const BLOCK: usize = 4096;

/// What the program at a path makes of a description.
type Known = HashMap<(PathBuf, Image), Arc<Template>>;

/// One program makes the same of one description for as long as we run.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// A file as it was made.
#[derive(Debug)]
pub(crate) struct Template {
    length: u64,
    /// The blocks that are not all zeroes, each with its offset: where one is missing is a hole,
    /// since jobs see whether data is there.
    blocks: Vec<(u64, Box<[u8]>)>,
}

impl Template {
    /// What the program has made of the image before, unless it has not or may make another thing
    /// of it in that directory.
    pub(crate) fn known(program: &Path, image: &Image, directory: &Path) -> Option<Arc<Template>> {
        let backing = image.backing.as_ref();
        // A backing file that is not there is the program's to complain about.
        if !is_repeatable(image)
            || backing.is_some_and(|file| !directory.join(&file.filename).is_file())
        {
            return None;
        }
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(program.to_owned(), image.clone())).cloned()
    }

    /// Remembers what the program has just made of the image in that directory.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub(crate) fn learn(program: &Path, image: &Image, directory: &Path) -> Result<(), Error> {
        if !is_repeatable(image) {
            return Ok(());
        }
        let bytes = fs::read(directory.join(&image.filename));
        let bytes = bytes.map_err(Error::io(format!("read '{}'", image.filename)))?;
        let offsets = (0..).step_by(BLOCK);
        let blocks =
            offsets.zip(bytes.chunks(BLOCK)).filter(|(_, block)| block.iter().any(|b| *b != 0));
        let blocks = blocks.map(|(offset, block)| (offset, block.into())).collect();
        let template = Template { length: bytes.len() as u64, blocks };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((program.to_owned(), image.clone()), Arc::new(template));
        Ok(())
    }

    /// Makes the file anew.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be written.
    pub(crate) fn make(&self, file: &Path) -> Result<(), Error> {
        let write = || {
            let file = File::create(file)?;
            file.set_len(self.length)?;
            self.blocks.iter().try_for_each(|(offset, block)| file.write_all_at(block, *offset))
        };
        write().map_err(Error::io(format!("write '{}'", file.display())))
    }
}

/// Whether what is made of the image follows from its description, and is one file.
fn is_repeatable(image: &Image) -> bool {
    // A vmdk image tells its backing file by a random number.
    let knows_backing = image.format == ImageFormat::Vmdk && image.backing.is_some();
    image.size.is_some() && image.options.is_empty() && !knows_backing
}
