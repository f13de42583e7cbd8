//! What is measured: QEMU, our server, our monitor, our graph.

use super::error::Error;
use super::machine::Machine;
use super::measure::{self, Outcome, Work};
use super::shape::{self, Shape};
use crate::registry::{Combination, RuleName, WithRule, with_rule};
use blkperm_graph::{Graph, NodeId, Rule};
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::transcript::Reply;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::time::{Duration, Instant};

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
            (Combination::stepwise(rule).endpoint(), shape.from_below(size))
        }
        SubjectName::Served(rule) => {
            let daemon = Daemon::start_with(&serving(rule)?, bound)?;
            (Box::new(daemon), shape.from_below(size))
        }
        SubjectName::Qemu => {
            let Some(programs) = programs else { return Ok(Outcome::OverBound) };
            let daemon = Daemon::start_with(&programs.daemon, &[], bound)?;
            machine.qemu = Some(daemon.version().to_string());
            (Box::new(daemon), shape.from_above(size))
        }
    };
    let mut client = Client { name, endpoint, edge: shape.edge(size) };
    for command in &build {
        if Instant::now() >= deadline || !client.carry_out(command)? {
            return Ok(Outcome::OverBound);
        }
    }
    client.require_edges(shape.edge_count(size))?;
    measure::within(deadline, &mut client)
}
