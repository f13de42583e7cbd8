//! What single changes do to the graph, and what they are refused for.

use blkperm_baseline::Baseline;
use blkperm_graph::driver::{BLKDEBUG, FILE, NULL_CO, PREALLOCATE, QCOW2};
use blkperm_graph::{
    Demand, EdgeId, Fault, Graph, Holder, NewNode, NodeId, Parent, ParentName, Permissions,
    Refusal, Role, RootId, State,
};

const C: Permissions = Permissions::CONSISTENT_READ;
const W: Permissions = Permissions::WRITE;

fn node(graph: &mut Graph<Baseline>, name: &str) -> NodeId {
    graph.add_node(NewNode::new(name, &NULL_CO))
}

fn backend(graph: &mut Graph<Baseline>, purpose: &str) -> RootId {
    graph.add_root(Holder::Backend { purpose: purpose.to_owned() }, None)
}

fn attach(graph: &mut Graph<Baseline>, parent: NodeId, child: NodeId) -> Result<EdgeId, Refusal> {
    graph.transact(|change| change.attach(parent, child, "file", Role::FILTERED))
}

fn attach_root(
    graph: &mut Graph<Baseline>,
    root: RootId,
    child: NodeId,
    demand: Demand,
) -> Result<EdgeId, Refusal> {
    graph.transact(|change| change.attach_root(root, child, "root", demand))
}

/// A chain of identity filters, topmost first.
fn chain<const N: usize>(graph: &mut Graph<Baseline>) -> [NodeId; N] {
    let nodes = std::array::from_fn(|index| node(graph, &format!("n{index}")));
    for pair in nodes.windows(2) {
        attach(graph, pair[0], pair[1]).expect("a chain has no conflicts");
    }
    nodes
}

fn parents(graph: &Graph<Baseline>, child: NodeId) -> Vec<String> {
    graph.parents(child).map(|edge| graph.parent_name(edge).to_string()).collect()
}

#[test]
fn an_edge_that_would_close_a_cycle_is_refused_and_any_other_order_is_accepted() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    let refused = attach(&mut graph, bottom, top).expect_err("it closes a cycle");
    assert!(matches!(refused, Refusal::Cycle { .. }), "{refused:?}");
    assert!(matches!(attach(&mut graph, middle, middle), Err(Refusal::Cycle { .. })));
    // Two chains, the newer one of which gets the older one's top as its child, and so below it.
    let newer = node(&mut graph, "newer");
    let below_newer = node(&mut graph, "below newer");
    attach(&mut graph, newer, below_newer).expect("no cycle");
    attach(&mut graph, below_newer, top).expect("no cycle");
    attach(&mut graph, newer, bottom).expect("no cycle");
    assert!(matches!(attach(&mut graph, bottom, newer), Err(Refusal::Cycle { .. })));
    graph.check_invariants().expect("nothing is left of the refused edges");
}

#[test]
fn a_change_is_judged_in_its_final_state_only() {
    let mut graph = Graph::new(Baseline);
    let disk = node(&mut graph, "disk");
    let (reader, breaker) = (backend(&mut graph, "reader"), backend(&mut graph, "breaker"));
    let reading = attach_root(&mut graph, reader, disk, Demand::taking(C)).expect("nobody else");
    graph
        .transact(|change| {
            change.attach_root(breaker, disk, "root", Demand::unsharing(C))?;
            change.detach(reading)
        })
        .expect("the reader is gone in the end");
    assert_eq!(graph.demand_on(disk), Demand::unsharing(C));
    graph.check_invariants().expect("the change is whole");
}

#[test]
fn the_reported_pair_is_that_of_the_newest_unsharer_and_the_newest_taker() {
    let mut graph = Graph::new(Baseline);
    let disk = node(&mut graph, "disk");
    for purpose in ["old taker", "new taker"] {
        let root = backend(&mut graph, purpose);
        attach_root(&mut graph, root, disk, Demand::taking(C | W)).expect("both share all");
    }
    let breaker = backend(&mut graph, "breaker");
    let breaking = Demand::new(W, C | W);
    let refused = attach_root(&mut graph, breaker, disk, breaking).expect_err("two takers");
    let Refusal::Permissions(faults) = refused else { panic!("{refused:?}") };
    let pairs: Vec<String> = faults.iter().map(Fault::to_string).collect();
    let expected = |taker| {
        format!("consistent-read, write on node 'disk': taken by {taker} and unshared by breaker")
    };
    assert_eq!(pairs, [expected("new taker"), expected("old taker")]);
}

