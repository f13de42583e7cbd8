//! The same universes, searched by stateright.
//!
//! Its states are told apart by a text of the whole block layer, which is written here from the graph
//! and the jobs as anybody may see them, and has nothing of the packed form in it: every edge of every
//! node with who holds it, what for, and on whose behalf.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use blkperm_baseline::Baseline;
use blkperm_explore::{Act, Action, Limits, Search, Single, Stage, Universe, World};
use blkperm_graph::{EdgeId, Graph, Holder, NodeId, Owner, Parent, Rule};
use blkperm_jobs::Completion;
use blkperm_ownership::Ownership;
use stateright::{Checker, Model, Property};

use crate::{ALL, chain, pair};

/// The block layer in words, in an order in which it does not matter who of several alike came first.
fn words<R: Rule>(world: &World<R>) -> Vec<String> {
    let graph = &world.layer.graph;
    let owners: BTreeMap<Owner, &str> = graph
        .nodes()
        .into_iter()
        .filter_map(|node| Some((graph.filter_owner(node)?, graph.name(node))))
        .collect();
    let jobs = world.layer.jobs().iter();
    let jobs_of: BTreeMap<Owner, &str> = jobs.clone().map(|job| (job.owner(), job.id())).collect();
    let whose = |owner: &Owner| jobs_of.get(owner).or(owners.get(owner)).copied().unwrap_or("gone");
    let held = |edge: EdgeId| -> String {
        let claims = graph.rule().claims(graph.hold(edge)).into_iter().map(|claim| {
            let mut through: Vec<&str> = claim.through.iter().map(whose).collect();
            through.sort_unstable();
            let owner = claim.owner.as_ref().map(whose);
            format!("{:?} of {owner:?} through {through:?}", claim.slot)
        });
        let mut claims: Vec<String> = claims.collect();
        claims.sort();
        claims.join(", ")
    };
    let mut lines: Vec<String> = graph
        .nodes()
        .into_iter()
        .flat_map(|node| graph.parents(node).collect::<Vec<_>>())
        .map(|edge| {
            let (parent, child) = (parent(world, edge), graph.child_of(edge));
            let frozen = graph.is_frozen(edge);
            let (name, child) = (graph.edge_name(edge), graph.name(child));
            format!("{parent} -{name}-> {child}, frozen {frozen}: {}", held(edge))
        })
        .collect();
    let nodes = graph.nodes().into_iter().filter(|&node| !is_stranger(graph, node));
    lines.extend(nodes.map(|node| format!("{} stale {}", graph.name(node), graph.is_stale(node))));
    lines.sort();
    // Of BlockBackends that refused streams have left behind, one is as bad as several: none ever goes.
    lines.dedup_by(|a, b| a == b && a.starts_with("BlockBackend of nobody"));
    // Jobs go by their ids, and are older or younger.
    lines.extend(jobs.map(|job| {
        format!(
            "job {} {} {:?} {:?} {} {} {}",
            job.id(),
            job.kind(),
            job.status(),
            job.error(),
            job.auto_finalize(),
            job.is_stuck(),
            job.standing()
        )
    }));
    lines
}

fn is_stranger<R: Rule>(graph: &Graph<R>, node: NodeId) -> bool {
    graph.name(node).starts_with("stranger")
}

/// Who holds an edge; strangers are as good as each other, and so are exports.
fn parent<R: Rule>(world: &World<R>, edge: EdgeId) -> String {
    let graph = &world.layer.graph;
    match graph.parent_of(edge) {
        Parent::Node(node) if is_stranger(graph, node) => "a stranger".to_owned(),
        Parent::Node(node) => graph.name(node).to_owned(),
        Parent::Root(root) => match graph.holder(root) {
            Holder::Export { .. } => "an export".to_owned(),
            Holder::Job { id, .. } => id.clone(),
            _ => {
                let mut jobs = world.layer.jobs().iter();
                let job = jobs.find(|job| job.backends().contains(&root));
                format!("BlockBackend of {}", job.map_or("nobody", |job| job.id()))
            }
        },
    }
}

/// A state for stateright.
#[derive(Clone, Debug)]
struct Seen<R: Rule> {
    words: Vec<String>,
    world: World<R>,
}

impl<R: Rule> PartialEq for Seen<R> {
    fn eq(&self, other: &Seen<R>) -> bool {
        self.words == other.words
    }
}

impl<R: Rule> Eq for Seen<R> {}

impl<R: Rule> Hash for Seen<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.words.hash(state);
    }
}

struct Watched<R: Rule>(Stage<R>);

impl<R> Model for Watched<R>
where
    R: Rule + Clone,
{
    type State = Seen<R>;
    type Action = Action;

    fn init_states(&self) -> Vec<Seen<R>> {
        let world = self.0.start();
        vec![Seen { words: words(&world), world }]
    }

    fn actions(&self, state: &Seen<R>, actions: &mut Vec<Action>) {
        actions.extend(self.0.actions(&state.world));
    }

    fn next_state(&self, state: &Seen<R>, action: Action) -> Option<Seen<R>> {
        let mut world = state.world.clone();
        let act = self.0.act(&mut world, action);
        (!matches!(act, Act::Aborted(_))).then(|| Seen { words: words(&world), world })
    }

    fn properties(&self) -> Vec<Property<Watched<R>>> {
        vec![Property::always("it goes on", |_, _| true)]
    }
}

/// How many states our search finds on ways of at most `depth` commands, and how many stateright's does.
fn counts<R>(universe: &Universe, depth: u32, rule: R, completion: Completion) -> (usize, usize)
where
    R: Rule + Clone + Send + Sync + 'static,
    R::Hold: Send + Sync,
    R::Tally: Send + Sync,
{
    let stage = Stage::new(universe.clone(), rule, completion);
    let system = Single { stage: stage.clone(), judges: false };
    let mut ours = Search::new(&system);
    ours.run(Limits { depth, ..ALL }, |_| true);
    // To stateright, the start is one step deep.
    let theirs = Watched(stage).checker().target_max_depth(depth as usize + 1).spawn_bfs().join();
    (ours.report().states, theirs.unique_state_count())
}

/// Two strangers, which may trade places, with demands of both sides, on files as well; and two jobs.
fn crowd(images: &str, strangers: usize, jobs: usize, kinds: &str) -> Universe {
    let text = format!(
        r#"{{"images": [{images}], "strangers": {strangers}, "exports": 1, "jobs": {jobs},
            "demands": ["take-write-unchanged", ["unshare-consistent-read", "unshare-write"]],
            "files": true, "kinds": [{kinds}], "manual": false, "pauses": false}}"#
    );
    Universe::parse(&text).expect("it is a universe")
}

#[test]
fn it_finds_as_many_states_as_stateright() {
    let chain_of_two = r#"{"name": "base"}, {"name": "top", "backing": "base"}"#;
    let strangers = crowd(chain_of_two, 2, 1, r#""commit", "mirror""#);
    let jobs = crowd(chain_of_two, 1, 2, r#""commit", "stream", "backup""#);
    // The first three have no longer ways.
    for (universe, depth, pinned) in [
        (chain(), 20, [787, 676]),
        (pair(), 20, [157, 157]),
        (strangers, 20, [241, 241]),
        (jobs, 3, [108, 101]),
    ] {
        let qemu = counts(&universe, depth, Baseline, Completion::Stepwise);
        let proposal = counts(&universe, depth, Ownership::default(), Completion::Atomic);
        let pinned = pinned.map(|states| (states, states));
        assert_eq!([qemu, proposal], pinned);
    }
}
