//! From the names in a subject to something that can be searched.

use super::error::Error;
use crate::registry::{Combination, WithRule, with_rule};
use blkperm_explore::{Pair, Single, Stage, Subject, System, Universe};
use blkperm_graph::Rule;
use blkperm_jobs::Completion;

/// Something to be done with a system that is known at run time only.
pub(super) trait WithSystem {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<S: System>(self, system: &S) -> Result<Self::Output, Error>;
}

/// Does something with what a subject names.
pub(super) fn with_system<W: WithSystem>(subject: &Subject, work: W) -> Result<W::Output, Error> {
    let universe = Universe::parse(&subject.universe)?;
    let combination = |name: &str| name.parse::<Combination>().map_err(Error::Combination);
    let judged = combination(&subject.judged)?;
    let against = subject.against.as_deref().map(combination).transpose()?;
    let judges = subject.judges;
    with_rule(
        judged.rule,
        Judged { universe, completion: judged.completion.completion(), judges, against, work },
    )
}

/// When the rule that is judged is about to be known.
struct Judged<W> {
    universe: Universe,
    completion: Completion,
    judges: bool,
    against: Option<Combination>,
    work: W,
}

impl<W: WithSystem> WithRule for Judged<W> {
    type Output = Result<W::Output, Error>;

    fn run<R>(self, rule: R) -> Self::Output
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync,
    {
        let Judged { universe, completion, judges, against, work } = self;
        let stage = Stage::new(universe.clone(), rule, completion);
        let Some(against) = against else { return work.run(&Single { stage, judges }) };
        let completion = against.completion.completion();
        with_rule(against.rule, Against { judged: stage, universe, completion, work })
    }
}

/// When the other rule is about to be known, too.
struct Against<A: Rule, W> {
    judged: Stage<A>,
    universe: Universe,
    completion: Completion,
    work: W,
}

impl<A, W> WithRule for Against<A, W>
where
    A: Rule + Clone + Send + Sync,
    A::Hold: Send + Sync,
    A::Tally: Send + Sync,
    W: WithSystem,
{
    type Output = Result<W::Output, Error>;

    fn run<R>(self, rule: R) -> Self::Output
    where
        R: Rule + Clone + Send + Sync + 'static,
        R::Hold: Send + Sync,
        R::Tally: Send + Sync,
    {
        let Against { judged, universe, completion, work } = self;
        work.run(&Pair { judged, other: Stage::new(universe, rule, completion) })
    }
}
