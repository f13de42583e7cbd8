//! The file with the process ID.

use super::error::{ServeError, reason};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file with the process ID, locked as long as this lives and removed when it goes.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Makes the file, or takes over one whose process is gone.
    ///
    /// Source: `qemu_write_pidfile` in `util/oslib-posix.c`, QEMU 10.0.
    pub(super) fn create(path: &str) -> Result<PidFile, ServeError> {
        let failed = |what: &str, error: io::Error| {
            ServeError::PidFile(format!("{what}: {}", reason(&error)))
        };
        let options =
            OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path);
        let mut file =
            options.map_err(|error| failed(&format!("Could not create '{path}'"), error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => failed("Cannot lock pid file", error),
            TryLockError::WouldBlock => {
                let reason = "Resource temporarily unavailable";
                ServeError::PidFile(format!("Cannot lock pid file: {reason}"))
            }
        })?;
        let write = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        write.map_err(|error| failed("Failed to write pid file", error))?;
        Ok(PidFile { path: Path::new(path).to_owned(), _locked: file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}
