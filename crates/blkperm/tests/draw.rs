//! `blkperm draw` from outside.

use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output, Stdio};

const SCENARIO: &str = "active-commit-complete-stranger-on-top";

/// Exit status, standard output and standard error.
fn draw(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.arg("draw").args(arguments).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[track_caller]
fn drawn(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = draw(arguments);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    stdout
}

#[track_caller]
fn fails(arguments: &[&str], words: &[&str]) {
    let (status, stdout, stderr) = draw(arguments);
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word} in\n{stderr}");
    }
}

#[test]
fn the_end_is_drawn_with_what_was_refused() {
    let picture = drawn(&[SCENARIO]);
    assert!(picture.starts_with("<svg") && picture.contains("conflict: consistent-read"));
    assert!(picture.contains("after line 27: job-complete j0"), "{picture}");
    let refused = drawn(&[SCENARIO, "--rule", "ownership", "--line", "26"]);
    assert!(refused.contains("conflict: consistent-read") && refused.contains("stranger"));
    let accepted = drawn(&[SCENARIO, "--line", "26"]);
    assert!(!accepted.contains("conflict:") && accepted.contains("stranger"));
}

#[test]
fn a_step_is_a_line_and_a_line_a_step() {
    assert_eq!(drawn(&[SCENARIO, "--line", "23"]), drawn(&[SCENARIO, "--step", "9"]));
}

#[test]
fn changes_are_marked_where_that_is_asked_for() {
    let plain = drawn(&[SCENARIO, "--line", "26"]);
    let marked = drawn(&[SCENARIO, "--line", "26", "--changes"]);
    let tag = "<text class=\"tag\"";
    assert!(!plain.contains(tag) && marked.contains(tag), "{marked}");
}

#[test]
fn the_format_is_what_the_file_is_called_unless_it_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let begins = |name: &str, more: &[&str], text: &str| {
        let file = path(name);
        assert_eq!(drawn(&[&[SCENARIO, "-o", &file], more].concat()), "");
        assert!(fs::read_to_string(file).unwrap().starts_with(text), "{name}");
    };
    begins("a.svg", &[], "<svg");
    begins("a.dot", &[], "digraph");
    begins("a.gv", &[], "digraph");
    begins("a.txt", &["--format", "dot"], "digraph");
    fails(&[SCENARIO, "-o", &path("a.png")], &["a.png", ".svg", "--format"]);
    assert!(!directory.path().join("a.png").exists());
    fails(&[SCENARIO, "-o", &path("no/such/a.svg")], &["failed to write"]);
}

#[test]
fn one_node_is_drawn_with_what_is_above_and_below() {
    let picture = drawn(&[SCENARIO, "--line", "26", "--node", "base", "--format", "dot"]);
    assert!(picture.contains("\"base-file") && !picture.contains("\"top-file"), "{picture}");
    fails(&[SCENARIO, "--node", "nobody"], &["no node 'nobody'", "there are", "base-file"]);
}

#[test]
fn what_is_not_there_is_not_drawn() {
    fails(&[SCENARIO, "--line", "1"], &["line 1", "lines", "26, 27"]);
    fails(&[SCENARIO, "--step", "0"], &["no step 0", "11 commands"]);
    fails(&[SCENARIO, "--step", "12"], &["no step 12"]);
    fails(&["no-such-scenario"], &["no-such-scenario", "built in"]);
    fails(&[SCENARIO, "--line", "1", "--step", "1"], &["cannot be used with"]);
}

#[test]
fn what_a_qemu_answered_is_drawn_as_the_scenario_that_it_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scenarios");
    let scenario = fs::read_to_string(format!("{seed}/{SCENARIO}.qmp")).unwrap();
    let queries = [
        json!({"execute": "x-debug-query-block-graph"}),
        json!({"execute": "query-named-block-nodes", "arguments": {"flat": true}}),
        json!({"execute": "query-block-exports"}),
        json!({"execute": "query-jobs"}),
        json!({"execute": "query-block-jobs"}),
    ];
    let before_the_end = scenario.lines().filter(|line| !line.contains("job-complete"));
    let lines: Vec<String> =
        before_the_end.map(str::to_owned).chain(queries.iter().map(Value::to_string)).collect();
    fs::write(path("asked.qmp"), lines.join("\n")).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    run.args(["run", &path("asked.qmp"), "--rule", "baseline", "--completion", "stepwise"]);
    let output = run.args(["--format", "json"]).output().unwrap();
    let steps = String::from_utf8(output.stdout).unwrap();
    let steps: Vec<Value> = steps.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = |query: &Value| {
        let step = steps.iter().find(|step| step["command"] == *query).unwrap();
        json!({ "return": step["reply"]["return"] }).to_string()
    };
    let files: Vec<String> = (0..queries.len()).map(|at| path(&format!("{at}.json"))).collect();
    for (query, file) in queries.iter().zip(&files) {
        fs::write(file, answered(query)).unwrap();
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let sorted = |text: String| {
        // The numbers of boxes follow the order in which things are found.
        let mut labels: Vec<String> = text
            .lines()
            .filter_map(|line| Some(line.split_once("[label=")?.1.to_owned()))
            .collect();
        labels.sort();
        labels
    };
    let found = sorted(drawn(&[&files[..], &["--format", "dot"]].concat()));
    assert_eq!(found, sorted(drawn(&[SCENARIO, "--line", "26", "--format", "dot"])));
    assert!(found.len() > 20, "{found:?}");

    fails(&[&files[..], &["--changes"]].concat(), &["--changes is for scenarios"]);
    let under_ownership = drawn(&[&files[..], &["--rule", "ownership"]].concat());
    assert!(under_ownership.contains("conflict: consistent-read"), "{under_ownership}");
}

#[test]
fn the_picture_in_the_readme_is_the_one_that_is_drawn() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/abort.svg");
    assert_eq!(fs::read_to_string(kept).unwrap(), drawn(&[SCENARIO]));
}
