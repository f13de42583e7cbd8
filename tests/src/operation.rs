//! Random changes of a graph: with random monotone rows, several owners, several edges from one
//! parent to one node, and several steps in one change.

use blkperm_graph::driver::NULL_CO;
use blkperm_graph::{
    Change, Demand, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Parent, Refusal, Role, RootId,
    Row, Rule, Slot, State,
};
use quickcheck::{Arbitrary, Gen};

/// A number that stands for one of the things there are, whatever their number.
pub type Pick = u8;

/// One step of a change.
#[derive(Clone, Debug)]
pub enum Step {
    /// A node gets another child, by this row.
    Attach(Pick, Pick, Row),
    /// A node gets a parent that is not a node.
    AttachRoot(Pick, Pick, Demand),
    /// An edge goes.
    Detach(Pick),
    /// An edge of a parent that is not a node demands something else.
    SetDemand(Pick, Demand),
    /// An edge ends at another node.
    Move(Pick, Pick),
    /// All parents of one node move to another.
    Replace(Pick, Pick),
    /// A node becomes read-only or read-write.
    ReadOnly(Pick, bool),
}

/// Something done to a graph.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A node is added, an owner's filter or not.
    AddNode(Option<Pick>),
    /// A parent that is not a node is added, an owner's or not.
    AddRoot(Option<Pick>),
    /// Several steps are judged together.
    Change(Vec<Step>),
}

fn sparse(g: &mut Gen) -> Demand {
    let masks = [u8::arbitrary(g), u8::arbitrary(g), u8::arbitrary(g)];
    Demand::from_index(usize::from(masks[0] & masks[1] & masks[2]))
}

fn row(g: &mut Gen) -> Row {
    let mut row = Row { constant: sparse(g).intersection(sparse(g)), ..Row::NOTHING };
    if bool::arbitrary(g) {
        row = row.passing(Demand::from_index(usize::from(u8::arbitrary(g))));
    }
    if u8::arbitrary(g) < 40 {
        row.attached = sparse(g);
    }
    if u8::arbitrary(g) < 80 {
        row.follows[usize::from(u8::arbitrary(g)) % Slot::COUNT] = sparse(g);
    }
    if u8::arbitrary(g) < 40 {
        let first = usize::from(u8::arbitrary(g)) % 4;
        let both = Demand::from_index(1 << first | 1 << (first + 1));
        row.together = Some((both, sparse(g)));
    }
    row
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Step {
        let (a, b) = (Pick::arbitrary(g), Pick::arbitrary(g));
        match u8::arbitrary(g) % 16 {
            0..=4 => Step::Attach(a, b, row(g)),
            5..=8 => Step::AttachRoot(a, b, sparse(g)),
            9 | 10 => Step::Detach(a),
            11 => Step::SetDemand(a, sparse(g)),
            12 | 13 => Step::Move(a, b),
            14 => Step::Replace(a, b),
            _ => Step::ReadOnly(a, bool::arbitrary(g)),
        }
    }
}

