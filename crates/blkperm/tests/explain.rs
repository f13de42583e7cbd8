//! `blkperm explain` from outside: exit statuses, what it says, hostile input.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
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
fn members_of_the_wrong_type_are_refused() {
    let disk = |member: &str, value: &str| {
        let mut node = node(1, "block-driver", "a").to_string();
        let old = format!("\"{member}\":{}", node_member(&node, member));
        node = node.replace(&old, &format!("\"{member}\":{value}"));
        format!("{{\"nodes\": [{node}], \"edges\": []}}")
    };
    for number in ["NaN", "Infinity", "-", "1e", "0x10"] {
        refuses(&disk("id", number), "JSON");
    }
    for number in ["1e400", "-1", "1.5", "99999999999999999999", "\"1\"", "null", "[]"] {
        refuses(&disk("id", number), "x-debug-query-block-graph");
    }
    for name in ["1", "null", "{}", "true"] {
        refuses(&disk("name", name), "x-debug-query-block-graph");
        refuses(&disk("type", name), "x-debug-query-block-graph");
    }
    let two = [node(1, "block-driver", "a"), node(2, "block-driver", "b")];
    for perm in [json!("write"), json!([1]), json!(["bogus"]), json!([["write"]]), json!(null)] {
        let mut edge = edge(1, 2, "file");
        edge["perm"] = perm;
        refuses(&graph(&two, &[edge]), "x-debug-query-block-graph");
    }
    refuses("[{\"node-name\": 1, \"drv\": \"raw\"}]", "query-named-block-nodes");
    refuses("[{\"id\": [], \"type\": \"nbd\", \"node-name\": \"a\"}]", "query-block-exports");
}

/// The text of a member that is a number or a string.
fn node_member<'a>(node: &'a str, member: &str) -> &'a str {
    let start = node.find(&format!("\"{member}\":")).expect("it is there") + member.len() + 3;
    let rest = &node[start..];
    &rest[..rest.find([',', '}']).expect("it ends")]
}

/// What a QEMU answered, cut off anywhere, is an error or what the whole lines before make; also with
/// something else in place of any part of it.
#[test]
fn answers_that_are_cut_off_or_damaged_do_no_harm() {
    let recorded = include_bytes!("../../blkperm-explain/tests/live/qemu-system.json");
    for place in (0..recorded.len()).step_by(recorded.len() / 60) {
        let mut damaged = recorded.to_vec();
        damaged.splice(place..place + 1, *b"\xff\"[{");
        for bytes in [&recorded[..place], &damaged] {
            let directory = tempfile::tempdir().expect("there is room");
            let file = directory.path().join("graph.json");
            fs::write(&file, bytes).expect("there is room");
            let (status, _, stderr) = explain(&[&file.display().to_string()]);
            assert!(matches!(status, Some(0 | 2)), "{place}: {status:?}, {stderr}");
            assert!(!stderr.contains("panicked"), "{place}: {stderr}");
        }
    }
}

#[test]
fn a_million_edges_are_refused_in_no_time() {
    let one = edge(1, 2, "file").to_string();
    let edges = vec![one; 1_000_000].join(",");
    refuses(&format!("{{\"nodes\": [], \"edges\": [{edges}]}}"), "graph.json");
    let shortest = r#"{"parent":1,"child":2,"name":"","perm":[],"shared-perm":[]}"#;
    let edges = vec![shortest; 1_000_000].join(",");
    refuses(&format!("{{\"nodes\":[],\"edges\":[{edges}]}}"), "JSON token count limit exceeded");
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

/// How `explain` fails with a monitor that does this with whoever connects.
fn monitor(serve: impl FnOnce(&mut UnixStream) + Send + 'static) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("qmp");
    let listener = UnixListener::bind(&path).expect("it listens");
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody connects");
        serve(&mut client);
        client
    });
    let begun = Instant::now();
    let address = format!("unix:{}", path.display());
    let (status, _, stderr) = explain(&["--qmp", &address, "--timeout", "1"]);
    assert!(begun.elapsed() < Duration::from_secs(60), "it waits for ever");
    drop(server.join());
    (status, stderr)
}

const GREETING: &[u8] = b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n";

#[test]
fn a_monitor_that_hangs_or_answers_nonsense_is_told() {
    let cases: [(&'static [u8], &str); 5] = [
        (b"", "did not answer 'the greeting' in time"),
        (GREETING, "did not answer 'qmp_capabilities' in time"),
        (b"{\"hello\": 1}\n", "does not greet as QMP does"),
        (b"(qemu) help\n", "does not speak QMP"),
        (b"{\"QMP\": {}}\n{\"return\": {}} {\"return\": []} {\"return\": 7}", "did not answer"),
    ];
    for (what, words) in cases {
        // The client may be gone before all is said; the connection stays until the server ends.
        let (status, stderr) = monitor(move |client| drop(client.write_all(what)));
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains(words), "{words} in\n{stderr}");
    }
    let (status, _, stderr) = explain(&["--qmp", "unix:/nowhere/at/all"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("failed to connect"), "{stderr}");
}

#[test]
fn a_monitor_that_goes_away_half_way_is_told() {
    for what in [&GREETING[..0], &GREETING[..9], GREETING] {
        let (status, stderr) = monitor(move |client| {
            drop(client.write_all(what));
            drop(client.shutdown(Shutdown::Both));
        });
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains("closed the connection"), "{stderr}");
    }
}

/// Whether nothing but its own limits ends it: a monitor that never stops to talk.
#[test]
fn a_monitor_that_talks_for_ever_is_told() {
    let event = b"{\"event\": \"RESUME\", \"data\": {}}\n".repeat(100);
    let endless: [(&'static [u8], Vec<u8>); 4] = [
        (b"", b"a".repeat(4096)),
        (b"{\"QMP\": \"", b"a".repeat(4096)),
        (b"{\"QMP\": ", b"[".repeat(4096)),
        (GREETING, event),
    ];
    for (first, rest) in endless {
        let (status, stderr) = monitor(move |client| {
            drop(client.write_all(first));
            while client.write_all(&rest).is_ok() {}
        });
        assert_eq!(status, Some(2), "{stderr}");
        let told = ["in time", "does not speak QMP", "says too much"];
        assert!(told.iter().any(|words| stderr.contains(words)), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
