//! From a survey to a block layer under a rule.

use std::collections::HashMap;

use blkperm_graph::driver::{BLKDEBUG, RAW_OFFSET, RAW_SIZED};
use blkperm_graph::{
    Change, Counts, Demand, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Parent as GraphParent,
    Refusal, Role, RootId, Row, Rule, State,
};
use blkperm_jobs::{BlockLayer, Completion, FoundJob, Status};
use blkperm_qmp::Monitor;
use blkperm_qmp::monitor::{FoundExport, FoundNode};

use super::images::KnownImages;
use super::untold::Untold;
use super::{Edge, Job, Node, Noted, Parent, Survey};

/// A monitor on the graph that was found.
#[derive(Clone)]
pub struct Built<R: Rule> {
    /// The monitor.
    pub monitor: Monitor<R>,
    /// The jobs that could not be taken over, and why.
    pub notes: Vec<Noted>,
}

/// The unit of lengths, in bytes.
const SECTOR: u64 = 512;

/// The graph as it may be instead.
#[derive(Clone)]
pub struct Doubt<R: Rule> {
    /// What would be so.
    pub untold: Untold,
    /// A monitor on that graph.
    pub monitor: Monitor<R>,
}

/// The ids in the new graph of what the survey numbers.
struct Ids {
    nodes: Vec<NodeId>,
    backends: Vec<RootId>,
    jobs: Vec<(RootId, Owner)>,
}

impl Survey {
    /// Builds the graph under `rule`, with its jobs and exports.
    ///
    /// # Errors
    ///
    /// The refusal where the rule does not allow the graph as it is: then it could not have come
    /// about under that rule.
    pub fn build<R: Rule>(&self, rule: R, completion: Completion) -> Result<Built<R>, Refusal> {
        self.build_with(rule, completion, Untold::empty())
    }

    /// The graph as it may be instead, for each set of what the answers leave open, the smallest first.
    /// In [`build`](Self::build) none of that holds. What the rule does not allow cannot be.
    pub fn build_doubtful<R: Rule + Clone>(
        &self,
        rule: &R,
        completion: Completion,
    ) -> Vec<Doubt<R>> {
        let built = self.untold().subsets().into_iter().map(|untold| {
            let built = self.build_with(rule.clone(), completion, untold)?;
            Ok(Doubt { untold, monitor: built.monitor })
        });
        built.filter_map(Result::<_, Refusal>::ok).collect()
    }

    /// What the answers leave open.
    fn untold(&self) -> Untold {
        let is_to_be_finalized =
            |job: &Job| matches!(job.status, Status::Waiting | Status::Pending);
        let hides_options = |node: &Node| node.options != node.most_options;
        let is_unknown = |node: &Node| node.info.is_none() && node.job.is_none();
        let open = [
            (Untold::OPENED_WITH_PARENTS, self.added(true) != self.added(false)),
            (Untold::WAS_READ_ONLY, !self.jobs.is_empty()),
            (Untold::WERE_CANCELLED, self.jobs.iter().any(is_to_be_finalized)),
            (Untold::HIDDEN_OPTIONS, self.nodes.iter().any(hides_options)),
            (Untold::OTHER_SIZES, self.nodes.iter().any(is_unknown)),
            (Untold::ARE_INACTIVE, self.nodes.iter().any(|node| node.may_be_inactive)),
        ];
        open.into_iter().filter(|&(_, is_open)| is_open).map(|(untold, _)| untold).collect()
    }

    /// The graph, with what the answers do not tell.
    fn build_with<R: Rule>(
        &self,
        rule: R,
        completion: Completion,
        untold: Untold,
    ) -> Result<Built<R>, Refusal> {
        let mut layer = BlockLayer::new(rule, completion);
        layer.set_tells_pauses(false);
        self.nodes.iter().for_each(|node| layer.names.take_note(&node.name));
        let added = self.added(untold.contains(Untold::OPENED_WITH_PARENTS));
        let ids = self.add_parents(&mut layer.graph, untold);
        layer.graph.transact(|change| {
            self.edges.iter().try_for_each(|edge| self.attach(change, &ids, edge))
        })?;
        self.lose_parents(&mut layer, &ids)?;
        for (node, &id) in self.nodes.iter().zip(&ids.nodes) {
            if let Some(state) = node.became {
                layer.graph.make_inactive_unnoticed(id, state.contains(State::READ_ONLY));
            }
        }
        for ((node, &id), &added) in self.nodes.iter().zip(&ids.nodes).zip(&added) {
            // A job holds its filter as the user holds what he has added.
            if added || node.job.is_some() {
                continue;
            }
            // What was opened for a parent is read-only when that is, and goes with it.
            inherit(&mut layer, id);
            if layer.graph.parents(id).next().is_some() {
                layer.release(id);
            }
        }
        let notes = self.adopt_jobs(&mut layer, &ids, untold);
        let monitor = Monitor::adopt(
            layer,
            KnownImages::of(self),
            self.found_nodes(&added),
            self.found_exports(&ids),
        );
        Ok(Built { monitor, notes })
    }

