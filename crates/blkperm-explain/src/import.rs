//! From QEMU's answers to a block layer.

mod added;
mod build;
mod edges;
mod holder;
mod images;
mod inactive;
mod job;
mod untold;
mod variant;

pub use build::{Built, Doubt};
pub use untold::Untold;

use std::collections::HashMap;

use blkperm_graph::{Demand, Driver, Holder, Refusal, Role, State};
use blkperm_qmp::transcript::{GraphDump, GraphEdge, GraphNode, NodeType};

use crate::replies::{NodeInfo, Replies};

/// QEMU's answers do not make a block graph.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ImportError {
    /// The graph is not among the answers.
    #[error("there is no answer to 'x-debug-query-block-graph'")]
    NoGraph,
    /// A name that should be unique is not.
    #[error("there are two {what} called '{name}'")]
    Twice {
        /// What.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A node is the parent of something that cannot be a child, or the like.
    #[error("'{edge}' of {parent} ends at '{child}', which is no node")]
    NotANode {
        /// The edge's name.
        edge: String,
        /// Its parent.
        parent: String,
        /// What is called its child.
        child: String,
    },
    /// No rule allows the graph as a whole.
    #[error("no QEMU can have this graph: {0}")]
    Impossible(Refusal),
}

/// Something that the answers do not tell, and how it was filled in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Noted {
    /// These queries were not answered.
    #[error("not known: what {} {} (drivers, jobs, exports and devices are inferred from the edges)", .0.join(", "), if .0.len() == 1 { "returns" } else { "return" })]
    Missing(Vec<&'static str>),
    /// QEMU 10.0 has no such driver.
    #[error("node '{node}': QEMU 10.0 has no driver '{driver}'")]
    UnknownDriver {
        /// The node's name.
        node: String,
        /// The driver's name.
        driver: String,
    },
    /// A job is none that QEMU 10.0 has.
    #[error("job '{job}': {why}; what would become of it is not known")]
    Job {
        /// The job's id.
        job: String,
        /// What is wrong with it.
        why: String,
    },
}

/// An edge that holds something else than the rules of QEMU 10.0 make of what its parent's parents
/// hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unexplained {
    /// The edge, with what it holds.
    pub edge: GraphEdge,
    /// What the rules make of it; none where the parent's driver has no such child.
    pub expected: Option<Demand>,
}

/// What was made of QEMU's answers, before any rule: nodes with their drivers, edges with their
/// roles, and who the parents are that are no nodes.
#[derive(Clone, Debug)]
pub struct Survey {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    index: Index,
    backends: Vec<Backend>,
    jobs: Vec<Job>,
    notes: Vec<Noted>,
}

/// The edges by what they belong to, oldest first.
#[derive(Clone, Debug, Default)]
struct Index {
    of_nodes: Vec<Vec<usize>>,
    of_jobs: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
}

/// A node, by its place in the order of registration.
#[derive(Clone, Debug)]
struct Node {
    name: String,
    driver: &'static Driver,
    /// By what it demands of its children.
    state: State,
    /// What it has become without its children learning of it yet.
    became: Option<State>,
    /// What its options demand at least.
    options: Demand,
    /// What its options demand at most: what its parents demand may hide some of it.
    most_options: Demand,
    /// What a parent demanded of it that was taken off unnoticed, so that the node still demands what
    /// follows from that.
    lost: Option<Demand>,
    /// The job whose filter it is.
    job: Option<usize>,
    info: Option<NodeInfo>,
    /// Whether it may be inactive, though only its edges are known, which do not show it.
    may_be_inactive: bool,
}

/// The parent of an edge, by its place among its like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Parent {
    Node(usize),
    Backend(usize),
    Job(usize),
}

#[derive(Clone, Debug)]
struct Edge {
    parent: Parent,
    child: usize,
    name: String,
    demand: Demand,
    /// What it is to a parent that is a node; none where the driver has no such child.
    role: Option<Role>,
    /// What the rules make of it where that is something else.
    unexplained: Option<Option<Demand>>,
}

