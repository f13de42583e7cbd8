//! The three update algorithms judge every change alike and leave the same edges behind.

use blkperm_baseline::Baseline;
use blkperm_graph::driver::NULL_CO;
use blkperm_graph::{Claim, Graph, Holder, NewNode, Owner, Role, Rule, State};
use blkperm_ownership::{Groups, Ownership};
use blkperm_tests::algorithm::{Algorithm, Network, Recursive, Steps, Topological};
use blkperm_tests::operation::{Operation, Outcome, Pick, Step};
use quickcheck::{Gen, QuickCheck};

/// An edge, and the places of its ends in the lists of [`Driven`].
#[derive(Clone, Copy)]
struct Placed<E> {
    edge: E,
    is_roots: bool,
    child: usize,
}

/// A graph under one algorithm, with lists from which every algorithm's picks are the same.
struct Driven<A: Algorithm> {
    graph: A,
    owners: Vec<Owner>,
    nodes: Vec<A::Node>,
    roots: Vec<A::Root>,
    edges: Vec<Placed<A::Edge>>,
}

impl<A: Algorithm> Driven<A>
where
    A::Rule: Default,
{
    fn new() -> Driven<A> {
        let mut graph = A::empty(A::Rule::default());
        let owners = (0..3).map(|_| graph.add_owner()).collect();
        Driven { graph, owners, nodes: Vec::new(), roots: Vec::new(), edges: Vec::new() }
    }

    fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::AddNode(owner) => {
                let owner = owner.and_then(|pick| one_of(&self.owners, pick));
                let name = format!("n{}", self.nodes.len());
                let new = NewNode { owner, ..NewNode::new(&name, &NULL_CO) };
                self.nodes.push(self.graph.add_new_node(new));
                Outcome::Accepted
            }
            Operation::AddRoot(owner) => {
                let owner = owner.and_then(|pick| one_of(&self.owners, pick));
                let holder = Holder::Backend { purpose: "a root".to_owned() };
                self.roots.push(self.graph.add_parent(holder, owner));
                Outcome::Accepted
            }
            Operation::Change(steps) => self.change(steps),
        }
    }

    fn change(&mut self, steps: &[Step]) -> Outcome {
        let Driven { graph, nodes, roots, edges, .. } = self;
        let mut changed = edges.clone();
        let mut change = graph.begin();
        for step in steps {
            if do_step::<A>(&mut change, nodes, roots, &mut changed, step).is_none() {
                return Outcome::StepRefused;
            }
        }
        if !change.commit() {
            return Outcome::Refused;
        }
        *edges = changed;
        Outcome::Accepted
    }

    fn claims(&self) -> Vec<Vec<Claim>> {
        self.edges.iter().map(|placed| self.graph.claims(placed.edge)).collect()
    }
}

fn one_of<T: Copy>(things: &[T], pick: Pick) -> Option<T> {
    Some(things[place_of(things, pick)?])
}

fn place_of<T>(things: &[T], pick: Pick) -> Option<usize> {
    usize::from(pick).checked_rem(things.len())
}

