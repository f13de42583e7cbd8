//! The same bytes to the program under test and to a real daemon, and the same answers.

use crate::process::{Process, STDIO, directory};
use blkperm_qemu::Programs;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// What is asked after each step, so that its end can be told.
const SYNC: &str = "{\"execute\": \"query-version\", \"id\": \"sync\"}";

/// A conversation: images, options, and what is said step by step.
struct Session {
    name: &'static str,
    options: &'static [&'static str],
    steps: Vec<Vec<u8>>,
}

/// What was answered: the lines of each step, the end, and what was said on standard error.
#[derive(PartialEq, Debug)]
struct Answers {
    steps: Vec<Vec<String>>,
    status: ExitStatus,
    errors: String,
}

fn session(name: &'static str, options: &'static [&'static str], steps: &[&str]) -> Session {
    let steps = steps.iter().map(|step| step.as_bytes().to_vec());
    let capabilities = std::iter::once(crate::process::CAPABILITIES.as_bytes().to_vec());
    Session { name, options, steps: capabilities.chain(steps).collect() }
}

/// A step in which a job starts: whether the job is ready before the reply depends on the weather.
fn starts_a_job(step: &[u8]) -> bool {
    let text = String::from_utf8_lossy(step);
    text.contains("blockdev-mirror") || text.contains("block-commit")
}

/// Plays a session; `expected` says how many lines to wait for at each step.
fn play(mut process: Process, session: &Session, expected: Option<&Answers>) -> Answers {
    let greeting = process.line().map(|line| normal(&line));
    let mut steps = vec![greeting.into_iter().collect::<Vec<_>>()];
    for (place, step) in session.steps.iter().enumerate() {
        process.say(step);
        let count = expected.and_then(|answers| answers.steps.get(place + 1)).map(Vec::len);
        let mut lines = listen(&mut process, count.unwrap_or_default());
        process.say(SYNC.as_bytes());
        lines.extend(
            std::iter::from_fn(|| process.line())
                .map(|line| normal(&line))
                .take_while(|line| !line.contains("\"sync\"")),
        );
        if starts_a_job(step) {
            lines.sort_by_key(|line| line.contains("\"event\""));
        }
        steps.push(lines);
    }
    let status = process.end();
    Answers { steps, status, errors: process.errors() }
}

fn listen(process: &mut Process, count: usize) -> Vec<String> {
    (0..count).map_while(|_| process.line()).map(|line| normal(&line)).collect()
}

/// A line without what differs from run to run.
fn normal(line: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(line) else {
        return line.to_owned();
    };
    if let Some(members) = message.as_object_mut() {
        members.shift_remove("timestamp");
    }
    for version in ["/QMP/version/package", "/return/package"] {
        if let Some(package) = message.pointer_mut(version) {
            *package = Value::Null;
        }
    }
    without_generated_names(&message.to_string())
}

/// Replaces `#block123` by `#block`.
fn without_generated_names(text: &str) -> String {
    let mut parts = text.split("#block");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.fold(first, |text, part| text + "#block" + part)
}

fn images(directory: &Path, programs: &Programs) {
    let make = |arguments: &[&str]| {
        let mut command = Command::new(&programs.img);
        command.args(["create", "-q", "-f", "qcow2"]).args(arguments).current_dir(directory);
        assert!(command.status().unwrap().success());
    };
    make(&["base.qcow2", "1M"]);
    make(&["-b", "base.qcow2", "-F", "qcow2", "mid.qcow2"]);
    make(&["-b", "mid.qcow2", "-F", "qcow2", "top.qcow2"]);
}

fn compare(programs: &Programs, session: &Session) {
    let directory = directory();
    images(directory.path(), programs);
    let arguments = [&STDIO, session.options].concat();
    let ours = play(Process::serve(directory.path(), &arguments), session, None);
    let daemon = Process::start(programs.daemon.as_os_str(), directory.path(), &arguments);
    let mut theirs = play(daemon, session, Some(&ours));
    theirs.errors = theirs.errors.replace("qemu-storage-daemon: ", "blkperm: ");
    for (place, (ours, theirs)) in ours.steps.iter().zip(&theirs.steps).enumerate() {
        assert_eq!(ours, theirs, "{}, step {place}", session.name);
    }
    assert_eq!(ours, theirs, "{}", session.name);
}

const NODES: [&str; 8] = [
    "--blockdev",
    "null-co,node-name=a,size=65536",
    "--blockdev",
    "null-co,node-name=b,size=65536",
    "--blockdev",
    "null-co,node-name=c,size=65536",
    "--blockdev",
    "null-co,node-name=d,size=65536",
];

const EXPORTS: &[&str] = &[
    NODES[0],
    NODES[1],
    NODES[2],
    NODES[3],
    "--nbd-server",
    "addr.type=unix,addr.path=nbd",
    "--export",
    "nbd,id=e,node-name=a,writable=on",
    "--export",
    "type=nbd,id=f,node-name=a,name=other",
];

const CHAIN: &[&str] = &[
    "--blockdev",
    "qcow2,node-name=base,file.driver=file,file.filename=base.qcow2",
    "--blockdev",
    "qcow2,node-name=mid,file.driver=file,file.filename=mid.qcow2,backing=base",
    "--blockdev",
    "{\"driver\": \"qcow2\", \"node-name\": \"top\", \"backing\": \"mid\", \
      \"file\": {\"driver\": \"file\", \"filename\": \"top.qcow2\"}}",
    "--nbd-server",
    "addr.type=unix,addr.path=nbd",
    "--export",
    "nbd,id=guest,node-name=top,writable=on",
];

const MIRROR_J: &str = r#"{"execute": "blockdev-mirror", "arguments":
    {"device": "a", "target": "b", "sync": "full", "job-id": "j", "auto-dismiss": false}}"#;
