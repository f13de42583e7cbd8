//! The conflict rule on all 65,536 pairs of edges into one node.

use blkperm_baseline::Baseline;
use blkperm_graph::{Demand, Owner, Permissions, Rule};
use blkperm_ownership::{Groups, Ownership};

/// The permissions in which two edges conflict, in either direction.
fn conflict<R: Rule>(rule: &mut R, a: R::Hold, b: R::Hold) -> Permissions {
    rule.conflict(a, b) | rule.conflict(b, a)
}

/// Whether a node with just these two edges is in conflict, by its tally.
fn tally_is_in_conflict<R: Rule>(rule: &mut R, a: R::Hold, b: R::Hold) -> bool {
    let mut tally = R::Tally::default();
    rule.add(&mut tally, a);
    rule.add(&mut tally, b);
    rule.in_conflict(&tally)
}

fn all_pairs() -> impl Iterator<Item = (Demand, Demand)> {
    let all = || (0..Demand::COUNT).map(Demand::from_index);
    all().flat_map(move |a| all().map(move |b| (a, b)))
}

/// QEMU's rule: one edge's `perm` meets what the other's `shared` leaves out.
fn qemu_conflict(a: Demand, b: Demand) -> Permissions {
    (a.take() & !b.shared()) | (b.take() & !a.shared())
}

/// Checks all pairs of unowned edges, where every rule is QEMU's (law 1).
fn check_unowned<R: Rule + Default>() -> usize {
    let mut rule = R::default();
    let mut cases = 0;
    for (a, b) in all_pairs() {
        let expected = qemu_conflict(a, b);
        let (held_a, held_b) = (rule.originate(a, None), rule.originate(b, None));
        assert_eq!(conflict(&mut rule, held_a, held_b), expected, "{a} and {b}");
        let in_conflict = tally_is_in_conflict(&mut rule, held_a, held_b);
        assert_eq!(in_conflict, !expected.is_empty(), "the tally of {a} and {b}");
        cases += 1;
    }
    cases
}

#[test]
fn without_owners_every_rule_is_qemus_on_all_pairs() {
    assert_eq!(check_unowned::<Baseline>(), 65_536);
    assert_eq!(check_unowned::<Ownership>(), 65_536);
    assert_eq!(check_unowned::<Groups>(), 65_536);
}

/// Checks all pairs of edges with owners; `excused` says whether they never conflict.
fn check_owned<R: Rule + Default>(owners: [Option<Owner>; 2], excused: bool) {
    let mut rule = R::default();
    for (a, b) in all_pairs() {
        let expected = if excused { Permissions::empty() } else { qemu_conflict(a, b) };
        let held = [rule.originate(a, owners[0]), rule.originate(b, owners[1])];
        assert_eq!(conflict(&mut rule, held[0], held[1]), expected, "{a} and {b}");
        let in_conflict = tally_is_in_conflict(&mut rule, held[0], held[1]);
        assert_eq!(in_conflict, !expected.is_empty(), "the tally of {a} and {b}");
    }
}

#[test]
fn edges_of_one_owner_are_excused_and_those_of_two_are_not_on_all_pairs() {
    let owner = |number| Some(Owner::from_number(number));
    check_owned::<Ownership>([owner(1), owner(1)], true);
    check_owned::<Groups>([owner(1), owner(1)], true);
    check_owned::<Ownership>([owner(1), owner(2)], false);
    check_owned::<Groups>([owner(1), owner(2)], false);
    check_owned::<Ownership>([owner(1), None], false);
    check_owned::<Groups>([owner(1), None], false);
}
