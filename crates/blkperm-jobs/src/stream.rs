//! The stream driver: copies what is in backing files up, and takes them out of the chain.

use blkperm_graph::driver::COPY_ON_READ;
use blkperm_graph::{
    Change, Demand, Graph, NewNode, NodeId, Permissions, Refusal, Role, Rule, State,
};

use crate::content::Extents;
use crate::denied::{Denied, Failure};
use crate::event::JobError;
use crate::exit::{Completion, IfRefused, Pause, Step, detach_all, drop_filter, release, thaw};
use crate::filter::FILTERED;
use crate::job::{Job, JobOptions};
use crate::layer::{BlockLayer, NewJob, Relinked};
use crate::work::Work;

/// Down to where a stream copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamEnd {
    /// The end of the chain.
    Chain,
    /// This node, exclusive; it is the backing file in the end.
    Base(NodeId),
    /// This node, inclusive, which is no filter.
    Bottom(NodeId),
}

/// What a stream is asked to do.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// What every job is given.
    pub job: JobOptions,
    /// The node into which data is copied.
    pub device: NodeId,
    /// Down to where.
    pub end: StreamEnd,
    /// How the image is to call its new backing file (`backing-file`).
    pub backing_name: Option<String>,
}

/// A stream at work.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) device: NodeId,
    /// The lowest node that is no filter from which data is copied.
    pub(crate) base_overlay: NodeId,
    /// The node, perhaps a filter, below which the new backing file is.
    pub(crate) above_base: NodeId,
    was_read_only: bool,
    backing_name: Option<String>,
}

impl<R: Rule> BlockLayer<R> {
    /// Starts a stream. That nothing blocks it is the caller's to check.
    ///
    /// QEMU's quirk 10, done when steps are judged one by one: a stream that is refused late leaves its
    /// BlockBackend behind.
    ///
    /// Source: `stream_start` in `block/stream.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Failure::Denied`], with the graph as before but for that quirk; [`Failure::Abort`] when the
    /// job's filter could not be taken out again after that.
    pub fn start_stream(&mut self, options: &StreamOptions) -> Result<(), Failure> {
        let device = options.device;
        let (base_overlay, above_base) = self.stream_ends(device, options.end)?;
        let was_read_only = self.graph.state(device).contains(State::READ_ONLY);
        if was_read_only {
            self.require_freezable(device, above_base)?;
            self.require_read_only(device, false)?;
        }
        let stream = Stream {
            device,
            base_overlay,
            above_base,
            was_read_only,
            backing_name: options.backing_name.clone(),
        };
        self.insert_stream(&options.job, stream).inspect_err(|_| {
            // QEMU ignores it when this fails.
            let _ = self.require_read_only(device, was_read_only);
        })
    }

    /// The lowest node that is streamed, and the node below which the backing file is in the end.
    fn stream_ends(&self, device: NodeId, end: StreamEnd) -> Result<(NodeId, NodeId), Denied> {
        let graph = &self.graph;
        let base = match end {
            StreamEnd::Bottom(bottom) => return Ok((bottom, bottom)),
            StreamEnd::Chain => {
                let images = std::iter::successors(Some(graph.skip_filters(device)), |&image| {
                    graph.backing_chain_next(image)
                });
                let last = images.last().expect("the device is in its chain");
                return Ok((last, last));
            }
            StreamEnd::Base(base) => base,
        };
        let overlay = graph.overlay_of(device, base).ok_or_else(|| Denied::NotBelow {
            node: graph.name(base).to_owned(),
            top: graph.name(device).to_owned(),
        })?;
        let is_above = |&node: &NodeId| {
            graph.chain_edge(node).is_some_and(|edge| graph.child_of(edge) == base)
        };
        let above = graph.chain(overlay).find(is_above);
        Ok((overlay, above.expect("only filters are between an overlay and its backing file")))
    }