#[test]
fn replacing_a_node_moves_all_parents_but_jobs_and_what_is_below_the_new_node() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    let job = graph.add_root(Holder::Job { kind: "mirror", id: "j0".to_owned() }, None);
    for purpose in ["first", "second"] {
        let root = backend(&mut graph, purpose);
        attach_root(&mut graph, root, bottom, Demand::taking(C)).expect("all share");
    }
    attach_root(&mut graph, job, bottom, Demand::NONE).expect("all share");
    graph.transact(|change| change.replace(bottom, top)).expect("all share");
    assert_eq!(parents(&graph, bottom), ["mirror job 'j0'", "node 'n1'"]);
    assert_eq!(parents(&graph, top), ["first", "second"], "the oldest has become the newest");
    assert_eq!(graph.demand_on(middle), Demand::taking(C), "it needs what its parents need");
    graph.check_invariants().expect("the change is whole");
}

#[test]
fn a_frozen_edge_neither_moves_nor_goes() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    let edge = graph.child_edge(top, "file").expect("it is there");
    let freeze = |frozen| {
        move |change: &mut blkperm_graph::Change<'_, Baseline>| {
            change.set_frozen(edge, frozen);
            Ok(())
        }
    };
    graph.transact(freeze(true)).expect("freezing is never refused");
    let moved = graph.transact(|change| change.move_edge(edge, bottom));
    assert!(matches!(moved, Err(Refusal::Frozen { .. })), "{moved:?}");
    assert!(matches!(graph.transact(|change| change.detach(edge)), Err(Refusal::Frozen { .. })));
    assert_eq!(graph.child_of(edge), middle);
    graph.transact(freeze(false)).expect("nor is thawing");
    graph.transact(|change| change.move_edge(edge, bottom)).expect("it is thawed");
    assert_eq!(graph.child_of(edge), bottom);
}

#[test]
fn nodes_go_with_the_last_that_refers_to_them() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    graph.release(bottom);
    assert_eq!(graph.closings(), 0, "its parent keeps it");
    graph.release(top);
    assert_eq!(graph.closings(), 1, "the middle is held");
    assert!(!graph.contains_node(top));
    graph.release(middle);
    assert_eq!(graph.closings(), 3);
    assert_eq!((graph.node_count(), graph.edge_count()), (0, 0));
    assert_eq!(graph.node_by_name("n2"), None);
}

#[test]
fn a_node_that_is_written_does_not_become_read_only() {
    let mut graph = Graph::new(Baseline);
    let disk = node(&mut graph, "disk");
    let writer = backend(&mut graph, "writer");
    let writing = attach_root(&mut graph, writer, disk, Demand::taking(W)).expect("nobody else");
    let read_only = |graph: &mut Graph<Baseline>| {
        graph.transact(|change| {
            change.set_state(disk, State::READ_ONLY);
            Ok(())
        })
    };
    let refused = read_only(&mut graph).expect_err("it is written");
    let fault = Fault::ReadOnly { node: "disk".to_owned(), was_writable: true };
    assert_eq!(refused, Refusal::Permissions(vec![fault]));
    assert_eq!(graph.state(disk), State::default());
    graph.transact(|change| change.detach(writing)).expect("nobody minds");
    read_only(&mut graph).expect("nobody writes");
    let refused = attach_root(&mut graph, writer, disk, Demand::taking(W)).expect_err("read-only");
    let fault = Fault::ReadOnly { node: "disk".to_owned(), was_writable: false };
    assert_eq!(refused, Refusal::Permissions(vec![fault]));
}

#[test]
fn inactive_nodes_give_only_reads_and_have_only_inactive_parents() {
    let mut graph = Graph::new(Baseline);
    let inactive = NewNode { state: State::INACTIVE, ..NewNode::new("inactive", &FILE) };
    let inactive = graph.add_node(inactive);
    let active = graph.add_node(NewNode::new("active", &QCOW2));
    let refused = graph.transact(|change| change.attach(active, inactive, "file", Role::IMAGE));
    assert!(matches!(refused, Err(Refusal::InactiveChild { .. })), "{refused:?}");
    let export = backend(&mut graph, "export");
    let refused = attach_root(&mut graph, export, inactive, Demand::taking(C | W));
    assert_eq!(refused, Err(Refusal::InactiveNode { permissions: C | W }));
    attach_root(&mut graph, export, inactive, Demand::taking(C)).expect("reads are given");
}

