//! A scenario in pictures: the graph at each of its commands, under one combination.

use crate::registry::{Combination, WithRule, with_rule};
use blkperm_draw::Picture;
use blkperm_graph::{Refusal, Rule};
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::{Error, Play};
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Reply, Step};

/// What a command did to the graph.
#[derive(Debug)]
pub(crate) struct Frame {
    /// What was answered.
    pub(crate) step: Step,
    /// The graph before.
    pub(crate) before: Picture,
    /// The graph afterwards; after a death, as it was then.
    pub(crate) after: Picture,
    /// What the graph refused: to the command, or to a job that failed or got stuck.
    pub(crate) refusal: Option<Refusal>,
}

impl Frame {
    /// The graph afterwards. What was refused to the command, or led to a death, is shown in it.
    pub(crate) fn ending(&self) -> Picture {
        let mut picture = self.after.clone();
        if let Some(refusal) = self.refusal.as_ref().filter(|_| self.is_refused()) {
            picture.show_refusal(refusal);
        }
        picture
    }

    /// Whether the command was refused, or the process died of it.
    fn is_refused(&self) -> bool {
        self.step.death.is_some() || matches!(self.step.reply, Some(Reply::Error { .. }))
    }
}

/// Plays the scenario and takes a picture at each command.
///
/// # Errors
///
/// Fails when the scenario cannot be played.
pub(crate) fn shoot(combination: Combination, scenario: &Scenario) -> Result<Vec<Frame>, Error> {
    with_rule(combination.rule, Shoot { completion: combination.completion.completion(), scenario })
}

struct Shoot<'a> {
    completion: Completion,
    scenario: &'a Scenario,
}

impl WithRule for Shoot<'_> {
    type Output = Result<Vec<Frame>, Error>;

    fn run<R: Rule + Send + 'static>(self, rule: R) -> Self::Output {
        let mut endpoint = MonitorEndpoint::new(rule, self.completion);
        let mut play = Play::new(&mut endpoint, self.scenario);
        let mut frames = Vec::new();
        let mut before = Picture::default();
        while let Some(step) = play.next() {
            let step = step?;
            let endpoint = play.endpoint();
            let after = Picture::of(&endpoint.monitor().layer().graph);
            let refusal = endpoint.take_refusal();
            frames.push(Frame { step, before, after: after.clone(), refusal });
            before = after;
        }
        Ok(frames)
    }
}