    fn insert_stream(&mut self, options: &JobOptions, stream: Stream) -> Result<(), Failure> {
        let &Stream { device, base_overlay, .. } = &stream;
        let owner = self.graph.new_owner();
        let new = NewNode {
            length: self.graph.length(device),
            owner: Some(owner),
            ..NewNode::new("", &COPY_ON_READ)
        };
        let given = options.filter_node_name.as_deref();
        let (filter, frozen) = self.insert_filter(given, new, device, |layer, filter| {
            layer.attach_child(filter, device, "file", FILTERED)?;
            layer.freeze(filter, base_overlay)
        })?;
        let job = self.create_job(
            options,
            NewJob {
                kind: "stream",
                owner,
                filter: Some(filter),
                main_node: filter,
                main_demand: Demand::NONE,
                work: Work::Stream(stream.clone()),
            },
        );
        let mut job = match job {
            Ok(job) => Job { frozen, ..job },
            Err(denied) => {
                self.thaw(&frozen);
                self.drop_filter(filter)?;
                return Err(denied.into());
            }
        };
        match self.attach_stream(&mut job, &stream) {
            Ok(()) => {
                self.start_job(job);
                Ok(())
            }
            Err(denied) => {
                if self.completion == Completion::Stepwise {
                    job.backends.clear();
                }
                self.undo_start(job)?;
                Err(denied.into())
            }
        }
    }

    /// Adds the job's edges: nobody else may write or resize what it reads once.
    fn attach_stream(&mut self, job: &mut Job, stream: &Stream) -> Result<(), Denied> {
        use Permissions as P;
        let filter = job.filter.expect("a stream has a filter");
        let unchanged = P::CONSISTENT_READ | P::WRITE_UNCHANGED;
        let purpose = format!("stream job '{}' copying", job.id);
        let copying = Demand::from_masks(P::CONSISTENT_READ, unchanged | P::WRITE);
        self.add_backend(job, purpose, filter, copying)?;
        self.drain_all();
        let device = stream.device;
        self.add_job_edge(job, device, "active node", Demand::unsharing(P::RESIZE))?;
        let base = stream.base(&self.graph);
        let below = self.graph.chain(device).skip(1).take_while(|&node| Some(node) != base);
        for node in below.collect::<Vec<_>>() {
            let demand = Demand::unsharing(P::WRITE | P::RESIZE);
            self.add_job_edge(job, node, "intermediate node", demand)?;
        }
        Ok(())
    }
}

/// How the stream leaves the graph with its effect: the base is the backing file of the device.
///
/// Source: `stream_prepare`, `stream_clean` in `block/stream.c`, QEMU 10.0. There the job's own edges
/// stay until the job is dismissed (QEMU's quirk 8), and (QEMU's quirk 9) the old backing file does not notice that it is
/// none any more; judged at once, they go as well, and it does.
pub(crate) fn completing_steps<R: Rule>(
    layer: &BlockLayer<R>,
    job: &Job,
    stream: &Stream,
) -> Vec<Step<R>> {
    let graph = &layer.graph;
    let mut steps = filter_steps(layer, job, stream);
    let overlay = graph.skip_filters(stream.device);
    let not_permitted = IfRefused::FailJob(JobError::NotPermitted);
    steps.push(match graph.backing_edge(overlay) {
        Some(old) => {
            let base = stream.base(graph);
            let stepwise = layer.completion == Completion::Stepwise;
            let relink = Step::new(not_permitted, Pause::Change, move |change| {
                set_backing(change, overlay, base, stepwise)
            });
            relink.within(&[overlay, graph.child_of(old)])
        }
        // Drained all the same.
        None => Step::new(not_permitted, Pause::None, |_| Ok(())).within(&[overlay]).apart(),
    });
    steps.extend(cleaning_steps(layer, job, stream));
    steps
}

/// How the stream leaves the graph without effect.
///
/// Source: `stream_clean` in `block/stream.c`, QEMU 10.0.
pub(crate) fn cancelling_steps<R: Rule>(
    layer: &BlockLayer<R>,
    job: &Job,
    stream: &Stream,
) -> Vec<Step<R>> {
    let mut steps = filter_steps(layer, job, stream);
    steps.extend(cleaning_steps(layer, job, stream));
    steps
}

