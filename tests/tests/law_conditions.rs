//! Law 3 needs its conditions: for each, the smallest graph without it in which dropping a filter
//! fails. The conditions and the proof that uses them are in `docs/ownership.md`.

use blkperm_graph::driver::{COPY_BEFORE_WRITE, NULL_CO};
use blkperm_graph::{
    Demand, Driver, Graph, Holder, NewNode, NodeId, Owner, Permissions, Refusal, Role, RootId,
    State,
};
use blkperm_jobs::filter::{COMMIT_TOP, FILTERED, MIRROR_TOP};
use blkperm_ownership::Ownership;
use blkperm_tests::law;

const READS: Permissions = Permissions::CONSISTENT_READ;
const WRITE: Permissions = Permissions::WRITE;
const RESIZE: Permissions = Permissions::RESIZE;

/// A node and a job's filter above it.
struct Scene {
    graph: Graph<Ownership>,
    owner: Owner,
    filter: NodeId,
    below: NodeId,
}

impl Scene {
    fn new(driver: &'static Driver, state: State) -> Scene {
        let mut graph = Graph::new(Ownership::default());
        let owner = graph.new_owner();
        let below = graph.add_node(NewNode { state, ..NewNode::new("below", &NULL_CO) });
        let new = NewNode { owner: Some(owner), ..NewNode::new("filter", driver) };
        let filter = graph.add_node(new);
        let attached = graph.transact(|change| change.attach(filter, below, "filtered", FILTERED));
        attached.expect("nothing is demanded yet");
        Scene { graph, owner, filter, below }
    }

    fn root(
        &mut self,
        owner: Option<Owner>,
        node: NodeId,
        take: Permissions,
        unshare: Permissions,
    ) {
        self.accepted_root(owner, node, Demand::new(take, unshare));
    }

    fn accepted_root(&mut self, owner: Option<Owner>, node: NodeId, demand: Demand) -> RootId {
        let root = self.graph.add_root(Holder::Backend { purpose: "a root".to_owned() }, owner);
        let attached = self.graph.transact(|change| change.attach_root(root, node, "root", demand));
        attached.expect("the state is accepted before the drop");
        root
    }

    /// Removes the job's edges, moves the filter's parents down, and removes the filter's edges if
    /// `with_filter`.
    fn drop_filter(&mut self, with_filter: bool) -> Result<(), Refusal> {
        let Scene { ref mut graph, owner, filter, below } = *self;
        let own = graph.roots().into_iter().filter(|&root| graph.root_owner(root) == Some(owner));
        let own: Vec<_> = own.flat_map(|root| graph.children(root).collect::<Vec<_>>()).collect();
        graph.transact(|change| {
            own.into_iter().try_for_each(|edge| change.detach(edge))?;
            change.replace(filter, below)?;
            let mut of_filter: Vec<_> = change.graph().children(filter).collect();
            of_filter.retain(|_| with_filter);
            of_filter.into_iter().try_for_each(|edge| change.detach(edge))
        })
    }
}

/// A reader through the filter, and the job that breaks consistent reads below: what law 3 is about.
#[test]
fn with_all_conditions_the_drop_is_accepted() {
    let mut scene = Scene::new(&COMMIT_TOP, State::default());
    scene.root(None, scene.filter, READS, Permissions::empty());
    scene.root(Some(scene.owner), scene.below, Permissions::empty(), READS);
    assert_eq!(scene.drop_filter(true), Ok(()));
}

/// "Written, so resizable" is a condition on the sum of takes that taking less can break: the only
/// check of a node's state that is not monotone.
#[test]
fn without_the_jobs_resize_a_writer_cannot_write_to_an_unaligned_node() {
    let mut scene = Scene::new(&COMMIT_TOP, State::UNALIGNED);
    scene.root(Some(scene.owner), scene.below, RESIZE, Permissions::empty());
    scene.root(None, scene.filter, WRITE, Permissions::empty());
    assert!(matches!(scene.drop_filter(true), Err(Refusal::Permissions(_))));
}

/// What a node's parent unshares on a node that is force-shared is ignored; what a root unshares is
/// not, so that the filter hides it.
#[test]
fn a_root_that_comes_down_to_a_force_shared_node_unshares_there_what_the_filter_hid() {
    let mut scene = Scene::new(&COMMIT_TOP, State::FORCE_SHARE | State::READ_ONLY);
    scene.root(None, scene.below, READS, Permissions::empty());
    scene.root(None, scene.filter, Permissions::empty(), READS);
    assert!(matches!(scene.drop_filter(true), Err(Refusal::Permissions(_))));
}

