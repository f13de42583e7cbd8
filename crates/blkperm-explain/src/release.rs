//! What to do: the smallest sets of holders whose release lets something pass.
//!
//! A set is proposed only if it was seen to work on a fork, and no proper subset of it does.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use blkperm_graph::{Demand, Graph, Holder, NodeId, Parent, ParentName, Permissions, Role, Rule};
use blkperm_jobs::{Job, Status};
use blkperm_qmp::Monitor;
use serde_json::{Value, json};

use crate::import::{Doubt, Untold};
use crate::obstacle::obstacles;
use crate::trial::{Fate, Tried, ask, run_alone};

/// How many sets are looked at in the search for one that works.
const MOST_TRIALS: usize = 120;

/// How many proposals are enough.
const MOST_PROPOSALS: usize = 6;

/// A set up to this size is compared with each of its subsets; of a larger one, members are left out
/// one by one.
const SMALL: usize = 5;

/// Something that a person can do to release a holder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Delete an export.
    DeleteExport(String),
    /// Unplug the guest's device.
    Unplug(String),
    /// Cancel a job.
    Cancel(String),
    /// Complete a job, which must be a mirror.
    Complete(String),
    /// Finalize a job.
    Finalize(String),
    /// Let a job finish.
    LetFinish(String),
    /// Dismiss a job that is over.
    Dismiss(String),
    /// Delete a node.
    DeleteNode(String),
    /// Reopen a node read-only, so that it does not write its metadata any more.
    ReopenReadOnly {
        /// The node's name.
        node: String,
        /// The options to give, as far as they are known; whatever else was set is to be given too.
        options: Value,
    },
}

/// Writes what to do as one says it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::DeleteExport(id) => write!(f, "delete export '{id}'"),
            Action::Unplug(device) => write!(f, "unplug {device}"),
            Action::Cancel(job) => write!(f, "cancel job '{job}'"),
            Action::Complete(job) => write!(f, "complete job '{job}'"),
            Action::Finalize(job) => write!(f, "finalize job '{job}'"),
            Action::LetFinish(job) => write!(f, "let job '{job}' finish"),
            Action::Dismiss(job) => write!(f, "dismiss job '{job}'"),
            Action::DeleteNode(node) => write!(f, "delete node '{node}'"),
            Action::ReopenReadOnly { node, .. } => write!(f, "reopen node '{node}' read-only"),
        }
    }
}

impl Action {
    /// The command that does it; none where there is nothing to do but wait, or where it takes more
    /// than QMP.
    pub fn command(&self) -> Option<Value> {
        let (name, member, value) = match self {
            Action::DeleteExport(id) => ("block-export-del", "id", id),
            Action::Cancel(job) => ("job-cancel", "id", job),
            Action::Complete(job) => ("job-complete", "id", job),
            Action::Finalize(job) => ("job-finalize", "id", job),
            Action::Dismiss(job) => ("job-dismiss", "id", job),
            Action::DeleteNode(node) => ("blockdev-del", "node-name", node),
            Action::ReopenReadOnly { options, .. } => {
                let arguments = json!({"options": [options]});
                return Some(json!({"execute": "blockdev-reopen", "arguments": arguments}));
            }
            Action::Unplug(_) | Action::LetFinish(_) => return None,
        };
        let arguments = json!({ member: value });
        Some(json!({"execute": name, "arguments": arguments}))
    }

    /// Does it; says whether that went well. A node that went with another one needs no deletion.
    fn apply<R: Rule>(&self, monitor: &mut Monitor<R>) -> bool {
        let fate = match (self, self.command()) {
            (Action::Unplug(device), _) => return unplug(monitor, device),
            (Action::DeleteNode(name), _) if monitor.layer().graph.node_by_name(name).is_none() => {
                return true;
            }
            (Action::LetFinish(job), _) => run_alone(monitor, job),
            (Action::Complete(job), _) => match run_alone(monitor, job) {
                Fate::Done => ask(monitor, "job-complete", json!({"id": job})),
                fate => fate,
            },
            (_, Some(request)) => Tried::new(request).expect("it is modelled").play(monitor),
            (_, None) => unreachable!("all others are commands"),
        };
        fate.is_done()
    }

    /// In which order things are done: what stands on nodes first.
    fn rank(&self) -> u8 {
        match self {
            Action::DeleteExport(_) | Action::Unplug(_) => 0,
            Action::DeleteNode(_) | Action::ReopenReadOnly { .. } => 2,
            Action::Dismiss(_) => 3,
            _ => 1,
        }
    }
}

