//! The laws on graphs in which QEMU's own jobs are at work: mirror, active commit, commit, stream and
//! backup, with their filters and edges, among strangers.

use blkperm_baseline::Baseline;
use blkperm_graph::driver::{BLKDEBUG, FILE, NULL_CO, QCOW2};
use blkperm_graph::{Demand, Driver, Holder, NewNode, NodeId, Permissions, Role, Rule};
use blkperm_jobs::{
    BackupOptions, BlockLayer, CommitOptions, Completion, JobOptions, MirrorOptions, Operation,
    Status, StreamEnd, StreamOptions, Sync,
};
use blkperm_ownership::Ownership;
use blkperm_tests::law::{self, Check};
use blkperm_tests::operation::Pick;
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Event {
    Mirror(Pick, Pick),
    Commit(Pick, Pick),
    Stream(Pick, Pick),
    Backup(Pick, Pick),
    /// A user of a node.
    User(Pick, Demand),
    /// A filter of a user's above a node, that takes and unshares something itself.
    Stranger(Pick, Demand),
    Complete(Pick),
    Finalize(Pick),
    Cancel(Pick),
    Dismiss(Pick),
}

impl Arbitrary for Event {
    fn arbitrary(g: &mut Gen) -> Event {
        let (a, b) = (Pick::arbitrary(g), Pick::arbitrary(g));
        // What the jobs break, or anything else; one thing, or two.
        let demand = match u8::arbitrary(g) % 8 {
            0..=2 => Demand::unsharing(Permissions::CONSISTENT_READ),
            3 | 4 => Demand::taking(Permissions::CONSISTENT_READ),
            _ => Demand::from_index(1 << (b % 8) | 1 << (u8::arbitrary(g) % 8)),
        };
        match u8::arbitrary(g) % 16 {
            0 | 1 => Event::Mirror(a, b),
            2..=4 => Event::Commit(a, b),
            5 => Event::Stream(a, b),
            6 => Event::Backup(a, b),
            7 | 8 => Event::User(a, demand),
            9 | 10 => Event::Stranger(a, demand),
            11 => Event::Complete(a),
            12 | 13 => Event::Finalize(a),
            14 => Event::Cancel(a),
            _ => Event::Dismiss(a),
        }
    }
}

/// Three images that are each other's backing files, and two targets.
struct Place<R: Rule> {
    layer: BlockLayer<R>,
    made: usize,
    started: [usize; 5],
}

impl<R: Rule + Default + Clone> Place<R> {
    fn new(completion: Completion) -> Place<R> {
        let layer = BlockLayer::new(R::default(), completion);
        let mut place = Place { layer, made: 0, started: [0; 5] };
        let mut below = None;
        for name in ["base", "mid", "top"] {
            let file = place.node(&format!("{name}-file"), &FILE);
            let node = place.node(name, &QCOW2);
            let graph = &mut place.layer.graph;
            let opened = graph.transact(|change| {
                change.attach(node, file, "file", Role::IMAGE)?;
                below.map(|below| change.attach(node, below, "backing", Role::COW)).transpose()
            });
            opened.expect("nobody minds");
            below = Some(node);
        }
        place.node("t1", &NULL_CO);
        place.node("t2", &NULL_CO);
        place
    }

    fn node(&mut self, name: &str, driver: &'static Driver) -> NodeId {
        let new = NewNode { length: 1 << 20, ..NewNode::new(name, driver) };
        self.layer.graph.add_node(new)
    }

    fn pick(&self, pick: Pick) -> NodeId {
        let nodes = self.layer.graph.nodes();
        nodes[usize::from(pick) % nodes.len()]
    }

    /// One of the nodes of which a mirror or a commit may be started.
    fn root(&self, pick: Pick) -> NodeId {
        let is_root = |node: &NodeId| self.layer.require_root(*node).is_ok();
        let roots: Vec<NodeId> = self.layer.graph.nodes().into_iter().filter(is_root).collect();
        if roots.is_empty() { self.pick(pick) } else { roots[usize::from(pick) % roots.len()] }
    }

    fn below(&self, top: NodeId, pick: Pick) -> NodeId {
        let chain: Vec<NodeId> = self.layer.graph.chain(top).collect();
        chain[usize::from(pick) % chain.len()]
    }

    fn options(&mut self) -> JobOptions {
        self.made += 1;
        let auto_dismiss = !self.made.is_multiple_of(3);
        JobOptions {
            auto_finalize: false,
            auto_dismiss,
            ..JobOptions::new(format!("j{}", self.made))
        }
    }

