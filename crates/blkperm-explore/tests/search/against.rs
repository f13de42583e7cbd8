//! Two rules at once.

use blkperm_baseline::Baseline;
use blkperm_explore::{Outcome, Pair, Stage};
use blkperm_jobs::Completion;
use blkperm_ownership::Ownership;

use crate::{chain, explore, pair, preset};

/// Whatever ownership refuses that QEMU accepts, the process dies of later, except where the job's own
/// need is at stake, which QEMU's filter hides too.
#[test]
fn what_ownership_refuses_goes_wrong_under_qemus_rule() {
    for universe in [chain(), pair(), preset("fork")] {
        let judged = Stage::new(universe.clone(), Ownership::default(), Completion::Atomic);
        let other = Stage::new(universe, Baseline, Completion::Stepwise);
        let report = explore(&Pair { judged, other });
        let of = |outcome| report.findings.iter().filter(move |f| f.class.outcome == outcome);
        assert!(of(Outcome::Averted).count() > 0);
        for finding in of(Outcome::FalseRefusal) {
            assert!(finding.class.cause.contains("taken by a job through"), "{}", finding.class);
        }
        let wrong = [Outcome::Abort, Outcome::Stuck, Outcome::Broken, Outcome::FalseAccept];
        assert!(wrong.into_iter().all(|outcome| of(outcome).count() == 0), "{report:#?}");
    }
}

/// A rule is never at odds with itself.
#[test]
fn nothing_parts_a_rule_from_itself() {
    let stage = || Stage::new(pair(), Baseline, Completion::Atomic);
    assert_eq!(explore(&Pair { judged: stage(), other: stage() }).findings, []);
}
