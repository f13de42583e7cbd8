//! What is made of the answers of a real daemon; skipped with a note where there is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use blkperm_baseline::Baseline;
use blkperm_explain::{Replies, Survey};
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::scenario::{Action, Scenario};
use blkperm_qmp::transcript::Reply;
use serde_json::json;

fn programs() -> Option<Programs> {
    match Programs::find() {
        Ok(programs) => Some(programs),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// Asks an endpoint as `ask` asks a monitor.
fn replies_of(endpoint: &mut dyn Endpoint) -> Replies {
    let mut replies = Replies::default();
    let queries = [
        json!({"execute": "x-debug-query-block-graph"}),
        json!({"execute": "query-named-block-nodes", "arguments": {"flat": true}}),
        json!({"execute": "query-jobs"}),
        json!({"execute": "query-block-jobs"}),
        json!({"execute": "query-block-exports"}),
    ];
    for query in queries {
        match endpoint.execute(&query) {
            Ok(Reply::Return(value)) => replies.take(&json!({"return": value})).unwrap(),
            answer => panic!("{query}: {answer:?}"),
        }
    }
    replies
}

fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "qmp")).collect();
    files.sort();
    assert!(files.len() >= 25, "the scenarios of the seed are missing");
    files
}

/// Checks what is made of a graph: every edge is explained, every holder has a name, and the graph
/// that is built is the one that was found.
fn check(endpoint: &mut dyn Endpoint, at: &str) {
    let replies = replies_of(endpoint);
    let survey = Survey::of(&replies).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(survey.unexplained().is_empty(), "{at}: {:?}", survey.unexplained());
    assert!(
        survey.notes().iter().all(|note| note.to_string().contains("query-block")),
        "{at}: {:?}",
        survey.notes()
    );
    let built = survey.build(Baseline, Completion::Stepwise);
    let mut built = built.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(built.notes.is_empty(), "{at}: {:?}", built.notes);
    let graph = &mut built.monitor.layer_mut().graph;
    graph.check_invariants().unwrap_or_else(|error| panic!("{at}: {error}"));
    for root in graph.roots() {
        let purpose = format!("{:?}", graph.holder(root));
        assert!(!purpose.contains("unnamed"), "{at}: {purpose}");
    }
    let found = endpoint.graph().unwrap();
    let query = json!({"execute": "x-debug-query-block-graph"});
    let answer = built.monitor.respond(&query).unwrap().result.unwrap();
    let rebuilt = blkperm_qmp::transcript::GraphDump::from_return(&answer).unwrap();
    let sorted = |mut dump: blkperm_qmp::transcript::GraphDump| {
        dump.edges.sort();
        dump.edges
    };
    assert_eq!(sorted(found), sorted(rebuilt), "{at}");
}

fn check_each_step(endpoint: &mut dyn Endpoint, scenario: &Scenario) {
    for line in &scenario.lines {
        match &line.action {
            Action::Image(image) => endpoint.create_image(image).unwrap(),
            Action::Command(command) => {
                let at = format!("{}:{}", scenario.name, line.number);
                match endpoint.execute(command).and_then(|_| endpoint.settle()) {
                    Ok(()) => check(endpoint, &at),
                    Err(Stop::Died(_)) => return,
                    Err(Stop::Failed(error)) => panic!("{at}: {error}"),
                }
            }
        }
    }
}

#[test]
fn every_graph_of_every_scenario_is_explained() {
    let Some(programs) = programs() else { return };
    for file in scenarios() {
        let scenario = Scenario::load(&file).unwrap();
        check_each_step(&mut Daemon::start(&programs).unwrap(), &scenario);
    }
}
