//! The laws of `docs/ownership.md` as checks of one state or one event, for any engine.

use blkperm_graph::{Demand, Graph, Owner, Parent, Rule};

use crate::paths::{self, Paths};
use crate::site::{Event, Site};
use crate::snapshot::Snapshot;

/// A check that a law holds.
///
/// # Errors
///
/// A sentence about what is not so.
pub type Check = Result<(), String>;

/// Law 1, conservative: in a graph with no owner, both engines give the same edges, verdicts and
/// refusals.
///
/// # Errors
///
/// What they differ in.
pub fn conservative<A: Rule + Default, B: Rule + Default>(events: &[Event]) -> Check {
    let (mut a, mut b) = (Site::<A>::default(), Site::<B>::default());
    for event in events.iter().filter(|event| !matches!(event, Event::Job { .. })) {
        let verdicts = (a.apply(event, &mut |_| ()), b.apply(event, &mut |_| ()));
        if verdicts.0 != verdicts.1 {
            return Err(format!("{event:?}: {verdicts:?}"));
        }
        let states = (Snapshot::of(&a.graph), Snapshot::of(&b.graph));
        if states.0 != states.1 {
            return Err(format!("after {event:?}: {states:?}"));
        }
    }
    Ok(())
}

/// Law 2, no laundering: on its way down, a claim of a root parent that is nobody's meets only such
/// unshares of its permission as are owned by a filter that it has passed.
///
/// # Errors
///
/// The claim and the unshare.
pub fn no_laundering<R: Rule>(graph: &Graph<R>) -> Check {
    let Some(paths) = Paths::of(graph) else { return Ok(()) };
    for meeting in paths.meetings(graph) {
        let (take, unshare) = (meeting.take, meeting.unshare);
        let is_of_root = matches!(graph.parent_of(take.edges[0]), Parent::Root(_));
        if !is_of_root || take.owner.is_some() {
            continue;
        }
        let above: Vec<Owner> = take.edges[1..]
            .iter()
            .filter_map(|&edge| match graph.parent_of(edge) {
                Parent::Node(node) => graph.filter_owner(node),
                Parent::Root(_) => None,
            })
            .collect();
        if unshare.owner.is_none_or(|owner| !above.contains(&owner)) {
            return Err(format!("{take:?} crosses {unshare:?} at {}", graph.name(meeting.node)));
        }
    }
    Ok(())
}

/// Law 3, dropping never fails: each job's filter can be dropped onto the node that it filters,
/// with all edges of the job's.
///
/// # Errors
///
/// Which cannot, and why.
pub fn dropping<R: Rule + Clone>(site: &Site<R>) -> Check {
    for job in &site.jobs {
        let mut site = site.clone();
        let refusal = site.drop_job(job);
        refusal.map_err(|refusal| format!("dropping {:?}: {refusal}", job.owner))?;
    }
    Ok(())
}

/// Law 4, exact: the verdict on an event is that of the definition by paths.
///
/// # Errors
///
/// What is not so.
pub fn exact<R: Rule>(site: &mut Site<R>, event: &Event) -> Check {
    let mut by_paths = None;
    let verdict = site.apply(event, &mut |state| by_paths = paths::is_refused(state));
    if by_paths == Some(false) {
        return Err(format!("{event:?} is refused, and no two paths conflict"));
    }
    if verdict.is_ok() && paths::is_refused(&site.graph) == Some(true) {
        return Err(format!("{event:?} is accepted, and two paths conflict"));
    }
    Ok(())
}

/// Law 5, reversible: an event that is refused leaves every edge as it was.
///
/// # Errors
///
/// What is not so.
pub fn reversible<R: Rule>(site: &mut Site<R>, event: &Event) -> Check {
    let before = Snapshot::of(&site.graph);
    if site.apply(event, &mut |_| ()).is_ok() || Snapshot::of(&site.graph) == before {
        return Ok(());
    }
    Err(format!("{event:?} was refused and left a trace"))
}

/// The two laws of monotonicity: from an accepted state, a root parent that takes less, or one that
/// unshares less, is accepted.
///
/// # Errors
///
/// What is refused.
pub fn monotone<R: Rule + Clone>(site: &Site<R>, side: Demand) -> Check {
    for (_, edge) in site.root_edges() {
        let demand = site.graph.demand(edge);
        for slot in demand.intersection(side).slots() {
            let mut graph = site.graph.clone();
            let less = demand.difference(slot.demand());
            let verdict = graph.transact(|change| {
                change.set_demand(edge, less);
                Ok(())
            });
            verdict.map_err(|refusal| format!("{less} instead of {demand}: {refusal}"))?;
        }
    }
    Ok(())
}