    /// Adds all nodes and all parents that are no nodes.
    fn add_parents<R: Rule>(&self, graph: &mut Graph<R>, untold: Untold) -> Ids {
        let owners: Vec<Owner> = self.jobs.iter().map(|_| graph.new_owner()).collect();
        let jobs: Vec<(RootId, Owner)> = self
            .jobs
            .iter()
            .zip(owners)
            .map(|(job, owner)| {
                let kind = job.kind.map_or("unknown", |kind| kind.name());
                let holder = Holder::Job { kind, id: job.id.clone() };
                (graph.add_root(holder, Some(owner)), owner)
            })
            .collect();
        let owner = |job: Option<usize>| job.map(|job| jobs[job].1);
        let nodes = self.nodes.iter().enumerate().map(|(place, node)| {
            let may = |what| untold.contains(what);
            let unknown = if may(Untold::OTHER_SIZES) { (place as u64 + 1) * SECTOR } else { 0 };
            let is_sized = may(Untold::OTHER_SIZES)
                && node.info.is_none()
                && std::ptr::eq(node.driver, &RAW_OFFSET);
            let driver = if is_sized { &RAW_SIZED } else { node.driver };
            let is_inactive = may(Untold::ARE_INACTIVE) && node.may_be_inactive;
            let inactive = if is_inactive { State::INACTIVE } else { State::empty() };
            graph.add_node(NewNode {
                state: node.became.unwrap_or(node.state) | inactive,
                options: if may(Untold::HIDDEN_OPTIONS) { node.most_options } else { node.options },
                length: node.info.as_ref().map_or(unknown, |info| info.image.virtual_size),
                owner: owner(node.job),
                ..NewNode::new(&node.name, driver)
            })
        });
        let nodes: Vec<NodeId> = nodes.collect();
        let backends = self
            .backends
            .iter()
            .map(|backend| graph.add_root(backend.holder.clone(), owner(backend.job)));
        let backends = backends.collect();
        self.lock_files(graph, &nodes);
        Ids { nodes, backends, jobs }
    }

    /// Attaches the parents that were taken off nodes unnoticed, and takes them off so.
    fn lose_parents<R: Rule>(&self, layer: &mut BlockLayer<R>, ids: &Ids) -> Result<(), Refusal> {
        for (node, &id) in self.nodes.iter().zip(&ids.nodes) {
            let Some(options) = node.lost else { continue };
            // No user can give a node such a name.
            let name = format!("parent of {}", node.name);
            let parent =
                layer.graph.add_node(NewNode { options, ..NewNode::new(&name, &BLKDEBUG) });
            let role = Role::FILTERED | Role::PRIMARY;
            let edge = layer.graph.transact(|change| change.attach(parent, id, "image", role))?;
            layer.graph.transact(|change| change.detach_unnoticed(edge))?;
            layer.release(parent);
        }
        Ok(())
    }

