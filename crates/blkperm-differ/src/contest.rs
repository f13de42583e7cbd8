//! One script, two endpoints.

use std::fmt;

use blkperm_qmp::play::{self, Endpoint, EndpointError};
use blkperm_qmp::transcript::{Difference, Reply, Transcript};
use serde_json::Value;

use crate::oddity::{self, Sighting};
use crate::script::Script;

/// Makes a fresh endpoint.
pub type MakeEndpoint<'a> = dyn Fn() -> Result<Box<dyn Endpoint>, EndpointError> + Sync + 'a;

/// How much of two transcripts must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All.
    Everything,
    /// All before the first command that starts a job.
    ///
    /// Two rules agree where no claim has an owner (law 1, conservative), and only a job's filter
    /// is one.
    BeforeJobs,
}

/// Two kinds of endpoint, and what of their answers must agree.
pub struct Contest<'a> {
    /// Makes the one that is tested.
    pub left: &'a MakeEndpoint<'a>,
    /// Makes the one that is right.
    pub right: &'a MakeEndpoint<'a>,
    /// What must agree.
    pub scope: Scope,
}

/// What became of a script.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The first command on which the two differ, if there is one.
    pub finding: Option<Finding>,
    /// The known oddity of QEMU before which both transcripts end, if it showed one.
    pub oddity: Option<&'static str>,
    /// What the left endpoint answered.
    pub left: Transcript,
    /// What the right endpoint answered.
    pub right: Transcript,
}

/// The first command on which two endpoints differ, and in what.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// In what they differ there; there is at least one respect.
    pub differences: Vec<Difference>,
}

impl Finding {
    /// What the two transcripts differ in first.
    pub fn between(left: &Transcript, right: &Transcript) -> Option<Finding> {
        let mut differences = left.differences(right);
        let line = differences.first()?.line;
        differences.retain(|difference| difference.line == line);
        Some(Finding { differences })
    }

    /// Whether it is about the same command and the same respect, whatever the names.
    pub fn is_like(&self, other: &Finding) -> bool {
        let (one, two) = (&self.differences[0], &other.differences[0]);
        one.command == two.command && self.respect() == other.respect()
    }

    /// In which respect the two differ first, without names.
    fn respect(&self) -> std::mem::Discriminant<blkperm_qmp::transcript::Respect> {
        std::mem::discriminant(&self.differences[0].respect)
    }
}

/// Writes what they differ in first.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.differences[0].fmt(f)
    }
}

impl Contest<'_> {
    /// Plays the script to both.
    ///
    /// # Errors
    ///
    /// Fails when one of them cannot be made, or fails at its task.
    pub fn play(&self, script: &Script) -> Result<Outcome, EndpointError> {
        let scenario = script.scenario("script");
        let mut left = play::play(&mut *(self.left)()?, &scenario)?;
        let mut right = play::play(&mut *(self.right)()?, &scenario)?;
        [&mut left, &mut right].into_iter().for_each(without_images);
        let sighting = oddity::first(&left, &right);
        if let Some(Sighting { steps, .. }) = sighting {
            [&mut left, &mut right].into_iter().for_each(|one| one.steps.truncate(steps));
        }
        let oddity = sighting.map(|sighting| sighting.what);
        let scoped = |transcript: &Transcript| match self.scope {
            Scope::Everything => transcript.clone(),
            Scope::BeforeJobs => before_jobs(transcript),
        };
        let finding = Finding::between(&scoped(&left), &scoped(&right));
        Ok(Outcome { finding, oddity, left, right })
    }
}

/// Leaves out what `query-named-block-nodes` tells of images, which is no matter of the graph: how
/// many bytes they have on their disk, what only their format knows, and how their driver would
/// call them in one line, and how much of them is dirty.
fn without_images(transcript: &mut Transcript) {
    for step in &mut transcript.steps {
        let is_query = step.command_name() == "query-named-block-nodes";
        if let (true, Some(Reply::Return(Value::Array(nodes)))) = (is_query, &mut step.reply) {
            for node in nodes.iter_mut().filter_map(Value::as_object_mut) {
                for member in ["image", "file", "backing_file", "dirty-bitmaps"] {
                    node.shift_remove(member);
                }
            }
        }
    }
}

fn before_jobs(transcript: &Transcript) -> Transcript {
    const STARTS: [&str; 4] =
        ["block-commit", "block-stream", "blockdev-backup", "blockdev-mirror"];
    let steps = transcript.steps.iter().take_while(|step| !STARTS.contains(&step.command_name()));
    Transcript { steps: steps.cloned().collect() }
}
