//! What is measured: QEMU, our server, our monitor, our graph.

use super::error::Error;
use super::machine::Machine;
use super::measure::{self, Outcome, Work};
use super::shape::{self, Shape};
use crate::registry::{Combination, CompletionName, RuleName, WithRule, with_rule};
use blkperm_graph::{Graph, NodeId, Rule};
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::transcript::Reply;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fmt};

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SubjectName {
    /// A real `qemu-storage-daemon`, over QMP.
    Qemu,
    /// `blkperm serve`, over QMP, by the same client.
    Served(RuleName),
    /// The monitor of `blkperm serve` within this process: commands and replies as JSON values.
    Monitor(RuleName),
    /// The graph alone.
    Graph(RuleName),
}

impl SubjectName {
    /// Everybody, with or without QEMU.
    pub(crate) fn all(with_qemu: bool) -> Vec<SubjectName> {
        let rules = [RuleName::Baseline, RuleName::Ownership];
        let mut all = Vec::from_iter(with_qemu.then_some(SubjectName::Qemu));
        all.extend(rules.map(SubjectName::Served));
        all.extend(rules.map(SubjectName::Monitor));
        all.extend(rules.map(SubjectName::Graph));
        all
    }

    /// The place where the work is done, and the rule.
    pub(crate) fn words(self) -> [&'static str; 2] {
        let word = |rule| match rule {
            RuleName::Baseline => "baseline",
            RuleName::Groups => "groups",
            RuleName::Ownership => "ownership",
        };
        match self {
            SubjectName::Qemu => ["QMP", "QEMU"],
            SubjectName::Served(rule) => ["QMP", word(rule)],
            SubjectName::Monitor(rule) => ["monitor", word(rule)],
            SubjectName::Graph(rule) => ["graph", word(rule)],
        }
    }
}

/// Writes, for example, `QMP: ownership`.
impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [place, rule] = self.words();
        write!(f, "{place}: {rule}")
    }
}

impl Serialize for SubjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Builds one graph and measures the edge on it, within the bound.
///
/// # Errors
///
/// Fails when the subject cannot be used, or has another graph than it should.
pub(crate) fn point(
    name: SubjectName,
    shape: Shape,
    size: usize,
    bound: Duration,
    programs: Option<&Programs>,
    machine: &mut Machine,
) -> Result<Outcome, Error> {
    let deadline = Instant::now() + bound;
    let (endpoint, build): (Box<dyn Endpoint>, _) = match name {
        SubjectName::Graph(rule) => return with_rule(rule, OnGraph { shape, size, deadline }),
        SubjectName::Monitor(rule) => {
            let completion = CompletionName::Stepwise;
            (Combination { rule, completion }.endpoint(), shape.commands_upwards(size))
        }
        SubjectName::Served(_) => {
            let [_, rule] = name.words();
            let arguments = ["serve", "--rule", rule];
            let daemon = Daemon::start_with_arguments(&ourselves()?, &arguments, bound)?;
            (Box::new(daemon), shape.commands_upwards(size))
        }
        SubjectName::Qemu => {
            let Some(programs) = programs else { return Ok(Outcome::OverBound) };
            let daemon = Daemon::start_with_patience(programs, bound)?;
            machine.qemu = Some(daemon.version().to_string());
            (Box::new(daemon), shape.commands_downwards(size))
        }
    };
    let mut client = Client { name, endpoint, edge: Rc::new(shape.edge(size)) };
    for command in &build {
        if Instant::now() >= deadline || !client.carry_out(command)? {
            return Ok(Outcome::OverBound);
        }
    }
    client.require_edges(shape.edge_count(size))?;
    measure::within(deadline, &mut client)
}

/// This program, in the place of QEMU's.
fn ourselves() -> Result<Programs, Error> {
    // No image is made for it.
    Ok(Programs { daemon: env::current_exe()?, img: PathBuf::new() })
}

/// Whoever speaks QMP, and the commands that put the edge on and take it off.
struct Client {
    name: SubjectName,
    endpoint: Box<dyn Endpoint>,
    edge: Rc<[Value; 2]>,
}

impl Client {
    /// Carries out a command that has to be accepted; returns false where the bound was too short.
    fn carry_out(&mut self, command: &Value) -> Result<bool, Error> {
        match self.endpoint.execute(command) {
            Ok(Reply::Return(_)) => Ok(true),
            Ok(reply) => Err(Error::Refused {
                subject: self.name.to_string(),
                command: command.to_string(),
                reply: reply.to_string(),
            }),
            Err(Stop::Failed(error)) if is_timeout(&*error) => Ok(false),
            Err(stop) => Err(Error::stopped(&self.name, stop)),
        }
    }

    /// Requires that the graph is as large as it was to be built.
    fn require_edges(&mut self, expected: usize) -> Result<(), Error> {
        let dump = self.endpoint.graph().map_err(|stop| Error::stopped(&self.name, stop))?;
        let found = dump.edges.len();
        if found == expected {
            return Ok(());
        }
        Err(Error::OtherGraph { subject: self.name.to_string(), found, expected })
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(blkperm_qemu::Error::Timeout { .. }))
}

impl Work for Client {
    fn once(&mut self) -> Result<bool, Error> {
        let edge = Rc::clone(&self.edge);
        let [put_on, take_off] = &*edge;
        Ok(self.carry_out(put_on)? && self.carry_out(take_off)?)
    }
}

/// The work on a graph without QMP.
struct OnGraph {
    shape: Shape,
    size: usize,
    deadline: Instant,
}

impl WithRule for OnGraph {
    type Output = Result<Outcome, Error>;

    fn run<R: Rule + Send + 'static>(self, rule: R) -> Result<Outcome, Error>
    where
        R::Hold: Send,
        R::Tally: Send,
    {
        let (graph, target) = self.shape.graph(rule, self.size).map_err(Error::refused_by_graph)?;
        measure::within(self.deadline, &mut Alone { graph, target })
    }
}

struct Alone<R: Rule> {
    graph: Graph<R>,
    target: NodeId,
}

impl<R: Rule> Work for Alone<R> {
    fn once(&mut self) -> Result<bool, Error> {
        shape::edge_on_graph(&mut self.graph, self.target).map_err(Error::refused_by_graph)?;
        Ok(true)
    }
}