impl Arbitrary for Operation {
    fn arbitrary(g: &mut Gen) -> Operation {
        let owner = |g: &mut Gen| bool::arbitrary(g).then(|| Pick::arbitrary(g));
        match u8::arbitrary(g) % 8 {
            0 | 1 => Operation::AddNode(owner(g)),
            2 => Operation::AddRoot(owner(g)),
            _ => {
                let steps = 1 + usize::from(u8::arbitrary(g)) % 3;
                Operation::Change((0..steps).map(|_| Step::arbitrary(g)).collect())
            }
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Operation>> {
        match self {
            Operation::Change(steps) => {
                let shorter = (0..steps.len()).map(|left_out| {
                    let mut steps = steps.clone();
                    steps.remove(left_out);
                    Operation::Change(steps)
                });
                Box::new(shorter.collect::<Vec<_>>().into_iter())
            }
            Operation::AddNode(Some(_)) => Box::new(std::iter::once(Operation::AddNode(None))),
            Operation::AddRoot(Some(_)) => Box::new(std::iter::once(Operation::AddRoot(None))),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// What became of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The change was accepted, or there was nothing to judge.
    Accepted,
    /// The change was refused in its final state.
    Refused,
    /// A step was refused by itself.
    StepRefused,
}

/// A graph that operations are done to.
#[derive(Clone, Debug)]
pub struct Subject<R: Rule> {
    /// The graph.
    pub graph: Graph<R>,
    owners: Vec<Owner>,
    roots: Vec<RootId>,
    added: usize,
}

impl<R: Rule + Default> Default for Subject<R> {
    fn default() -> Subject<R> {
        let mut graph = Graph::new(R::default());
        let owners = (0..3).map(|_| graph.new_owner()).collect();
        Subject { graph, owners, roots: Vec::new(), added: 0 }
    }
}

impl<R: Rule> Subject<R> {
    /// Does one operation; `refused` looks at the state that is refused, if one is.
    pub fn apply(&mut self, operation: &Operation, refused: impl FnOnce(&Graph<R>)) -> Outcome {
        match operation {
            Operation::AddNode(owner) => {
                self.added += 1;
                let owner = owner.and_then(|pick| one_of(&self.owners, pick));
                let name = format!("n{}", self.added);
                self.graph.add_node(NewNode { owner, ..NewNode::new(&name, &NULL_CO) });
                Outcome::Accepted
            }
            Operation::AddRoot(owner) => {
                let owner = owner.and_then(|pick| one_of(&self.owners, pick));
                let purpose = format!("root {}", self.roots.len());
                self.roots.push(self.graph.add_root(Holder::Backend { purpose }, owner));
                Outcome::Accepted
            }
            Operation::Change(steps) => self.change(steps, refused),
        }
    }

    fn change(&mut self, steps: &[Step], refused: impl FnOnce(&Graph<R>)) -> Outcome {
        let Subject { graph, roots, .. } = self;
        let mut change = graph.change();
        for step in steps {
            if do_step(&mut change, roots, step).is_err() {
                return Outcome::StepRefused;
            }
        }
        match change.commit() {
            Ok(()) => Outcome::Accepted,
            Err(state) => {
                refused(state.graph());
                Outcome::Refused
            }
        }
    }
}

fn one_of<T: Copy>(things: &[T], pick: Pick) -> Option<T> {
    let index = usize::from(pick).checked_rem(things.len())?;
    Some(things[index])
}

fn edges<R: Rule>(graph: &Graph<R>) -> Vec<EdgeId> {
    graph.nodes().into_iter().flat_map(|node| graph.parents(node).collect::<Vec<_>>()).collect()
}

fn do_step<R: Rule>(
    change: &mut Change<'_, R>,
    roots: &[RootId],
    step: &Step,
) -> Result<(), Refusal> {
    let nodes: Vec<NodeId> = change.graph().nodes();
    let edges = edges(change.graph());
    let node = |pick| one_of(&nodes, pick);
    match *step {
        Step::Attach(parent, child, row) => {
            if let (Some(parent), Some(child)) = (node(parent), node(child)) {
                change.attach_with_row(parent, child, "child", Role::DATA, row)?;
            }
        }
        Step::AttachRoot(root, child, demand) => {
            if let (Some(root), Some(child)) = (one_of(roots, root), node(child)) {
                change.attach_root(root, child, "root", demand)?;
            }
        }
        Step::Detach(edge) => {
            if let Some(edge) = one_of(&edges, edge) {
                change.detach(edge)?;
            }
        }
        Step::SetDemand(edge, demand) => {
            let is_roots =
                |edge: &EdgeId| matches!(change.graph().parent_of(*edge), Parent::Root(_));
            let of_roots: Vec<EdgeId> = edges.into_iter().filter(is_roots).collect();
            if let Some(edge) = one_of(&of_roots, edge) {
                change.set_demand(edge, demand);
            }
        }
        Step::Move(edge, to) => {
            if let (Some(edge), Some(to)) = (one_of(&edges, edge), node(to)) {
                change.move_edge(edge, to)?;
            }
        }
        Step::Replace(from, to) => {
            if let (Some(from), Some(to)) = (node(from), node(to)) {
                change.replace(from, to)?;
            }
        }
        Step::ReadOnly(which, read_only) => {
            if let Some(which) = node(which) {
                let mut state = change.graph().state(which);
                state.set(State::READ_ONLY, read_only);
                change.set_state(which, state);
            }
        }
    }
    Ok(())
}
