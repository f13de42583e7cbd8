//! What is made of the answers of a real QEMU; skipped with a note where there is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod releases;
mod scenarios;
mod system;

use std::fmt::Debug;
use std::io;

use blkperm_baseline::Baseline;
use blkperm_explain::{AskError, Doubt, Replies, Survey, gather};
use blkperm_graph::Graph;
use blkperm_jobs::Completion;
use blkperm_qemu::Programs;
use blkperm_qmp::Monitor;
use blkperm_qmp::play::Endpoint;
use blkperm_qmp::transcript::Reply;
use serde_json::{Value, json};

/// QEMU's programs, with a note where they are missing.
fn programs() -> Option<Programs> {
    installed(Programs::find())
}

fn installed<T, E: std::fmt::Display>(found: Result<T, E>) -> Option<T> {
    found.inspect_err(|error| println!("skipped: {error}")).ok()
}

/// Asks an endpoint as `ask` asks a monitor.
fn replies_of(endpoint: &mut dyn Endpoint) -> Replies {
    let ask = |query: &'static str, arguments: Value| {
        let reply = endpoint.execute(&json!({"execute": query, "arguments": arguments}));
        match reply {
            Ok(Reply::Return(value)) => Ok(json!({"return": value})),
            answer => Err(AskError::Io(io::Error::other(format!("{query}: {answer:?}")))),
        }
    };
    gather(ask).unwrap()
}

/// What is made of answers, and what it may be instead: every edge is explained, and every holder has
/// a name.
fn explained(replies: &Replies, at: &dyn Debug) -> (Monitor<Baseline>, Vec<Doubt<Baseline>>) {
    let survey = Survey::of(replies).unwrap_or_else(|error| panic!("{at:?}: {error}"));
    assert!(survey.unexplained().is_empty(), "{at:?}: {:?}", survey.unexplained());
    let built = survey.build(Baseline, Completion::Stepwise);
    let mut built = built.unwrap_or_else(|error| panic!("{at:?}: {error}"));
    assert!(built.notes.is_empty(), "{at:?}: {:?}", built.notes);
    let graph: &mut Graph<Baseline> = &mut built.monitor.layer_mut().graph;
    graph.check_invariants().unwrap_or_else(|error| panic!("{at:?}: {error}"));
    for root in graph.roots() {
        let holder = format!("{:?}", graph.holder(root));
        assert!(!holder.contains("unnamed"), "{at:?}: {holder}");
    }
    (built.monitor, survey.build_doubtful(&Baseline, Completion::Stepwise))
}
