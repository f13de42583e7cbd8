//! Whether the jobs and exports of a daemon still move by themselves.
//!
//! No amount of waiting proves that, so it is read off what the daemon says. A job whose `busy` is
//! false waits for a command, a timer or a background request; one that was told to complete, or
//! to cancel, is busy from then until it has left its state, because `job_enter_cond` (`job.c`,
//! QEMU 10.0) wakes it at once, and the flush at its end is waited for without yielding the job.
//! All of this runs in the thread that answers queries, and every event is written before any
//! later reply: once a query shows a still daemon, all of its events have arrived.
//!
//! Of a job that sleeps or waits for a background request nothing says for how long. It is still
//! when nothing has changed in [`QUIET`] and in [`QUIET_LOOKS`] looks at it, each of which takes the
//! daemon around its main loop; a look after which one of its threads waits for a disk does not
//! count. One after which a thread runs does: there are jobs that try the same again for ever.
//! So a machine that is slow, or busy with something else, takes longer, but sees the same.

use serde_json::Value;
use std::time::Duration;

/// How long a job that may wait for a timer must show no progress to count as still: longer than
/// `BLOCK_JOB_SLICE_TIME`, 100 ms, for which a job sleeps at most unless its speed is limited.
pub(crate) const QUIET: Duration = Duration::from_millis(400);

/// How many looks must show no progress, too: a daemon that was not given the processor, or
/// waits for a disk, has not been quiet.
pub(crate) const QUIET_LOOKS: u32 = 100;

/// What a daemon's jobs and exports do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Motion {
    /// Nothing moves until the next command.
    Still,
    /// A job sleeps or waits for a background request; if it goes on so, it is still.
    Perhaps,
    /// Something moves.
    Moving,
}

/// What all jobs and exports together do, given what `query-jobs`, `query-block-jobs` and
/// `query-block-exports` returned.
pub(crate) fn motion(jobs: &Value, block_jobs: &Value, exports: &Value) -> Motion {
    let block_job = |id: &Value| items(block_jobs).iter().find(|block| block["device"] == *id);
    let jobs = items(jobs).iter().map(|job| job_motion(&job["status"], block_job(&job["id"])));
    let exports = items(exports).iter().map(|export| match export["shutting-down"] {
        Value::Bool(true) => Motion::Moving,
        _ => Motion::Still,
    });
    jobs.chain(exports).max().unwrap_or(Motion::Still)
}

fn job_motion(status: &Value, block_job: Option<&Value>) -> Motion {
    let flag = |key: &str| block_job.is_some_and(|block| block[key] == true);
    match (status.as_str().unwrap_or_default(), flag("busy"), flag("paused")) {
        ("pending" | "concluded", ..) => Motion::Still,
        (_, true, _) => Motion::Moving,
        // It has ended since the jobs were asked for, or is none that can be asked.
        _ if block_job.is_none() => Motion::Perhaps,
        ("ready", _, false) | ("paused" | "standby", _, true) => Motion::Still,
        // A copy in the background, a limited speed, or others of its transaction.
        ("running" | "waiting", ..) => Motion::Perhaps,
        _ => Motion::Moving,
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_job(status: &str, busy: bool, paused: bool) -> Motion {
        let jobs = json!([{"id": "j0", "status": status}]);
        let block_jobs = json!([{"device": "j0", "busy": busy, "paused": paused}]);
        motion(&jobs, &block_jobs, &json!([]))
    }

    #[test]
    fn a_ready_job_is_still_unless_it_was_told_to_complete() {
        assert_eq!(of_job("ready", false, false), Motion::Still);
        assert_eq!(of_job("ready", true, false), Motion::Moving);
    }

    /// The two queries are not one: a job may end between them.
    #[test]
    fn a_ready_job_that_is_gone_meanwhile_is_not_still() {
        let jobs = json!([{"id": "j0", "status": "ready"}]);
        assert_eq!(motion(&jobs, &json!([]), &json!([])), Motion::Perhaps);
    }

    #[test]
    fn a_paused_job_is_still_unless_it_is_being_resumed() {
        assert_eq!(of_job("standby", false, true), Motion::Still);
        assert_eq!(of_job("standby", false, false), Motion::Moving);
        assert_eq!(of_job("ready", false, true), Motion::Moving);
    }

    #[test]
    fn a_sleeping_job_must_be_watched() {
        assert_eq!(of_job("running", false, false), Motion::Perhaps);
        assert_eq!(of_job("running", true, false), Motion::Moving);
        assert_eq!(of_job("aborting", false, false), Motion::Moving);
    }

    #[test]
    fn a_job_that_waits_for_the_user_is_still_however_busy_it_was() {
        assert_eq!(of_job("pending", true, false), Motion::Still);
        assert_eq!(of_job("concluded", true, false), Motion::Still);
    }

    #[test]
    fn an_export_that_shuts_down_moves() {
        let exports = json!([{"id": "e0", "shutting-down": true}]);
        assert_eq!(motion(&json!([]), &json!([]), &exports), Motion::Moving);
        let exports = json!([{"id": "e0", "shutting-down": false}]);
        assert_eq!(motion(&json!([]), &json!([]), &exports), Motion::Still);
    }
}
