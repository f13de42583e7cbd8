//! The incremental update against recomputing everything, and refusals that leave no trace.

use blkperm_baseline::Baseline;
use blkperm_graph::{Claim, Rule};
use blkperm_ownership::{Groups, Ownership, maximal};
use blkperm_tests::operation::{Operation, Outcome, Subject};
use blkperm_tests::slow::{self, Excused};
use blkperm_tests::snapshot::Snapshot;
use quickcheck::{Gen, QuickCheck};

/// Does the operations one by one, and checks the graph after each.
fn check<R: Rule + Default>(operations: &[Operation], excused: Excused) -> Result<(), String> {
    let mut subject = Subject::<R>::default();
    for operation in operations {
        let before = Snapshot::of(&subject.graph);
        let mut refused_state_is_faulty = true;
        let outcome = subject.apply(operation, |refused| {
            refused_state_is_faulty = slow::is_faulty(refused, excused);
        });
        if !refused_state_is_faulty {
            return Err(format!("{operation:?} was refused for nothing"));
        }
        subject.graph.check_invariants()?;
        if outcome != Outcome::Accepted && Snapshot::of(&subject.graph) != before {
            return Err(format!("{operation:?} was refused and left a trace"));
        }
        if slow::is_faulty(&subject.graph, excused) {
            return Err(format!("{operation:?} was accepted and is faulty"));
        }
        for (edge, claims) in slow::all_claims(&subject.graph) {
            let held = subject.graph.rule().claims(subject.graph.hold(edge));
            let expected: Vec<Claim> = maximal(claims).into_vec();
            if held != expected {
                return Err(format!(
                    "after {operation:?} an edge holds {held:?}, not {expected:?}"
                ));
            }
        }
    }
    Ok(())
}

fn holds<R: Rule + Default>(operations: &[Operation], excused: Excused) -> bool {
    check::<R>(operations, excused).inspect_err(|reason| eprintln!("{reason}")).is_ok()
}

fn quickcheck(property: fn(Vec<Operation>) -> bool) {
    QuickCheck::new().rng(Gen::new(60)).tests(400).quickcheck(property);
}

#[test]
fn baseline_equals_recomputing_everything_and_refusals_leave_no_trace() {
    quickcheck(|operations| holds::<Baseline>(&operations, slow::never));
}

#[test]
fn ownership_equals_recomputing_everything_and_refusals_leave_no_trace() {
    quickcheck(|operations| holds::<Ownership>(&operations, slow::by_ownership));
}

#[test]
fn groups_equal_recomputing_everything_and_refusals_leave_no_trace() {
    quickcheck(|operations| holds::<Groups>(&operations, slow::by_group));
}

/// The properties above say something only if changes are both accepted and refused, and if the
/// experimental rule has claims to work with.
#[test]
fn the_random_changes_reach_what_they_are_to_test() {
    let mut outcomes = [0; 3];
    let mut owned = 0;
    let mut g = Gen::new(60);
    for _ in 0..200 {
        let mut subject = Subject::<Ownership>::default();
        for operation in <Vec<Operation> as quickcheck::Arbitrary>::arbitrary(&mut g) {
            outcomes[subject.apply(&operation, |_| ()) as usize] += 1;
        }
        let claims = slow::all_claims(&subject.graph);
        owned += claims.values().flatten().filter(|claim| !claim.through.is_empty()).count();
    }
    let [accepted, refused, step_refused] = outcomes;
    assert!(accepted > 1000 && refused > 50 && step_refused > 50, "{outcomes:?}");
    assert!(owned > 100, "{owned} claims went through an owner");
}
