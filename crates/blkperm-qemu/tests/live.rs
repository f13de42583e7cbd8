//! The scenarios, played to the QEMU that is installed; skipped with a note where there is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use blkperm_qemu::{Daemon, Error, Programs, Recorded, Recording};
use blkperm_qmp::play::{self, Endpoint, Play, Stop};
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Reply, Transcript};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, hint, thread};

fn programs() -> Option<Programs> {
    match Programs::find() {
        Ok(programs) => Some(programs),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn scenario_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "qmp")).collect();
    files.sort();
    assert!(files.len() >= 25, "the scenarios of the seed are missing");
    files
}

fn play_live(programs: &Programs, scenario: &Scenario) -> Transcript {
    let mut daemon = Daemon::start(programs).unwrap();
    play::play(&mut daemon, scenario).unwrap()
}

fn assert_same(name: &str, left: &Transcript, right: &Transcript) {
    let differences = left.differences(right);
    let text: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(text.is_empty(), "{name}:\n{}", text.join("\n"));
}

fn command(name: &str, arguments: Value) -> Value {
    json!({"execute": name, "arguments": arguments})
}

#[test]
fn live_answers_are_those_recorded() {
    let Some(programs) = programs() else { return };
    let installed = Daemon::start(&programs).unwrap().version().clone();
    for file in scenario_files() {
        let recording = Recording::load(&Recording::path(&file)).unwrap();
        if recording.version.qemu != installed.qemu {
            println!("skipped {}: recorded with QEMU {}", file.display(), recording.version);
            continue;
        }
        let scenario = Scenario::load(&file).unwrap();
        assert_same(&scenario.name, &recording.transcript, &play_live(&programs, &scenario));
    }
}

#[test]
fn recordings_replay_as_they_are() {
    for file in scenario_files() {
        let scenario = Scenario::load(&file).unwrap();
        let recording = Recording::load(&Recording::path(&file)).unwrap();
        let replayed = play::play(&mut Recorded::new(recording.clone()), &scenario).unwrap();
        assert_eq!(replayed.steps, recording.transcript.steps, "{}", scenario.name);
        assert!(!scenario.title.is_empty(), "{} has no title", scenario.name);
        assert_eq!(recording.to_string(), fs::read_to_string(Recording::path(&file)).unwrap());
    }
}

#[test]
fn a_recording_of_another_scenario_is_stale() {
    let files = scenario_files();
    let recording = Recording::load(&Recording::path(&files[0])).unwrap();
    let scenario = Scenario::load(files.last().unwrap()).unwrap();
    let error = play::play(&mut Recorded::new(recording), &scenario).unwrap_err();
    assert!(error.source.to_string().contains("record it again"), "{error:?}");
}

/// Each scenario many times, while other players and spinning threads fight for the processors.
///
/// `cargo test -p blkperm-qemu -- --ignored` runs it; it takes minutes.
#[test]
#[ignore = "takes minutes"]
fn fifty_runs_under_load_are_the_same() {
    let Some(programs) = programs() else { return };
    let files = scenario_files();
    let jobs: Vec<&PathBuf> = files.iter().cycle().take(50 * files.len()).collect();
    let (next, idle) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !idle.load(Ordering::Relaxed) {
                    hint::spin_loop()
                }
            });
        }
        let player = || {
            while let Some(file) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let scenario = Scenario::load(file).unwrap();
                let recording = Recording::load(&Recording::path(file)).unwrap();
                let live = play_live(&programs, &scenario);
                assert_same(&scenario.name, &recording.transcript, &live);
            }
        };
        let players: Vec<_> = (0..6).map(|_| scope.spawn(player)).collect();
        let failed = players.into_iter().filter_map(|player| player.join().err()).next();
        idle.store(true, Ordering::Relaxed);
        assert!(failed.is_none(), "a player failed");
    });
}

