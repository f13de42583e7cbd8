//! The graphs of all scenarios, and the aborts.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use blkperm_baseline::Baseline;
use blkperm_explain::{
    Action as Release, Doubt, Ending, Fate, Proposal, Tried, endings, proposals, run_new_jobs,
};
use blkperm_graph::{Fault, ParentName, Refusal};
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::Monitor;
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::scenario::{Action, Scenario};
use blkperm_qmp::transcript::{GraphDump, Reply};
use serde_json::{Value, json};

use crate::{explained, programs, replies_of};

/// All scenarios, those in directories of their own included.
fn scenarios() -> Vec<Scenario> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => directories.push(path),
                Some(end) if end == "qmp" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    assert!(files.len() >= 25, "the scenarios of the seed are missing");
    files.iter().map(|file| Scenario::load(file).unwrap()).collect()
}

/// Checks that the graph that is made of the answers is the one that was found.
fn check(daemon: &mut Daemon, at: &dyn Debug) {
    let (mut monitor, _) = explained(&replies_of(daemon), at);
    let query = json!({"execute": "x-debug-query-block-graph"});
    let answer = monitor.respond(&query).unwrap().result.unwrap();
    let sorted = |mut dump: GraphDump| {
        dump.edges.sort();
        dump.edges
    };
    let made = sorted(GraphDump::from_return(&answer).unwrap());
    assert_eq!(sorted(daemon.graph().unwrap()), made, "{at:?}");
}

/// Plays the actions; checks the graph after each command if asked to. Says at which one the daemon
/// died, if it did and was not asked to.
fn play(daemon: &mut Daemon, scenario: &Scenario, checked: bool) -> Option<usize> {
    for (place, line) in scenario.lines.iter().enumerate() {
        match &line.action {
            Action::Image(image) => daemon.create_image(image).unwrap(),
            Action::Command(command) => {
                let at = (&scenario.name, line.number);
                match daemon.execute(command).and_then(|_| daemon.settle()) {
                    Ok(()) if checked => check(daemon, &at),
                    Ok(()) => {}
                    Err(Stop::Died(death)) => return (!death.is_exit()).then_some(place),
                    Err(Stop::Failed(error)) => panic!("{at:?}: {error}"),
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
        let (monitor, doubts) = explained(&replies_of(&mut daemon), name);
        let tried = Tried::new(fatal.clone()).unwrap();
        let fate = play_with_jobs(&tried, &mut monitor.clone());
        let Fate::Aborts(refusal) = &fate else { panic!("{name}: {fate:?}") };
        let proposals = proposals(&monitor, &doubts, &|fork| play_with_jobs(&tried, fork)).found;
        assert_eq!(proposals.is_empty(), passes_never(&fatal), "{name}: {proposals:?}");
        for proposal in proposals {
            survives(&programs, &scenario, &proposal, &fatal);
        }
        // It is taken back in the middle of it, which the end of no job is.
        if passes_never(&fatal) {
            continue;
        }
        // Where the answers leave open what is in its way first, one of the graphs that may be tells.
        let in_doubt = |doubt: &Doubt<_>| {
            let fate = play_with_jobs(&tried, &mut doubt.monitor.clone());
            fate.refusal().is_some_and(|refusal| names_stranger(&monitor, refusal))
        };
        let named = names_stranger(&monitor, refusal) || doubts.iter().any(in_doubt);
        assert!(named, "{name}: {refusal}");
        let mut started = monitor.clone();
        let before_end = if tried.play(&mut started).is_done() { started } else { monitor };
        let ends = endings(&before_end);
        let aborts = |end: &Ending| matches!(end.play(&mut before_end.clone()), Fate::Aborts(_));
        assert!(ends.iter().any(aborts), "{name}: {ends:?}");
    }
}

/// Whether the refusal is a conflict with a `blkdebug` node.
fn names_stranger(monitor: &Monitor<Baseline>, refusal: &Refusal) -> bool {
    let graph = &monitor.layer().graph;
    let is_stranger = |node: &str| {
        graph.node_by_name(node).is_some_and(|node| graph.driver(node).name == "blkdebug")
    };
    let Refusal::Permissions(faults) = refusal else { return false };
    faults.iter().any(|fault| match fault {
        Fault::Conflict(conflict) => [&conflict.requirer, &conflict.unsharer]
            .iter()
            .any(|party| matches!(&party.parent, ParentName::Node(node) if is_stranger(node))),
        _ => false,
    })
}

/// Carries the command out, and lets the jobs go on that it starts.
fn play_with_jobs(tried: &Tried, monitor: &mut Monitor<Baseline>) -> Fate {
    let jobs = monitor.layer().jobs().iter().map(|job| job.id().to_owned());
    let known: Vec<String> = jobs.collect();
    match tried.play(monitor) {
        Fate::Done => run_new_jobs(monitor, &known),
        fate => fate,
    }
}

/// Whether the command is refused whatever is released: a transaction with the action `abort` always is.
fn passes_never(command: &Value) -> bool {
    let actions = command["arguments"]["actions"].as_array();
    actions.is_some_and(|actions| actions.iter().any(|action| action["type"] == "abort"))
}

/// Checks that a daemon survives the fatal command after what is proposed.
fn survives(programs: &Programs, scenario: &Scenario, proposal: &Proposal, fatal: &Value) {
    let mut daemon = Daemon::start(programs).unwrap();
    play(&mut daemon, scenario, false);
    let commands = proposal.actions.iter().filter_map(Release::command);
    for command in commands.chain([fatal.clone()]) {
        let reply = daemon.execute(&command);
        let settled = daemon.settle();
        let lives = match &settled {
            Ok(()) => true,
            Err(Stop::Died(death)) => death.is_exit(),
            Err(Stop::Failed(_)) => false,
        };
        let went_well = matches!(reply, Ok(Reply::Return(_))) && lives;
        let name = &scenario.name;
        assert!(went_well, "{name}: {proposal:?}: {command}: {reply:?}, {settled:?}");
    }
}
