//! Whether the jobs and exports of a daemon still move by themselves.
//!
//! No amount of waiting proves that, so it is read off what the daemon says. A job whose `busy` is
//! false waits for a command, a timer or a background request; one that was told to complete, or
//! to cancel, is busy from then until it has left its state, because `job_enter_cond` (`job.c`,
//! QEMU 10.0) wakes it at once, and the flush at its end is waited for without yielding the job.
//! All of this runs in the thread that answers queries, and every event is written before any
//! later reply: once a query shows a still daemon, all of its events have arrived.
//!
//! A backup that copies only what others are about to write ([`OnDemand`]) waits for them
//! and for no timer (`backup_run`, `block/backup.c`, QEMU 10.0): it is still unless it is busy. Of
//! any other job that sleeps or waits for a background request nothing says for how long. It is still
//! when nothing has changed, and nothing was written to a file, in [`QUIET`] and in
//! [`QUIET_LOOKS`] looks at it, each of which takes the daemon around its main loop; a look after
//! which one of its threads waits for a disk does not count. One after which a thread runs does:
//! there are jobs that try the same again for ever.
//! So a machine that is slow, or busy with something else, takes longer, but sees the same.

use serde_json::Value;
use std::collections::HashSet;
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

/// The jobs that copy only on demand, by their ids.
#[derive(Default, Debug)]
pub(crate) struct OnDemand(HashSet<String>);

impl OnDemand {
    /// Learns of the jobs that a command has started, which was not refused.
    pub(crate) fn learn(&mut self, command: &Value) {
        let arguments = &command["arguments"];
        self.learn_of(&command["execute"], arguments);
        for action in items(&arguments["actions"]) {
            self.learn_of(&action["type"], &action["data"]);
        }
    }

    fn learn_of(&mut self, name: &Value, arguments: &Value) {
        let Some(id) = arguments["job-id"].as_str() else { return };
        if name == "blockdev-backup" && arguments["sync"] == "none" {
            self.0.insert(id.to_owned());
        } else {
            // Whatever had this id before is gone.
            self.0.remove(id);
        }
    }

    fn has(&self, id: &Value) -> bool {
        id.as_str().is_some_and(|id| self.0.contains(id))
    }
}

/// What all jobs and exports together do, given what `query-jobs`, `query-block-jobs` and
/// `query-block-exports` returned.
pub(crate) fn motion(
    on_demand: &OnDemand,
    jobs: &Value,
    block_jobs: &Value,
    exports: &Value,
) -> Motion {
    let block_job = |id: &Value| items(block_jobs).iter().find(|block| block["device"] == *id);
    let jobs = items(jobs).iter().map(|job| {
        let (status, id) = (job["status"].as_str().unwrap_or_default(), &job["id"]);
        job_motion(status, on_demand.has(id), block_job(id))
    });
    let exports = items(exports).iter().map(|export| match export["shutting-down"] {
        Value::Bool(true) => Motion::Moving,
        _ => Motion::Still,
    });
    jobs.chain(exports).max().unwrap_or(Motion::Still)
}

fn job_motion(status: &str, on_demand: bool, block_job: Option<&Value>) -> Motion {
    let flag = |key: &str| block_job.is_some_and(|block| block[key] == true);
    match (status, flag("busy"), flag("paused")) {
        ("pending" | "concluded", ..) => Motion::Still,
        (_, true, _) => Motion::Moving,
        // It has ended since the jobs were asked for, or is none that can be asked.
        _ if block_job.is_none() => Motion::Perhaps,
        ("ready", _, false) | ("paused" | "standby", _, true) => Motion::Still,
        ("running", _, false) if on_demand => Motion::Still,
        // It has done its work, and waits for the others of its transaction, which are seen.
        ("waiting", ..) => Motion::Still,
        // A copy in the background, or a limited speed.
        ("running", ..) => Motion::Perhaps,
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
        motion(&OnDemand::default(), &jobs, &block_jobs, &json!([]))
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
        assert_eq!(motion(&OnDemand::default(), &jobs, &json!([]), &json!([])), Motion::Perhaps);
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

    fn backup(sync: &str) -> Value {
        let arguments = json!({"job-id": "j0", "device": "s", "target": "t", "sync": sync});
        json!({"execute": "blockdev-backup", "arguments": arguments})
    }

    fn of_running_job(on_demand: &OnDemand, busy: bool, paused: bool) -> Motion {
        let jobs = json!([{"id": "j0", "status": "running"}]);
        let block_jobs = json!([{"device": "j0", "busy": busy, "paused": paused}]);
        motion(on_demand, &jobs, &block_jobs, &json!([]))
    }

    #[test]
    fn a_job_that_copies_only_on_demand_is_still_unless_it_is_busy() {
        let mut on_demand = OnDemand::default();
        on_demand.learn(&backup("none"));
        assert_eq!(of_running_job(&on_demand, false, false), Motion::Still);
        assert_eq!(of_running_job(&on_demand, true, false), Motion::Moving);
        assert_eq!(of_running_job(&on_demand, false, true), Motion::Perhaps);
    }

    #[test]
    fn what_a_job_does_is_that_of_the_last_one_of_its_name() {
        let mut on_demand = OnDemand::default();
        let action = json!({"type": "blockdev-backup", "data": backup("none")["arguments"]});
        let transaction = json!({"actions": [action]});
        on_demand.learn(&json!({"execute": "transaction", "arguments": transaction}));
        assert_eq!(of_running_job(&on_demand, false, false), Motion::Still);
        on_demand.learn(&backup("full"));
        assert_eq!(of_running_job(&on_demand, false, false), Motion::Perhaps);
    }

    #[test]
    fn a_job_that_waits_for_others_moves_as_they_do() {
        let job = |id: &str, status: &str| json!({"id": id, "status": status});
        let block_job = |id: &str, busy: bool| json!({"device": id, "busy": busy, "paused": false});
        let of_other = |status, busy| {
            let jobs = json!([job("j0", "waiting"), job("j1", status)]);
            let block_jobs = json!([block_job("j0", false), block_job("j1", busy)]);
            motion(&OnDemand::default(), &jobs, &block_jobs, &json!([]))
        };
        assert_eq!(of_other("waiting", false), Motion::Still);
        assert_eq!(of_other("running", false), Motion::Perhaps);
        assert_eq!(of_other("running", true), Motion::Moving);
    }

    #[test]
    fn a_job_that_waits_for_the_user_is_still_however_busy_it_was() {
        assert_eq!(of_job("pending", true, false), Motion::Still);
        assert_eq!(of_job("concluded", true, false), Motion::Still);
    }

    #[test]
    fn an_export_that_shuts_down_moves() {
        let exports = json!([{"id": "e0", "shutting-down": true}]);
        assert_eq!(motion(&OnDemand::default(), &json!([]), &json!([]), &exports), Motion::Moving);
        let exports = json!([{"id": "e0", "shutting-down": false}]);
        assert_eq!(motion(&OnDemand::default(), &json!([]), &json!([]), &exports), Motion::Still);
    }
}