    /// Lets nodes lock their files, but for files that are open more than once in a way that locks
    /// would have forbidden: those are opened without.
    fn lock_files<R: Rule>(&self, graph: &mut Graph<R>, ids: &[NodeId]) {
        let mut files: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, node) in self.nodes.iter().enumerate() {
            if let Some(info) = node.info.as_ref().filter(|info| info.drv == "file") {
                files.entry(&info.file).or_default().push(place);
            }
        }
        for (file, nodes) in files {
            let locked = |&node: &usize| match self.nodes[node].state.contains(State::INACTIVE) {
                true => Demand::NONE,
                false => self.demand_on(node).0,
            };
            let mut locks = Counts::default();
            nodes.iter().map(locked).for_each(|demand| locks.add(demand));
            if !locks.in_conflict() {
                nodes.iter().for_each(|&node| graph.lock_file(ids[node], file));
            }
        }
    }

    fn adopt_jobs<R: Rule>(
        &self,
        layer: &mut BlockLayer<R>,
        ids: &Ids,
        untold: Untold,
    ) -> Vec<Noted> {
        let mut notes = Vec::new();
        for (job, &(root, owner)) in self.jobs.iter().zip(&ids.jobs) {
            // Of a job without a type it was said before.
            let Some(kind) = job.kind else { continue };
            let adopted = layer.adopt_job(FoundJob {
                id: job.id.clone(),
                kind: kind.name(),
                status: job.status,
                auto_finalize: job.auto_finalize,
                auto_dismiss: job.auto_dismiss,
                speed: job.speed,
                was_read_only: untold.contains(Untold::WAS_READ_ONLY),
                was_cancelled: untold.contains(Untold::WERE_CANCELLED),
                owner,
                root,
                filter: job.filter.map(|filter| ids.nodes[filter]),
                backends: job.backends.iter().map(|&backend| ids.backends[backend]).collect(),
            });
            if let Err(why) = adopted {
                notes.push(Noted::Job { job: job.id.clone(), why: why.to_string() });
            }
        }
        notes
    }

    /// Adds an edge: by its driver's table, or as it was found where that does not explain it.
    fn attach<R: Rule>(
        &self,
        change: &mut Change<'_, R>,
        ids: &Ids,
        edge: &Edge,
    ) -> Result<(), Refusal> {
        let child = ids.nodes[edge.child];
        match edge.parent {
            Parent::Node(place) => {
                let (parent, node) = (ids.nodes[place], &self.nodes[place]);
                match (edge.role, edge.unexplained) {
                    (Some(role), None) if node.became.is_none() => {
                        change.attach(parent, child, &edge.name, role)?
                    }
                    (role, _) => {
                        let role = role.unwrap_or(Role::DATA);
                        let row = Row::NOTHING.adding(edge.demand);
                        change.attach_with_row(parent, child, &edge.name, role, row)?
                    }
                };
            }
            Parent::Backend(backend) => {
                change.attach_root(ids.backends[backend], child, &edge.name, edge.demand)?;
            }
            Parent::Job(job) => {
                change.attach_root(ids.jobs[job].0, child, &edge.name, edge.demand)?;
            }
        }
        Ok(())
    }

    fn found_nodes(&self, added: &[bool]) -> Vec<FoundNode> {
        let nodes = self.nodes.iter().zip(added).filter(|(node, _)| node.job.is_none());
        let found = nodes.map(|(node, &added)| FoundNode {
            name: node.name.clone(),
            filename: node.info.as_ref().map(|info| info.file.clone()),
            monitor_owned: added,
            auto_backing: node.info.as_ref().and_then(|info| info.image.backing_filename.clone()),
        });
        found.collect()
    }

    fn found_exports(&self, ids: &Ids) -> Vec<FoundExport> {
        // Oldest first, as the edges are.
        let exports = self.edges.iter().filter_map(|edge| {
            let Parent::Backend(backend) = edge.parent else { return None };
            let export = self.backends[backend].export.as_ref()?;
            let node_name = self.nodes[edge.child].name.clone();
            Some(FoundExport {
                id: export.id.clone(),
                kind: export.kind.clone(),
                node_name,
                backend: ids.backends[backend],
            })
        });
        exports.collect()
    }
}

/// Makes a node the heir of its oldest parent: younger ones found it there. Where it is not as it would
/// be by that, it was said of the node itself whether it is read-only: a job has made it writable, for
/// example.
fn inherit<R: Rule>(layer: &mut BlockLayer<R>, node: NodeId) {
    let graph = &layer.graph;
    let is_of_node = |&edge: &EdgeId| matches!(graph.parent_of(edge), GraphParent::Node(_));
    let Some(edge) = graph.parents(node).filter(is_of_node).last() else { return };
    let GraphParent::Node(parent) = graph.parent_of(edge) else { return };
    let is_read_only = |node: NodeId| graph.state(node).contains(State::READ_ONLY);
    let inherited = is_read_only(parent) || graph.role(edge).contains(Role::COW);
    let is_own = is_read_only(node) != inherited;
    layer.heirs.set_parent(node, Some(parent));
    layer.heirs.set_own_read_only(node, is_own);
}
