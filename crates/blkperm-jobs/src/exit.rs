//! How a job leaves the graph: one list of steps, carried out one by one or at once.

use blkperm_graph::{Change, EdgeId, Graph, NodeId, Parent, Refusal, RootId, Rule};

use crate::denied::Abort;
use crate::event::JobError;
use crate::layer::BlockLayer;
use crate::reopen::{Heirs, require_changeable, set_all};

/// How the steps with which a job ends are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// Each by itself, in QEMU's order; where QEMU assumes one to succeed that is refused, its
    /// process ends.
    Stepwise,
    /// All together, in their final state.
    Atomic,
}

/// What it means when a step is refused, when steps are judged one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfRefused {
    /// The job fails with this error, and is cancelled.
    FailJob(JobError),
    /// The job fails, but the other steps are done all the same: without this one, they cancel it.
    FailJobAndGoOn,
    /// QEMU assumes that it is not: its process ends.
    Abort,
    /// The process ends by what QEMU does although an earlier step was refused: for this reason.
    Crash,
    /// Nothing: the step is done where it can be, and never judged together with others.
    Ignore,
}

/// When other jobs pause for a step, when steps are done one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// They do not.
    None,
    /// For a moment, since the graph changes.
    Change,
    /// As when a BlockBackend goes: its node is drained twice before.
    Backend(RootId),
}

type Action<R> = Box<dyn Fn(&mut Change<'_, R>) -> Result<(), Refusal>>;

/// What a step does.
enum Deed<R: Rule> {
    /// It changes the graph.
    Change(Action<R>),
    /// It makes a node read-only or read-write, with those that follow it by then.
    Reopen { node: NodeId, read_only: bool },
}

/// The nodes that are drained while a step is done.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Section {
    /// These.
    Nodes(Vec<NodeId>),
    /// Those that the step reopens.
    Reopened,
}

/// One step with which a job ends. Doing it twice is doing it once.
pub(crate) struct Step<R: Rule> {
    if_refused: IfRefused,
    pause: Pause,
    /// The nodes that are drained meanwhile, and from one step to the next with the same nodes.
    section: Section,
    /// Whether the nodes go on for a moment before the step.
    is_apart: bool,
    deed: Deed<R>,
}

impl<R: Rule> Step<R> {
    pub(crate) fn new(
        if_refused: IfRefused,
        pause: Pause,
        action: impl Fn(&mut Change<'_, R>) -> Result<(), Refusal> + 'static,
    ) -> Step<R> {
        Step {
            if_refused,
            pause,
            section: Section::Nodes(Vec::new()),
            is_apart: false,
            deed: Deed::Change(Box::new(action)),
        }
    }

    /// The step that makes a node read-only or read-write, where that can be done.
    pub(crate) fn reopen(node: NodeId, read_only: bool) -> Step<R> {
        Step {
            if_refused: IfRefused::Ignore,
            pause: Pause::Change,
            section: Section::Reopened,
            is_apart: false,
            deed: Deed::Reopen { node, read_only },
        }
    }

    /// The step with another meaning of its refusal.
    pub(crate) fn or(self, if_refused: IfRefused) -> Step<R> {
        Step { if_refused, ..self }
    }

    /// The step with its nodes drained anew, even if they are so for the step before it.
    pub(crate) fn apart(self) -> Step<R> {
        Step { is_apart: true, ..self }
    }

    /// The step with these nodes drained.
    pub(crate) fn within(self, section: &[NodeId]) -> Step<R> {
        Step { section: Section::Nodes(section.to_vec()), ..self }
    }
}

impl<R: Rule> Step<R> {
    /// The nodes that the step reopens.
    fn reopened(&self, graph: &Graph<R>, heirs: &Heirs) -> Vec<(NodeId, bool)> {
        match self.deed {
            Deed::Change(_) => Vec::new(),
            Deed::Reopen { node, read_only } => heirs.reopened(graph, node, read_only),
        }
    }

    fn can_be_done(&self, graph: &Graph<R>, heirs: &Heirs) -> bool {
        require_changeable(graph, heirs, &self.reopened(graph, heirs)).is_ok()
    }

    fn act(&self, change: &mut Change<'_, R>, heirs: &Heirs) -> Result<(), Refusal> {
        match &self.deed {
            Deed::Change(action) => action(change),
            Deed::Reopen { .. } => {
                let reopened = self.reopened(change.graph(), heirs);
                if require_changeable(change.graph(), heirs, &reopened).is_ok() {
                    set_all(change, &reopened);
                }
                Ok(())
            }
        }
    }
}

/// How leaving the graph went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All steps are done.
    Done,
    /// All steps are done but one, without which the job had no effect.
    Failed,
    /// A step was refused that fails the job. One by one, those before it are done; at once, none.
    Refused(JobError),
}

impl<R: Rule> BlockLayer<R> {
    /// Carries out the steps in the layer's way.
    ///
    /// # Errors
    ///
    /// [`Abort`] when a step was refused that QEMU assumes to succeed.
    pub(crate) fn carry_out(&mut self, steps: &[Step<R>]) -> Result<Exit, Abort> {
        match self.completion {
            Completion::Stepwise => self.carry_out_stepwise(steps),
            Completion::Atomic => Ok(self.carry_out_at_once(steps)),
        }
    }

