//! The search against another one, what it finds in small universes, and what it refuses to explore.

use std::hash::{Hash, Hasher};
use std::path::Path;

use blkperm_baseline::Baseline;
use blkperm_explore::{
    Act, Action, Limits, Outcome, Packed, Report, Search, Stage, Universe, UniverseError, World,
    scenario,
};
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_ownership::{Groups, Ownership};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use stateright::{Checker, Model, Property};

/// A universe in which strangers only unshare consistent reads.
fn small(images: &str, kinds: &str) -> Universe {
    let text = format!(
        r#"{{"images": [{images}], "strangers": 1, "demands": ["unshare-consistent-read"],
            "exports": 1, "jobs": 1, "kinds": [{kinds}], "manual": true, "pauses": false}}"#
    );
    Universe::parse(&text).expect("it is a universe")
}

fn chain() -> Universe {
    let images = r#"{"name": "base"}, {"name": "mid", "backing": "base"},
        {"name": "top", "backing": "mid"}"#;
    small(images, r#""commit""#)
}

fn pair() -> Universe {
    small(r#"{"name": "src"}, {"name": "tgt"}"#, r#""mirror""#)
}

const ALL: Limits = Limits { depth: u32::MAX, states: 1 << 20 };

fn explore<R>(stage: &Stage<R>) -> Report
where
    R: Rule + Clone + Send + Sync,
    R::Hold: Send + Sync,
    R::Tally: Send + Sync,
{
    Search::new(stage, ALL).run(|_| ())
}

/// A state for stateright, told from others by its packed form.
#[derive(Clone, Debug)]
struct Seen {
    packed: Packed,
    world: World<Baseline>,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.packed == other.packed
    }
}

impl Eq for Seen {}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.packed.hash(state);
    }
}

struct Watched(Stage<Baseline>);

impl Watched {
    fn seen(&self, world: World<Baseline>) -> Seen {
        Seen { packed: self.0.pack(&world), world }
    }
}

impl Model for Watched {
    type State = Seen;
    type Action = Action;

    fn init_states(&self) -> Vec<Seen> {
        vec![self.seen(self.0.start())]
    }

    fn actions(&self, state: &Seen, actions: &mut Vec<Action>) {
        actions.extend(self.0.actions(&state.world));
    }

    fn next_state(&self, state: &Seen, action: Action) -> Option<Seen> {
        let mut world = state.world.clone();
        let act = self.0.act(&mut world, action);
        (!matches!(act, Act::Aborted(_))).then(|| self.seen(world))
    }

    fn properties(&self) -> Vec<Property<Watched>> {
        vec![Property::always("it goes on", |_, _| true)]
    }
}

#[test]
fn it_finds_as_many_states_as_stateright() {
    for (universe, pinned) in [(chain(), 787), (pair(), 157)] {
        let stage = Stage::new(universe, Baseline, Completion::Stepwise);
        let ours = explore(&stage);
        let theirs = Watched(stage).checker().spawn_bfs().join();
        assert_eq!(ours.states, theirs.unique_state_count());
        assert_eq!((ours.is_complete, ours.states), (true, pinned));
    }
}

#[test]
fn under_qemus_rule_the_four_aborts_of_the_problem_are_found() {
    let mut found: Vec<String> = Vec::new();
    for universe in [chain(), pair()] {
        let report = explore(&Stage::new(universe, Baseline, Completion::Stepwise));
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

/// The search drives the block layer, and the monitor is what QEMU is compared with: in both, every
/// witness ends the process with its last command, and not before.
#[test]
fn every_witness_ends_the_process_when_the_monitor_plays_it() {
    for universe in [chain(), pair()] {
        let stage = Stage::new(universe, Baseline, Completion::Stepwise);
        for finding in explore(&stage).findings {
            let title = finding.class.to_string();
            let text = scenario(&stage, &title, &finding.witness);
            let scenario = Scenario::parse(Path::new("witness"), &text).expect("well formed");
            let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
            let transcript = play(&mut endpoint, &scenario).expect("our monitor answers");
            assert!(transcript.death().is_some(), "{text}");
            assert_eq!(transcript.steps.len(), scenario.commands().count(), "{text}");
        }
    }
}

#[test]
fn under_ownership_nothing_goes_wrong_and_no_law_is_broken() {
    for completion in [Completion::Stepwise, Completion::Atomic] {
        for universe in [chain(), pair()] {
            let report = explore(&Stage::new(universe, Ownership::default(), completion));
            assert!(report.is_complete);
            assert_eq!(report.findings, [], "{completion:?}");
        }
    }
}

/// Neither half cures everything: the baseline with the atomic completion leaves jobs stuck.
#[test]
fn under_the_baseline_the_atomic_completion_leaves_jobs_stuck() {
    let report = explore(&Stage::new(chain(), Baseline, Completion::Atomic));
    assert!(report.findings.iter().any(|finding| finding.class.outcome == Outcome::Stuck));
    let groups = explore(&Stage::new(chain(), Groups::default(), Completion::Atomic));
    assert!(groups.findings.iter().all(|finding| finding.class.outcome != Outcome::Abort));
}

#[test]
fn a_limit_ends_the_search_and_is_reported() {
    let stage = Stage::new(chain(), Baseline, Completion::Stepwise);
    let by_depth = Search::new(&stage, Limits { depth: 2, ..ALL }).run(|_| ());
    assert_eq!((by_depth.depth, by_depth.is_complete), (2, false));
    let by_states = Search::new(&stage, Limits { states: 10, ..ALL }).run(|_| ());
    assert!(!by_states.is_complete && by_states.states >= 10);
}

#[test]
fn what_is_no_universe_is_refused() {
    let base = |rest: &str| {
        let images = r#"{"images": [{"name": "a"}], "strangers": 1, "exports": 0, "jobs": 0, "#;
        Universe::parse(&format!("{images}{rest}"))
    };
    let fine = r#""demands": ["take-write"], "kinds": [], "manual": false, "pauses": false}"#;
    assert!(base(fine).is_ok());
    let unknown = base(&fine.replace("take-write", "take-writ"));
    assert!(matches!(unknown, Err(UniverseError::Syntax(text)) if text.contains("take-writ")));
    let member = base(&fine.replace("manual", "manuel"));
    assert!(matches!(member, Err(UniverseError::Syntax(text)) if text.contains("manuel")));
    let empty = base(&fine.replace(r#""take-write""#, ""));
    assert_eq!(empty, Err(UniverseError::Empty("demands")));
    let text = r#"{"images": [{"name": "a", "backing": "b"}], "strangers": 4, "#;
    let too_many = Universe::parse(&format!(r#"{text}"exports": 0, "jobs": 0, {fine}"#));
    let expected = UniverseError::TooMany { what: "strangers", count: 4, limit: 3 };
    assert_eq!(too_many, Err(expected));
    let text = text.replace('4', "1");
    let backing = Universe::parse(&format!(r#"{text}"exports": 0, "jobs": 0, {fine}"#));
    assert!(matches!(backing, Err(UniverseError::UnknownBacking { .. })));
    assert!(matches!(Universe::preset("chian"), Err(UniverseError::NoPreset(..))));
    assert!(Universe::presets().all(|name| Universe::preset(name).is_ok()));
}