fn unplug<R: Rule>(monitor: &mut Monitor<R>, device: &str) -> bool {
    let graph = &monitor.layer().graph;
    let is_it = |holder: &Holder| matches!(holder, Holder::Device { words, .. } if words == device);
    let root = graph.roots().into_iter().find(|&root| is_it(graph.holder(root)));
    root.map(|root| monitor.layer_mut().remove_backend(root)).is_some()
}

/// What lets something pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// In which of the graphs that may be it works.
    pub surety: Surety,
}

/// How sure a proposal is, by what the answers of QEMU do not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surety {
    /// It works in any case.
    Sure,
    /// It does not work, or less does, if this is so.
    Unless(Untold),
    /// It works if this is so; if none of what is not told is so, nothing does.
    OnlyIf(Untold),
}

/// What would let something pass.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Proposals {
    /// What was found, the best first.
    pub found: Vec<Proposal>,
    /// Whether the search ended before all was looked at, since there was too much.
    pub is_cut_short: bool,
}

/// The smallest sets of releases after which `question` is answered by [`Fate::Done`], sure ones and
/// those with fewest members first. The question is asked of forks of `monitor`.
///
/// `doubts` are what the graph may be instead, as far as is known: see
/// [`Survey::build_doubtful`](crate::Survey::build_doubtful). Where nothing works on `monitor`, what
/// works on the first of them on which something does is proposed.
pub fn proposals<R: Rule + Clone>(
    monitor: &Monitor<R>,
    doubts: &[Doubt<R>],
    question: &dyn Fn(&mut Monitor<R>) -> Fate,
) -> Proposals {
    let search = Search { monitor, question };
    let surety = |actions: &Actions| {
        let fails =
            |doubt: &&Doubt<R>| !Search { monitor: &doubt.monitor, question }.is_least(actions);
        doubts.iter().find(fails).map_or(Surety::Sure, |doubt| Surety::Unless(doubt.untold))
    };
    let mut trials = MOST_TRIALS;
    let (sets, mut is_cut_short) = search.sets(&mut trials);
    let proposal = |actions: Actions| Proposal { surety: surety(&actions), actions };
    let mut found: Vec<Proposal> = sets.into_iter().map(proposal).collect();
    for doubt in doubts {
        if !found.is_empty() || is_cut_short {
            break;
        }
        let (sets, is_cut) = Search { monitor: &doubt.monitor, question }.sets(&mut trials);
        let surety = Surety::OnlyIf(doubt.untold);
        found.extend(sets.into_iter().map(|actions| Proposal { actions, surety }));
        is_cut_short = is_cut;
    }
    found.sort_by_key(|proposal| (proposal.surety != Surety::Sure, proposal.actions.len()));
    Proposals { found, is_cut_short }
}

type Actions = Vec<Action>;

impl<R: Rule + Clone> Search<'_, R> {
    /// The smallest sets of releases that work, and whether the search was cut short: it may look at
    /// as many sets as are left of `trials`.
    fn sets(&self, trials: &mut usize) -> (Vec<Actions>, bool) {
        let mut found: Vec<Actions> = Vec::new();
        let mut seen: HashSet<Vec<String>> = HashSet::new();
        let mut waiting: VecDeque<Actions> = VecDeque::from([Vec::new()]);
        while let Some(set) = waiting.pop_front() {
            // What works already needs nothing more.
            if found.iter().any(|other| is_subset(other, &set)) {
                continue;
            }
            if *trials == 0 || found.len() >= MOST_PROPOSALS {
                return (found, true);
            }
            *trials -= 1;
            match self.play(&set) {
                Played::Good => {
                    let least = self.least(set);
                    if !least.is_empty() && !found.iter().any(|other| is_subset(other, &least)) {
                        found.retain(|other| !is_subset(&least, other));
                        found.push(least);
                    }
                }
                Played::Bad(fork, fate) => {
                    for more in self.alternatives(&fork, &fate) {
                        let mut next = set.clone();
                        next.extend(more.into_iter().filter(|action| !set.contains(action)));
                        let mut key: Vec<String> = next.iter().map(ToString::to_string).collect();
                        key.sort();
                        if next.len() > set.len() && seen.insert(key) {
                            waiting.push_back(self.ordered(next));
                        }
                    }
                }
                Played::Impossible => {}
            }
        }
        (found, false)
    }
}

fn is_subset(small: &[Action], large: &[Action]) -> bool {
    small.iter().all(|action| large.contains(action))
}

