//! The scenarios of the seed, and those that `blkperm differ` found, played to our rules and compared
//! with what QEMU 10.0.2 answered.

use std::path::{Path, PathBuf};

use blkperm_baseline::Baseline;
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_ownership::Ownership;
use blkperm_qemu::Recording;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Death, Event, GraphEdge, Reply, Step, Transcript};

fn scenario_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "qmp") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn baseline_stepwise_equals_qemu_on_every_scenario() {
    let mut failures = Vec::new();
    let files = scenario_files();
    assert!(files.len() >= 20, "{} scenarios", files.len());
    for file in files {
        let scenario = Scenario::load(&file).expect("the scenario is well formed");
        let recorded =
            Recording::load(&Recording::path(&file)).expect("the recording is well formed");
        let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
        let ours = play(&mut endpoint, &scenario).expect("our monitor answers");
        for difference in ours.differences(&recorded.transcript) {
            failures.push(format!("{}: {difference}", scenario.name));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

fn transcript<R: Rule + Default>(file: &Path, completion: Completion) -> Transcript {
    let scenario = Scenario::load(file).expect("the scenario is well formed");
    play(&mut MonitorEndpoint::new(R::default(), completion), &scenario).expect("we answer")
}

/// How the process died, unless it was asked to quit.
fn abort(transcript: &Transcript) -> Option<&Death> {
    transcript.death().filter(|death| !death.is_exit())
}

/// The steps at which a job can neither complete nor be cancelled.
fn stuck_steps(transcript: &Transcript) -> usize {
    transcript.steps.iter().filter(|step| !step.stuck.is_empty()).count()
}

/// One of QEMU's steps can meet a link that a job has frozen, and be assumed to succeed; and QEMU
/// crashes by undoing some of them. That is no matter of the rule, and the atomic completion cures it.
#[test]
fn under_ownership_nothing_ever_aborts_or_sticks() {
    for file in scenario_files() {
        for completion in [Completion::Stepwise, Completion::Atomic] {
            let transcript = transcript::<Ownership>(&file, completion);
            let is_by_steps = |death: &&Death| {
                let is_of_frozen_link = death.message.starts_with("Cannot change '");
                let is_crash = death.signal == "SIGSEGV";
                completion == Completion::Stepwise && (is_of_frozen_link || is_crash)
            };
            let abort = abort(&transcript).filter(|death| !is_by_steps(death));
            assert_eq!(abort, None, "{file:?} {completion:?}");
            assert_eq!(stuck_steps(&transcript), 0, "{file:?} {completion:?}");
        }
    }
}

/// The ablation: the atomic completion alone turns most of QEMU's aborts into jobs that are stuck,
/// because the rule has let somebody break what the job has to restore.
#[test]
fn under_the_baseline_the_atomic_completion_sticks_where_qemu_aborts() {
    let mut counts = [0; 3];
    for file in scenario_files() {
        let aborts = abort(&transcript::<Baseline>(&file, Completion::Stepwise)).is_some();
        let atomic = transcript::<Baseline>(&file, Completion::Atomic);
        assert_eq!(abort(&atomic), None, "{file:?}");
        let sticks = stuck_steps(&atomic) > 0;
        assert!(aborts || !sticks, "{file:?} sticks, and QEMU does not abort");
        counts[usize::from(aborts) + usize::from(sticks)] += 1;
    }
    let [neither, only_aborts, also_sticks] = counts;
    assert!(neither > 0 && only_aborts > 0 && also_sticks > 0, "{counts:?}");
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name).with_extension("qmp")
}

#[test]
fn in_the_figure_other_parent_is_refused_and_both_sides_are_named() {
    for (place, reader) in [("top", "commit-top"), ("mid", "top"), ("base", "mid")] {
        for end in ["complete", "cancel"] {
            let name = format!("active-commit-{end}-stranger-on-{place}");
            let transcript = transcript::<Ownership>(&file(&name), Completion::Atomic);
            let refusals: Vec<&Step> = transcript
                .steps
                .iter()
                .filter(|step| matches!(step.reply, Some(Reply::Error { .. })))
                .collect();
            let [step] = refusals[..] else { panic!("{name}: {} refusals", refusals.len()) };
            assert_eq!(step.command_name(), "blockdev-add", "{name}");
            let Some(Reply::Error { desc, .. }) = &step.reply else { unreachable!() };
            for side in [reader, "stranger"] {
                assert!(desc.contains(&format!("node '{side}'")), "{name}: {desc}");
            }
        }
    }
}

#[test]
fn a_mirror_that_cannot_complete_fails_and_leaves_the_graph_as_it_was() {
    for name in ["mirror-complete-dest-perm", "mirror-complete-dest-perm-src-perm"] {
        let transcript = transcript::<Ownership>(&file(name), Completion::Atomic);
        let is_error = |event: &Event| event.data["error"] == "Operation not permitted";
        let failed = transcript.steps.iter().flat_map(|step| &step.events).filter(|e| is_error(e));
        assert_eq!(failed.count(), 1, "{name}");
        let place = |wanted: &str| {
            let step = |step: &Step| step.command_name() == wanted;
            transcript.steps.iter().position(step).expect("the scenario has such a command")
        };
        // The strangers came later, and stay.
        let edges = |place: usize| {
            let graph = transcript.steps[place].graph.as_ref().expect("nobody died");
            let of_stranger = |edge: &GraphEdge| edge.parent.name.ends_with("-perm");
            let edges = graph.edges.iter().filter(|edge| !of_stranger(edge));
            edges.map(|edge| (edge.child.clone(), edge.parent.clone())).collect::<Vec<_>>()
        };
        assert_eq!(edges(place("blockdev-mirror") - 1), edges(place("job-complete")), "{name}");
    }
}