#[test]
fn whoever_is_above_a_force_shared_node_unshares_nothing_there() {
    let mut graph = Graph::new(Baseline);
    let shared = State::READ_ONLY | State::FORCE_SHARE;
    let file = graph.add_node(NewNode { state: shared, ..NewNode::new("file", &FILE) });
    let image = NewNode { state: State::READ_ONLY, ..NewNode::new("image", &QCOW2) };
    let image = graph.add_node(image);
    let edge = graph
        .transact(|change| change.attach(image, file, "file", Role::IMAGE))
        .expect("it only reads");
    assert_eq!(graph.demand(edge), Demand::taking(C));
}

#[test]
fn the_way_of_a_claim_is_told_from_the_edge_up_to_where_it_began() {
    let mut graph = Graph::new(Baseline);
    let disk = node(&mut graph, "disk");
    let filter = graph.add_node(NewNode {
        options: Demand::unsharing(Permissions::RESIZE),
        ..NewNode::new("filter", &BLKDEBUG)
    });
    let edge = attach(&mut graph, filter, disk).expect("nobody else");
    let guest = backend(&mut graph, "the guest");
    attach_root(&mut graph, guest, filter, Demand::taking(W)).expect("nobody else");
    let told = |demand: Demand| {
        let slot = demand.slots().next().expect("one slot");
        let steps = graph.why(edge, slot);
        steps.iter().map(|step| format!("{}: {:?}", step.parent, step.reason)).collect::<Vec<_>>()
    };
    assert_eq!(told(Demand::taking(W)), ["node 'filter': Follows", "the guest: ItsOwn"]);
    assert_eq!(told(Demand::unsharing(Permissions::RESIZE)), ["node 'filter': Driver"]);
    assert!(told(Demand::taking(C)).is_empty(), "nobody takes it");
}

#[test]
fn all_are_told_who_must_let_go_of_what_an_edge_demands() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    let image = graph.add_node(NewNode::new("image", &QCOW2));
    let file = node(&mut graph, "file");
    let own = graph.transact(|change| change.attach(image, file, "file", Role::IMAGE));
    let own = own.expect("nobody else");
    for (purpose, node) in [("one", top), ("two", middle), ("three", top)] {
        let root = backend(&mut graph, purpose);
        attach_root(&mut graph, root, node, Demand::taking(C)).expect("readers do not conflict");
    }
    let edge = graph.child_edge(middle, "file").expect("it has a child");
    assert_eq!(graph.child_of(edge), bottom);
    let names =
        |sources: Vec<ParentName>| sources.iter().map(ParentName::to_string).collect::<Vec<_>>();
    assert_eq!(names(graph.sources(edge, Demand::taking(C | W))), ["two", "three", "one"]);
    assert_eq!(names(graph.sources(own, Demand::taking(W))), ["node 'image'"]);
    assert!(graph.sources(edge, Demand::taking(W)).is_empty(), "nobody takes it");
}

#[test]
fn the_parent_of_an_edge_is_told_apart_from_roots() {
    let mut graph = Graph::new(Baseline);
    let [top, middle] = chain(&mut graph);
    let guest = backend(&mut graph, "the guest");
    attach_root(&mut graph, guest, middle, Demand::NONE).expect("it demands nothing");
    let found: Vec<Parent> = graph.parents(middle).map(|edge| graph.parent_of(edge)).collect();
    assert_eq!(found, [Parent::Root(guest), Parent::Node(top)]);
    assert_eq!(graph.node_parents(middle).collect::<Vec<_>>(), [top]);
}

