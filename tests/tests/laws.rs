//! The laws of ownership on random graphs, and for each an engine with one deliberate error that
//! the same check must catch.

use blkperm_baseline::Baseline;
use blkperm_graph::{Demand, Permissions, Rule};
use blkperm_ownership::{Groups, Ownership};
use blkperm_tests::flawed::{
    AloneIsSafe, Flawed, Flawless, Forthcoming, HidingFilter, Lenient, NoIntersection, Resentful,
    SameOwner, Unmarked, WritersShare,
};
use blkperm_tests::law::{self, Check};
use blkperm_tests::paths::{self, Paths};
use blkperm_tests::site::{Event, Site};
use quickcheck::{Arbitrary, Gen, QuickCheck};

const TAKES: Demand = Demand::taking(Permissions::all());
const UNSHARES: Demand = Demand::unsharing(Permissions::all());

/// Does the events one by one, and checks each state that comes of an accepted one.
fn each_state<R: Rule + Default>(events: &[Event], check: fn(&Site<R>) -> Check) -> Check {
    let mut site = Site::<R>::default();
    for event in events {
        if site.apply(event, &mut |_| ()).is_ok() {
            check(&site)?;
        }
    }
    Ok(())
}

fn no_laundering<R: Rule + Default>(events: &[Event]) -> Check {
    each_state::<R>(events, |site| law::no_laundering(&site.graph))
}

fn dropping<R: Rule + Default + Clone>(events: &[Event]) -> Check {
    each_state::<R>(events, law::dropping)
}

fn exact<R: Rule + Default>(events: &[Event]) -> Check {
    let mut site = Site::<R>::default();
    events.iter().try_for_each(|event| law::exact(&mut site, event))
}

fn reversible<R: Rule + Default>(events: &[Event]) -> Check {
    let mut site = Site::<R>::default();
    events.iter().try_for_each(|event| law::reversible(&mut site, event))
}

fn taking_less<R: Rule + Default + Clone>(events: &[Event]) -> Check {
    each_state::<R>(events, |site| law::monotone(site, TAKES))
}

fn unsharing_less<R: Rule + Default + Clone>(events: &[Event]) -> Check {
    each_state::<R>(events, |site| law::monotone(site, UNSHARES))
}

/// How many random graphs are made for a law, and at most until an engine with an error is caught: some
/// errors show in one graph of a thousand.
const GRAPHS: u64 = 2_000;

/// The law on random graphs; what fails is made smaller and shown.
fn holds(property: fn(Vec<Event>) -> bool) {
    QuickCheck::new().rng(Gen::new(40)).tests(GRAPHS).quickcheck(property);
}

fn is_ok(check: Check) -> bool {
    check.inspect_err(|reason| eprintln!("{reason}")).is_ok()
}

/// Whether the check finds the error within as many random graphs, which are the same ones each time.
fn is_caught(check: fn(&[Event]) -> Check) -> bool {
    let mut g = Gen::from_size_and_seed(40, 1);
    (0..GRAPHS).any(|_| check(&Vec::<Event>::arbitrary(&mut g)).is_err())
}

#[test]
fn law_1_without_owners_the_rules_are_one() {
    holds(|events| is_ok(law::conservative::<Baseline, Ownership>(&events)));
    holds(|events| is_ok(law::conservative::<Baseline, Groups>(&events)));
    holds(|events| is_ok(law::conservative::<Baseline, Flawed<Flawless>>(&events)));
    assert!(is_caught(law::conservative::<Baseline, Flawed<Lenient>>), "a node that hides a bit");
}

#[test]
fn law_2_no_claim_is_laundered() {
    holds(|events| is_ok(no_laundering::<Ownership>(&events)));
    assert!(is_caught(no_laundering::<Flawed<HidingFilter>>), "a filter that hides a bit");
    assert!(is_caught(no_laundering::<Flawed<NoIntersection>>), "no intersection");
    assert!(is_caught(no_laundering::<Groups>), "groups");
}

#[test]
fn law_3_dropping_never_fails() {
    holds(|events| is_ok(dropping::<Ownership>(&events)));
    assert!(is_caught(dropping::<Groups>), "groups");
    assert!(is_caught(dropping::<Flawed<SameOwner>>), "both went through the same owner");
    assert!(is_caught(dropping::<Flawed<HidingFilter>>), "a filter that hides a bit");
}

#[test]
fn law_4_verdicts_are_those_of_the_definition_by_paths() {
    holds(|events| is_ok(exact::<Ownership>(&events)));
    holds(|events| is_ok(exact::<Flawed<Flawless>>(&events)));
    assert!(is_caught(exact::<Flawed<Unmarked>>), "the owner is not added on the way down");
    assert!(is_caught(exact::<Flawed<NoIntersection>>), "no intersection where parents meet");
    assert!(is_caught(exact::<Flawed<SameOwner>>), "both went through the same owner");
    assert!(is_caught(exact::<Flawed<HidingFilter>>), "a filter that hides a bit");
    assert!(is_caught(exact::<Flawed<Forthcoming>>), "a filter that withholds nothing");
}

#[test]
fn law_5_refusals_leave_no_trace() {
    holds(|events| is_ok(reversible::<Baseline>(&events)));
    holds(|events| is_ok(reversible::<Ownership>(&events)));
    holds(|events| is_ok(reversible::<Groups>(&events)));
    assert!(is_caught(reversible::<Flawed<Resentful>>), "a tally that is not counted out of");
}

#[test]
fn taking_less_is_never_refused_where_more_was_accepted() {
    holds(|events| is_ok(taking_less::<Baseline>(&events)));
    holds(|events| is_ok(taking_less::<Ownership>(&events)));
    assert!(is_caught(taking_less::<Flawed<WritersShare>>), "writers share");
}

#[test]
fn unsharing_less_is_never_refused_where_more_was_accepted() {
    holds(|events| is_ok(unsharing_less::<Baseline>(&events)));
    holds(|events| is_ok(unsharing_less::<Ownership>(&events)));
    assert!(is_caught(unsharing_less::<Flawed<AloneIsSafe>>), "alone is safe");
}

/// The properties above say something only if the random graphs have what they are about.
#[test]
fn the_random_graphs_reach_what_they_are_to_test() {
    let mut g = Gen::new(40);
    let [mut jobs, mut refused, mut excused, mut nested, mut twice, mut uncounted] = [0; 6];
    for _ in 0..200 {
        let mut site = Site::<Ownership>::default();
        for event in Vec::<Event>::arbitrary(&mut g) {
            refused += usize::from(site.apply(&event, &mut |_| ()).is_err());
        }
        jobs += site.jobs.len();
        let graph = &site.graph;
        let Some(paths) = Paths::of(graph) else {
            uncounted += 1;
            continue;
        };
        nested += paths.all().filter(|path| path.through.len() > 1).count();
        let meetings = paths.meetings(graph);
        excused += meetings.iter().filter(|meeting| paths::is_excused(meeting)).count();
        for node in graph.nodes() {
            let parents: Vec<_> = graph.node_parents(node).collect();
            let again = parents.iter().enumerate().filter(|(at, one)| parents[..*at].contains(one));
            twice += again.count();
        }
    }
    let seen = [jobs, refused, excused, nested, twice];
    assert!(seen.iter().all(|&count| count > 20), "{seen:?}");
    assert!(uncounted < 20, "{uncounted} graphs have too many paths");
}
