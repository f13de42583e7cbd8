//! `blkperm explain` from outside: exit statuses, what it says, hostile input.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Exit status, standard output and standard error.
fn explain(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.arg("explain").args(arguments).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// What it makes of a file with that text.
fn explain_text(text: &str) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("graph.json");
    fs::write(&file, text).expect("there is room");
    explain(&[&file.display().to_string()])
}

/// The input is refused with a message that has these words, whatever else is in it.
#[track_caller]
fn refuses(text: &str, words: &str) {
    let (status, stdout, stderr) = explain_text(text);
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains(words) && stderr.len() < 2_000, "{words} in\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn node(id: u64, kind: &str, name: &str) -> Value {
    json!({"id": id, "type": kind, "name": name})
}

fn edge(parent: u64, child: u64, name: &str) -> Value {
    json!({"parent": parent, "child": child, "name": name, "perm": [], "shared-perm": []})
}

fn graph(nodes: &[Value], edges: &[Value]) -> String {
    json!({"return": {"nodes": nodes, "edges": edges}}).to_string()
}

#[test]
fn the_exit_status_is_the_worst_that_would_happen() {
    let abort = "active-commit-complete-stranger-on-top";
    let cases: [(&[&str], i32); 4] = [
        (&["active-commit-complete"], 0),
        (&["active-commit-complete", "--try", "blockdev-del node-name=base"], 3),
        (&[abort], 4),
        (&["no-such-scenario"], 2),
    ];
    for (arguments, expected) in cases {
        let (status, stdout, stderr) = explain(arguments);
        assert_eq!(status, Some(expected), "{arguments:?}\n{stdout}\n{stderr}");
    }
}

#[test]
fn an_abort_is_told_with_its_stranger_and_its_remedy() {
    let (_, stdout, _) =
        explain(&["active-commit-complete-stranger-on-top", "--rule", "ownership"]);
    for words in [
        "ABORTS QEMU",
        "node 'stranger' unshares consistent-read on 'base' (image), because its option",
        "- delete node 'stranger'",
        "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"stranger\"}}",
        "nothing is in the way",
    ] {
        assert!(stdout.contains(words), "{words} in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn programs_get_the_same_as_people() {
    let (status, stdout, stderr) =
        explain(&["active-commit-complete-stranger-on-top", "--format", "json", "--node", "base"]);
    assert_eq!(status, Some(4), "{stderr}");
    let value: Value = serde_json::from_str(&stdout).expect("it is JSON");
    let tried = &value["answers"][0]["tried"][0];
    assert_eq!(tried["outcome"]["outcome"], "aborts");
    assert_eq!(tried["outcome"]["refusal"][0]["unshared-by"]["parent"], "node 'stranger'");
    assert_eq!(tried["proposals"][0]["actions"][0]["command"]["execute"], "blockdev-del");
    assert!(!value["edges"].as_array().expect("a list").is_empty());
}

#[test]
fn a_derivation_goes_from_where_it_began_down_to_the_edge() {
    let (status, stdout, stderr) = explain(&["mirror-full-complete", "--edge", "src:file"]);
    assert_eq!(status, Some(0), "{stderr}");
    let unwrapped = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let because = "because a qcow2 node that is opened read-write may write metadata";
    assert!(unwrapped.contains(because), "{stdout}");
    let (status, _, stderr) = explain(&["mirror-full-complete", "--edge", "src:nothing"]);
    assert_eq!(status, Some(2), "{stderr}");
}

#[test]
fn answers_that_make_no_graph_are_refused() {
    let driver = |id: u64, name: &str| node(id, "block-driver", name);
    let two = [driver(1, "a"), driver(2, "b")];
    refuses("{\"nodes\": [], \"edges\": [", "JSON");
    refuses("[]", "x-debug-query-block-graph");
    refuses("{\"nodes\": [], \"edges\": 7}", "x-debug-query-block-graph");
    refuses(&graph(&two, &[edge(1, 3, "file")]), "no node has the id 3");
    refuses(&graph(&two, &[edge(1, 2, "file"), edge(2, 1, "file")]), "cycle");
    refuses(&graph(&[driver(1, "a"), driver(1, "b")], &[]), "two nodes have the id 1");
    refuses(&graph(&[driver(1, "a"), driver(2, "a")], &[]), "two nodes are called 'a'");
    let job = node(3, "block-job", "j");
    refuses(&graph(&[driver(1, "a"), job], &[edge(1, 3, "file")]), "no node");
    refuses(&"[".repeat(100_000), "JSON");
    refuses(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}",
        "no such thing",
    );
}

#[test]
fn a_million_edges_are_refused_in_no_time() {
    let one = edge(1, 2, "file").to_string();
    let edges = vec![one; 1_000_000].join(",");
    refuses(&format!("{{\"nodes\": [], \"edges\": [{edges}]}}"), "graph.json");
}

#[test]
fn a_million_conflicts_are_refused_in_no_time() {
    let mut nodes = vec![node(1, "block-driver", "disk")];
    let mut edges = Vec::new();
    for id in 2..5_000 {
        nodes.push(node(id, "block-backend", ""));
        let mut edge = edge(id, 1, "root");
        edge["perm"] = json!(["write"]);
        edges.push(edge);
    }
    refuses(&graph(&nodes, &edges), "no QEMU can have this graph");
}

#[test]
fn what_no_rule_explains_is_said() {
    let nodes =
        [node(1, "block-driver", "a"), node(2, "block-driver", "b"), node(3, "block-job", "j")];
    let edges = [edge(1, 2, "nonsense"), edge(3, 1, "main node")];
    let (status, stdout, stderr) = explain_text(&graph(&nodes, &edges));
    assert_eq!(status, Some(0), "{stderr}");
    for words in ["do not explain 1 edge", "not explained: b <- a  nonsense", "job 'j'"] {
        assert!(stdout.contains(words), "{words} in\n{stdout}");
    }
}

/// A monitor that says `what` to whoever connects, and nothing more; how `explain` fails with it.
fn monitor(what: &'static [u8]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("qmp");
    let listener = UnixListener::bind(&path).expect("it listens");
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody connects");
        // The client may be gone before all is said.
        let _ = client.write_all(what);
        client
    });
    let begun = Instant::now();
    let address = format!("unix:{}", path.display());
    let (status, _, stderr) = explain(&["--qmp", &address, "--timeout", "1"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "it waits for ever");
    drop(server.join());
    (status, stderr)
}

#[test]
fn a_monitor_that_hangs_or_answers_nonsense_is_told() {
    let greeting = b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n";
    let cases: [(&'static [u8], &str); 5] = [
        (b"", "did not answer 'the greeting' in time"),
        (greeting, "did not answer 'qmp_capabilities' in time"),
        (b"{\"hello\": 1}\n", "does not greet as QMP does"),
        (b"(qemu) help\n", "does not speak QMP"),
        (b"{\"QMP\": {}}\n{\"return\": {}} {\"return\": []} {\"return\": 7}", "did not answer"),
    ];
    for (what, words) in cases {
        let (status, stderr) = monitor(what);
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains(words), "{words} in\n{stderr}");
    }
    let (status, _, stderr) = explain(&["--qmp", "unix:/nowhere/at/all"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("failed to connect"), "{stderr}");
}
