//! Random graphs in which jobs are at work as QEMU's are: each with a filter that took its node's
//! parents over, and with edges of its own at and below that node and elsewhere.
//!
//! Filters come to stand on filters and beside each other, chains branch and meet again, and one
//! node may have several edges to another. A node's rows follow from its options alone, so that they
//! stay what they are when an edge moves.

use blkperm_graph::{
    Condition, Demand, Driver, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Parent, Permissions,
    Refusal, Role, RootId, Row, Rule, Slot,
};
use quickcheck::{Arbitrary, Gen};

use crate::operation::Pick;

/// What the edge from a filter to the node that it filters is to the filter.
const FILTERED: Role = Role::FILTERED.union(Role::PRIMARY);

/// The roles under which a node may have the same child several times, by other rows.
const ROLES: [Role; 3] = [Role::DATA, Role::METADATA, Role::IMAGE];

static NODE: Driver = Driver::new("node", row);
static FILTER: Driver = Driver { is_filter: true, ..Driver::new("filter", filter_row) };

/// A monotone row that looks random and follows from the options and the role.
fn row(role: Role, condition: Condition) -> Row {
    let seed = (condition.options.index() as u64) << 8 | u64::from(role.bits());
    let bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = bits ^ bits >> 32;
    let byte = |place: u32| Demand::from_index((bits >> place & 0xff) as usize);
    let mut row = Row::NOTHING.passing(byte(0).union(byte(8)));
    if bits >> 16 & 3 == 0 {
        row.constant = byte(18).intersection(byte(26));
    }
    if bits >> 34 & 7 == 0 {
        row.attached = byte(36).intersection(byte(18));
    }
    if bits >> 44 & 1 == 0 {
        row.follows[(bits >> 45) as usize % Slot::COUNT] = byte(48).intersection(byte(40));
    }
    if bits >> 56 & 3 == 0 {
        let first = (bits >> 58) as usize % 3;
        let side = (bits >> 60) as usize % 2 * 4;
        let both = Demand::from_index(3 << (first + side));
        row.together = Some((both, byte(20).intersection(byte(40))));
    }
    row
}

/// A job's filter passes everything but consistent reads, which it hides where the job itself needs
/// them, and adds what its options say, to its other child as well.
fn filter_row(role: Role, condition: Condition) -> Row {
    if role.contains(Role::FILTERED) {
        let hidden = Demand::taking(Permissions::CONSISTENT_READ);
        Row::IDENTITY.without(hidden).adding_while_attached(condition.options)
    } else {
        Row::NOTHING.adding(condition.options)
    }
}

/// One thing that is done to a graph; each is judged by itself.
#[derive(Clone, Debug)]
pub enum Event {
    /// A node with rows by these options.
    Node(u8),
    /// A node becomes the child of another, in one of the roles.
    Edge(Pick, Pick, Pick),
    /// A parent that is not a node, and nobody's.
    Root(Pick, Demand),
    /// A root's edge demands something else.
    Demand(Pick, Demand),
    /// A job: where its filter goes, what the filter adds, which other child it has, and what the
    /// job itself demands of which nodes.
    Job {
        /// The node to be filtered.
        below: Pick,
        /// What the filter adds.
        adds: Demand,
        /// Whether the filter has another child, and which.
        other: Option<Pick>,
        /// The job's own edges.
        edges: Vec<(Pick, Demand)>,
    },
    /// All parents of one node move to another.
    Replace(Pick, Pick),
}

fn sparse(g: &mut Gen) -> Demand {
    Demand::from_index(usize::from(u8::arbitrary(g) & u8::arbitrary(g) & u8::arbitrary(g)))
}