#[test]
fn two_nodes_with_one_file_conflict_over_it_as_edges_do_over_a_node() {
    let mut graph = Graph::new(Baseline);
    let files = ["one", "two", "elsewhere"].map(|name| {
        let file = graph.add_node(NewNode::new(name, &FILE));
        graph.lock_file(file, if name == "elsewhere" { "b.img" } else { "a.img" });
        file
    });
    let roots = ["first", "second", "third"].map(|purpose| backend(&mut graph, purpose));
    let writing = Demand::new(W, W);
    let first = attach_root(&mut graph, roots[0], files[0], writing).expect("nobody else");
    let refused = attach_root(&mut graph, roots[1], files[1], writing).expect_err("it is locked");
    let slot = Demand::taking(W).slots().next().expect("one slot");
    let sources = vec![ParentName::Root(graph.holder(roots[0]).clone())];
    let fault = Fault::Locked { node: "two".to_owned(), slot, sources };
    assert_eq!(refused, Refusal::Permissions(vec![fault]));
    attach_root(&mut graph, roots[1], files[1], Demand::taking(C)).expect("reads are shared");
    attach_root(&mut graph, roots[2], files[2], writing).expect("another file");
    graph.transact(|change| change.detach(first)).expect("nobody minds");
    let edge = graph.parents(files[1]).next().expect("it is there");
    let change_demand = |graph: &mut Graph<Baseline>| {
        graph.transact(|change| {
            change.set_demand(edge, writing);
            Ok(())
        })
    };
    change_demand(&mut graph).expect("the lock is gone");
    graph.release(files[0]);
    graph.check_invariants().expect("the graph is whole");
}

/// A graph goes back to a snapshot of it, by whatever way it went on, and then goes on as before.
#[test]
fn a_graph_goes_back_to_its_snapshot() {
    let mut graph = Graph::new(Baseline);
    let [top, _, bottom] = chain(&mut graph);
    let guest = backend(&mut graph, "guest");
    let edge = attach_root(&mut graph, guest, top, Demand::taking(C)).expect("no conflict");
    let before = graph.snapshot();
    let stranger = backend(&mut graph, "stranger");
    let taking = Demand::taking(C | W);
    attach_root(&mut graph, stranger, bottom, taking).expect("no conflict");
    graph.transact(|change| change.detach(edge)).expect("less is never refused");
    node(&mut graph, "newer");
    assert!(!graph.has_edges_of(&before));
    graph.restore(&before);
    assert!(graph.has_edges_of(&before));
    graph.check_invariants().expect("it is as it was");
    assert_eq!(parents(&graph, top), ["guest"]);
    assert_eq!(parents(&graph, bottom), ["node 'n1'"]);
    assert_eq!(graph.demand_on(bottom), Demand::taking(C));
    let again = backend(&mut graph, "stranger");
    assert_eq!(again, stranger);
    attach_root(&mut graph, again, bottom, taking).expect("no conflict");
    node(&mut graph, "newer");
    graph.check_invariants().expect("it goes on");
}

#[test]
fn a_change_that_is_tried_out_is_judged_and_taken_back() {
    let mut graph = Graph::new(Baseline);
    let only = node(&mut graph, "node");
    let reader = backend(&mut graph, "reader");
    let edge = attach_root(&mut graph, reader, only, Demand::new(C, W)).expect("it is alone");
    let other = backend(&mut graph, "other");
    for (demand, verdict) in [(Demand::taking(W), false), (Demand::taking(C), true)] {
        let mut change = graph.change();
        change.attach_root(other, only, "root", demand).expect("nothing forbids the edge itself");
        assert_eq!(change.try_out(), verdict);
        assert_eq!(graph.parents(only).collect::<Vec<_>>(), [edge]);
        graph.check_invariants().expect("it is as it was");
    }
}

#[test]
fn a_graph_may_be_told_not_to_say_why() {
    let mut graph = Graph::new(Baseline);
    let file = graph.add_node(NewNode::new("file", &FILE));
    let image = graph.add_node(NewNode::new("image", &QCOW2));
    graph.transact(|change| change.attach(image, file, "file", Role::IMAGE)).expect("it is alone");
    let export = backend(&mut graph, "export");
    for tells in [true, false] {
        graph.set_tells_why(tells);
        let refused = attach_root(&mut graph, export, file, Demand::taking(W));
        let Err(Refusal::Permissions(faults)) = refused else { panic!("accepted") };
        let Fault::Conflict(conflict) = &faults[0] else { panic!("not a conflict") };
        assert_eq!(conflict.unsharer.why.is_empty(), !tells);
    }
}

