//! How the process ends.

use crate::process::{CAPABILITIES, Client, Process, STDIO, directory};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// A mirror whose target has a parent that shares no consistent reads, while a guest reads.
const STRANGER_ON_TARGET: [&str; 10] = [
    "--blockdev",
    "null-co,node-name=src,size=65536",
    "--blockdev",
    "null-co,node-name=tgt,size=65536",
    "--blockdev",
    "blkdebug,node-name=other,image=tgt,unshare-child-perms.0=consistent-read",
    "--nbd-server",
    "addr.type=unix,addr.path=nbd",
    "--export",
    "nbd,id=guest,node-name=src,writable=on",
];

const MIRROR: &str = r#"{"execute": "blockdev-mirror", "arguments": {"device": "src",
    "target": "tgt", "sync": "full", "job-id": "j", "filter-node-name": "filter"}}"#;
const COMPLETE: &str = r#"{"execute": "job-complete", "arguments": {"id": "j"}}"#;
const JOBS: &str = r#"{"execute": "query-jobs"}"#;
const QUIT: &str = r#"{"execute": "quit"}"#;

fn process(directory: &Path, setting: &[&str]) -> Process {
    let mut process = Process::serve(directory, &[setting, &STDIO, &STRANGER_ON_TARGET].concat());
    assert!(process.hear()["QMP"].is_object());
    assert_eq!(process.ask(CAPABILITIES), json!({"return": {}}));
    assert_eq!(process.ask(MIRROR), json!({"return": {}}));
    process
}

fn statuses(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message.pointer("/data/status")?.as_str()).collect()
}

#[test]
fn baseline_and_stepwise_die_where_qemu_does() {
    for setting in [&[][..], &["--rule=baseline", "--completion", "stepwise"]] {
        let directory = directory();
        let mut process = process(directory.path(), setting);
        assert_eq!(process.ask(COMPLETE), json!({"return": {}}), "the job dies after the reply");
        let rest: Vec<Value> = std::iter::from_fn(|| process.line())
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect();
        assert_eq!(statuses(&rest), ["waiting", "pending"], "they arrive before the death");
        let status = process.end();
        assert_eq!(status.signal(), Some(6), "{status}");
        let errors = process.errors();
        let expected = "Unexpected error in bdrv_a_allow_b() at block.c:2243:\n\
                        blkperm: Permission conflict on node 'tgt': permissions 'consistent read'";
        assert!(errors.starts_with(expected) && errors.ends_with(".\n"), "{errors}");
    }
}

#[test]
fn no_other_combination_dies() {
    let rules = ["baseline", "groups", "ownership"];
    let settings = rules.iter().flat_map(|rule| [(*rule, "stepwise"), (*rule, "atomic")]);
    for (rule, completion) in settings.filter(|setting| *setting != ("baseline", "stepwise")) {
        let directory = directory();
        let setting = ["--rule", rule, "--completion", completion];
        let mut process = process(directory.path(), &setting);
        process.say(COMPLETE.as_bytes());
        process.ask(JOBS);
        let jobs = process.ask(JOBS);
        let jobs = jobs["return"].as_array().unwrap_or_else(|| panic!("{rule}: {jobs}"));
        // Either it is over, or it is stuck; it does not stay half done in another way.
        assert!(jobs.iter().all(|job| job["status"] == "aborting"), "{setting:?}: {jobs:?}");
        process.say(QUIT.as_bytes());
        assert!(process.end().success(), "{setting:?}: {}", process.errors());
        assert_eq!(process.errors(), "", "{setting:?}");
    }
}

#[test]
fn ownership_and_atomic_refuse_the_completion_and_go_on() {
    let directory = directory();
    let mut process = process(directory.path(), &["--rule", "ownership", "--completion", "atomic"]);
    process.say(COMPLETE.as_bytes());
    let end = std::iter::from_fn(|| Some(process.hear()))
        .find(|message| message["event"] == "BLOCK_JOB_COMPLETED")
        .unwrap();
    assert_eq!(end["data"]["error"], "Operation not permitted");
    assert_eq!(process.ask(JOBS), json!({"return": []}));
    assert_eq!(process.ask(QUIT), json!({"return": {}}));
    assert!(process.end().success());
}

