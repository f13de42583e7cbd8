//! A picture as plain data: what is drawn, how it is marked, and nothing about where it is put.

mod around;
mod difference;
mod refusal;
mod words;

use blkperm_graph::{
    Claim, Demand, EdgeId, Graph, Holder, NodeId, Owner, Parent, RootId, Rule, Slot, State,
};
use rustc_hash::FxHashMap;

/// A vertex of a picture, by its place in [`Picture::vertices`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VertexId(pub usize);

/// An owner in a picture, by its place in [`Picture::owners`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct OwnerId(pub usize);

/// What a vertex stands for; each kind has a shape of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A node.
    Node,
    /// A node that a job has put into the graph.
    Filter,
    /// A block export.
    Export,
    /// A device of the guest.
    Device,
    /// A BlockBackend that a job makes for itself.
    Backend,
    /// A block job.
    Job,
}

/// In which of the two states that a picture shows something is there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum When {
    /// In both, or the picture shows only one state.
    #[default]
    Always,
    /// Only before.
    Before,
    /// Only afterwards.
    After,
}

/// Why something is marked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Accent {
    /// It is not.
    #[default]
    None,
    /// It is another one than before.
    Changed,
    /// What a refusal names came from here.
    Cause,
    /// A refusal names it.
    Fault,
}

/// A node, or a parent that is not a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vertex {
    /// What it stands for.
    pub kind: Kind,
    /// The node-name, the job's id, or what a BlockBackend is for.
    pub name: String,
    /// The driver and the state of a node, the type of a job; may be empty.
    pub note: String,
    /// Whose it is, if it is a job's.
    pub owner: Option<OwnerId>,
    /// When it is there.
    pub when: When,
    /// How it is marked.
    pub accent: Accent,
    /// What is wrong with it, in few words; may be empty.
    pub fault: String,
}

/// One permission that is taken or unshared, with whose claim it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Letter {
    /// The permission, taken or unshared.
    pub slot: Slot,
    /// The owner of the claim, where all claims to this have the same one.
    pub owner: Option<OwnerId>,
    /// The owners whose filters the claim went through, where all claims to this agree; without
    /// the owner itself.
    pub through: Vec<OwnerId>,
}

/// What an edge has.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// What it takes and unshares, in the order of the slots.
    pub letters: Vec<Letter>,
    /// Whether it can be neither moved nor removed, because a job relies on it.
    pub frozen: bool,
}

/// An edge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrow {
    /// The parent.
    pub parent: VertexId,
    /// The child.
    pub child: VertexId,
    /// What the parent calls it.
    pub name: String,
    /// What it has.
    pub held: Held,
    /// What it had before, where that is something else.
    pub before: Option<Held>,
    /// Whose it is, if it is a job's.
    pub owner: Option<OwnerId>,
    /// When it is there.
    pub when: When,
    /// How it is marked.
    pub accent: Accent,
}

/// What a graph looks like, or what two look like beside each other.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Picture {
    /// Parents that are not nodes, then nodes, each oldest first.
    pub vertices: Vec<Vertex>,
    /// The edges, in the order of their parents.
    pub arrows: Vec<Arrow>,
    /// Whom claims and filters belong to, in words.
    pub owners: Vec<String>,
}

impl Picture {
    /// What the graph looks like.
    pub fn of<R: Rule>(graph: &Graph<R>) -> Picture {
        let mut artist =
            Artist { graph, picture: Picture::default(), owners: FxHashMap::default() };
        artist.draw();
        artist.picture
    }

    /// The vertex with this number.
    ///
    /// # Panics
    ///
    /// Panics when it is another picture's.
    pub fn vertex(&self, id: VertexId) -> &Vertex {
        &self.vertices[id.0]
    }

    /// The vertices with their numbers.
    pub fn ids(&self) -> impl Iterator<Item = VertexId> + use<> {
        (0..self.vertices.len()).map(VertexId)
    }

    /// Whether two states are shown, which differ.
    pub fn shows_change(&self) -> bool {
        let changed =
            |when: When, accent: Accent| when != When::Always || accent == Accent::Changed;
        self.vertices.iter().any(|one| changed(one.when, one.accent))
            || self.arrows.iter().any(|one| changed(one.when, one.accent))
    }

    /// Whether nothing is there before.
    pub fn is_empty_before(&self) -> bool {
        self.vertices.iter().all(|vertex| vertex.when == When::After)
    }

    /// Whether a refusal is shown.
    pub fn shows_refusal(&self) -> bool {
        self.vertices.iter().any(|one| one.accent == Accent::Fault)
            || self.arrows.iter().any(|one| one.accent == Accent::Fault)
    }
}

impl Held {
    /// What takes and unshares that much, which nobody owns.
    fn plain(demand: Demand) -> Held {
        let letter = |slot| Letter { slot, owner: None, through: Vec::new() };
        Held { letters: demand.slots().map(letter).collect(), frozen: false }
    }

    /// All that it takes and unshares.
    pub fn demand(&self) -> Demand {
        demand(&self.letters)
    }
}

impl Arrow {
    /// All that it takes and unshares.
    pub fn demand(&self) -> Demand {
        self.held.demand()
    }
}

pub(crate) fn demand(letters: &[Letter]) -> Demand {
    letters.iter().fold(Demand::NONE, |all, letter| all.union(letter.slot.demand()))
}

