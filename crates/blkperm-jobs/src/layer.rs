//! The block layer of one process: the graph and the jobs on it.

use blkperm_graph::{
    Demand, EdgeId, Graph, Holder, NewNode, NodeId, Owner, Parent, Refusal, Role, RootId, Rule,
};

use crate::activity::Suspensions;
use crate::cluster::Clusters;
use crate::content::Contents;
use crate::denied::{Abort, Denied};
use crate::drain::Drained;
use crate::event::Event;
use crate::exit::{Completion, detach_all, drop_filter};
use crate::filter::{FILTERED, is_never_frozen};
use crate::job::{Identity, Job, JobOptions};
use crate::name::{NodeNames, is_wellformed};
use crate::reopen::Heirs;
use crate::status::Status;
use crate::work::Work;

/// A block graph under the rule `R`, and the jobs on it.
///
/// Nothing happens by itself: verbs and starts act at once, [`BlockLayer::run_jobs`] lets every job
/// go on until none moves by itself.
#[derive(Clone, Debug)]
pub struct BlockLayer<R: Rule> {
    /// The graph. Nodes and edges that are not a job's may be changed freely.
    pub graph: Graph<R>,
    /// How names are made up for nodes.
    pub names: NodeNames,
    /// Which nodes take over options from others.
    pub heirs: Heirs,
    pub(crate) completion: Completion,
    pub(crate) jobs: Vec<Job>,
    pub(crate) events: Vec<Event>,
    pub(crate) clusters: Clusters,
    pub(crate) contents: Contents,
    pub(crate) suspensions: Suspensions,
    /// The drained sections, oldest first.
    pub(crate) drained: Vec<Drained>,
    pub(crate) relinked: Vec<Relinked>,
    /// The nodes that have become longer or shorter, or were written to.
    pub(crate) changed: Vec<NodeId>,
    /// What was refused when a job failed, or got stuck, for the last time.
    pub(crate) setback: Option<Refusal>,
    /// Whether jobs say that they pause and go on.
    pub(crate) tells_pauses: bool,
}

/// A job has written into an overlay's image what its backing file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relinked {
    /// The overlay.
    pub overlay: NodeId,
    /// The node that is its backing file now, if it has one.
    pub backing: Option<NodeId>,
    /// How the image is to call it, if that was asked for.
    pub name: Option<String>,
}

/// What is needed to create a job.
pub(crate) struct NewJob {
    pub(crate) kind: &'static str,
    pub(crate) owner: Owner,
    pub(crate) filter: Option<NodeId>,
    pub(crate) main_node: NodeId,
    pub(crate) main_demand: Demand,
    pub(crate) work: Work,
}

impl<R: Rule> BlockLayer<R> {
    /// An empty block layer.
    pub fn new(rule: R, completion: Completion) -> BlockLayer<R> {
        BlockLayer {
            graph: Graph::new(rule),
            names: NodeNames::default(),
            heirs: Heirs::default(),
            completion,
            jobs: Vec::new(),
            events: Vec::new(),
            clusters: Clusters::default(),
            contents: Contents::default(),
            suspensions: Suspensions::default(),
            drained: Vec::new(),
            relinked: Vec::new(),
            changed: Vec::new(),
            setback: None,
            tells_pauses: true,
        }
    }

    /// How the steps are judged with which something ends.
    pub fn completion(&self) -> Completion {
        self.completion
    }

    /// Sets whether jobs say when they pause and go on, as they do by default: each change of the
    /// graph pauses them all. Whoever asks only what becomes of the graph does not listen.
    pub fn set_tells_pauses(&mut self, tells: bool) {
        self.tells_pauses = tells;
    }

