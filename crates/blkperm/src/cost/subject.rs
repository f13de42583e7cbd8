//! What is measured: QEMU, our server, our monitor, our graph.

use super::error::Error;
use super::measure::Work;
use super::shape::{self, Shape};
use crate::machine::Machine;
use crate::registry::{Combination, CompletionName, RuleName, WithRule, with_rule};
use blkperm_graph::{Graph, NodeId, Rule};
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::transcript::Reply;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fmt, iter};

/// Where the work is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A server over a socket; each reply is waited for before the next command is sent.
    Qmp,
    /// The same, but [`AT_ONCE`] edges are put on and taken off by commands that are sent together,
    /// so that sender and receiver need not wake each other for each.
    Pipelined,
    /// The monitor of `blkperm serve` within this process: commands and replies as JSON values.
    Monitor,
    /// The graph alone.
    Graph,
}

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    /// A real `qemu-storage-daemon`.
    Qemu,
    /// Ours, under the rule.
    Ours(RuleName),
}

/// A place and an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SubjectName {
    /// Where.
    pub(crate) place: Place,
    /// Who.
    pub(crate) engine: Engine,
}

/// How many edges are put on and taken off by one pipelined write.
const AT_ONCE: usize = 8;

const QEMU: Engine = Engine::Qemu;
const BASELINE: Engine = Engine::Ours(RuleName::Baseline);
const OWNERSHIP: Engine = Engine::Ours(RuleName::Ownership);

impl SubjectName {
    const fn new(place: Place, engine: Engine) -> SubjectName {
        SubjectName { place, engine }
    }

    /// QEMU, command by command.
    pub(crate) const QMP_QEMU: SubjectName = SubjectName::new(Place::Qmp, QEMU);
    /// Our baseline, command by command.
    pub(crate) const QMP_BASELINE: SubjectName = SubjectName::new(Place::Qmp, BASELINE);
    /// QEMU, pipelined.
    pub(crate) const PIPELINED_QEMU: SubjectName = SubjectName::new(Place::Pipelined, QEMU);
    /// Our baseline, pipelined.
    pub(crate) const PIPELINED_BASELINE: SubjectName = SubjectName::new(Place::Pipelined, BASELINE);
    /// The graph under the baseline.
    pub(crate) const GRAPH_BASELINE: SubjectName = SubjectName::new(Place::Graph, BASELINE);
    /// The graph under ownership.
    pub(crate) const GRAPH_OWNERSHIP: SubjectName = SubjectName::new(Place::Graph, OWNERSHIP);

    /// All that are measured, in the order of the columns.
    const ALL: [SubjectName; 8] = [
        SubjectName::QMP_QEMU,
        SubjectName::QMP_BASELINE,
        SubjectName::new(Place::Qmp, OWNERSHIP),
        SubjectName::PIPELINED_QEMU,
        SubjectName::PIPELINED_BASELINE,
        SubjectName::new(Place::Monitor, BASELINE),
        SubjectName::GRAPH_BASELINE,
        SubjectName::GRAPH_OWNERSHIP,
    ];

    /// Everybody, with or without QEMU.
    pub(crate) fn all(with_qemu: bool) -> Vec<SubjectName> {
        let is_here = |name: &SubjectName| with_qemu || name.engine != QEMU;
        SubjectName::ALL.into_iter().filter(is_here).collect()
    }

    /// Those that are talked to over a socket, with or without QEMU.
    pub(crate) fn servers(with_qemu: bool) -> Vec<SubjectName> {
        let mut all = SubjectName::all(with_qemu);
        all.retain(|name| matches!(name.place, Place::Qmp | Place::Pipelined));
        all
    }

    /// The place where the work is done, and who does it.
    pub(crate) fn words(self) -> [&'static str; 2] {
        let place = match self.place {
            Place::Qmp => "QMP",
            Place::Pipelined => "pipelined",
            Place::Monitor => "monitor",
            Place::Graph => "graph",
        };
        let engine = match self.engine {
            Engine::Qemu => "QEMU",
            Engine::Ours(RuleName::Baseline) => "baseline",
            Engine::Ours(RuleName::Groups) => "groups",
            Engine::Ours(RuleName::Ownership) => "ownership",
        };
        [place, engine]
    }
}

/// Writes, for example, `QMP: ownership`.
impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [place, engine] = self.words();
        write!(f, "{place}: {engine}")
    }
}

impl Serialize for SubjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How subjects are prepared.
pub(crate) struct Setup<'a> {
    /// The time that building one graph may take, and one answer.
    pub(crate) bound: Duration,
    /// QEMU's programs, where it is measured.
    pub(crate) programs: Option<&'a Programs>,
    /// Is told QEMU's version.
    pub(crate) machine: Machine,
}