const MIRROR_K: &str = r#"{"execute": "blockdev-mirror", "arguments":
    {"device": "c", "target": "d", "sync": "full", "job-id": "k", "auto-finalize": false}}"#;
const COMMIT: &str =
    r#"{"execute": "block-commit", "arguments": {"device": "top", "job-id": "j"}}"#;
const STRANGER_ON_TOP: &str = r#"{"execute": "blockdev-add", "arguments": {"driver": "blkdebug",
    "node-name": "other", "image": "top", "unshare-child-perms": ["consistent-read"]}}"#;
const STRANGER_ON_B: &str = r#"{"execute": "blockdev-add", "arguments": {"driver": "blkdebug",
    "node-name": "other", "image": "b", "unshare-child-perms": ["consistent-read"]}}"#;
const COMPLETE: &str = r#"{"execute": "job-complete", "arguments": {"id": "j"}}"#;
const CANCEL: &str = r#"{"execute": "job-cancel", "arguments": {"id": "j"}}"#;
const GRAPH: &str = r#"{"execute": "x-debug-query-block-graph"}"#;
const JOBS: &str = r#"{"execute": "query-jobs"} {"execute": "query-block-jobs"}"#;
const QUIT: &str = r#"{"execute": "quit"}"#;

/// Sessions in which nothing but the protocol itself is at work.
fn protocol() -> Vec<Session> {
    let names = session(
        "names and refusals",
        &NODES,
        &[
            r#"{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "a"}}"#,
            r#"{"execute": "blockdev-add", "arguments": {"driver": "null-co"}}"#,
            r#"{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "r", "file": "a"}}"#,
            r#"{"execute": "blockdev-del", "arguments": {"node-name": "a"}}"#,
            r#"{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "x", "filename": "/"}}"#,
            r#"{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "x", "filename": "none"}}"#,
            GRAPH,
            QUIT,
        ],
    );
    let mut frames = session(
        "frames and ids",
        &[],
        &[
            r#"{"execute": "query-block", "id": [1, -0.1, 1e300, null, {"zz": "ä\u0000/", "a": true}]}"#,
            r#"{"execute": "qmp_capabilities"} {"execute": "nosuch", "id": 1} {"execute": 1, "id": 2}"#,
            r#"{} [] {"execute": "query-block", "x": 1} {"execute": "query-block", "arguments": 1}"#,
            r#"{"execute": "query-block", "arguments": {"b": 1, "a": 2}} {"exec-oob": "query-block"}"#,
            QUIT,
        ],
    );
    frames.steps.insert(0, b"{\"execute\": \"query-block\", \"id\": {}}".to_vec());
    let mut oob = session("oob", &[], &[r#"{"exec-oob": "query-block", "id": 3}"#, QUIT]);
    oob.steps[0] = b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}".to_vec();
    let mut garbage = session(
        "garbage",
        &[],
        &[
            "{\"execute\": %s} ] , 'x\n {\"a\": 1, \"a\": 2} nul ",
            "{\"execute\": \"query-block\", \"id\": \"\\ud800\"} {\"execute\" \"query-block\"}",
            "\0 \u{7f} {\"id\": \"\0\"} ",
        ],
    );
    garbage.steps.push(b"{\"id\": \"\xff\"} {\"id\": \"\xc0\xaf\"} \xfe ".to_vec());
    garbage.steps.push("[".repeat(1025).into_bytes());
    garbage.steps.push(format!("{}{}", "[".repeat(1024), "]".repeat(1024)).into_bytes());
    garbage.steps.push(QUIT.into());
    vec![names, frames, oob, garbage]
}

/// Sessions with exports and jobs that end well.
fn jobs() -> Vec<Session> {
    vec![
        session(
            "exports end before the reply to quit",
            EXPORTS,
            &[r#"{"execute": "query-block-exports"}"#, GRAPH, QUIT],
        ),
        session(
            "exports end with their server",
            EXPORTS,
            &[
                r#"{"execute": "block-export-del", "arguments": {"id": "f"}}"#,
                r#"{"execute": "nbd-server-stop"} {"execute": "nbd-server-stop"}"#,
                QUIT,
            ],
        ),
        session(
            "a mirror beside exports, completed",
            EXPORTS,
            &[
                MIRROR_J,
                GRAPH,
                r#"{"execute": "nbd-server-stop"}"#,
                JOBS,
                COMPLETE,
                JOBS,
                r#"{"execute": "job-dismiss", "arguments": {"id": "j"}}"#,
                GRAPH,
                QUIT,
            ],
        ),
        session(
            "two mirrors, cancelled and finalized",
            &NODES,
            &[
                MIRROR_J,
                MIRROR_K,
                MIRROR_K,
                CANCEL,
                CANCEL,
                r#"{"execute": "block-job-complete", "arguments": {"device": "k"}}"#,
                JOBS,
                r#"{"execute": "job-finalize", "arguments": {"id": "k"}}"#,
                GRAPH,
                QUIT,
            ],
        ),
        session("quit cancels what runs", EXPORTS, &[MIRROR_J, QUIT]),
        session("quit cancels all jobs, newest first", &NODES, &[MIRROR_J, MIRROR_K, QUIT]),
        session(
            "quit cancels what is paused, pending and concluded",
            &NODES,
            &[
                MIRROR_J,
                MIRROR_K,
                r#"{"execute": "job-pause", "arguments": {"id": "j"}}"#,
                r#"{"execute": "job-complete", "arguments": {"id": "k"}}"#,
                QUIT,
            ],
        ),
        session("quit dismisses what is concluded", &NODES, &[MIRROR_K, MIRROR_J, COMPLETE, QUIT]),
        session("an active commit, completed", CHAIN, &[COMMIT, GRAPH, COMPLETE, GRAPH, QUIT]),
        session(
            "an ordinary commit",
            CHAIN,
            &[
                r#"{"execute": "block-commit", "arguments": {"device": "top", "job-id": "j",
                "top-node": "mid", "base-node": "base"}}"#,
                JOBS,
                GRAPH,
                QUIT,
            ],
        ),
        session("the stranger on top, and quit", CHAIN, &[COMMIT, STRANGER_ON_TOP, QUIT]),
    ]
}