/// Does one step where there is something to do; none where it would close a cycle.
fn do_step<'a, A: Algorithm + 'a>(
    change: &mut A::Change<'a>,
    nodes: &[A::Node],
    roots: &[A::Root],
    edges: &mut Vec<Placed<A::Edge>>,
    step: &Step,
) -> Option<()> {
    let node = |pick| place_of(nodes, pick);
    match *step {
        Step::Attach(parent, child, row) => {
            if let (Some(parent), Some(child)) = (node(parent), node(child)) {
                let edge = change.attach(nodes[parent], nodes[child], Role::DATA, row)?;
                edges.push(Placed { edge, is_roots: false, child });
            }
        }
        Step::AttachRoot(root, child, demand) => {
            if let (Some(root), Some(child)) = (one_of(roots, root), node(child)) {
                let edge = change.attach_root(root, nodes[child], demand);
                edges.push(Placed { edge, is_roots: true, child });
            }
        }
        Step::Detach(edge) => {
            if let Some(place) = place_of(edges, edge) {
                change.detach(edges.remove(place).edge);
            }
        }
        Step::SetDemand(edge, demand) => {
            let of_roots: Vec<_> = edges.iter().filter(|placed| placed.is_roots).collect();
            if let Some(placed) = one_of(&of_roots, edge) {
                change.set_demand(placed.edge, demand);
            }
        }
        Step::Move(edge, to) => {
            if let (Some(place), Some(to)) = (place_of(edges, edge), node(to)) {
                move_to::<A>(change, &mut edges[place], nodes, to)?;
            }
        }
        Step::Replace(from, to) => {
            if let (Some(from), Some(to)) = (node(from), node(to)) {
                for placed in edges.iter_mut().filter(|placed| placed.child == from) {
                    move_to::<A>(change, placed, nodes, to)?;
                }
            }
        }
        Step::ReadOnly(which, read_only) => {
            if let Some(which) = node(which) {
                let state = if read_only { State::READ_ONLY } else { State::default() };
                change.set_state(nodes[which], state);
            }
        }
    }
    Some(())
}

fn move_to<'a, A: Algorithm + 'a>(
    change: &mut A::Change<'a>,
    placed: &mut Placed<A::Edge>,
    nodes: &[A::Node],
    to: usize,
) -> Option<()> {
    placed.child = to;
    change.move_edge(placed.edge, nodes[to]).then_some(())
}

/// Does the operations under all three algorithms; gives how many had each outcome.
fn compare<R: Rule + Default>(operations: &[Operation]) -> Result<[usize; 3], String> {
    let mut incremental = Driven::<Graph<R>>::new();
    let mut topological = Driven::<Network<R, Topological>>::new();
    let mut recursive = Driven::<Network<R, Recursive>>::new();
    let mut outcomes = [0; 3];
    for operation in operations {
        let outcome = incremental.apply(operation);
        let others = [topological.apply(operation), recursive.apply(operation)];
        if others != [outcome; 2] {
            return Err(format!("{operation:?} was {outcome:?}, and {others:?} in QEMU's way"));
        }
        let claims = incremental.claims();
        for other in [topological.claims(), recursive.claims()] {
            if other != claims {
                return Err(format!("after {operation:?} edges hold {claims:?} and {other:?}"));
            }
        }
        outcomes[outcome as usize] += 1;
    }
    Ok(outcomes)
}

fn agree<R: Rule + Default>(operations: &[Operation]) -> bool {
    compare::<R>(operations).inspect_err(|reason| eprintln!("{reason}")).is_ok()
}

fn quickcheck(property: fn(Vec<Operation>) -> bool) {
    QuickCheck::new().rng(Gen::new(60)).tests(400).quickcheck(property);
}

#[test]
fn the_algorithms_agree_under_the_baseline() {
    quickcheck(|operations| agree::<Baseline>(&operations));
}

#[test]
fn the_algorithms_agree_under_ownership() {
    quickcheck(|operations| agree::<Ownership>(&operations));
}

#[test]
fn the_algorithms_agree_under_groups() {
    quickcheck(|operations| agree::<Groups>(&operations));
}

/// The properties above say something only if changes are both accepted and refused.
#[test]
fn the_algorithms_are_compared_on_refusals_too() {
    let mut outcomes = [0; 3];
    let mut g = Gen::new(60);
    for _ in 0..200 {
        let operations = <Vec<Operation> as quickcheck::Arbitrary>::arbitrary(&mut g);
        let more = compare::<Ownership>(&operations).expect("the algorithms agree");
        outcomes.iter_mut().zip(more).for_each(|(all, more)| *all += more);
    }
    let [accepted, refused, step_refused] = outcomes;
    assert!(accepted > 1000 && refused > 50 && step_refused > 50, "{outcomes:?}");
}