/// Thaws the chain and takes the filter out, if it is still there.
fn filter_steps<R: Rule>(layer: &BlockLayer<R>, job: &Job, stream: &Stream) -> Vec<Step<R>> {
    let filter = job.filter.expect("a stream that has not left has its filter");
    if layer.graph.filtered_edge(filter).is_none() {
        return Vec::new();
    }
    let drop =
        Step::new(IfRefused::Abort, Pause::Change, move |change| drop_filter(change, filter));
    vec![thaw(&job.frozen), drop.within(&[stream.device])]
}

/// Lets go of the BlockBackend, and makes the device read-only again if it was.
fn cleaning_steps<R: Rule>(layer: &BlockLayer<R>, job: &Job, stream: &Stream) -> Vec<Step<R>> {
    let mut steps = vec![release(job.backends[0])];
    if layer.completion == Completion::Atomic {
        let root = job.root;
        let detach = move |change: &mut Change<'_, R>| detach_all(change, root);
        steps.push(Step::new(IfRefused::Abort, Pause::Change, detach));
    }
    steps.extend(stream.was_read_only.then(|| Step::reopen(stream.device, true)));
    steps
}

/// Makes `base` the backing file of `overlay`, or none. With `unnoticed` the old one demands of what
/// is below it what it did before.
///
/// Source: `bdrv_set_backing_hd_drained` in `block.c`, QEMU 10.0.
fn set_backing<R: Rule>(
    change: &mut Change<'_, R>,
    overlay: NodeId,
    base: Option<NodeId>,
    unnoticed: bool,
) -> Result<(), Refusal> {
    if let Some(old) = change.graph().backing_edge(overlay) {
        if unnoticed {
            change.detach_unnoticed(old)?;
        } else {
            change.detach(old)?;
        }
    }
    if let Some(base) = base {
        change.attach(overlay, base, "backing", Role::COW)?;
    }
    Ok(())
}

impl Stream {
    /// A stream that is found in a graph; `lowest` is the last of its nodes.
    pub(crate) fn found<R: Rule>(
        graph: &Graph<R>,
        device: NodeId,
        lowest: NodeId,
        was_read_only: bool,
    ) -> Stream {
        let below = graph.chain_edge(lowest).map(|edge| graph.child_of(edge));
        let nodes = graph.chain(device).take_while(|&node| Some(node) != below);
        let images = nodes.filter(|&node| !graph.driver(node).is_filter);
        Stream {
            device,
            base_overlay: images.last().unwrap_or(lowest),
            above_base: lowest,
            was_read_only,
            backing_name: None,
        }
    }

    /// What is below the streamed nodes now; other jobs may have changed it since the start.
    pub(crate) fn base<R: Rule>(&self, graph: &Graph<R>) -> Option<NodeId> {
        graph.chain_edge(self.above_base).map(|edge| graph.child_of(edge))
    }

    /// How many bytes there are to look at: none where there is nothing to copy from.
    pub(crate) fn len<R: Rule>(&self, graph: &Graph<R>) -> u64 {
        if graph.skip_filters(self.device) == self.base_overlay {
            return 0;
        }
        graph.length(self.device)
    }

    /// What is copied into the device: nothing where even its backing file ends before.
    ///
    /// Source: `stream_run` in `block/stream.c`, QEMU 10.0.
    pub(crate) fn copied<R: Rule>(&self, layer: &BlockLayer<R>) -> Extents {
        let graph = &layer.graph;
        let image = graph.skip_filters(self.device);
        match graph.backing_edge(image) {
            Some(edge) if image != self.base_overlay => {
                layer.allocated(graph.child_of(edge), Some(self.base_overlay))
            }
            _ => Extents::default(),
        }
    }

    /// What the device's image is told when the job completes, if it had a backing file.
    pub(crate) fn relinked<R: Rule>(&self, graph: &Graph<R>) -> Option<Relinked> {
        let overlay = graph.skip_filters(self.device);
        graph.backing_edge(overlay)?;
        let backing = self.base(graph).map(|base| graph.skip_filters(base));
        Some(Relinked { overlay, backing, name: self.backing_name.clone() })
    }
}