impl Arbitrary for Event {
    fn arbitrary(g: &mut Gen) -> Event {
        let (a, b, c) = (Pick::arbitrary(g), Pick::arbitrary(g), Pick::arbitrary(g));
        match u8::arbitrary(g) % 16 {
            0..=2 => Event::Node(a),
            3..=6 => Event::Edge(a, b, c),
            7..=10 => Event::Root(a, sparse(g)),
            11 => Event::Demand(a, sparse(g)),
            12..=14 => {
                let other = u8::arbitrary(g).is_multiple_of(4).then_some(b);
                let adds = if bool::arbitrary(g) { Demand::NONE } else { sparse(g) };
                let count = 1 + c % 3;
                let edges = (0..count).map(|_| (Pick::arbitrary(g), sparse(g))).collect();
                Event::Job { below: a, adds, other, edges }
            }
            _ => Event::Replace(a, b),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Event>> {
        let Event::Job { below, adds, other, edges } = self else {
            return Box::new(std::iter::empty());
        };
        let (below, adds, other, edges) = (*below, *adds, *other, edges.clone());
        let mut smaller: Vec<Event> = (0..edges.len())
            .map(|place| {
                let mut edges = edges.clone();
                edges.remove(place);
                Event::Job { below, adds, other, edges }
            })
            .collect();
        if other.is_some() {
            smaller.push(Event::Job { below, adds, other: None, edges: edges.clone() });
        }
        if !adds.is_none() {
            smaller.push(Event::Job { below, adds: Demand::NONE, other, edges });
        }
        Box::new(smaller.into_iter())
    }
}

/// What a job has put into the graph.
#[derive(Clone, Debug)]
pub struct JobSite {
    /// Its mark.
    pub owner: Owner,
    /// Its filter.
    pub filter: NodeId,
    /// The job itself, as a parent.
    pub root: RootId,
}

/// A graph with jobs.
#[derive(Clone, Debug)]
pub struct Site<R: Rule> {
    /// The graph.
    pub graph: Graph<R>,
    /// The jobs, oldest first.
    pub jobs: Vec<JobSite>,
    made: usize,
}

impl<R: Rule + Default> Default for Site<R> {
    fn default() -> Site<R> {
        Site { graph: Graph::new(R::default()), jobs: Vec::new(), made: 0 }
    }
}

impl<R: Rule> Site<R> {
    fn pick(&self, pick: Pick) -> Option<NodeId> {
        let nodes = self.graph.nodes();
        let index = usize::from(pick).checked_rem(nodes.len())?;
        Some(nodes[index])
    }

    fn name(&mut self, kind: char) -> String {
        self.made += 1;
        format!("{kind}{}", self.made)
    }

    /// The edges of parents that are not nodes, and the edges' parents.
    pub fn root_edges(&self) -> Vec<(RootId, EdgeId)> {
        let edges = |root| self.graph.children(root).map(move |edge| (root, edge));
        self.graph.roots().into_iter().flat_map(edges).collect()
    }

    /// Does it, if there is what it needs; `refused` looks at the state that is refused, if one is.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn apply(
        &mut self,
        event: &Event,
        refused: &mut dyn FnMut(&Graph<R>),
    ) -> Result<(), Refusal> {
        match *event {
            Event::Node(options) => {
                let name = self.name('n');
                let options = Demand::from_index(usize::from(options));
                self.graph.add_node(NewNode { options, ..NewNode::new(&name, &NODE) });
                Ok(())
            }
            Event::Edge(parent, child, role) => {
                let (Some(parent), Some(child)) = (self.pick(parent), self.pick(child)) else {
                    return Ok(());
                };
                if self.graph.driver(parent) == &FILTER {
                    return Ok(());
                }
                let role = ROLES[usize::from(role) % ROLES.len()];
                self.change(refused, |change| change.attach(parent, child, "child", role).map(drop))
            }
            Event::Root(child, demand) => {
                let Some(child) = self.pick(child) else { return Ok(()) };
                let purpose = self.name('r');
                let root = self.graph.add_root(Holder::Backend { purpose }, None);
                let attached = self.change(refused, |change| {
                    change.attach_root(root, child, "root", demand).map(drop)
                });
                attached.inspect_err(|_| self.graph.remove_root(root))
            }
            Event::Demand(edge, demand) => {
                let edges = self.root_edges();
                let Some(place) = usize::from(edge).checked_rem(edges.len()) else { return Ok(()) };
                self.change(refused, |change| {
                    change.set_demand(edges[place].1, demand);
                    Ok(())
                })
            }
            Event::Job { below, adds, other, ref edges } => {
                self.start_job((below, adds, other), edges, refused)
            }
            Event::Replace(from, to) => {
                let (Some(from), Some(to)) = (self.pick(from), self.pick(to)) else {
                    return Ok(());
                };
                self.change(refused, |change| change.replace(from, to))
            }
        }
    }

    fn change(
        &mut self,
        refused: &mut dyn FnMut(&Graph<R>),
        build: impl FnOnce(&mut blkperm_graph::Change<'_, R>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut change = self.graph.change();
        build(&mut change)?;
        change.commit().map_err(|state| {
            refused(state.graph());
            state.refusal()
        })
    }

    fn start_job(
        &mut self,
        (below, adds, other): (Pick, Demand, Option<Pick>),
        edges: &[(Pick, Demand)],
        refused: &mut dyn FnMut(&Graph<R>),
    ) -> Result<(), Refusal> {
        let Some(below) = self.pick(below) else { return Ok(()) };
        let other = other.and_then(|pick| self.pick(pick));
        let edges: Vec<(NodeId, Demand)> =
            edges.iter().filter_map(|&(pick, demand)| Some((self.pick(pick)?, demand))).collect();
        let owner = self.graph.new_owner();
        let name = self.name('f');
        let new = NewNode { options: adds, owner: Some(owner), ..NewNode::new(&name, &FILTER) };
        let filter = self.graph.add_node(new);
        let id = self.name('j');
        let root = self.graph.add_root(Holder::Job { kind: "job", id }, Some(owner));
        let started = self.change(refused, |change| {
            change.attach(filter, below, "filtered", FILTERED)?;
            change.replace(below, filter)?;
            if let Some(other) = other {
                change.attach(filter, other, "other", Role::DATA)?;
            }
            for (child, demand) in edges {
                change.attach_root(root, child, "own", demand)?;
            }
            Ok(())
        });
        match started {
            Ok(()) => self.jobs.push(JobSite { owner, filter, root }),
            Err(_) => {
                self.graph.remove_root(root);
                self.graph.release(filter);
            }
        }
        started
    }

    /// Drops a job's filter onto the node that it filters, with all edges of the job's.
    ///
    /// # Errors
    ///
    /// The refusal, which law 3 says there is none of.
    pub fn drop_job(&mut self, job: &JobSite) -> Result<(), Refusal> {
        let filter = job.filter;
        self.graph.transact(|change| {
            let graph = change.graph();
            let edge = graph.filtered_edge(filter).expect("a filter has a child");
            let below = graph.child_of(edge);
            let moving: Vec<EdgeId> = graph.parents(filter).collect();
            let own: Vec<EdgeId> = graph.children(job.root).collect();
            for edge in moving.into_iter().filter(|edge| !own.contains(edge)) {
                change.move_edge(edge, below)?;
            }
            let of_filter: Vec<EdgeId> = change.graph().children(Parent::Node(filter)).collect();
            own.into_iter().chain(of_filter).try_for_each(|edge| change.detach(edge))
        })
    }
}