struct Search<'a, R: Rule> {
    monitor: &'a Monitor<R>,
    question: &'a dyn Fn(&mut Monitor<R>) -> Fate,
}

/// What comes of a set of releases.
enum Played<R: Rule> {
    /// What was asked for passes.
    Good,
    /// It does not: the graph after the releases, and why not.
    Bad(Box<Monitor<R>>, Fate),
    /// The releases cannot be done.
    Impossible,
}

impl<R: Rule + Clone> Search<'_, R> {
    fn play(&self, set: &[Action]) -> Played<R> {
        let mut fork = self.monitor.clone();
        if !set.iter().all(|action| action.apply(&mut fork)) {
            return Played::Impossible;
        }
        let before = Box::new(fork.clone());
        match (self.question)(&mut fork) {
            Fate::Done => Played::Good,
            fate => Played::Bad(before, fate),
        }
    }

    fn is_good(&self, set: &[Action]) -> bool {
        matches!(self.play(set), Played::Good)
    }

    /// Whether the set works, and no proper subset of it does.
    fn is_least(&self, set: &[Action]) -> bool {
        self.is_good(set) && self.least(set.to_vec()).len() == set.len()
    }

    /// The smallest subset that works; one of them.
    fn least(&self, set: Actions) -> Actions {
        if set.len() <= SMALL {
            let mut subsets: Vec<u32> = (0..1 << set.len()).collect();
            subsets.sort_by_key(|subset| subset.count_ones());
            let members = |subset: u32| -> Actions {
                let chosen = set.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
                chosen.map(|(_, action)| action.clone()).collect()
            };
            let mut subsets = subsets.into_iter().map(members);
            return subsets.find(|subset| self.is_good(subset)).unwrap_or_default();
        }
        let mut least = set;
        let mut place = least.len();
        while place > 0 {
            place -= 1;
            let mut less = least.clone();
            less.remove(place);
            if self.is_good(&less) {
                least = less;
            }
        }
        least
    }

    /// The sets of releases each of which takes one obstacle away.
    fn alternatives(&self, fork: &Monitor<R>, fate: &Fate) -> Vec<Actions> {
        let mut alternatives = Vec::new();
        for holders in obstacles(fork, fate) {
            for style in [Style::Finish, Style::Cancel, Style::ReadOnly] {
                let mut actions = Vec::new();
                let all = holders.iter().all(|holder| release(fork, holder, style, &mut actions));
                if all && !alternatives.contains(&actions) {
                    alternatives.push(actions);
                }
            }
        }
        alternatives
    }

    /// The releases in an order in which they can be done: nodes after what stands on them.
    fn ordered(&self, mut set: Actions) -> Actions {
        let graph = &self.monitor.layer().graph;
        let above = |action: &Action| match action {
            Action::DeleteNode(name) => {
                graph.node_by_name(name).map_or(0, |node| ancestors(graph, node).len())
            }
            _ => 0,
        };
        set.sort_by_cached_key(|action| (action.rank(), above(action)));
        if self.is_possible(&set) {
            return set;
        }
        // A job may not end while a stranger is there.
        let late = |action: &Action| (action.rank() == 1, action.rank(), above(action));
        let mut other = set.clone();
        other.sort_by_cached_key(late);
        if self.is_possible(&other) { other } else { set }
    }

    fn is_possible(&self, set: &[Action]) -> bool {
        let mut fork = self.monitor.clone();
        set.iter().all(|action| action.apply(&mut fork))
    }
}

/// How holders are released, where there is a choice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Jobs end with their effect, nodes are deleted.
    Finish,
    /// Jobs are cancelled, nodes are deleted.
    Cancel,
    /// Jobs are cancelled, nodes are reopened read-only.
    ReadOnly,
}

/// Adds what releases a holder; says whether anything does.
fn release<R: Rule>(
    monitor: &Monitor<R>,
    holder: &ParentName,
    style: Style,
    actions: &mut Actions,
) -> bool {
    let graph = &monitor.layer().graph;
    match holder {
        ParentName::Root(holder) => release_root(monitor, holder, style, actions),
        ParentName::Node(name) => {
            let node = graph.node_by_name(name);
            node.is_some_and(|node| match style {
                Style::ReadOnly => reopen_node(monitor, node, actions),
                _ => release_node(monitor, node, style, actions),
            })
        }
    }
}