/// Sessions at whose end the daemon dies.
fn deaths() -> Vec<Session> {
    vec![
        session("the figure, completed", CHAIN, &[COMMIT, STRANGER_ON_TOP, COMPLETE]),
        session("the figure, cancelled", CHAIN, &[COMMIT, STRANGER_ON_TOP, CANCEL]),
        session("a stranger on the target", EXPORTS, &[STRANGER_ON_B, MIRROR_J, COMPLETE]),
    ]
}

#[test]
fn sessions_are_those_of_the_daemon() {
    let Ok(programs) = Programs::find() else {
        println!("skipped: no qemu-storage-daemon is here to compare with");
        return;
    };
    for session in protocol().into_iter().chain(jobs()).chain(deaths()) {
        compare(&programs, &session);
    }
}

#[test]
fn what_is_wrong_with_options_is_what_the_daemon_says() {
    let Ok(programs) = Programs::find() else {
        println!("skipped: no qemu-storage-daemon is here to compare with");
        return;
    };
    let directory = directory();
    let mut differences = Vec::new();
    for line in include_str!("wrong-options.txt").lines() {
        let arguments: Vec<&str> = line.split('|').collect();
        let said = |mut process: Process| {
            let status = process.end();
            let errors = process.errors().replace("qemu-storage-daemon: ", "blkperm: ");
            (status.into_raw(), errors)
        };
        let ours = said(Process::serve(directory.path(), &arguments));
        let daemon = programs.daemon.as_os_str();
        let theirs = said(Process::start(daemon, directory.path(), &arguments));
        if ours != theirs {
            differences.push((line, ours, theirs));
        }
    }
    assert_eq!(differences, []);
}
