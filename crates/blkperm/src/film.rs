//! A scenario in pictures: the graph at each of its commands, under one combination or as QEMU
//! showed it.

use crate::explain::{self, Subject};
use crate::registry::{Combination, WithRule, with_rule};
use blkperm_draw::Picture;
use blkperm_explain::Replies;
use blkperm_graph::{Refusal, Rule};
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::{Error, Play};
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Reply, Step, Transcript};
use std::ops::ControlFlow;
use std::rc::Rc;

/// What a command did to the graph.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// What was answered.
    pub(crate) step: Step,
    /// The graph before.
    pub(crate) before: Rc<Picture>,
    /// The graph afterwards; after a death, as it was then.
    pub(crate) after: Rc<Picture>,
    /// What the graph refused: to the command, or to a job that failed or got stuck.
    pub(crate) refusal: Option<Refusal>,
}

impl Frame {
    /// The graph afterwards. What was refused to the command, or led to a death, is shown in it.
    pub(crate) fn ending(&self) -> Picture {
        let mut picture = Picture::clone(&self.after);
        if let Some(refusal) = self.refusal.as_ref().filter(|_| self.is_refused()) {
            picture.show_refusal(refusal);
        }
        picture
    }

    /// What a job was refused that failed or got stuck of it, shown in the graph before.
    pub(crate) fn setback(&self) -> Option<Picture> {
        let refusal = self.refusal.as_ref().filter(|_| !self.is_refused())?;
        let mut picture = Picture::clone(&self.before);
        picture.show_refusal(refusal);
        Some(picture)
    }

    /// Whether the command was refused, or the process died of it.
    fn is_refused(&self) -> bool {
        self.step.death.is_some() || matches!(self.step.reply, Some(Reply::Error { .. }))
    }
}

/// A frame for each step of what a QEMU answered. Its words for a refusal are all that is known of
/// it, so that no frame has one. Where the graph is none, or none that can be made sense of, the last
/// one stays.
pub(crate) fn of_answers(transcript: &Transcript) -> Vec<Frame> {
    let mut before = Rc::new(Picture::default());
    let frames = transcript.steps.iter().map(|step| {
        let after = match Subject::found(&Replies::at(step)) {
            Ok(subject) => Rc::new(explain::picture(&subject, Combination::QEMU)),
            Err(_) => Rc::clone(&before),
        };
        let before = std::mem::replace(&mut before, Rc::clone(&after));
        Frame { step: step.clone(), before, after, refusal: None }
    });
    frames.collect()
}

/// Plays the scenario and shows a frame for each command, until told to stop.
///
/// # Errors
///
/// Fails when the scenario cannot be played.
pub(crate) fn show(
    combination: Combination,
    scenario: &Scenario,
    each: &mut dyn FnMut(Frame) -> ControlFlow<()>,
) -> Result<(), Error> {
    let completion = combination.completion.completion();
    with_rule(combination.rule, Show { completion, scenario, each })
}

struct Show<'a> {
    completion: Completion,
    scenario: &'a Scenario,
    each: &'a mut dyn FnMut(Frame) -> ControlFlow<()>,
}

impl WithRule for Show<'_> {
    type Output = Result<(), Error>;

    fn run<R: Rule + Send + 'static>(self, rule: R) -> Self::Output {
        let mut endpoint = MonitorEndpoint::new(rule, self.completion);
        let mut play = Play::new(&mut endpoint, self.scenario);
        let mut before = Rc::new(Picture::default());
        while let Some(step) = play.next() {
            let step = step?;
            let endpoint = play.endpoint();
            let after = Rc::new(Picture::of(&endpoint.monitor().layer().graph));
            let refusal = endpoint.take_refusal();
            let frame = Frame { step, before, after: Rc::clone(&after), refusal };
            if (self.each)(frame).is_break() {
                break;
            }
            before = after;
        }
        Ok(())
    }
}