/// A BlockBackend: who uses it.
#[derive(Clone, Debug)]
struct Backend {
    holder: Holder,
    job: Option<usize>,
    export: Option<Export>,
    device: Option<String>,
    /// Whether it is a drive, which has opened its node.
    is_drive: bool,
}

#[derive(Clone, Debug)]
struct Export {
    id: String,
    /// QEMU's name of its type, for example `nbd`.
    kind: String,
}

/// A block job with what the queries say of it.
#[derive(Clone, Debug)]
struct Job {
    id: String,
    kind: Option<job::Kind>,
    status: blkperm_jobs::Status,
    auto_finalize: bool,
    auto_dismiss: bool,
    speed: u64,
    filter: Option<usize>,
    /// Its BlockBackends, in the order in which it makes them.
    backends: Vec<usize>,
}

/// Whether the answer to a query could tell anything of this graph: of jobs and of devices only where
/// there are any. A storage daemon does not even know the query for devices.
fn is_needed(query: &str, dump: &GraphDump) -> bool {
    let has = |is_it: &dyn Fn(&GraphNode) -> bool| dump.edges.iter().any(|it| is_it(&it.parent));
    match query {
        "query-jobs" | "query-block-jobs" => has(&|parent| parent.r#type == NodeType::BlockJob),
        "query-block" => {
            has(&|parent| parent.r#type == NodeType::BlockBackend && !parent.name.is_empty())
        }
        _ => true,
    }
}

impl Survey {
    /// Makes sense of the answers.
    ///
    /// # Errors
    ///
    /// [`ImportError`] where they contradict each other.
    pub fn of(replies: &Replies) -> Result<Survey, ImportError> {
        let dump = replies.graph.as_ref().ok_or(ImportError::NoGraph)?;
        let mut survey = Survey {
            nodes: nodes(dump, replies)?,
            edges: Vec::new(),
            index: Index::default(),
            backends: Vec::new(),
            jobs: Vec::new(),
            notes: Vec::new(),
        };
        let mut missing = replies.missing();
        missing.retain(|query| is_needed(query, dump));
        if !missing.is_empty() {
            survey.notes.push(Noted::Missing(missing));
        }
        survey.jobs = job::named(dump, replies, &mut survey.notes);
        survey.add_edges(dump)?;
        survey.find_filters();
        survey.find_drivers();
        survey.name_backends(replies);
        Ok(survey)
    }

    /// What the answers do not tell, and how it was filled in.
    pub fn notes(&self) -> &[Noted] {
        &self.notes
    }

    /// The edges that the rules of QEMU 10.0 do not explain.
    pub fn unexplained(&self) -> Vec<Unexplained> {
        let unexplained = self.edges.iter().filter_map(|edge| {
            let expected = edge.unexplained?;
            let (r#type, name) = match edge.parent {
                Parent::Node(node) => (NodeType::BlockDriver, self.nodes[node].name.clone()),
                Parent::Job(job) => (NodeType::BlockJob, self.jobs[job].id.clone()),
                Parent::Backend(backend) => {
                    (NodeType::BlockBackend, self.backends[backend].holder.to_string())
                }
            };
            let edge = GraphEdge {
                child: self.nodes[edge.child].name.clone(),
                parent: GraphNode { r#type, name },
                name: edge.name.clone(),
                demand: edge.demand,
            };
            Some(Unexplained { edge, expected })
        });
        unexplained.collect()
    }

    /// The ids of devices and the names of drives, each with the node that it uses now.
    pub fn devices(&self) -> Vec<(&str, &str)> {
        let devices = self.edges.iter().filter_map(|edge| {
            let Parent::Backend(backend) = edge.parent else { return None };
            let device = self.backends[backend].device.as_deref()?;
            Some((device, self.nodes[edge.child].name.as_str()))
        });
        devices.collect()
    }

    /// The edges in the dump, oldest parents first, and the BlockBackends that they come from.
    fn add_edges(&mut self, dump: &GraphDump) -> Result<(), ImportError> {
        let place = |items: Vec<&str>| -> HashMap<String, usize> {
            items.into_iter().enumerate().map(|(place, name)| (name.to_owned(), place)).collect()
        };
        let nodes = place(self.nodes.iter().map(|node| node.name.as_str()).collect());
        let jobs = place(self.jobs.iter().map(|job| job.id.as_str()).collect());
        let mut groups: [Vec<Edge>; 3] = Default::default();
        for edge in &dump.edges {
            let child = *nodes.get(&edge.child).ok_or_else(|| ImportError::NotANode {
                edge: edge.name.clone(),
                parent: edge.parent.to_string(),
                child: edge.child.clone(),
            })?;
            let name = edge.parent.name.as_str();
            let (group, parent) = match edge.parent.r#type {
                NodeType::BlockDriver => (0, Parent::Node(nodes[name])),
                NodeType::BlockJob => (1, Parent::Job(jobs[name])),
                NodeType::BlockBackend => {
                    self.backends.push(Backend {
                        holder: Holder::Backend { purpose: "an unnamed BlockBackend".to_owned() },
                        job: None,
                        export: None,
                        device: Some(name).filter(|name| !name.is_empty()).map(str::to_owned),
                        is_drive: false,
                    });
                    (2, Parent::Backend(self.backends.len() - 1))
                }
            };
            let (name, demand) = (edge.name.clone(), edge.demand);
            groups[group].push(Edge { parent, child, name, demand, role: None, unexplained: None });
        }
        let [mut of_nodes, of_jobs, mut of_backends] = groups;
        // Each node's own edges are listed oldest first, the nodes newest first.
        of_nodes.sort_by_key(|edge| match edge.parent {
            Parent::Node(node) => node,
            _ => unreachable!("these are the edges of nodes"),
        });
        of_backends.reverse();
        self.edges = of_nodes.into_iter().chain(of_backends).chain(of_jobs).collect();
        let lists = |count| vec![Vec::new(); count];
        let (nodes, jobs) = (self.nodes.len(), self.jobs.len());
        let mut index = Index { of_nodes: lists(nodes), of_jobs: lists(jobs), into: lists(nodes) };
        for (place, edge) in self.edges.iter().enumerate() {
            index.into[edge.child].push(place);
            match edge.parent {
                Parent::Node(node) => index.of_nodes[node].push(place),
                Parent::Job(job) => index.of_jobs[job].push(place),
                Parent::Backend(_) => {}
            }
        }
        self.index = index;
        Ok(())
    }

    /// All that is demanded of a node, and whether it has a parent at all.
    fn demand_on(&self, node: usize) -> (Demand, bool) {
        let into = &self.index.into[node];
        let demands = into.iter().map(|&edge| self.edges[edge].demand);
        (demands.fold(Demand::NONE, Demand::union), !into.is_empty())
    }

    /// Whether the node's driver was inferred from its edges.
    pub fn is_inferred(&self, node: &str) -> bool {
        self.nodes.iter().any(|it| it.name == node && it.info.is_none() && it.job.is_none())
    }
}

/// The nodes of the graph, oldest first, with what is known of each.
fn nodes(dump: &GraphDump, replies: &Replies) -> Result<Vec<Node>, ImportError> {
    let mut infos: HashMap<&str, &NodeInfo> = HashMap::new();
    for info in replies.nodes.iter().flatten() {
        if infos.insert(&info.node_name, info).is_some() {
            return Err(ImportError::Twice { what: "nodes", name: info.node_name.clone() });
        }
    }
    let named = dump.nodes.iter().rev().filter(|node| node.r#type == NodeType::BlockDriver);
    let node = |node: &GraphNode| {
        let info = infos.get(node.name.as_str()).copied().cloned();
        let mut state = State::default();
        state.set(State::READ_ONLY, info.as_ref().is_some_and(|info| info.ro));
        state.set(State::INACTIVE, info.as_ref().is_some_and(|info| !info.active));
        let driver = variant::unknown().driver;
        let (options, most_options) = (Demand::NONE, Demand::NONE);
        Node {
            name: node.name.clone(),
            driver,
            state,
            became: None,
            options,
            most_options,
            lost: None,
            job: None,
            info,
            may_be_inactive: false,
        }
    };
    Ok(named.map(node).collect())
}

#[cfg(test)]
mod tests;