/// QEMU's quirk: what lies below a node that lost a parent unnoticed stays as it was until something
/// begins at the node or above it, and a refused change leaves it so.
#[test]
fn what_went_unnoticed_is_caught_up_by_the_next_update_from_above() {
    let mut graph = Graph::new(Baseline);
    let [top, middle, bottom] = chain(&mut graph);
    let [reader, other, writer] = ["reader", "other", "writer"].map(|it| backend(&mut graph, it));
    attach_root(&mut graph, reader, top, Demand::new(C, W)).expect("nobody writes");
    let upper = graph.child_edge(top, "file").expect("it has a child");
    let lower = graph.child_edge(middle, "file").expect("it has a child");

    graph.transact(|change| change.detach_unnoticed(upper)).expect("it is not frozen");
    assert_eq!(graph.demand_on(middle), Demand::NONE);
    assert_eq!(graph.demand(lower), Demand::new(C, W));
    assert_eq!(graph.check_invariants(), Ok(()));

    attach_root(&mut graph, other, bottom, Demand::NONE).expect("it demands nothing");
    attach_root(&mut graph, writer, bottom, Demand::taking(W)).expect_err("it is still unshared");
    assert_eq!(graph.demand(lower), Demand::new(C, W), "these began below");
    graph
        .transact(|change| {
            change.attach_root(other, middle, "root", Demand::unsharing(W))?;
            change.attach_root(writer, middle, "root", Demand::taking(W))
        })
        .expect_err("they conflict");
    assert_eq!(graph.demand(lower), Demand::new(C, W), "what is refused changes nothing");
    assert_eq!(graph.check_invariants(), Ok(()));

    attach_root(&mut graph, other, middle, Demand::NONE).expect("it demands nothing");
    assert_eq!(graph.demand(lower), Demand::NONE);
    attach_root(&mut graph, writer, bottom, Demand::taking(W)).expect("nobody minds any more");
    assert_eq!(graph.check_invariants(), Ok(()));
}

/// QEMU's quirk 16.
#[test]
fn what_lets_go_passes_a_fault_that_is_there_and_nothing_else_does() {
    let mut graph = Graph::new(Baseline);
    let [top, bottom] = chain(&mut graph);
    let [writer, reader, other] = ["w", "r", "o"].map(|purpose| backend(&mut graph, purpose));
    attach_root(&mut graph, writer, bottom, Demand::taking(W)).expect("it can be written");
    let reading = attach_root(&mut graph, reader, top, Demand::taking(C)).expect("nobody objects");
    graph.set_unaligned(bottom, true);
    let edge = graph.child_edge(top, "file").expect("it has a child");
    assert!(attach_root(&mut graph, other, top, Demand::NONE).is_err(), "at fault below");
    graph.loosen(|change| change.detach(reading)).expect("it is not frozen");
    assert_eq!((graph.children(reader).count(), graph.demand(edge)), (0, Demand::taking(C)));
    graph.check_invariants().expect("the fault is known");
    graph.set_unaligned(bottom, false);
    attach_root(&mut graph, other, top, Demand::NONE).expect("the fault is gone");
    assert_eq!(graph.demand(edge), Demand::NONE);
    graph.check_invariants().expect("nothing is left of it");
}

#[test]
fn a_preallocate_node_goes_on_from_where_it_may_write_and_resize_again() {
    let mut graph = Graph::new(Baseline);
    let filter = graph.add_node(NewNode::new("filter", &PREALLOCATE));
    let child = node(&mut graph, "child");
    let edge = attach(&mut graph, filter, child).expect("nobody objects");
    let both = W | Permissions::RESIZE;
    let alone = Demand::new(both, both);
    let [writer, reader] = ["w", "r"].map(|purpose| backend(&mut graph, purpose));
    graph.set_preallocated(filter, true);
    assert_eq!(graph.demand(edge), Demand::NONE, "nothing has begun at it or above it");
    attach_root(&mut graph, reader, filter, Demand::NONE).expect("nobody objects");
    assert_eq!(graph.demand(edge), alone);
    let writing = attach_root(&mut graph, writer, filter, Demand::taking(both)).expect("likewise");
    assert_eq!((graph.demand(edge), graph.state(filter)), (alone, State::default()));
    graph.loosen(|change| change.detach(writing)).expect("it is not frozen");
    assert_eq!(graph.demand(edge), Demand::NONE);
}

#[test]
fn a_graph_tells_which_nodes_are_gone_once_it_is_asked_to() {
    let mut graph = Graph::new(Baseline);
    let forgotten = graph.add_node(NewNode::new("forgotten", &NULL_CO));
    graph.release(forgotten);
    graph.keep_gone();
    let [top, middle, bottom] = chain(&mut graph);
    [bottom, middle, top].into_iter().for_each(|node| graph.release(node));
    let gone: Vec<_> = graph.take_gone().iter().map(|name| name.to_string()).collect();
    assert_eq!(gone, ["n0", "n1", "n2"]);
    assert!(graph.take_gone().is_empty());
}
