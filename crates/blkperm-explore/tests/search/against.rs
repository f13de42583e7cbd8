//! Two rules at once.

use blkperm_baseline::Baseline;
use blkperm_explore::{Ended, Finding, Limits, Outcome, Pair, Report, Search, Stage, Universe};
use blkperm_jobs::Completion;
use blkperm_ownership::Ownership;

use crate::{ALL, CHAIN, chain, explore, pair, preset};

fn beside_qemu(universe: Universe) -> Pair<Ownership, Baseline> {
    let judged = Stage::new(universe.clone(), Ownership::default(), Completion::Atomic);
    Pair { judged, other: Stage::new(universe, Baseline, Completion::Stepwise) }
}

fn to_depth(depth: u32, system: &Pair<Ownership, Baseline>) -> Report {
    let mut search = Search::new(system);
    assert_eq!(search.run(Limits { depth, ..ALL }, |_| true), Ended::Depth);
    search.report()
}

fn of(report: &Report, outcome: Outcome) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(move |finding| finding.class.outcome == outcome)
}

fn nothing_goes_wrong(report: &Report) {
    let wrong = [Outcome::Abort, Outcome::Stuck, Outcome::Broken, Outcome::FalseAccept];
    assert!(wrong.into_iter().all(|outcome| of(report, outcome).count() == 0), "{report:#?}");
}

/// With one job, QEMU's process ends after whatever ownership refuses and QEMU accepts.
#[test]
fn with_one_job_ownership_refuses_nothing_after_which_nothing_goes_wrong() {
    for universe in [chain(), pair(), preset("fork"), preset("chain"), preset("chain-2")] {
        let report = to_depth(5, &beside_qemu(universe));
        nothing_goes_wrong(&report);
        assert!(of(&report, Outcome::Averted).count() > 0);
        assert_eq!(of(&report, Outcome::FalseRefusal).next(), None);
    }
}

/// With two jobs, it refuses what QEMU gets away with in one case: a backup that is over before the
/// command is. The same backup, when it lasts, ends in an abort: nothing in the command tells the two
/// apart.
#[test]
fn with_two_jobs_ownership_refuses_backups_that_would_have_been_over_in_time() {
    let text = format!(
        r#"{{"images": [{CHAIN}, {{"name": "tgt"}}], "strangers": 1, "exports": 0, "jobs": 2,
            "demands": ["take-write", "unshare-consistent-read", "unshare-write"],
            "kinds": ["commit", "stream", "backup", "mirror"], "manual": true, "pauses": false}}"#
    );
    let report = to_depth(3, &beside_qemu(Universe::parse(&text).expect("it is a universe")));
    nothing_goes_wrong(&report);
    let mut refused = 0;
    for Finding { class, .. } in of(&report, Outcome::FalseRefusal) {
        assert_eq!(class.command, "blockdev-backup", "{class}");
        let same = |averted: &&Finding| {
            averted.class.command == class.command && averted.class.cause == class.cause
        };
        assert!(of(&report, Outcome::Averted).any(|averted| same(&averted)), "{class}");
        refused += 1;
    }
    assert_eq!(refused, 3, "{report:#?}");
}

/// A rule is never at odds with itself.
#[test]
fn nothing_parts_a_rule_from_itself() {
    let stage = || Stage::new(pair(), Baseline, Completion::Atomic);
    assert_eq!(explore(&Pair { judged: stage(), other: stage() }).findings, []);
}
