//! How a job leaves the graph: one list of steps, carried out one by one or at once.

use blkperm_graph::{Change, EdgeId, NodeId, Parent, Refusal, RootId, Rule, State};

use crate::denied::Abort;
use crate::layer::BlockLayer;

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
    /// The job fails, and is cancelled.
    FailJob,
    /// QEMU assumes that it is not: its process ends.
    Abort,
    /// Nothing: the step is done where it can be, and never judged together with others.
    Ignore,
}

/// For which nodes other jobs pause around a step, when steps are done one by one.
#[derive(Clone, Debug)]
pub(crate) enum Pause {
    /// None: the graph is not locked for the step.
    None,
    /// For a change of the graph, with these nodes drained.
    Change(Vec<NodeId>),
    /// As when a BlockBackend goes: its node is drained twice before.
    Backend(RootId),
}

type Action<R> = Box<dyn Fn(&mut Change<'_, R>) -> Result<(), Refusal>>;

/// One step with which a job ends. Doing it twice is doing it once.
pub(crate) struct Step<R: Rule> {
    if_refused: IfRefused,
    pause: Pause,
    action: Action<R>,
}

impl<R: Rule> Step<R> {
    pub(crate) fn new(
        if_refused: IfRefused,
        pause: Pause,
        action: impl Fn(&mut Change<'_, R>) -> Result<(), Refusal> + 'static,
    ) -> Step<R> {
        Step { if_refused, pause, action: Box::new(action) }
    }
}

/// How leaving the graph went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All steps are done.
    Done,
    /// A step was refused that fails the job. One by one, those before it are done; at once, none.
    Refused,
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
        for step in steps {
            let done = self.pausing(&step.pause, |layer| layer.graph.transact(&step.action));
            match (done, step.if_refused) {
                (Ok(()), _) | (Err(_), IfRefused::Ignore) => {}
                (Err(_), IfRefused::FailJob) => return Ok(Exit::Refused),
                (Err(refusal), IfRefused::Abort) => return Err(Abort { refusal }),
            }
        }
        Ok(Exit::Done)
    }

    fn carry_out_at_once(&mut self, steps: &[Step<R>]) -> Exit {
        let (ignorable, judged): (Vec<_>, Vec<_>) =
            steps.iter().partition(|step| step.if_refused == IfRefused::Ignore);
        self.drain_all();
        let all =
            |change: &mut Change<'_, R>| judged.iter().try_for_each(|step| (step.action)(change));
        if self.graph.transact(all).is_err() {
            return Exit::Refused;
        }
        for step in ignorable {
            let _ = self.pausing(&step.pause, |layer| layer.graph.transact(&step.action));
        }
        Exit::Done
    }

    fn pausing<T>(&mut self, pause: &Pause, act: impl FnOnce(&mut Self) -> T) -> T {
        match pause {
            Pause::None => act(self),
            Pause::Change(drained) => self.drained(drained, |layer| {
                layer.drain_all();
                act(layer)
            }),
            Pause::Backend(backend) => {
                self.drain_backend(*backend);
                act(self)
            }
        }
    }
}

/// Removes all edges of a parent that is not a node, newest first.
pub(crate) fn detach_all<R: Rule>(change: &mut Change<'_, R>, root: RootId) -> Result<(), Refusal> {
    let edges: Vec<_> = change.graph().children(Parent::Root(root)).collect();
    edges.into_iter().try_for_each(|edge| change.detach(edge))
}

/// The first steps of every exit: thaw the chain, let go of the BlockBackend that writes.
pub(crate) fn release_steps<R: Rule>(frozen: &[EdgeId], writer: RootId) -> [Step<R>; 2] {
    let frozen = frozen.to_vec();
    let thaw = Step::new(IfRefused::Abort, Pause::None, move |change| {
        frozen.iter().for_each(|&edge| change.set_frozen(edge, false));
        Ok(())
    });
    let release = Step::new(IfRefused::Abort, Pause::Backend(writer), move |change| {
        detach_all(change, writer)
    });
    [thaw, release]
}

/// Makes a node read-only or read-write, where that can be done.
pub(crate) fn reopen<R: Rule>(node: NodeId, read_only: bool) -> Step<R> {
    Step::new(IfRefused::Ignore, Pause::Change(vec![node]), move |change| {
        let mut state = change.graph().state(node);
        state.set(State::READ_ONLY, read_only);
        change.set_state(node, state);
        Ok(())
    })
}