impl Setup<'_> {
    /// Builds the graph of the size, ready to have the edge put on; none where the bound was too
    /// short.
    ///
    /// # Errors
    ///
    /// Fails when the subject cannot be used, or has another graph than it should.
    pub(crate) fn edge(
        &mut self,
        name: SubjectName,
        shape: Shape,
        size: usize,
    ) -> Result<Option<Box<dyn Work>>, Error> {
        if let SubjectName { place: Place::Graph, engine: Engine::Ours(rule) } = name {
            return with_rule(rule, OnGraph { shape, size }).map(Some);
        }
        let deadline = Instant::now() + self.bound;
        let Some(mut client) = self.client(name, &shape.edge(size))? else { return Ok(None) };
        let build = match name.engine {
            Engine::Qemu => shape.commands_downwards(size),
            Engine::Ours(_) => shape.commands_upwards(size),
        };
        for command in &build {
            if Instant::now() >= deadline || !client.carry_out(command)? {
                return Ok(None);
            }
        }
        let is_there = client.require_edges(shape.edge_count(size))?;
        Ok(is_there.then(|| Box::new(client) as Box<dyn Work>))
    }

    /// Two commands that do nothing in the place of those that put the edge on and take it off: what
    /// the protocol alone takes.
    ///
    /// # Errors
    ///
    /// Fails when the subject cannot be used.
    pub(crate) fn nothing(&mut self, name: SubjectName) -> Result<Option<Box<dyn Work>>, Error> {
        let nothing = json!({"execute": "query-jobs"});
        let client = self.client(name, &[nothing.clone(), nothing])?;
        Ok(client.map(|client| Box::new(client) as Box<dyn Work>))
    }

    /// Somebody who speaks QMP, with the commands to repeat; none where QEMU is left out.
    fn client(
        &mut self,
        name: SubjectName,
        commands: &[Value; 2],
    ) -> Result<Option<Client>, Error> {
        let [_, rule] = name.words();
        let endpoint: Box<dyn Endpoint> = match (name.engine, name.place) {
            (Engine::Qemu, _) => {
                let Some(programs) = self.programs else { return Ok(None) };
                let daemon = Daemon::start_with_patience(programs, self.bound)?;
                self.machine.qemu = Some(daemon.version().to_string());
                Box::new(daemon)
            }
            (Engine::Ours(rule), Place::Monitor | Place::Graph) => {
                Combination { rule, completion: CompletionName::Stepwise }.endpoint()
            }
            (Engine::Ours(_), Place::Qmp | Place::Pipelined) => {
                let arguments = ["serve", "--rule", rule];
                Box::new(Daemon::start_with_arguments(&ourselves()?, &arguments, self.bound)?)
            }
        };
        let times = if name.place == Place::Pipelined { AT_ONCE } else { 1 };
        let commands = iter::repeat_n(commands, times).flatten().cloned().collect();
        Ok(Some(Client { name, endpoint, commands, times }))
    }
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
    /// All that is done at once.
    commands: Vec<Value>,
    /// How often the edge is put on and taken off by them.
    times: usize,
}

impl Client {
    /// Carries out a command that has to be accepted; returns false where the bound was too short.
    fn carry_out(&mut self, command: &Value) -> Result<bool, Error> {
        let reply = self.endpoint.execute(command);
        self.accepted(command, reply)
    }

    fn accepted(&self, command: &Value, reply: Result<Reply, Stop>) -> Result<bool, Error> {
        match reply {
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

    /// Requires that the graph is as large as it was to be built; returns false where the bound was
    /// too short to find out.
    fn require_edges(&mut self, expected: usize) -> Result<bool, Error> {
        let found = match self.endpoint.graph() {
            Ok(dump) => dump.edges.len(),
            Err(Stop::Failed(error)) if is_timeout(&*error) => return Ok(false),
            Err(stop) => return Err(Error::stopped(&self.name, stop)),
        };
        if found == expected {
            return Ok(true);
        }
        Err(Error::OtherGraph { subject: self.name.to_string(), found, expected })
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(blkperm_qemu::Error::Timeout { .. }))
}

impl Work for Client {
    fn times(&self) -> usize {
        self.times
    }

    fn once(&mut self) -> Result<bool, Error> {
        let replies: Vec<_> = match self.name.place {
            Place::Pipelined => match self.endpoint.execute_all(&self.commands) {
                Ok(replies) => replies.into_iter().map(Ok).collect(),
                Err(stop) => vec![Err(stop)],
            },
            _ => self.commands.iter().map(|command| self.endpoint.execute(command)).collect(),
        };
        for (command, reply) in self.commands.iter().zip(replies) {
            if !self.accepted(command, reply)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The work on a graph without QMP.
struct OnGraph {
    shape: Shape,
    size: usize,
}

impl WithRule for OnGraph {
    type Output = Result<Box<dyn Work>, Error>;

    fn run<R: Rule + 'static>(self, rule: R) -> Result<Box<dyn Work>, Error> {
        let (graph, target) = self.shape.graph(rule, self.size).map_err(Error::refused_by_graph)?;
        Ok(Box::new(Alone { graph, target }))
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
