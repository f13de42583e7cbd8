//! What jobs tell, as QMP events.

use blkperm_graph::Rule;
use blkperm_jobs::{Event as JobEvent, Progress, Relinked};
use serde_json::{Value, json};

use super::image::BackingName;
use super::{Monitor, text};
use crate::transcript::Event;

impl<R: Rule> Monitor<R> {
    /// Takes over the events of jobs.
    pub(super) fn collect_job_events(&mut self) {
        self.events.extend(self.layer.take_events().iter().map(event));
        for Relinked { overlay, backing, name } in self.layer.take_relinked() {
            if !self.layer.graph.contains_node(overlay) {
                continue;
            }
            let called = |node| BackingName {
                filename: name.unwrap_or_else(|| self.filename(node)),
                format: Some(self.layer.graph.driver(node).name.to_owned()),
            };
            self.change_backing_file(overlay, backing.map(called));
        }
        self.keep_images();
    }
}

fn event(event: &JobEvent) -> Event {
    let (name, data) = match event {
        JobEvent::StatusChange { job, status } => {
            ("JOB_STATUS_CHANGE", json!({"status": status.name(), "id": job}))
        }
        JobEvent::Ready(progress) => ("BLOCK_JOB_READY", members(progress)),
        JobEvent::Pending { job, kind } => ("BLOCK_JOB_PENDING", json!({"type": kind, "id": job})),
        JobEvent::Cancelled(progress) => ("BLOCK_JOB_CANCELLED", members(progress)),
        JobEvent::Completed(progress, error) => {
            let mut data = members(progress);
            if let Some(error) = error {
                data["error"] = json!(text::job_error(*error));
            }
            ("BLOCK_JOB_COMPLETED", data)
        }
    };
    Event { name: name.to_owned(), data }
}

fn members(progress: &Progress) -> Value {
    json!({
        "device": progress.job,
        "len": progress.len,
        "offset": progress.offset,
        "speed": progress.speed,
        "type": progress.kind,
    })
}