#[test]
fn a_hung_daemon_is_killed_and_reported() {
    let Some(mut programs) = programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    programs.daemon = directory.path().join("hangs");
    fs::write(&programs.daemon, "#!/bin/sh\necho $$ > pid\nexec sleep 1000\n").unwrap();
    make_executable(&programs.daemon);
    let start = Instant::now();
    let error = Daemon::start_with_patience(&programs, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_daemon_that_stops_answering_is_killed_and_reported() {
    let Some(mut programs) = programs() else { return };
    let directory = tempfile::tempdir().unwrap();
    programs.daemon = directory.path().join("mute");
    let greeting = json!({"QMP": {
        "version": {"qemu": {"major": 1, "minor": 2, "micro": 3}, "package": ""},
        "capabilities": [],
    }});
    let script = format!(
        "#!/bin/sh\necho '{greeting}'\nread a\necho '{{\"return\": {{}}}}'\nread b\nexec sleep 1000\n"
    );
    fs::write(&programs.daemon, script).unwrap();
    make_executable(&programs.daemon);
    let mut daemon = Daemon::start_with_patience(&programs, Duration::from_millis(500)).unwrap();
    assert_eq!(daemon.version().to_string(), "1.2.3");
    let stop = daemon.execute(&json!({"execute": "query-jobs"})).unwrap_err();
    let Stop::Failed(error) = stop else { panic!("{stop:?}") };
    assert!(error.to_string().starts_with("no answer to"), "{error}");
    let Err(Stop::Failed(error)) = daemon.settle() else { panic!("it was killed") };
    assert!(matches!(error.downcast_ref(), Some(Error::Killed)), "{error:?}");
}

#[test]
fn neither_process_nor_directory_outlives_a_daemon() {
    let Some(programs) = programs() else { return };
    let alive = |directory: &Path| {
        let in_it = |process: &Path| {
            fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        };
        fs::read_dir("/proc").unwrap().any(|entry| in_it(&entry.unwrap().path()))
    };
    let outcome = thread::spawn(move || {
        let daemon = Daemon::start(&programs).unwrap();
        assert!(alive(&daemon.directory()), "the test can see it");
        std::panic::panic_any(daemon.directory());
    });
    let directory = *outcome.join().unwrap_err().downcast::<PathBuf>().unwrap();
    assert!(!alive(&directory));
    assert!(!directory.exists());
}

#[test]
fn a_clean_end_is_told_from_an_abort() {
    let Some(programs) = programs() else { return };
    let mut daemon = Daemon::start(&programs).unwrap();
    let reply = daemon.execute(&json!({"execute": "quit"})).unwrap();
    assert_eq!(reply, Reply::Return(json!({})));
    let Err(Stop::Died(death)) = daemon.settle() else { panic!("it lives") };
    assert_eq!(death.signal, "exit status: 0");
    let Err(Stop::Died(again)) = daemon.execute(&json!({"execute": "quit"})) else { panic!() };
    assert_eq!(death, again);
}

#[test]
fn a_missing_image_is_an_error_of_qemu_img() {
    let Some(programs) = programs() else { return };
    let line = r#"{"image": {"filename": "a.qcow2", "format": "qcow2", "backing": "b.qcow2"}}"#;
    let scenario = Scenario::parse(Path::new("x.qmp"), line).unwrap();
    let mut daemon = Daemon::start(&programs).unwrap();
    let error = play::play(&mut daemon, &scenario).unwrap_err();
    assert!(error.source.to_string().contains("Could not open 'b.qcow2'"), "{error:?}");
}

#[test]
fn answers_do_not_know_the_directory() {
    let Some(programs) = programs() else { return };
    let mut daemon = Daemon::start(&programs).unwrap();
    let file = daemon.directory().join("none.raw");
    let add = json!({"driver": "file", "node-name": "f", "filename": file});
    let reply = daemon.execute(&command("blockdev-add", add)).unwrap();
    let Reply::Error { desc, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(desc, "Could not open 'none.raw': No such file or directory");
}

#[test]
fn a_job_that_copies_only_on_demand_settles_while_running() {
    let Some(programs) = programs() else { return };
    let text = [
        command("blockdev-add", json!({"driver": "null-co", "node-name": "s", "size": 65536})),
        command("blockdev-add", json!({"driver": "null-co", "node-name": "t", "size": 65536})),
        command(
            "blockdev-backup",
            json!({"job-id": "j", "device": "s", "target": "t", "sync": "none"}),
        ),
        command("job-pause", json!({"id": "j"})),
        command("job-resume", json!({"id": "j"})),
        command("job-cancel", json!({"id": "j"})),
    ];
    let text: Vec<String> = text.iter().map(Value::to_string).collect();
    let scenario = Scenario::parse(Path::new("x.qmp"), &text.join("\n")).unwrap();
    let mut daemon = Daemon::start(&programs).unwrap();
    let statuses = Play::new(&mut daemon, &scenario).map(|step| {
        let step = step.unwrap();
        step.jobs.first().map(|job| job.status.clone()).unwrap_or_default()
    });
    let statuses: Vec<String> = statuses.collect();
    assert_eq!(statuses, ["", "", "running", "paused", "running", ""]);
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_that_does_not_greet_is_reported_with_what_it_says() {
    let Some(mut programs) = programs() else { return };
    programs.daemon.clone_from(&programs.img);
    let error = Daemon::start(&programs).unwrap_err();
    assert!(matches!(error, Error::NoGreeting { .. }), "{error:?}");
    assert!(error.to_string().contains("qemu-img: unrecognized option"), "{error}");
}

#[test]
fn generated_names_differ_between_runs_but_not_in_a_comparison() {
    let Some(programs) = programs() else { return };
    let null = |name: &str| json!({"driver": "null-co", "node-name": name, "size": 65536});
    let inner = json!({"driver": "null-co", "size": 65536});
    let text = [
        command("blockdev-add", json!({"driver": "raw", "node-name": "s", "file": inner})),
        command("blockdev-add", null("t")),
        command(
            "blockdev-mirror",
            json!({"job-id": "j", "device": "s", "target": "t", "sync": "full"}),
        ),
        command(
            "blockdev-mirror",
            json!({"job-id": "k", "device": "s", "target": "t", "sync": "full"}),
        ),
        command("blockdev-add", json!({"driver": "raw", "node-name": "u", "file": inner})),
        json!({"execute": "query-named-block-nodes"}),
    ];
    let text: Vec<String> = text.iter().map(Value::to_string).collect();
    let scenario = Scenario::parse(Path::new("x.qmp"), &text.join("\n")).unwrap();
    let (left, right) = (play_live(&programs, &scenario), play_live(&programs, &scenario));
    assert_ne!(left, right, "three names with two random digits each");
    assert_same("x", &left, &right);
}
