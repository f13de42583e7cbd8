//! `blkperm explore`, as it is used.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const UNIVERSE: &str = r#"{"images": [{"name": "src"}, {"name": "tgt"}], "strangers": 1,
    "demands": ["unshare-consistent-read"], "exports": 1, "jobs": 1, "kinds": ["mirror"],
    "manual": false, "pauses": false}"#;

fn blkperm(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.current_dir(directory);
    command
}

fn explore(directory: &Path, arguments: &[&str]) -> Output {
    blkperm(directory).arg("explore").args(arguments).output().expect("the command runs")
}

#[test]
fn what_goes_wrong_is_told_with_a_witness_and_by_the_exit_status() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("small.json"), UNIVERSE).unwrap();
    let qemu = explore(directory.path(), &["small.json", "--witnesses", "found"]);
    let text = String::from_utf8(qemu.stdout).unwrap();
    assert_eq!(qemu.status.code(), Some(1), "{text}");
    assert!(text.contains("abort: mirror, job-complete: consistent-read, taken by an export"));
    let witness = directory.path().join("found/small-00.qmp");
    assert!(fs::read_to_string(witness).unwrap().contains("job-complete"));
    let ours = ["small.json", "--rule", "ownership", "--completion", "atomic"];
    let ours = explore(directory.path(), &ours);
    assert_eq!(ours.status.code(), Some(0));
    assert!(String::from_utf8(ours.stdout).unwrap().contains("nothing goes wrong"));
}

#[test]
fn bad_input_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let too_many = UNIVERSE.replace(r#""jobs": 1"#, r#""jobs": 3"#);
    fs::write(directory.path().join("large.json"), too_many).unwrap();
    let unknown = UNIVERSE.replace("mirror", "mirrror");
    fs::write(directory.path().join("unknown.json"), unknown).unwrap();
    let childless = UNIVERSE.replacen(r#"}"#, r#", "children": []}"#, 1);
    fs::write(directory.path().join("childless.json"), childless).unwrap();
    for (universe, reason) in [
        ("chian", "no universe is called 'chian'"),
        ("unknown.json", "mirrror"),
        ("childless.json", "a quorum has children"),
        ("./large.json", "3 jobs, and a packed state has room for 2"),
    ] {
        let output = explore(directory.path(), &[universe]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(reason), "{errors}");
        assert!(output.stdout.is_empty());
    }
}

/// What was found, without how long it took.
fn findings(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("it is text");
    text.lines().filter(|line| !line.contains("a second")).collect::<Vec<_>>().join("\n")
}

#[test]
fn shards_that_a_scheduler_numbers_find_together_what_one_machine_finds() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("small.json"), UNIVERSE).unwrap();
    let first = explore(directory, &["small.json", "--depth", "1", "--file", "s"]);
    assert_eq!(first.status.code(), Some(0));
    let mut levels = 0;
    loop {
        for (variable, value, part) in
            [("SLURM_ARRAY_TASK_ID", "2", "s.1"), ("JOB_COMPLETION_INDEX", "1", "s.2")]
        {
            let mut shard = blkperm(directory);
            shard.args(["explore", "small.json", "--file", "s", "--shard", "2", "--part", part]);
            assert!(shard.env(variable, value).status().unwrap().success());
        }
        let merged = blkperm(directory).args(["merge", "s", "s.1", "s.2"]).output().unwrap();
        levels += 1;
        match merged.status.code() {
            Some(0) => break,
            code => assert_eq!(code, Some(3), "{merged:?}"),
        }
    }
    assert!(levels > 2);
    let together = explore(directory, &["small.json", "--file", "s"]);
    let alone = explore(directory, &["small.json"]);
    assert_eq!(findings(&together), findings(&alone));
    let stale = blkperm(directory).args(["merge", "s", "s.1", "s.2"]).output().unwrap();
    assert_eq!(stale.status.code(), Some(2));
}

/// Whether an array begins at 0 or at 1.
#[test]
fn any_numbers_in_a_row_are_all_shards() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("small.json"), UNIVERSE).unwrap();
    explore(directory, &["small.json", "--depth", "2", "--file", "s"]);
    for tasks in [["0", "1", "2"], ["1", "2", "3"]] {
        for (task, part) in tasks.iter().zip(["s.1", "s.2", "s.3"]) {
            let mut shard = blkperm(directory);
            shard.args(["explore", "small.json", "--file", "s", "--shard", "3", "--part", part]);
            assert!(shard.env("SLURM_ARRAY_TASK_ID", task).status().unwrap().success());
        }
        fs::copy(directory.join("s"), directory.join("again")).unwrap();
        let merged = blkperm(directory).args(["merge", "again", "s.1", "s.2", "s.3"]).output();
        assert_eq!(merged.unwrap().status.code(), Some(3), "{tasks:?}");
    }
}

#[test]
fn a_shard_that_nobody_numbers_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for shard in ["2", "0/2", "3/2", "x"] {
        let shard = ["chain", "--file", "s", "--part", "p", "--shard", shard];
        let mut command = blkperm(directory.path());
        command.arg("explore").args(shard);
        command.env_remove("SLURM_ARRAY_TASK_ID").env_remove("JOB_COMPLETION_INDEX");
        assert_eq!(command.output().unwrap().status.code(), Some(2));
    }
}

#[test]
fn a_part_never_takes_the_place_of_a_search() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("small.json"), UNIVERSE).unwrap();
    explore(directory, &["small.json", "--depth", "1", "--file", "s"]);
    let before = fs::read(directory.join("s")).unwrap();
    let part = ["small.json", "--file", "s", "--shard", "1/2", "--part", "s"];
    let refused = explore(directory, &part);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("'s' is a search"));
    assert_eq!(fs::read(directory.join("s")).unwrap(), before);
    let nowhere = explore(directory, &["small.json", "--file", "nowhere/s"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn a_file_is_good_for_one_search_only() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("small.json"), UNIVERSE).unwrap();
    assert_eq!(explore(directory, &["small.json", "--file", "s"]).status.code(), Some(1));
    let other = explore(directory, &["small.json", "--file", "s", "--rule", "groups"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8(other.stderr).unwrap().contains("it holds another search"));
}

#[test]
fn what_two_rules_disagree_in_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("small.json"), UNIVERSE).unwrap();
    let both = ["small.json", "--rule", "ownership", "--completion", "atomic", "--against"];
    let output = explore(directory.path(), &[&both[..], &["baseline+stepwise"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("averted: mirror, job-complete: consistent-read"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let nonsense = explore(directory.path(), &[&both[..], &["baseline"]].concat());
    assert_eq!(nonsense.status.code(), Some(2));
}

#[test]
fn used_up_memory_is_a_clear_end() {
    let directory = tempfile::tempdir().unwrap();
    let output = explore(directory.path(), &["chain", "--memory", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("the memory is used up"), "{text}");
}