    fn unblocked(&self, node: NodeId, operation: Operation) -> bool {
        self.layer.require_unblocked(node, operation).is_ok()
    }

    /// Starts a job as the monitor does, after its checks.
    fn start(&mut self, event: &Event) {
        use Operation as O;
        let job = self.options();
        let (kind, started) = match *event {
            Event::Mirror(a, b) => {
                let (device, target) = (self.root(a), self.pick(b));
                let free = self.layer.require_root(device).is_ok()
                    && self.unblocked(device, O::MirrorSource)
                    && self.unblocked(target, O::MirrorTarget);
                let options = MirrorOptions {
                    job,
                    device,
                    target,
                    sync: Sync::Full,
                    replaces: None,
                    target_unmaps: false,
                    write_blocking: false,
                };
                (0, free.then(|| self.layer.start_mirror(&options)))
            }
            Event::Commit(a, b) => {
                let device = self.root(a);
                let top = self.below(device, b);
                let base = self.layer.graph.chain(top).last().expect("the top itself");
                let active = self.layer.is_active_commit(device, top);
                let chain: Vec<NodeId> = self.layer.graph.chain(top).collect();
                let free = top != base
                    && self.layer.require_root(device).is_ok()
                    && self.unblocked(device, O::CommitSource)
                    && chain.iter().all(|&node| self.unblocked(node, O::CommitTarget))
                    && (active || self.layer.graph.overlay_of(device, top).is_some());
                let options = CommitOptions { job, device, top, base, backing_name: None };
                (if active { 1 } else { 2 }, free.then(|| self.layer.start_commit(&options)))
            }
            Event::Stream(a, b) => {
                let device = self.pick(a);
                let bottom = self.below(device, b);
                let chain: Vec<NodeId> = self.layer.graph.chain(device).collect();
                let free = !self.layer.graph.driver(bottom).is_filter
                    && chain.iter().all(|&node| self.unblocked(node, O::Stream));
                let end = StreamEnd::Bottom(bottom);
                let options = StreamOptions { job, device, end, backing_name: None };
                (3, free.then(|| self.layer.start_stream(&options)))
            }
            Event::Backup(a, b) => {
                let (source, target) = (self.pick(a), self.pick(b));
                let free = source != target
                    && self.unblocked(source, O::BackupSource)
                    && self.unblocked(target, O::BackupTarget);
                let options = BackupOptions {
                    job,
                    source,
                    target,
                    sync: if b.is_multiple_of(2) { Sync::None } else { Sync::Full },
                    discard_source: b.is_multiple_of(3),
                    max_chunk: 0,
                    min_cluster_size: 0,
                };
                (4, free.then(|| self.layer.start_backup(&options)))
            }
            _ => unreachable!("it starts no job"),
        };
        self.started[kind] += usize::from(started.is_some_and(|started| started.is_ok()));
    }

    fn job_in(&self, pick: Pick, wanted: &[Status]) -> Option<String> {
        let jobs = self.layer.jobs().iter().filter(|job| wanted.contains(&job.status()));
        let ids: Vec<String> = jobs.map(|job| job.id().to_owned()).collect();
        (!ids.is_empty()).then(|| ids[usize::from(pick) % ids.len()].clone())
    }