#[test]
fn signals_and_quit_end_it_in_good_order() {
    for signal in [Some("TERM"), Some("INT"), Some("HUP"), None] {
        let directory = directory();
        let arguments = [
            "--chardev",
            "socket,id=s,path=qmp,server=on,wait=off",
            "--monitor",
            "s",
            "--pidfile",
            "pid",
            "--blockdev",
            "null-co,node-name=a",
            "--nbd-server",
            "addr.type=unix,addr.path=nbd",
            "--export",
            "nbd,id=e,node-name=a",
        ];
        let mut process = Process::serve(directory.path(), &arguments);
        let mut client = Client::negotiate(&directory.path().join("qmp"));
        let pid = fs::read_to_string(directory.path().join("pid")).unwrap();
        assert_eq!(pid, format!("{}\n", process.id()));
        match signal {
            Some(signal) => process.signal(signal),
            None => client.say(QUIT.as_bytes()),
        }
        assert_eq!(client.hear()["event"], "BLOCK_EXPORT_DELETED");
        assert_eq!(client.rest(), if signal.is_none() { "{\"return\": {}}\r\n" } else { "" });
        assert!(process.end().success());
        let left = ["qmp", "pid"].map(|name| directory.path().join(name).exists());
        assert_eq!(left, [false, false]);
    }
}

#[test]
fn the_end_of_the_input_ends_nothing() {
    let directory = directory();
    let both = ["--chardev", "socket,id=s,path=qmp,server=on,wait=off", "--monitor", "s"];
    let mut process = Process::serve(directory.path(), &[&STDIO[..], &both].concat());
    process.hear();
    process.ask(CAPABILITIES);
    process.say(b"{\"execute\": ");
    process.close_input();
    let mut client = Client::negotiate(&directory.path().join("qmp"));
    assert_eq!(client.ask(QUIT), json!({"return": {}}));
    assert!(process.end().success());
}

#[test]
fn a_pid_file_belongs_to_one_process() {
    let directory = directory();
    let arguments = [&STDIO[..], &["--pidfile", "pid"]].concat();
    let mut first = Process::serve(directory.path(), &arguments);
    first.hear();
    let errors = fs::canonicalize(directory.path()).unwrap().join("second");
    fs::create_dir(&errors).unwrap();
    let pid_file = directory.path().join("pid");
    let mut second = Process::serve(&errors, &["--pidfile", pid_file.to_str().unwrap()]);
    assert_eq!(second.end().code(), Some(1));
    let expected = "blkperm: cannot create PID file: Cannot lock pid file: Resource temporarily \
                    unavailable\n";
    assert_eq!(second.errors(), expected);
}

#[test]
fn help_and_version_come_before_all_mistakes_but_earlier_ones() {
    let directory = directory();
    let mut help = Process::serve(directory.path(), &["--blockdev", "bogus", "-h"]);
    assert_eq!(help.line().as_deref(), Some("Usage: blkperm serve [options]\n"));
    assert!(help.end().success());
    let mut version = Process::serve(directory.path(), &["--vers", "--bogus"]);
    let line = version.line().unwrap();
    assert!(line.starts_with("qemu-storage-daemon version 10.0.2 (blkperm "), "{line}");
    assert!(version.end().success());
    let mut wrong = Process::serve(directory.path(), &["--bogus", "--help"]);
    assert_eq!(wrong.end().code(), Some(1));
}

#[test]
fn what_is_not_supported_is_said() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["--daemonize"],
            "--daemonize: going to the background is not supported by blkperm; let what starts it \
             put it there",
        ),
        (
            &["-T", "x"],
            "-T x: tracing is not supported by blkperm; leave it out: replies and events tell what \
             happens",
        ),
        (
            &["--chardev", "pty,id=m"],
            "--chardev pty,id=m: 'pty' is not supported by blkperm; use stdio, socket or null",
        ),
        (
            &["--chardev", "socket,id=m,path=x,telnet=on"],
            "--chardev socket,id=m,path=x,telnet=on: 'telnet' is not supported by blkperm; leave \
             it out, or use a plain socket",
        ),
        (&["--rule", "x"], "--rule x: 'x' is none of baseline, groups, ownership"),
    ];
    for (arguments, expected) in cases {
        let directory = directory();
        let mut process = Process::serve(directory.path(), arguments);
        assert_eq!(process.end().code(), Some(1));
        assert_eq!(process.errors(), format!("blkperm: {expected}\n"));
    }
}