    fn carry_out_stepwise(&mut self, steps: &[Step<R>]) -> Result<Exit, Abort> {
        let mut exit = Exit::Done;
        let goes_on = |one: &Step<R>, next: &Step<R>| one.section == next.section && !next.is_apart;
        for section in steps.chunk_by(goes_on) {
            // A process that ends within the section does not get to its end.
            let drained = self.begin_drain(&self.section(&section[0]));
            section.iter().try_for_each(|step| self.carry_out_one(step, &mut exit))?;
            self.end_drain(&drained);
            if matches!(exit, Exit::Refused(_)) {
                break;
            }
        }
        Ok(exit)
    }

    fn carry_out_one(&mut self, step: &Step<R>, exit: &mut Exit) -> Result<(), Abort> {
        if matches!(exit, Exit::Refused(_)) {
            return Ok(());
        }
        match (self.pausing(step), step.if_refused) {
            (Ok(()), _) | (Err(_), IfRefused::Ignore) => {}
            (Err(refusal), IfRefused::FailJob(error)) => {
                self.setback = Some(refusal);
                *exit = Exit::Refused(error);
            }
            (Err(refusal), IfRefused::FailJobAndGoOn) => {
                self.setback = Some(refusal);
                *exit = Exit::Failed;
            }
            (Err(refusal), IfRefused::Abort) => return Err(Abort::of(refusal)),
            (Err(refusal), IfRefused::Crash) => return Err(Abort { refusal, crashes: true }),
        }
        Ok(())
    }

    fn carry_out_at_once(&mut self, steps: &[Step<R>]) -> Exit {
        let (ignorable, judged): (Vec<_>, Vec<_>) =
            steps.iter().partition(|step| step.if_refused == IfRefused::Ignore);
        self.drain_all();
        let heirs = &self.heirs;
        let all =
            |change: &mut Change<'_, R>| judged.iter().try_for_each(|step| step.act(change, heirs));
        if let Err(refusal) = self.graph.transact(all) {
            self.setback = Some(refusal);
            return Exit::Refused(JobError::NotPermitted);
        }
        for step in ignorable {
            let _ = self.drained(&self.section(step), |layer| layer.pausing(step));
        }
        Exit::Done
    }

    /// Does a step, with the pause that belongs to it.
    fn pausing(&mut self, step: &Step<R>) -> Result<(), Refusal> {
        match step.pause {
            Pause::None => {}
            Pause::Change => self.drain_all(),
            Pause::Backend(backend) => self.drain_backend(backend),
        }
        if !step.can_be_done(&self.graph, &self.heirs) {
            return Ok(());
        }
        let heirs = &self.heirs;
        self.graph.transact(|change| step.act(change, heirs))?;
        if let Deed::Reopen { node, .. } = step.deed {
            self.heirs.set_own_read_only(node, true);
        }
        Ok(())
    }

    /// The nodes that are drained for a step.
    fn section(&self, step: &Step<R>) -> Vec<NodeId> {
        match &step.section {
            Section::Nodes(nodes) => nodes.clone(),
            Section::Reopened => {
                let reopened = step.reopened(&self.graph, &self.heirs);
                reopened.into_iter().map(|(node, _)| node).collect()
            }
        }
    }
}

/// Removes all edges of a parent that is not a node, newest first.
pub(crate) fn detach_all<R: Rule>(change: &mut Change<'_, R>, root: RootId) -> Result<(), Refusal> {
    let edges: Vec<_> = change.graph().children(Parent::Root(root)).collect();
    edges.into_iter().try_for_each(|edge| change.detach(edge))
}

/// Takes a filter out of the graph: its parents but jobs move to the node that it filters, and it lets
/// go of all its children. In QEMU it lets go of others than that node a moment later, when it is
/// closed; but what it holds is excused by it, and so has to go with it (law 3).
///
/// Source: `bdrv_drop_filter` in `block.c`, QEMU 10.0.
pub(crate) fn drop_filter<R: Rule>(
    change: &mut Change<'_, R>,
    filter: NodeId,
) -> Result<(), Refusal> {
    let Some(edge) = change.graph().filtered_edge(filter) else { return Ok(()) };
    let below = change.graph().child_of(edge);
    change.replace(filter, below)?;
    let edges: Vec<EdgeId> = change.graph().children(filter).collect();
    edges.into_iter().try_for_each(|edge| change.detach(edge))
}

/// The step that lets others change the chain again.
pub(crate) fn thaw<R: Rule>(frozen: &[EdgeId]) -> Step<R> {
    let frozen = frozen.to_vec();
    Step::new(IfRefused::Abort, Pause::None, move |change| {
        frozen.iter().for_each(|&edge| change.set_frozen(edge, false));
        Ok(())
    })
}

/// The step that lets go of a BlockBackend.
pub(crate) fn release<R: Rule>(backend: RootId) -> Step<R> {
    Step::new(IfRefused::Abort, Pause::Backend(backend), move |change| detach_all(change, backend))
}