    /// Does one thing, and lets the jobs go on.
    ///
    /// # Errors
    ///
    /// QEMU's abort.
    fn apply(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::User(a, demand) => {
                let node = self.pick(a);
                self.made += 1;
                let purpose = format!("user {}", self.made);
                let graph = &mut self.layer.graph;
                let root = graph.add_root(Holder::Backend { purpose }, None);
                if graph.transact(|it| it.attach_root(root, node, "root", demand)).is_err() {
                    graph.remove_root(root);
                }
            }
            Event::Stranger(a, demand) => {
                let below = self.pick(a);
                self.made += 1;
                let name = format!("stranger{}", self.made);
                let new =
                    NewNode { options: demand, length: 1 << 20, ..NewNode::new(&name, &BLKDEBUG) };
                let graph = &mut self.layer.graph;
                let node = graph.add_node(new);
                let role = Role::FILTERED | Role::PRIMARY;
                if graph.transact(|it| it.attach(node, below, "image", role)).is_err() {
                    graph.release(node);
                }
            }
            Event::Complete(a) => {
                if let Some(id) = self.job_in(a, &[Status::Ready]) {
                    let _ = self.layer.complete(&id);
                }
            }
            Event::Finalize(a) => {
                if let Some(id) = self.job_in(a, &[Status::Pending]) {
                    self.layer.finalize_job(&id).map_err(|failure| failure.to_string())?;
                }
            }
            Event::Cancel(a) => {
                let living = [Status::Running, Status::Ready, Status::Pending];
                if let Some(id) = self.job_in(a, &living) {
                    self.layer.cancel(&id, true).map_err(|failure| failure.to_string())?;
                }
            }
            Event::Dismiss(a) => {
                if let Some(id) = self.job_in(a, &[Status::Concluded]) {
                    self.layer.dismiss(&id).map_err(|failure| failure.to_string())?;
                }
            }
            Event::Mirror(..) | Event::Commit(..) | Event::Stream(..) | Event::Backup(..) => {
                self.start(event);
            }
        }
        self.layer.run_jobs().map_err(|abort| abort.to_string())
    }

    /// Law 2, and law 3 with the jobs' own exits: each can be cancelled now.
    fn check(&mut self) -> Check {
        self.layer.graph.check_invariants()?;
        law::no_laundering(&self.layer.graph)?;
        if let Some(job) = self.layer.jobs().iter().find(|job| job.is_stuck()) {
            return Err(format!("{} job '{}' is stuck", job.kind(), job.id()));
        }
        let living = |status| matches!(status, Status::Running | Status::Ready | Status::Pending);
        let jobs = self.layer.jobs().iter().filter(|job| living(job.status()));
        for id in jobs.map(|job| job.id().to_owned()).collect::<Vec<_>>() {
            let mut layer = self.layer.clone();
            layer.cancel(&id, true).map_err(|failure| format!("cancelling {id}: {failure}"))?;
            layer.run_jobs().map_err(|abort| format!("cancelling {id}: {abort}"))?;
            layer.graph.check_invariants().map_err(|it| format!("cancelled {id}: {it}"))?;
            if layer.job(&id).is_some_and(|job| job.status() != Status::Concluded) {
                return Err(format!("{id} is not cancelled"));
            }
        }
        Ok(())
    }
}

fn laws<R: Rule + Default + Clone>(completion: Completion, events: &[Event]) -> Check {
    let mut place = Place::<R>::new(completion);
    events.iter().try_for_each(|event| {
        place.apply(event)?;
        place.check()
    })
}

/// Whether the rule is caught breaking a law within so many random sequences.
fn is_caught<R: Rule + Default + Clone>(completion: Completion, sequences: usize) -> bool {
    let mut g = Gen::new(30);
    (0..sequences).any(|_| laws::<R>(completion, &Vec::<Event>::arbitrary(&mut g)).is_err())
}

#[test]
fn with_ownership_every_job_can_always_be_cancelled_and_no_claim_is_laundered() {
    fn holds(events: Vec<Event>) -> bool {
        let is_ok = |check: Check| check.inspect_err(|reason| eprintln!("{reason}")).is_ok();
        is_ok(laws::<Ownership>(Completion::Atomic, &events))
            && is_ok(laws::<Ownership>(Completion::Stepwise, &events))
    }
    QuickCheck::new().rng(Gen::new(30)).tests(150).quickcheck(holds as fn(Vec<Event>) -> bool);
}

#[test]
fn the_baseline_is_caught() {
    assert!(is_caught::<Baseline>(Completion::Stepwise, 1000), "baseline, stepwise");
    assert!(is_caught::<Baseline>(Completion::Atomic, 1000), "baseline, atomic");
}

/// The properties above say something only if jobs of every kind are at work.
#[test]
fn the_random_sequences_start_jobs_of_every_kind() {
    let mut g = Gen::new(30);
    let mut started = [0; 5];
    for _ in 0..200 {
        let mut place = Place::<Ownership>::new(Completion::Atomic);
        for event in Vec::<Event>::arbitrary(&mut g) {
            place.apply(&event).expect("ownership never aborts");
        }
        started.iter_mut().zip(place.started).for_each(|(sum, count)| *sum += count);
    }
    assert!(started.iter().all(|&count| count > 20), "{started:?}");
}

/// A backup into its own chain, which the rule excuses by the filter, under another one whose claims
/// went through that filter: what the filter holds has to go with it.
#[test]
fn a_filter_goes_with_all_that_it_holds() {
    for completion in [Completion::Atomic, Completion::Stepwise] {
        let events = [Event::Backup(115, 41), Event::Backup(122, 43)];
        assert_eq!(laws::<Ownership>(completion, &events), Ok(()), "{completion:?}");
    }
}
