//! The one place that knows all rules; a new rule is a new crate and one line here.

use blkperm_baseline::Baseline;
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_ownership::{Groups, Ownership};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::Endpoint;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The rules by which permissions are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuleName {
    /// QEMU's own: what a filter hides from its child, it hides from everybody
    Baseline,
    /// What went through a job's filter never conflicts with the job, nor with its like
    Groups,
    /// A claim is excused only where it went through the filter that owns the other one
    Ownership,
}

/// How a job's completion is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompletionName {
    /// Step by step as in QEMU; where QEMU assumes that a step succeeds and it fails, an abort
    Stepwise,
    /// In one transaction, judged once; where that is refused, the job fails
    Atomic,
}

impl CompletionName {
    /// What the jobs call it.
    pub(crate) fn completion(self) -> Completion {
        match self {
            CompletionName::Stepwise => Completion::Stepwise,
            CompletionName::Atomic => Completion::Atomic,
        }
    }
}

/// Something to be done with a rule that is known at run time only.
///
/// [`with_rule`] picks the rule. This is how code that is generic over the rule, a `Monitor<R>`
/// for example, is made from a name on the command line.
pub(crate) trait WithRule {
    /// What comes of it.
    type Output;

    /// Does it with `rule`.
    fn run<R>(self, rule: R) -> Self::Output
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync;
}

/// Does something with the rule of that name.
pub(crate) fn with_rule<W: WithRule>(name: RuleName, work: W) -> W::Output {
    match name {
        RuleName::Baseline => work.run(Baseline),
        RuleName::Groups => work.run(Groups::default()),
        RuleName::Ownership => work.run(Ownership::default()),
    }
}

/// A rule and a completion: what is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Combination {
    /// The rule.
    pub(crate) rule: RuleName,
    /// The completion.
    pub(crate) completion: CompletionName,
}

impl Combination {
    /// What QEMU does.
    pub(crate) const QEMU: Combination =
        Combination::new(RuleName::Baseline, CompletionName::Stepwise);

    /// What the project proposes.
    pub(crate) const PROPOSAL: Combination =
        Combination::new(RuleName::Ownership, CompletionName::Atomic);

    /// The combinations that are compared, QEMU's first and the proposal last.
    ///
    /// Groups with stepwise completion tells nothing that the others do not.
    pub(crate) const COMPARED: [Combination; 5] = [
        Combination::QEMU,
        Combination::new(RuleName::Baseline, CompletionName::Atomic),
        Combination::new(RuleName::Groups, CompletionName::Atomic),
        Combination::new(RuleName::Ownership, CompletionName::Stepwise),
        Combination::PROPOSAL,
    ];

    /// All there are.
    pub(crate) const ALL: [Combination; 6] = [
        Combination::QEMU,
        Combination::new(RuleName::Baseline, CompletionName::Atomic),
        Combination::new(RuleName::Groups, CompletionName::Stepwise),
        Combination::new(RuleName::Groups, CompletionName::Atomic),
        Combination::new(RuleName::Ownership, CompletionName::Stepwise),
        Combination::PROPOSAL,
    ];

    const fn new(rule: RuleName, completion: CompletionName) -> Combination {
        Combination { rule, completion }
    }

    /// Something that a scenario can be played to.
    pub(crate) fn endpoint(self) -> Box<dyn Endpoint> {
        with_rule(self.rule, MakeEndpoint(self.completion.completion()))
    }
}

/// Writes `baseline+stepwise`.
impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", word(self.rule), word(self.completion))
    }
}

/// Reads `baseline+stepwise`.
impl FromStr for Combination {
    type Err = String;

    fn from_str(text: &str) -> Result<Combination, String> {
        let Some((rule, completion)) = text.split_once('+') else {
            return Err("a rule and a completion are needed, as in baseline+stepwise".to_owned());
        };
        let (rule, completion) =
            (RuleName::from_str(rule, false)?, CompletionName::from_str(completion, false)?);
        Ok(Combination { rule, completion })
    }
}

/// A value as the command line spells it.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

struct MakeEndpoint(Completion);

impl WithRule for MakeEndpoint {
    type Output = Box<dyn Endpoint>;

    fn run<R: Rule + Send + 'static>(self, rule: R) -> Box<dyn Endpoint> {
        Box::new(MonitorEndpoint::new(rule, self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combination_is_called_by_the_words_of_the_command_line() {
        let names = Combination::COMPARED.map(|one| one.to_string());
        let expected = [
            "baseline+stepwise",
            "baseline+atomic",
            "groups+atomic",
            "ownership+stepwise",
            "ownership+atomic",
        ];
        assert_eq!(names, expected);
    }
}
