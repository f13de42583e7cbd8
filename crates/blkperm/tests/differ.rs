//! `blkperm differ` from outside: what it finds, keeps and repeats; bad input.
//!
//! What it is played to is `blkperm serve` under another rule: a QEMU of which it is known that it
//! differs. Only `qemu-img` is real, so without it these tests are skipped with a note.

use blkperm_qemu::Programs;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory with a `qemu-storage-daemon` that judges by the rule, and with the real `qemu-img`.
fn stand_in(rule: &str, completion: &str) -> Option<TempDir> {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(error) => {
            println!("skipped: {error}");
            return None;
        }
    };
    let directory = tempfile::tempdir().expect("there is room");
    let daemon = directory.path().join("qemu-storage-daemon");
    let serve = format!("serve --rule {rule} --completion {completion}");
    let script = format!("#!/bin/sh\nexec '{}' {serve} \"$@\"\n", env!("CARGO_BIN_EXE_blkperm"));
    fs::write(&daemon, script).expect("there is room");
    fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::os::unix::fs::symlink(programs.img, directory.path().join("qemu-img")).expect("as above");
    Some(directory)
}

/// Exit status, standard output and standard error of `blkperm differ` with that `PATH`.
fn differ(path: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.arg("differ").args(arguments).env("PATH", path).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn another_rule_is_found_out_shrunk_and_kept() {
    let Some(path) = stand_in("ownership", "atomic") else { return };
    let kept = path.path().join("new/kept");
    let keep = kept.display().to_string();
    let arguments = ["--seed", "5", "--scripts", "6", "--threads", "1", "--keep", &keep];
    let (status, stdout, stderr) = differ(path.path(), &arguments);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.contains("seed 5: 6 scripts, "), "{stdout}");
    let files = fs::read_dir(&kept).expect("differences are kept");
    let mut files: Vec<_> = files.map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in &files {
        let text = fs::read_to_string(file).expect("it was written");
        assert!(stdout.contains(&text), "what is kept is shown: {text}");
        assert!(text.starts_with("# ") && text.contains(" of seed 5, shrunk."), "{text}");
        // Only a job's filter makes an owner, without which the rules agree.
        let starts = ["blockdev-mirror", "block-commit", "block-stream", "blockdev-backup"];
        assert!(starts.iter().any(|job| text.contains(job)), "{text}");
    }
    let (again, repeated, _) = differ(path.path(), &arguments);
    assert_eq!((again, repeated), (status, stdout), "a seed means the same run");
}

#[test]
fn one_script_of_a_run_can_be_played_again() {
    let Some(path) = stand_in("ownership", "atomic") else { return };
    let arguments = ["--seed", "5", "--scripts", "6", "--threads", "1"];
    let (_, stdout, _) = differ(path.path(), &arguments);
    let line = stdout.lines().find_map(|line| line.strip_prefix("# Script "));
    let number = line.and_then(|line| line.split(' ').next()).expect("a difference is shown");
    let (status, one, _) =
        differ(path.path(), &["--seed", "5", "--from", number, "--scripts", "1"]);
    assert_eq!(status, Some(1), "{one}");
    let shown = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| !line.starts_with("# "));
        lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(shown(&one), shown(&stdout));
}

/// Law 1: without an owner in the graph, all rules answer alike.
#[test]
fn other_rules_are_compared_up_to_the_first_job() {
    let Some(path) = stand_in("baseline", "stepwise") else { return };
    for rule in ["groups", "ownership"] {
        let page = path.path().join("counts.md").display().to_string();
        let arguments =
            ["--scripts", "10", "--rule", rule, "--completion", "atomic", "--write", &page];
        let (status, stdout, stderr) = differ(path.path(), &arguments);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
        assert!(stdout.ends_with(": 0 differ\n"), "{stdout}");
        let page = fs::read_to_string(page).expect("it was written");
        assert!(page.contains("**0 differ**") && page.contains("| `blockdev-add` | "), "{page}");
    }
}

#[test]
fn a_time_limit_ends_a_run() {
    let Some(path) = stand_in("baseline", "stepwise") else { return };
    let (status, stdout, _) = differ(path.path(), &["--scripts", "1000000", "--minutes", "0.01"]);
    assert_eq!(status, Some(0), "{stdout}");
    assert!(stdout.contains("seed 1: ") && !stdout.contains("1000000"), "{stdout}");
}

#[test]
fn bad_options_are_refused() {
    let nowhere = tempfile::tempdir().expect("there is room");
    let cases = [
        (&["--scripts", "0"][..], "0 is not in 1.."),
        (&["--length", "0"], "invalid value '0' for '--length <L>'"),
        (&["--threads", "0"], "invalid value '0' for '--threads <T>'"),
        (&["--seed", "-1"], "unexpected argument '-1'"),
        (&["--minutes", "soon"], "invalid value 'soon'"),
        (&["--minutes", "NaN"], "NaN is no number of minutes"),
        (&["--minutes", "1e300"], "is no number of minutes"),
        (&["--rule", "none"], "[possible values: baseline, groups, ownership]"),
        (&[], "'qemu-storage-daemon' is not in PATH"),
    ];
    for (arguments, words) in cases {
        let (status, stdout, stderr) = differ(nowhere.path(), arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{words} in\n{stderr}");
    }
}