fn release_root<R: Rule>(
    monitor: &Monitor<R>,
    holder: &Holder,
    style: Style,
    actions: &mut Actions,
) -> bool {
    let graph = &monitor.layer().graph;
    let Some(root) = graph.roots().into_iter().find(|&root| graph.holder(root) == holder) else {
        return false;
    };
    let owner = graph.root_owner(root);
    let action = if let Some(owner) = owner {
        let job = monitor.layer().jobs().iter().find(|job| job.owner() == owner);
        job.map(|job| release_job(job, style))
    } else {
        match holder {
            Holder::Export { id } => Some(Action::DeleteExport(id.clone())),
            Holder::Device { words, .. } => Some(Action::Unplug(words.clone())),
            _ => None,
        }
    };
    add(action, actions)
}

fn release_job(job: &Job, style: Style) -> Action {
    let id = job.id().to_owned();
    match (job.status(), style) {
        (Status::Concluded, _) => Action::Dismiss(id),
        (Status::Pending, Style::Finish) => Action::Finalize(id),
        (Status::Ready | Status::Running, Style::Finish) if job.is_mirror() => Action::Complete(id),
        // A backup of what is overwritten never ends by itself, and nothing tells it from another one.
        (Status::Running, Style::Finish) if job.kind() != "backup" => Action::LetFinish(id),
        _ => Action::Cancel(id),
    }
}

/// Releases a node that demands something by itself: whatever stands on it goes, and then the node.
fn release_node<R: Rule>(
    monitor: &Monitor<R>,
    node: NodeId,
    style: Style,
    actions: &mut Actions,
) -> bool {
    let graph = &monitor.layer().graph;
    let mut above = ancestors(graph, node);
    above.push(node);
    above.into_iter().all(|node| {
        let roots = graph.parents(node).filter_map(|edge| match graph.parent_of(edge) {
            Parent::Root(root) => Some(graph.holder(root).clone()),
            Parent::Node(_) => None,
        });
        let released = roots
            .collect::<Vec<_>>()
            .iter()
            .all(|holder| release_root(monitor, holder, style, actions));
        if !released {
            return false;
        }
        if let Some(owner) = graph.filter_owner(node) {
            let job = monitor.layer().jobs().iter().find(|job| job.owner() == owner);
            return add(job.map(|job| release_job(job, style)), actions);
        }
        // A node that nobody has named goes with what it was opened for.
        let name = graph.name(node);
        let is_deletable = monitor.is_deletable(name);
        if is_deletable {
            add(Some(Action::DeleteNode(name.to_owned())), actions);
        }
        is_deletable || graph.parents(node).next().is_some()
    })
}

/// Reopens an image read-only, once nobody writes to it any more.
fn reopen_node<R: Rule>(monitor: &Monitor<R>, node: NodeId, actions: &mut Actions) -> bool {
    let graph = &monitor.layer().graph;
    let has_metadata = |edge| graph.role(edge).contains(Role::METADATA);
    let is_image = graph.children(node).any(has_metadata);
    if !is_image || !graph.state(node).is_writable() {
        return false;
    }
    let writing = Demand::taking(Permissions::ANY_WRITE);
    let writers = graph.parents(node).flat_map(|edge| graph.sources(edge, writing));
    let writers: Vec<ParentName> = writers.collect();
    if !writers.iter().all(|writer| release(monitor, writer, Style::Cancel, actions)) {
        return false;
    }
    let driver = graph.driver(node);
    let mut options = json!({
        "driver": driver.name,
        "node-name": graph.name(node),
        "read-only": true,
    });
    if driver.supports_backing {
        options["backing"] = Value::Null;
    }
    for edge in graph.children(node) {
        options[graph.edge_name(edge)] = json!(graph.name(graph.child_of(edge)));
    }
    let node = graph.name(node).to_owned();
    add(Some(Action::ReopenReadOnly { node, options }), actions)
}

fn add(action: Option<Action>, actions: &mut Actions) -> bool {
    let Some(action) = action else { return false };
    if !actions.contains(&action) {
        actions.push(action);
    }
    true
}

/// All nodes from which `node` is below.
pub(crate) fn ancestors<R: Rule>(graph: &Graph<R>, node: NodeId) -> Vec<NodeId> {
    let mut found = vec![node];
    let mut seen: HashSet<NodeId> = HashSet::from([node]);
    let mut done = 0;
    while let Some(&next) = found.get(done) {
        let parents = graph.parents(next).filter_map(|edge| match graph.parent_of(edge) {
            Parent::Node(parent) => Some(parent),
            Parent::Root(_) => None,
        });
        found.extend(parents.filter(|&parent| seen.insert(parent)));
        done += 1;
    }
    found.split_off(1)
}
