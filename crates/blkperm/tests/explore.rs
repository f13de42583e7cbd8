//! `blkperm explore`, as it is used.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const UNIVERSE: &str = r#"{"images": [{"name": "src"}, {"name": "tgt"}], "strangers": 1,
    "demands": ["unshare-consistent-read"], "exports": 1, "jobs": 1, "kinds": ["mirror"],
    "manual": false, "pauses": false}"#;

fn explore(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.arg("explore").args(arguments).current_dir(directory);
    command.output().expect("the command runs")
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
    for (universe, reason) in [
        ("chian", "no universe is called 'chian'"),
        ("unknown.json", "mirrror"),
        ("./large.json", "3 jobs, and a packed state has room for 2"),
    ] {
        let output = explore(directory.path(), &[universe]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(reason), "{errors}");
        assert!(output.stdout.is_empty());
    }
}