/// Whoever only went through the dropped filter is no longer excused from what the owner's other
/// filter claims.
#[test]
fn an_owner_with_two_filters_still_owns_claims_when_one_of_them_is_dropped() {
    let mut scene = Scene::new(&COMMIT_TOP, State::default());
    scene.root(None, scene.filter, WRITE, Permissions::empty());
    let new = NewNode { owner: Some(scene.owner), ..NewNode::new("other", &COPY_BEFORE_WRITE) };
    let other = scene.graph.add_node(new);
    let below = scene.below;
    let attached = scene.graph.transact(|change| change.attach(other, below, "file", FILTERED));
    attached.expect("nothing is demanded yet");
    // Copy-before-write lets nobody write behind its back while it has a parent.
    scene.root(None, other, READS, Permissions::empty());
    assert!(matches!(scene.drop_filter(true), Err(Refusal::Permissions(_))));
}

/// A filter that stays because another job's edge stays on it goes on to claim for its owner; the
/// parents that moved no longer go through it.
#[test]
fn a_filter_that_claims_for_itself_cannot_stay_when_its_parents_move() {
    let scene = || {
        let mut scene = Scene::new(&COPY_BEFORE_WRITE, State::default());
        scene.root(None, scene.filter, WRITE, Permissions::empty());
        let job = Holder::Job { kind: "mirror", id: "another".to_owned() };
        let job = scene.graph.add_root(job, None);
        let filter = scene.filter;
        let attached = scene
            .graph
            .transact(|change| change.attach_root(job, filter, "main node", Demand::NONE));
        attached.expect("it demands nothing");
        scene
    };
    assert!(matches!(scene().drop_filter(false), Err(Refusal::Permissions(_))));
    assert_eq!(scene().drop_filter(true), Ok(()));
}

/// Somebody's backing link into the filter is frozen by another job.
#[test]
fn a_frozen_edge_keeps_its_filter_where_it_is() {
    let mut scene = Scene::new(&COMMIT_TOP, State::default());
    let overlay = scene.graph.add_node(NewNode::new("overlay", &NULL_CO));
    let filter = scene.filter;
    let frozen = scene.graph.transact(|change| {
        let edge = change.attach(overlay, filter, "backing", Role::COW)?;
        change.set_frozen(edge, true);
        Ok(())
    });
    frozen.expect("nothing is demanded");
    assert!(matches!(scene.drop_filter(true), Err(Refusal::Frozen { .. })));
}

/// A job's filter hides what the job itself needs, as QEMU's does: here it ends, whoever breaks it
/// below. What others need goes on.
#[test]
fn what_a_job_needs_of_its_own_filter_ends_there_and_what_others_need_does_not() {
    let mut scene = Scene::new(&COMMIT_TOP, State::default());
    scene.root(Some(scene.owner), scene.filter, READS, Permissions::empty());
    scene.root(None, scene.below, Permissions::empty(), READS);
    let Scene { ref mut graph, filter, .. } = scene;
    let guest = graph.add_root(Holder::Backend { purpose: "a guest".to_owned() }, None);
    let demand = Demand::taking(READS);
    let refused = graph.transact(|change| change.attach_root(guest, filter, "root", demand));
    assert!(matches!(refused, Err(Refusal::Permissions(_))));
    assert_eq!(scene.drop_filter(true), Ok(()));
}

/// Law 2 is about claims that nobody owns. What a job takes below its filter is excused from what a parent
/// above the filter unshares, though no filter above the job's edge owns that.
#[test]
fn a_job_may_read_what_a_parent_above_its_filter_unshares() {
    let mut scene = Scene::new(&MIRROR_TOP, State::empty());
    let (owner, filter, below) = (scene.owner, scene.filter, scene.below);
    scene.root(None, filter, Permissions::empty(), READS);
    scene.root(Some(owner), below, READS, Permissions::empty());
    assert!(scene.graph.demand_on(below).take().contains(READS));
    assert!(scene.graph.demand_on(below).unshare().contains(READS));
    assert_eq!(law::no_laundering(&scene.graph), Ok(()));
    scene.drop_filter(true).expect("the job's take goes with it");
}
