//! Steps for tests, one for each kind of outcome.

use blkperm_qmp::transcript::{Death, Event, Reply, Step};
use serde_json::{Value, json};

/// QEMU's text for a conflict between the nodes `a`, which requires, and `b`, on the node `n`.
pub(crate) const CONFLICT: &str = "Permission conflict on node 'n': permissions 'write' are both \
    required by node 'a' (uses node 'n' as 'file' child) and unshared by node 'b' (uses node 'n' \
    as 'image' child).";

fn step(reply: Option<Reply>) -> Step {
    Step { reply, ..Step::new(1, json!({"execute": "job-complete", "arguments": {"id": "j0"}})) }
}

/// Carried out.
pub(crate) fn done() -> Step {
    step(Some(Reply::Return(json!({}))))
}

/// Refused with this text.
pub(crate) fn refused(desc: &str) -> Step {
    step(Some(Reply::Error { class: "GenericError".to_owned(), desc: desc.to_owned() }))
}

/// Carried out, with a job's completion that tells `data`.
pub(crate) fn completed(data: Value) -> Step {
    let event = Event { name: "BLOCK_JOB_COMPLETED".to_owned(), data };
    Step { events: vec![event], ..done() }
}

/// Carried out, and the job `j0` failed.
pub(crate) fn failed() -> Step {
    completed(json!({"device": "j0", "error": "Operation not permitted"}))
}

/// Carried out, with these jobs stuck.
pub(crate) fn stuck(jobs: &[&str]) -> Step {
    Step { stuck: jobs.iter().map(|job| (*job).to_owned()).collect(), ..done() }
}

/// The process was ended by `signal`.
pub(crate) fn died(signal: &str) -> Step {
    let death = Death { signal: signal.to_owned(), message: CONFLICT.to_owned(), origin: None };
    Step { death: Some(death), ..step(None) }
}
