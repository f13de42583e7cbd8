//! Crashes of QEMU that have nothing to do with permissions, and are not reproduced.
//!
//! Each stands in `docs/differences.md`. Scripts that could run into one are not written where that
//! can be known beforehand; the others end where QEMU does.

use blkperm_qmp::transcript::Transcript;

/// What QEMU says last in each of them.
const CRASHES: [&str; 4] = [
    // A job whose source is a filter that was larger when it was opened than what it filters is now,
    // after a snapshot for example: it looks for data where the image has ended.
    "mirror_dirty_init: Assertion `count' failed.",
    // A paused mirror with `replaces` that is told to complete twice.
    "error_setv: Assertion `*errp == NULL' failed.",
    // A job that writes to an image that was made inactive meanwhile: with its file, or without.
    "bdrv_co_write_req_prepare: Assertion `!(bs->open_flags & BDRV_O_INACTIVE)' failed.",
    "bdrv_co_write_req_prepare: Assertion `child->perm & BLK_PERM_WRITE' failed.",
];

/// How many steps of QEMU's transcript come before such a crash; none if there is none.
pub(crate) fn steps_before(transcript: &Transcript) -> Option<usize> {
    let message = &transcript.death()?.message;
    let is_known = CRASHES.iter().any(|crash| message.contains(crash));
    is_known.then(|| transcript.steps.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_qmp::transcript::{Death, Step};
    use serde_json::json;

    fn died_of(message: &str) -> Transcript {
        let step = |line| Step::new(line, json!({"execute": "query-jobs"}));
        let death =
            Death { signal: "SIGABRT".to_owned(), message: message.to_owned(), origin: None };
        let last = Step { death: Some(death), ..step(2) };
        Transcript { steps: vec![step(1), last] }
    }

    #[test]
    fn only_a_known_crash_cuts_a_transcript_short() {
        let known = "block/mirror.c:904: mirror_dirty_init: Assertion `count' failed.";
        assert_eq!(steps_before(&died_of(known)), Some(1));
        assert_eq!(steps_before(&died_of("Permission conflict on node 'base'")), None);
        assert_eq!(steps_before(&Transcript::default()), None);
    }
}
