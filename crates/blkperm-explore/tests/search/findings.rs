//! What goes wrong under which rule.

use blkperm_baseline::Baseline;
use blkperm_explore::{Ended, Limits, Outcome, Search, Single, Stage, Universe};
use blkperm_jobs::Completion;
use blkperm_ownership::{Groups, Ownership};

use crate::{ALL, chain, explore, pair, preset, qemu};

#[test]
fn under_qemus_rule_the_four_aborts_of_the_problem_are_found() {
    let mut found: Vec<String> = Vec::new();
    for universe in [chain(), pair()] {
        let report = explore(&qemu(universe));
        assert!(report.findings.iter().all(|finding| finding.class.outcome == Outcome::Abort));
        found.extend(report.findings.iter().map(|finding| finding.class.to_string()));
    }
    let cause = "consistent-read, taken by an export, unshared by a stranger on";
    for class in [
        format!("abort: active commit, job-complete: {cause} the source"),
        format!("abort: active commit, job-cancel: {cause} the source"),
        format!("abort: mirror, job-complete: {cause} the target"),
        format!("abort: commit, job-cancel: {cause} an intermediate node"),
    ] {
        assert!(found.contains(&class), "{class} is not among {found:#?}");
    }
}

#[test]
fn under_ownership_nothing_goes_wrong_and_no_law_is_broken() {
    for completion in [Completion::Stepwise, Completion::Atomic] {
        for universe in [chain(), pair(), preset("fork")] {
            let stage = Stage::new(universe, Ownership::default(), completion);
            let report = explore(&Single { stage, judges: true });
            assert_eq!(report.findings, [], "{completion:?}");
        }
    }
}

/// Neither half cures everything: the baseline with the atomic completion leaves jobs stuck, and has
/// accepted what makes them so.
#[test]
fn under_the_baseline_the_atomic_completion_leaves_jobs_stuck() {
    let stage = Stage::new(chain(), Baseline, Completion::Atomic);
    let report = explore(&Single { stage, judges: true });
    let count = |outcome| report.findings.iter().filter(|f| f.class.outcome == outcome).count();
    assert_eq!(count(Outcome::Abort), 0);
    assert!(count(Outcome::Stuck) > 0 && count(Outcome::FalseAccept) > 0);
}

/// The graph branches below the filter: what conflicts there is one group's until the filter goes.
#[test]
fn groups_are_caught_breaking_law_3_with_a_smallest_witness() {
    let stage = Stage::new(preset("fork"), Groups::default(), Completion::Atomic);
    let report = explore(&Single { stage, judges: false });
    let broken = report.findings.iter().filter(|f| f.class.outcome == Outcome::Broken);
    let broken: Vec<_> = broken.filter(|f| f.class.cause.starts_with("law 3")).collect();
    let smallest = broken.iter().map(|finding| finding.witness.len()).min();
    assert_eq!(smallest, Some(2), "{broken:#?}");
    assert!(report.findings.iter().any(|finding| finding.class.outcome == Outcome::Stuck));
}

/// Streams that are refused late leave their BlockBackends behind; no command that is refused after
/// them is blamed for that.
#[test]
fn what_qemu_leaves_behind_by_its_quirk_breaks_no_law() {
    let text = r#"{"images": [{"name": "base"}, {"name": "top", "backing": "base"}, {"name": "tgt"}],
        "strangers": 1, "demands": ["take-resize"], "exports": 0, "jobs": 2,
        "kinds": ["stream", "backup"], "manual": true, "pauses": false}"#;
    let system = qemu(Universe::parse(text).expect("it is a universe"));
    let mut search = Search::new(&system);
    assert_eq!(search.run(Limits { depth: 4, ..ALL }, |_| true), Ended::Depth);
    assert_eq!(search.report().findings, []);
}

/// What a search with judgement remembers is bounded, too; what it forgets it works out again.
#[test]
fn a_search_that_has_to_forget_finds_the_same() {
    let judged = || Single { judges: true, ..qemu(chain()) };
    let whole = explore(&judged());
    assert!(whole.findings.iter().any(|f| f.class.outcome == Outcome::FalseAccept));
    let system = judged();
    let mut search = Search::new(&system);
    // What the states themselves need, also while their table grows.
    let bytes = 4 * whole.bytes;
    assert_eq!(search.run(Limits { bytes, ..ALL }, |_| true), Ended::Complete);
    assert_eq!(search.report().findings, whole.findings);
}

#[test]
fn a_limit_ends_the_search_and_is_reported() {
    let system = qemu(chain());
    let mut search = Search::new(&system);
    assert_eq!(search.run(Limits { depth: 2, ..ALL }, |_| true), Ended::Depth);
    assert_eq!(search.report().depth, 2);
    let before = search.report().states;
    // Room for one segment of each column, and for no table that has more than a few states.
    let bytes = search.report().bytes + 1000;
    assert_eq!(search.run(Limits { bytes, ..ALL }, |_| true), Ended::Memory);
    assert!(search.report().bytes <= bytes && search.report().states >= before);
    assert_eq!(search.run(ALL, |_| false), Ended::Stopped);
    assert_eq!(search.run(ALL, |_| true), Ended::Complete);
    assert_eq!(search.report().findings, explore(&system).findings);
}