    /// The jobs, oldest first.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The job with that id.
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// The job that is the given parent of nodes.
    pub fn job_of_root(&self, root: RootId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.root == root)
    }

    /// The events since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The overlays since this was last asked into whose images a job has written another backing
    /// file.
    pub fn take_relinked(&mut self) -> Vec<Relinked> {
        std::mem::take(&mut self.relinked)
    }

    /// The nodes that have become longer or shorter since this was last asked, or were written to.
    pub fn take_changed(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.changed)
    }

    /// What was refused when a job failed, or got stuck, for the last time since this was asked.
    pub fn take_setback(&mut self) -> Option<Refusal> {
        self.setback.take()
    }

    /// Lets go of a node once, as [`Graph::release`] does.
    pub fn release(&mut self, node: NodeId) {
        let before = self.graph.closings();
        self.graph.release(node);
        self.closed(before);
    }

    /// What follows from nodes being gone: `before` is in how many steps nodes had been
    /// [closed](Graph::closings) before.
    pub fn closed(&mut self, before: usize) {
        let steps = self.graph.closings() - before;
        if steps > 0 {
            self.heirs.forget_gone(&self.graph);
            self.clusters.forget_gone(&self.graph);
            self.contents.forget_gone(&self.graph);
        }
        (0..steps).for_each(|_| self.drain_all());
    }

    /// Adds the node `new` under the name `given`, or one made up, as a filter above `below`: all
    /// of its parents but jobs move up to the filter.
    ///
    /// Source: `bdrv_append` in `block.c`, QEMU 10.0.
    pub(crate) fn add_filter(
        &mut self,
        given: Option<&str>,
        new: NewNode<'_>,
        below: NodeId,
    ) -> Result<NodeId, Denied> {
        let name = self.names.choose(&self.graph, given).inspect_err(|_| self.drain_all())?;
        let filter = self.graph.add_node(NewNode { name: &name, ..new });
        let inserted = self.drained(&[below], |layer| {
            layer.drain_all();
            layer.graph.transact(|change| {
                change.attach(filter, below, "backing", FILTERED)?;
                change.replace(below, filter)
            })
        });
        match inserted {
            Ok(()) => Ok(filter),
            Err(refusal) => {
                self.release(filter);
                Err(Denied::Refused(refusal))
            }
        }
    }

    /// Opens the node `new` under the name `given`, or one made up, and then puts it above `below`
    /// as a filter: all parents of that but jobs move up to it. `open` adds its children.
    ///
    /// Source: `bdrv_insert_node` in `block.c`, QEMU 10.0.
    pub(crate) fn insert_filter<T>(
        &mut self,
        given: Option<&str>,
        new: NewNode<'_>,
        below: NodeId,
        open: impl FnOnce(&mut Self, NodeId) -> Result<T, Denied>,
    ) -> Result<(NodeId, T), Denied> {
        let not_created = |denied| Denied::FilterNotCreated(Box::new(denied));
        let name = self.names.choose(&self.graph, given);
        let name = name.inspect_err(|_| self.drain_all()).map_err(not_created)?;
        let filter = self.graph.add_node(NewNode { name: &name, ..new });
        let opened = match open(self, filter) {
            Ok(opened) => opened,
            Err(denied) => {
                self.drain_all();
                self.release(filter);
                return Err(not_created(denied));
            }
        };
        let inserted = self.drained(&[below], |layer| {
            layer.drain_all();
            layer.graph.transact(|change| change.replace(below, filter))
        });
        match inserted {
            Ok(()) => Ok((filter, opened)),
            Err(refusal) => {
                self.thaw(&self.graph.chain_edges(filter, below));
                self.release(filter);
                Err(Denied::FilterNotInserted(refusal))
            }
        }
    }

    /// Adds a child of a filter that is being opened.
    pub(crate) fn attach_child(
        &mut self,
        filter: NodeId,
        child: NodeId,
        name: &str,
        role: Role,
    ) -> Result<EdgeId, Denied> {
        self.drain_all();
        Ok(self.graph.transact(|change| change.attach(filter, child, name, role))?)
    }

    /// Takes out the filter of a job that does not start.
    pub(crate) fn drop_filter(&mut self, filter: NodeId) -> Result<(), Abort> {
        let drained = self.take_out(filter)?;
        self.end_drain(&drained);
        self.release(filter);
        Ok(())
    }

    /// Takes a filter out of the graph, and leaves drained what used it.
    fn take_out(&mut self, filter: NodeId) -> Result<Drained, Abort> {
        let edge = self.graph.filtered_edge(filter).expect("a filter has a child");
        let below = self.graph.child_of(edge);
        let drained = self.begin_drain(&[filter, below]);
        self.drain_all();
        let dropped = self.graph.transact(|change| drop_filter(change, filter));
        dropped.map(|()| drained).map_err(Abort::of)
    }

    /// Makes a job with its edge to the main node.
    ///
    /// QEMU's quirk 18: that is when its id is looked at, an empty one included, which for all jobs
    /// but an ordinary commit is when its filter has been put in.
    ///
    /// It runs only from
    /// [`start_job`](Self::start_job) on.
    ///
    /// Source: `block_job_create` in `blockjob.c`, QEMU 10.0.
    pub(crate) fn create_job(&mut self, options: &JobOptions, new: NewJob) -> Result<Job, Denied> {
        let id = &options.id;
        self.drain_all();
        if !is_wellformed(id) {
            return Err(Denied::InvalidJobId(id.clone()));
        }
        if self.job(id).is_some() {
            return Err(Denied::JobIdInUse(id.clone()));
        }
        let holder = Holder::Job { kind: new.kind, id: id.clone() };
        let NewJob { kind, owner, work, .. } = new;
        let root = self.graph.add_root(holder, Some(owner));
        let mut job = Job {
            auto_finalize: options.auto_finalize,
            auto_dismiss: options.auto_dismiss,
            filter: new.filter,
            ..Job::new(Identity { id: id.clone(), kind, owner, root, work })
        };
        self.events.push(Event::StatusChange { job: id.clone(), status: Status::Created });
        let attached = self.add_job_edge(&job, new.main_node, "main node", new.main_demand);
        let speed =
            attached.and_then(|_| u64::try_from(options.speed).map_err(|_| Denied::NegativeSpeed));
        match speed {
            Ok(speed) => Ok(Job { speed, ..job }),
            Err(denied) => {
                self.forget(&mut job);
                Err(denied)
            }
        }
    }

    /// Adds an edge from the job itself.
    ///
    /// Source: `block_job_add_bdrv` in `blockjob.c`, QEMU 10.0.
    pub(crate) fn add_job_edge(
        &mut self,
        job: &Job,
        child: NodeId,
        name: &str,
        demand: Demand,
    ) -> Result<EdgeId, Denied> {
        let root = job.root;
        Ok(self.graph.transact(|change| change.attach_root(root, child, name, demand))?)
    }

    /// Adds a BlockBackend of the job's on `child`.
    pub(crate) fn add_backend(
        &mut self,
        job: &mut Job,
        purpose: String,
        child: NodeId,
        demand: Demand,
    ) -> Result<(), Denied> {
        let backend = self.graph.add_root(Holder::Backend { purpose }, Some(job.owner));
        self.drain_all();
        match self.graph.transact(|change| change.attach_root(backend, child, "root", demand)) {
            Ok(_) => {
                job.backends.push(backend);
                Ok(())
            }
            Err(refusal) => {
                self.graph.remove_root(backend);
                Err(Denied::Refused(refusal))
            }
        }
    }

    /// Freezes the chain from `top` down to `last`, so that nobody but the job changes it; gives the
    /// edges of which it is made.
    ///
    /// # Errors
    ///
    /// Those of [`require_freezable`](Self::require_freezable).
    pub(crate) fn freeze(&mut self, top: NodeId, last: NodeId) -> Result<Vec<EdgeId>, Denied> {
        self.require_freezable(top, last)?;
        let edges = self.graph.chain_edges(top, last);
        self.set_frozen(&edges, true);
        Ok(edges)
    }

    /// Requires that nothing else has frozen a part of the chain from `top` down to `last`, and that
    /// no filter is in it that its job has to be able to drop.
    ///
    /// Source: `bdrv_freeze_backing_chain` in `block.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::FrozenLink`], [`Denied::UnfreezableLink`].
    pub(crate) fn require_freezable(&self, top: NodeId, last: NodeId) -> Result<(), Denied> {
        let graph = &self.graph;
        let edges = graph.chain_edges(top, last);
        let name = |node| graph.name(node).to_owned();
        if let Some(&edge) = edges.iter().find(|&&edge| graph.is_frozen(edge)) {
            let Parent::Node(parent) = graph.parent_of(edge) else {
                unreachable!("a chain is made of nodes");
            };
            let (parent, child) = (name(parent), name(graph.child_of(edge)));
            return Err(Denied::FrozenLink {
                edge: graph.edge_name(edge).to_owned(),
                parent,
                child,
            });
        }
        let is_unfreezable = |edge: &EdgeId| is_never_frozen(graph.driver(graph.child_of(*edge)));
        match edges.into_iter().find(is_unfreezable) {
            None => Ok(()),
            Some(edge) => Err(Denied::UnfreezableLink {
                edge: graph.edge_name(edge).to_owned(),
                child: name(graph.child_of(edge)),
            }),
        }
    }

    /// Lets others change the edges again.
    pub(crate) fn thaw(&mut self, edges: &[EdgeId]) {
        self.set_frozen(edges, false);
    }

    pub(crate) fn set_frozen(&mut self, edges: &[EdgeId], frozen: bool) {
        let set = self.graph.transact(|change| {
            edges.iter().for_each(|&edge| change.set_frozen(edge, frozen));
            Ok(())
        });
        set.expect("a frozen edge demands no more than another");
    }

    /// Lets a job run that was created and has all its edges.
    pub(crate) fn start_job(&mut self, mut job: Job) {
        self.set_status(&mut job, Status::Running);
        self.jobs.push(job);
        self.follow_drains();
    }

    /// Takes back all that a job that does not start has put into the graph.
    pub(crate) fn undo_start(&mut self, mut job: Job) -> Result<(), Abort> {
        self.thaw(&std::mem::take(&mut job.frozen));
        for backend in std::mem::take(&mut job.backends) {
            self.remove_backend(backend);
        }
        self.forget(&mut job);
        let Some(filter) = job.filter else { return Ok(()) };
        if !matches!(job.work, Work::Commit(_)) {
            return self.drop_filter(filter);
        }
        // Nobody but its parents holds the filter of a commit: it goes while they are drained.
        let drained = self.take_out(filter)?;
        self.release(filter);
        self.end_drain(&drained);
        Ok(())
    }

    /// Removes a job from the world, with the edges that it still has.
    pub(crate) fn forget(&mut self, job: &mut Job) {
        self.remove_root(job.root);
        self.set_status(job, Status::Null);
        self.drain_all();
    }

    /// Removes a BlockBackend, with its edge if it has one.
    pub fn remove_backend(&mut self, backend: RootId) {
        self.drain_backend(backend);
        self.remove_root(backend);
    }

    fn remove_root(&mut self, root: RootId) {
        let before = self.graph.closings();
        // No edge of a BlockBackend or a job is frozen.
        let _ = self.graph.loosen(|change| detach_all(change, root));
        self.graph.remove_root(root);
        self.suspensions.forget(root);
        self.closed(before);
    }

    pub(crate) fn set_status(&mut self, job: &mut Job, status: Status) {
        job.status = status;
        job.has_run |= status == Status::Running;
        self.events.push(Event::StatusChange { job: job.id.clone(), status });
    }
}
