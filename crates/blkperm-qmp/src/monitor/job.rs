//! The commands that start jobs and ask things of them.

mod backing;
mod backup;
mod commit;
mod mirror;
mod stream;

use blkperm_graph::Rule;
use blkperm_jobs::Job;
use serde_json::{Value, json};

use super::{Failed, Monitor, done, text};
use crate::command::Command;
use crate::command::job::{JobChange, MirrorCopyMode};
use crate::{ErrorClass, QmpError};

/// What every job is given, from the arguments of the command that starts it.
macro_rules! job_options {
    ($arguments:expr) => {
        blkperm_jobs::JobOptions {
            id: $arguments.job_id.clone().unwrap_or_default(),
            speed: $arguments.speed.unwrap_or(0),
            auto_finalize: $arguments.auto_finalize.unwrap_or(true),
            auto_dismiss: $arguments.auto_dismiss.unwrap_or(true),
            filter_node_name: $arguments.filter_node_name.clone(),
        }
    };
}

use job_options;

impl<R: Rule> Monitor<R> {
    /// The verbs: commands that ask something of one job.
    pub(super) fn job_verb(&mut self, command: &Command) -> Result<Value, Failed> {
        let id = self.job_id(command)?;
        let layer = &mut self.layer;
        match command {
            Command::JobComplete(_) | Command::BlockJobComplete(_) => layer.complete(&id)?,
            Command::JobCancel(_) => layer.cancel(&id, true)?,
            Command::BlockJobCancel(cancel) => layer.cancel(&id, cancel.force.unwrap_or(false))?,
            Command::JobFinalize(_) | Command::BlockJobFinalize(_) => layer.finalize_job(&id)?,
            Command::JobDismiss(_) | Command::BlockJobDismiss(_) => layer.dismiss(&id)?,
            Command::JobPause(_) | Command::BlockJobPause(_) => layer.pause(&id)?,
            Command::JobResume(_) | Command::BlockJobResume(_) => layer.resume(&id)?,
            Command::BlockJobSetSpeed(speed) => layer.set_speed(&id, speed.speed)?,
            Command::BlockJobChange(options) => {
                layer.change_copy_mode(&id, is_write_blocking(&options.change))?;
            }
            other => unreachable!("{} is not about one job", other.name()),
        }
        done()
    }

    /// The id of the job that the command is about, which exists.
    fn job_id(&self, command: &Command) -> Result<String, QmpError> {
        let (id, is_block_job) = match command {
            Command::JobComplete(job)
            | Command::JobCancel(job)
            | Command::JobFinalize(job)
            | Command::JobDismiss(job)
            | Command::JobPause(job)
            | Command::JobResume(job) => (&job.id, false),
            Command::BlockJobFinalize(job) | Command::BlockJobDismiss(job) => (&job.id, true),
            Command::BlockJobComplete(job)
            | Command::BlockJobPause(job)
            | Command::BlockJobResume(job) => (&job.device, true),
            Command::BlockJobCancel(job) => (&job.device, true),
            Command::BlockJobChange(options) => (&options.base.id, true),
            Command::BlockJobSetSpeed(job) => (&job.device, true),
            other => unreachable!("{} is not about one job", other.name()),
        };
        match (self.layer.job(id), is_block_job) {
            (Some(_), _) => Ok(id.clone()),
            (None, true) => {
                let desc = format!("Block job '{id}' not found");
                Err(QmpError::new(ErrorClass::DeviceNotActive, desc))
            }
            (None, false) => Err(QmpError::generic("Job not found")),
        }
    }

    /// Source: `qmp_query_jobs` in `job-qmp.c`, QEMU 10.0.
    pub(super) fn query_jobs(&self) -> Value {
        self.newest_first()
            .map(|job| {
                let progress = job.progress();
                let mut members = json!({
                    "id": job.id(),
                    "type": job.kind(),
                    "status": job.status().name(),
                    "current-progress": progress.offset,
                    "total-progress": progress.len,
                });
                if let Some(error) = job.error() {
                    members["error"] = json!(text::job_error(error));
                }
                members
            })
            .collect()
    }

    /// Source: `block_job_query_locked` in `blockjob.c`, QEMU 10.0.
    pub(super) fn query_block_jobs(&self) -> Value {
        self.newest_first()
            .map(|job| {
                let progress = job.progress();
                let mut members = json!({
                    "auto-finalize": job.auto_finalize(),
                    "io-status": "ok",
                    "device": job.id(),
                    "auto-dismiss": job.auto_dismiss(),
                    "busy": false,
                    "len": progress.len,
                    "offset": progress.offset,
                    "status": job.status().name(),
                    "paused": job.is_held(),
                    "speed": progress.speed,
                    "ready": job.is_ready(),
                    "type": job.kind(),
                });
                if let Some(synced) = job.is_actively_synced() {
                    members["actively-synced"] = json!(synced);
                }
                if let Some(error) = job.error() {
                    members["error"] = json!(text::job_error(error));
                }
                members
            })
            .collect()
    }

    fn newest_first(&self) -> impl Iterator<Item = &Job> {
        self.layer.jobs().iter().rev()
    }
}

/// The copy mode that a change asks for. QEMU's quirk: it does not look at the type that the job is
/// taken for, and where that is another one the mode is the first there is.
fn is_write_blocking(change: &JobChange) -> bool {
    match change {
        JobChange::Mirror(mirror) => mirror.copy_mode == MirrorCopyMode::WriteBlocking,
        _ => false,
    }
}
