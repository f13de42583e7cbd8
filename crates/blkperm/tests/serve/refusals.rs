//! Bad arguments of every command: what `qemu-storage-daemon` says, word for word.
//!
//! Each command has arguments that are well formed, and name nothing that exists, so that nothing
//! happens. From those follow the bad ones: without a member, with one more, and with every value in
//! place of every other, at every depth.

use std::ffi::OsStr;
use std::fmt::Write as _;

use blkperm_qemu::Programs;
use blkperm_qmp::Command;
use serde_json::{Map, Value, json};

use crate::process::{CAPABILITIES, Process, STDIO, directory};

/// Commands, each with arguments that are well formed.
const WELL_FORMED: &[(&str, &str)] = &[
    ("object-del", r#"{"id": "none"}"#),
    (
        "object-add",
        r#"{"qom-type": "secret", "id": "s", "data": "x", "file": "f", "format": "raw",
            "keyid": "k", "iv": "i"}"#,
    ),
    (
        "object-add",
        r#"{"qom-type": "throttle-group", "id": "g", "limits": {"iops-total": 5, "bps-read": 1},
            "x-iops-total": 3}"#,
    ),
    ("object-add", r#"{"qom-type": "iothread", "id": "i", "poll-max-ns": 5, "aio-max-batch": 1}"#),
    ("query-commands", "{}"),
    ("query-version", "{}"),
    ("qmp_capabilities", r#"{"enable": ["oob"]}"#),
    (
        "transaction",
        r#"{"actions": [{"type": "blockdev-snapshot", "data": {"node": "none", "overlay": "o"}},
            {"type": "abort", "data": {}}], "properties": {"completion-mode": "grouped"}}"#,
    ),
    (
        "transaction",
        r#"{"actions": [{"type": "blockdev-backup", "data": {"job-id": "j", "device": "none",
            "target": "t", "sync": "full", "speed": 1}}]}"#,
    ),
    ("query-block-exports", "{}"),
    ("block-export-del", r#"{"id": "none", "mode": "safe"}"#),
    (
        "block-export-add",
        r#"{"type": "nbd", "id": "e", "node-name": "none", "writable": true, "writethrough": true,
            "iothread": "i", "fixed-iothread": true, "allow-inactive": true, "name": "x",
            "description": "y", "bitmaps": ["b"], "allocation-depth": true}"#,
    ),
    (
        "block-export-add",
        r#"{"type": "vhost-user-blk", "id": "e", "node-name": "none", "num-queues": 1,
            "addr": {"type": "unix", "path": "x"}, "logical-block-size": 512}"#,
    ),
    (
        "block-export-add",
        r#"{"type": "fuse", "id": "e", "node-name": "none", "mountpoint": "x", "growable": true,
            "allow-other": "on"}"#,
    ),
    (
        "block-export-add",
        r#"{"type": "vduse-blk", "id": "e", "node-name": "none", "name": "x", "num-queues": 1,
            "queue-size": 128, "logical-block-size": 512, "serial": "s"}"#,
    ),
    ("nbd-server-stop", "{}"),
    (
        "nbd-server-start",
        r#"{"addr": {"type": "unix", "data": {"path": "nbd.sock", "tight": true}},
            "tls-authz": "a", "max-connections": 5, "handshake-max-seconds": 1}"#,
    ),
    ("x-blockdev-change", r#"{"parent": "none", "child": "c", "node": "n"}"#),
    ("blockdev-set-active", r#"{"node-name": "none", "active": false}"#),
    ("blockdev-del", r#"{"node-name": "none"}"#),
    (
        "blockdev-reopen",
        r#"{"options": [{"driver": "null-co", "node-name": "none", "read-zeroes": true,
            "cache": {"direct": true}}]}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "null-co", "node-name": "n", "latency-ns": 5, "read-zeroes": true,
            "cache": {"direct": true, "no-flush": false}, "discard": "unmap", "active": true,
            "detect-zeroes": "unmap", "read-only": true, "auto-read-only": true,
            "force-share": true}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "raw", "node-name": "n", "offset": 5, "size": 6, "file": {
            "driver": "file", "filename": "none", "locking": "off", "aio": "threads"}}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "qcow2", "node-name": "n", "file": "none", "backing": null,
            "encrypt": {"format": "luks", "key-secret": "x"}, "cache-size": 5,
            "overlap-check": {"template": "none", "main-header": true}, "lazy-refcounts": true,
            "data-file": "x"}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "blkdebug", "node-name": "n", "image": "none",
            "take-child-perms": ["write"], "align": 5,
            "inject-error": [{"event": "none", "errno": 5, "once": true}],
            "set-state": [{"event": "none", "new_state": 5}]}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "quorum", "node-name": "n", "children": ["none", {"driver": "null-co"}],
            "vote-threshold": 1, "blkverify": true, "read-pattern": "fifo"}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "copy-before-write", "node-name": "n", "file": "none", "target": "x",
            "bitmap": {"node": "a", "name": "b"}, "on-cbw-error": "break-snapshot",
            "cbw-timeout": 5, "min-cluster-size": 5}"#,
    ),
    (
        "blockdev-add",
        r#"{"driver": "ssh", "node-name": "n", "server": {"host": "h", "port": "1", "ipv4": true},
            "path": "p", "host-key-check": {"mode": "hash", "type": "md5", "hash": "x"}}"#,
    ),
    ("block-job-change", r#"{"id": "none", "type": "mirror", "copy-mode": "write-blocking"}"#),
    ("block-job-finalize", r#"{"id": "none"}"#),
    ("block-job-dismiss", r#"{"id": "none"}"#),
    ("block-job-complete", r#"{"device": "none"}"#),
    ("block-job-resume", r#"{"device": "none"}"#),
    ("block-job-pause", r#"{"device": "none"}"#),
    ("block-job-cancel", r#"{"device": "none", "force": true}"#),
    ("block-job-set-speed", r#"{"device": "none", "speed": 5}"#),
    (
        "block-stream",
        r#"{"job-id": "j", "device": "none", "base": "a", "base-node": "b", "bottom": "c",
            "backing-file": "d", "backing-mask-protocol": true, "speed": 5, "on-error": "stop",
            "filter-node-name": "f", "auto-finalize": true, "auto-dismiss": false}"#,
    ),
    (
        "blockdev-mirror",
        r#"{"job-id": "j", "device": "none", "target": "t", "replaces": "r", "sync": "full",
            "speed": 5, "granularity": 5, "buf-size": 5, "on-source-error": "stop",
            "on-target-error": "stop", "filter-node-name": "f", "copy-mode": "background",
            "auto-finalize": true, "auto-dismiss": false}"#,
    ),
    ("x-debug-query-block-graph", "{}"),
    ("query-named-block-nodes", r#"{"flat": true}"#),
    (
        "blockdev-backup",
        r#"{"job-id": "j", "device": "none", "target": "t", "sync": "full", "speed": 5,
            "bitmap": "b", "bitmap-mode": "always", "compress": true, "on-source-error": "stop",
            "on-target-error": "stop", "on-cbw-error": "break-snapshot", "auto-finalize": true,
            "auto-dismiss": true, "filter-node-name": "f", "discard-source": true,
            "x-perf": {"use-copy-range": true, "max-workers": 5, "min-cluster-size": 5}}"#,
    ),
    (
        "block-commit",
        r#"{"job-id": "j", "device": "none", "base-node": "a", "base": "b", "top-node": "c",
            "top": "d", "backing-file": "e", "backing-mask-protocol": true, "speed": 5,
            "on-error": "stop", "filter-node-name": "f", "auto-finalize": true,
            "auto-dismiss": false}"#,
    ),
    ("blockdev-snapshot", r#"{"node": "none", "overlay": "o"}"#),
    (
        "blockdev-snapshot-sync",
        r#"{"device": "none", "node-name": "x", "snapshot-file": "none/s.qcow2",
            "snapshot-node-name": "s", "format": "qcow2", "mode": "existing"}"#,
    ),
    ("block_resize", r#"{"device": "none", "node-name": "x", "size": 5}"#),
    ("query-block-jobs", "{}"),
    ("query-block", "{}"),
    ("query-jobs", "{}"),
    ("job-finalize", r#"{"id": "none"}"#),
    ("job-dismiss", r#"{"id": "none"}"#),
    ("job-complete", r#"{"id": "none"}"#),
    ("job-cancel", r#"{"id": "none"}"#),
    ("job-resume", r#"{"id": "none"}"#),
    ("job-pause", r#"{"id": "none"}"#),
    ("quit", r#"{"more": true}"#),
];

/// What stands in place of every other value, as it is written: also what no writer of JSON writes.
const VALUES: [&[u8]; 19] = [
    b"null",
    b"true",
    b"5",
    b"-1",
    b"9223372036854775808",
    b"18446744073709551616",
    b"123456789012345678901234567890",
    b"1.5",
    b"1e400",
    b"\"\"",
    b"\"nonsense\"",
    b"\"\\ufffd\"",
    b"\"\\ud800\"",
    b"\"\xff\xfe\"",
    b"[]",
    b"[5]",
    b"{}",
    b"{\"x\": 1}",
    b"{\"x\": }",
];

/// Where a value is: the members and elements that lead there.
type Place = Vec<Step>;

#[derive(Clone)]
enum Step {
    Member(String),
    Element(usize),
}

/// All places of a value, the value itself first.
fn places(value: &Value, at: &Place, found: &mut Vec<Place>) {
    found.push(at.clone());
    let mut deeper = |step: Step, value: &Value| {
        places(value, &at.iter().cloned().chain([step]).collect(), found);
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| deeper(Step::Member(name.clone()), value));
        }
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(place, value)| deeper(Step::Element(place), value));
        }
        _ => {}
    }
}

fn at<'v>(value: &'v mut Value, place: &[Step]) -> &'v mut Value {
    place.iter().fold(value, |value, step| match step {
        Step::Member(name) => &mut value[name.as_str()],
        Step::Element(place) => &mut value[*place],
    })
}

fn request(command: &str, arguments: &Value) -> Vec<u8> {
    json!({"execute": command, "arguments": arguments}).to_string().into_bytes()
}

/// A request with what is written in a place of its arguments.
fn with(command: &str, arguments: &Value, place: &Place, written: &[u8]) -> Vec<u8> {
    const MARK: &str = "in its place";
    let mut arguments = arguments.clone();
    *at(&mut arguments, place) = json!(MARK);
    let text = json!({"execute": command, "arguments": arguments}).to_string();
    let (before, after) = text.split_once(&format!("\"{MARK}\"")).unwrap();
    [before.as_bytes(), written, after.as_bytes()].concat()
}

/// A request without a member or element.
fn without(command: &str, arguments: &Value, place: &[Step]) -> Option<Vec<u8>> {
    let (last, above) = place.split_last()?;
    let mut arguments = arguments.clone();
    match (at(&mut arguments, above), last) {
        (Value::Object(members), Step::Member(name)) => drop(members.shift_remove(name)),
        (Value::Array(elements), Step::Element(place)) => drop(elements.remove(*place)),
        _ => unreachable!("the place is there"),
    }
    Some(request(command, &arguments))
}

/// A request with one more member.
fn with_more(command: &str, arguments: &Value, place: &Place) -> Option<Vec<u8>> {
    let mut arguments = arguments.clone();
    let members: &mut Map<String, Value> = at(&mut arguments, place).as_object_mut()?;
    members.insert("unexpected".to_owned(), json!(1));
    Some(request(command, &arguments))
}

/// The requests that follow from one that is well formed.
fn requests(command: &str, arguments: &str) -> Vec<Vec<u8>> {
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    let mut requests = vec![
        format!("{{\"execute\": \"{command}\", \"more\": 1}}").into_bytes(),
        format!("{{\"execute\": [\"{command}\"]}}").into_bytes(),
    ];
    let mut found = Vec::new();
    places(&arguments, &Vec::new(), &mut found);
    for place in found {
        requests.extend(without(command, &arguments, &place));
        requests.extend(with_more(command, &arguments, &place));
        requests.extend(VALUES.iter().map(|value| with(command, &arguments, &place, value)));
    }
    requests.retain(|request| !is_fatal(request));
    requests
}

/// Whether QEMU does not survive the request, for reasons of its own: docs/differences.md.
fn is_fatal(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    text.contains("\"options\":[]") || text == "{\"execute\":\"quit\",\"arguments\":{}}"
}

fn start(program: &OsStr, arguments: &[&str], directory: &std::path::Path) -> Process {
    let mut process = Process::start(program, directory, &[arguments, &STDIO].concat());
    process.hear();
    process.ask(CAPABILITIES);
    process
}

/// Says something, and hears all replies to it.
fn replies(process: &mut Process, request: &[u8], number: usize) -> Vec<Value> {
    let end = json!({"execute": "query-version", "id": number}).to_string();
    process.say(&[request, b"\n", end.as_bytes(), b"\n"].concat());
    let mut replies = Vec::new();
    loop {
        let reply = process.hear();
        if reply["id"] == number {
            return replies;
        }
        if reply.get("event").is_none() {
            replies.push(reply);
        }
    }
}

/// What undoes a request that was accepted.
fn undo(request: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let arguments = &request["arguments"];
    let (command, name, value) = match request["execute"].as_str()? {
        "blockdev-add" => ("blockdev-del", "node-name", &arguments["node-name"]),
        "object-add" => ("object-del", "id", &arguments["id"]),
        "nbd-server-start" => return Some(json!({"execute": "nbd-server-stop"}).to_string()),
        _ => return None,
    };
    Some(json!({"execute": command, "arguments": {name: value}}).to_string())
}

#[test]
fn every_command_refuses_bad_arguments_as_qemu_does() {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(error) => return println!("skipped: {error}"),
    };
    let (here, there) = (directory(), directory());
    let ours = env!("CARGO_BIN_EXE_blkperm").as_ref();
    let mut ours = start(ours, &["serve"], here.path());
    let mut qemu = start(programs.daemon.as_os_str(), &[], there.path());
    let mut differences = String::new();
    let mut count = 0;
    for (command, arguments) in WELL_FORMED {
        for request in requests(command, arguments) {
            count += 1;
            let [ours_said, qemu_said] =
                [&mut ours, &mut qemu].map(|process| replies(process, &request, count));
            if qemu_said.iter().any(|reply| reply.get("return").is_some())
                && let Some(undo) = undo(&request)
            {
                for process in [&mut ours, &mut qemu] {
                    process.ask(&undo);
                }
            }
            let refused = qemu_said.iter().all(|reply| reply.get("error").is_some());
            let is_same = match refused {
                true => ours_said == qemu_said,
                false => ours_said.iter().all(|reply| reply.get("return").is_some()),
            };
            if !is_same {
                let request = String::from_utf8_lossy(&request);
                writeln!(differences, "{request}\n  {ours_said:?}\n  {qemu_said:?}").unwrap();
            }
        }
    }
    assert!(count > 5000, "only {count} requests");
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_command_has_arguments_that_are_well_formed() {
    for name in Command::NAMES {
        assert!(WELL_FORMED.iter().any(|(command, _)| command == name), "{name} is missing");
    }
}
