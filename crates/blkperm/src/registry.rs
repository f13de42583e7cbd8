//! The one place that knows all rules; a new rule is a new crate and one line here.

use blkperm_baseline::Baseline;
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_ownership::{Groups, Ownership};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::Endpoint;
use clap::ValueEnum;
use std::fmt;

/// The rules by which permissions are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum RuleName {
    /// QEMU's own rule, two bit masks on an edge
    Baseline,
    /// Claims of one group never conflict, even across nodes
    Groups,
    /// A claim is excused only where it went through the other one's owner
    Ownership,
}

/// How a job's completion is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum CompletionName {
    /// Step by step as in QEMU; a step that QEMU assumes to succeed and that fails is an abort
    Stepwise,
    /// In one transaction that is judged once; refused, the job fails and is cancelled
    Atomic,
}

impl CompletionName {
    /// What the jobs call it.
    pub fn completion(self) -> Completion {
        match self {
            CompletionName::Stepwise => Completion::Stepwise,
            CompletionName::Atomic => Completion::Atomic,
        }
    }
}

/// Something to be done with a rule that is known at run time only.
///
/// [`with_rule`] picks the rule. This is how code that is generic over the rule, a
/// `Monitor<R>` for example, is made from a name on the command line.
pub trait WithRule {
    /// What comes of it.
    type Output;

    /// Does it with `rule`.
    fn run<R: Rule + Send + 'static>(self, rule: R) -> Self::Output;
}

/// Does something with the rule of that name.
pub fn with_rule<W: WithRule>(name: RuleName, work: W) -> W::Output {
    match name {
        RuleName::Baseline => work.run(Baseline),
        RuleName::Groups => work.run(Groups::default()),
        RuleName::Ownership => work.run(Ownership::default()),
    }
}
