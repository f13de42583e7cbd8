//! What is made of the answers of a real daemon; skipped with a note where there is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::{fs, io};

use blkperm_baseline::Baseline;
use blkperm_explain::{AskError, Fate, Noted, Replies, Survey, Tried, endings, gather, proposals};
use blkperm_graph::{Fault, ParentName, Refusal};
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::Monitor;
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::scenario::{Action, Scenario};
use blkperm_qmp::transcript::{GraphDump, Reply};
use serde_json::{Value, json};

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
    let ask = |query: &'static str, arguments: Value| {
        let reply = endpoint.execute(&json!({"execute": query, "arguments": arguments}));
        match reply {
            Ok(Reply::Return(value)) => Ok(json!({"return": value})),
            answer => Err(AskError::Io(io::Error::other(format!("{query}: {answer:?}")))),
        }
    };
    gather(ask).unwrap()
}

fn scenarios() -> Vec<Scenario> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in [directory.clone(), directory.join("jobs")] {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "qmp")));
    }
    files.sort();
    assert!(files.len() >= 25, "the scenarios of the seed are missing");
    files.iter().map(|file| Scenario::load(file).unwrap()).collect()
}

/// Checks what is made of a graph: every edge is explained, every holder has a name, and the graph
/// that is built is the one that was found.
fn check(endpoint: &mut dyn Endpoint, at: &str) {
    let replies = replies_of(endpoint);
    let survey = Survey::of(&replies).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(survey.unexplained().is_empty(), "{at}: {:?}", survey.unexplained());
    assert!(
        survey.notes().iter().all(|note| matches!(note, Noted::Missing(_))),
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
    let rebuilt = GraphDump::from_return(&answer).unwrap();
    let sorted = |mut dump: GraphDump| {
        dump.edges.sort();
        dump.edges
    };
    assert_eq!(sorted(found), sorted(rebuilt), "{at}");
}

/// Plays the actions; checks the graph after each command if asked to. Says at which one the daemon
/// died, if it did.
fn play(daemon: &mut Daemon, scenario: &Scenario, checked: bool) -> Option<usize> {
    for (place, line) in scenario.lines.iter().enumerate() {
        match &line.action {
            Action::Image(image) => daemon.create_image(image).unwrap(),
            Action::Command(command) => {
                let at = format!("{}:{}", scenario.name, line.number);
                match daemon.execute(command).and_then(|_| daemon.settle()) {
                    Ok(()) if checked => check(daemon, &at),
                    Ok(()) => {}
                    Err(Stop::Died(_)) => return Some(place),
                    Err(Stop::Failed(error)) => panic!("{at}: {error}"),
                }
            }
        }
    }
    None
}

#[test]
fn every_graph_of_every_scenario_is_explained() {
    let Some(programs) = programs() else { return };
    for scenario in scenarios() {
        play(&mut Daemon::start(&programs).unwrap(), &scenario, true);
    }
}

/// The monitor that is made of what a daemon answers.
fn explained(daemon: &mut Daemon) -> Monitor<Baseline> {
    let survey = Survey::of(&replies_of(daemon)).unwrap();
    survey.build(Baseline, Completion::Stepwise).unwrap().monitor
}

/// The scenarios that a real daemon does not survive, each without its last command, which is told
/// apart.
fn deadly(programs: &Programs) -> Vec<(Scenario, Value)> {
    let mut deadly = Vec::new();
    for mut scenario in scenarios() {
        let died = play(&mut Daemon::start(programs).unwrap(), &scenario, false);
        let Some(place) = died else { continue };
        let Action::Command(last) = scenario.lines[place].action.clone() else { unreachable!() };
        scenario.lines.truncate(place);
        deadly.push((scenario, last));
    }
    assert!(deadly.len() >= 8, "there are scenarios that abort");
    deadly
}

#[test]
fn an_abort_is_foretold_with_the_stranger_and_what_is_proposed_prevents_it() {
    let Some(programs) = programs() else { return };
    for (scenario, fatal) in deadly(&programs) {
        let name = &scenario.name;
        let mut daemon = Daemon::start(&programs).unwrap();
        play(&mut daemon, &scenario, false);
        let monitor = explained(&mut daemon);
        let tried = Tried::new(fatal.clone()).unwrap();
        let fate = tried.play(&mut monitor.clone());
        let Fate::Aborts(refusal) = &fate else { panic!("{name}: {fate:?}") };
        let is_stranger = |node: &str| {
            let node = monitor.layer().graph.node_by_name(node);
            node.is_some_and(|node| monitor.layer().graph.driver(node).name == "blkdebug")
        };
        let Refusal::Permissions(faults) = refusal else { panic!("{name}: {refusal}") };
        let named = faults.iter().any(|fault| match fault {
            Fault::Conflict(conflict) => [&conflict.requirer, &conflict.unsharer]
                .iter()
                .any(|party| matches!(&party.parent, ParentName::Node(node) if is_stranger(node))),
            _ => false,
        });
        assert!(named, "{name}: {refusal}");
        let ends = endings(&monitor);
        assert!(ends.iter().any(|end| matches!(end.fate, Fate::Aborts(_))), "{name}: {ends:?}");
        let proposals = proposals(&monitor, &|fork| tried.play(fork));
        assert!(!proposals.is_empty(), "{name}: nothing is proposed");
        for proposal in proposals {
            let mut daemon = Daemon::start(&programs).unwrap();
            play(&mut daemon, &scenario, false);
            let commands = proposal.iter().filter_map(blkperm_explain::Action::command);
            for command in commands.chain([fatal.clone()]) {
                let reply = daemon.execute(&command);
                let settled = daemon.settle();
                let went_well = matches!(reply, Ok(Reply::Return(_))) && settled.is_ok();
                assert!(went_well, "{name}: {proposal:?}: {command}: {reply:?}, {settled:?}");
            }
        }
    }
}