/// Makes a picture of a graph.
struct Artist<'g, R: Rule> {
    graph: &'g Graph<R>,
    picture: Picture,
    owners: FxHashMap<Owner, OwnerId>,
}

impl<R: Rule> Artist<'_, R> {
    fn draw(&mut self) {
        let graph = self.graph;
        let roots = graph.roots();
        for &root in &roots {
            self.name_owner(root);
        }
        let mut places = FxHashMap::default();
        let nodes = graph.nodes();
        let parents =
            roots.into_iter().map(Parent::Root).chain(nodes.into_iter().map(Parent::Node));
        let parents: Vec<Parent> = parents.collect();
        for &parent in &parents {
            let vertex = match parent {
                Parent::Root(root) => self.root(root),
                Parent::Node(node) => self.node(node),
            };
            places.insert(parent, VertexId(self.picture.vertices.len()));
            self.picture.vertices.push(vertex);
        }
        for &parent in &parents {
            let mut edges: Vec<EdgeId> = graph.children(parent).collect();
            edges.reverse();
            for edge in edges {
                let child = places[&Parent::Node(graph.child_of(edge))];
                let arrow = self.arrow(edge, places[&parent], child);
                self.picture.arrows.push(arrow);
            }
        }
    }

    /// Calls an owner by its job.
    fn name_owner(&mut self, root: RootId) {
        if let (Some(owner), Holder::Job { kind, id }) =
            (self.graph.root_owner(root), self.graph.holder(root))
        {
            self.owner(owner, || job_words(kind, id));
        }
    }

    fn owner(&mut self, owner: Owner, words: impl FnOnce() -> String) -> OwnerId {
        let owners = &mut self.picture.owners;
        *self.owners.entry(owner).or_insert_with(|| {
            owners.push(words());
            OwnerId(owners.len() - 1)
        })
    }

    fn root(&mut self, root: RootId) -> Vertex {
        let owner = self.graph.root_owner(root);
        let owner = owner.map(|owner| self.owner(owner, || "a job".to_owned()));
        let (kind, name, note) = root_words(self.graph.holder(root));
        Vertex { owner, ..Vertex::new(kind, name, note) }
    }

    fn node(&mut self, node: NodeId) -> Vertex {
        let graph = self.graph;
        let name = graph.name(node);
        let owner = graph.filter_owner(node);
        let owner = owner.map(|owner| self.owner(owner, || format!("the job of '{name}'")));
        let kind = if owner.is_some() { Kind::Filter } else { Kind::Node };
        let note = node_note(graph.driver(node).name, graph.state(node));
        Vertex { owner, ..Vertex::new(kind, name.to_owned(), note) }
    }

    fn arrow(&mut self, edge: EdgeId, parent: VertexId, child: VertexId) -> Arrow {
        let claims = self.graph.rule().claims(self.graph.hold(edge));
        Arrow {
            parent,
            child,
            name: self.graph.edge_name(edge).to_owned(),
            held: Held { letters: self.letters(&claims), frozen: self.graph.is_frozen(edge) },
            before: None,
            owner: self.picture.vertex(parent).owner,
            when: When::Always,
            accent: Accent::None,
        }
    }

    fn letters(&mut self, claims: &[Claim]) -> Vec<Letter> {
        let mut letters: Vec<Letter> = Vec::new();
        for claim in claims {
            let mut owner = |owner: Owner| self.owner(owner, || "a job that is over".to_owned());
            let own = claim.owner.map(&mut owner);
            let through = claim.through.iter().map(|&one| owner(one));
            let through: Vec<OwnerId> = through.filter(|&one| Some(one) != own).collect();
            match letters.iter_mut().find(|letter| letter.slot == claim.slot) {
                Some(letter) => {
                    letter.owner = letter.owner.filter(|_| letter.owner == own);
                    letter.through.retain(|one| through.contains(one));
                }
                None => letters.push(Letter { slot: claim.slot, owner: own, through }),
            }
        }
        letters.sort();
        letters
    }
}

impl Vertex {
    fn new(kind: Kind, name: String, note: String) -> Vertex {
        let (when, accent, fault) = (When::Always, Accent::None, String::new());
        Vertex { kind, name, note, owner: None, when, accent, fault }
    }
}

fn job_words(kind: &str, id: &str) -> String {
    format!("{kind} job '{id}'")
}

/// The kind, the name and the note of a parent that is not a node.
fn root_words(holder: &Holder) -> (Kind, String, String) {
    match holder {
        Holder::Job { kind, id } => (Kind::Job, id.clone(), format!("{kind} job")),
        Holder::Export { .. } => (Kind::Export, holder.to_string(), String::new()),
        Holder::Device { words, .. } => (Kind::Device, words.clone(), String::new()),
        Holder::Backend { purpose } => (Kind::Backend, purpose.clone(), String::new()),
    }
}

/// What is told of a node below its name.
fn node_note(driver: &str, state: State) -> String {
    const TOLD: [(State, &str); 3] = [
        (State::READ_ONLY, "read-only"),
        (State::INACTIVE, "inactive"),
        (State::FORCE_SHARE, "force-share"),
    ];
    let told = TOLD.iter().filter(|(one, _)| state.contains(*one)).map(|(_, words)| *words);
    std::iter::once(driver).chain(told).collect::<Vec<_>>().join(", ")
}
