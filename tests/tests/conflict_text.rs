//! The text of a conflict for every kind of parent and every position of the two edges at fault.
//!
//! A node's edges are looked at from the newest to the oldest, those that unshare before those that
//! take, and the first pair that conflicts is told. So for each job, each export, each node around
//! it and each permission, one stranger comes before it or after it, and another one, which wants
//! the opposite, comes last. An export by vduse-blk is not among them: the kernel module that it needs
//! is seldom there, and to other parents it is as one by vhost-user-blk. Nor are BlockBackends with a
//! name, of which a storage daemon has none. `tests/conflicts.txt` has what `qemu-storage-daemon` 10.0.2 said;
//! it is written anew by
//!
//! ```text
//! BLKPERM_RECORD=1 cargo test -p blkperm-tests --test conflict_text live
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use blkperm_baseline::Baseline;
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::play::Endpoint;
use blkperm_qmp::scenario::{Backing, Image};
use blkperm_qmp::transcript::Reply;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

const PERMISSIONS: [&str; 4] = ["consistent-read", "write", "write-unchanged", "resize"];
/// The file over which FUSE mounts an export.
const MOUNTPOINT: &str = "mountpoint";
const NODES: [&str; 6] = ["base", "mid", "top", "tgt", "tgt-file", "filter"];

/// Something that puts edges into the graph and takes them off again.
struct Subject {
    name: &'static str,
    start: Value,
    stop: Value,
}

fn subjects() -> Vec<Subject> {
    let job = |name, command: &str, more: Value| {
        let arguments = json!({
            "job-id": "j0", "device": "top", "filter-node-name": "filter", "auto-finalize": false,
        });
        let arguments = with(arguments, more);
        let start = json!({"execute": command, "arguments": arguments});
        let stop = json!({"execute": "job-cancel", "arguments": {"id": "j0"}});
        Subject { name, start, stop }
    };
    let export = |name, kind: &str, node: &str, more: Value| Subject {
        name,
        start: json!({"execute": "block-export-add", "arguments": with(
            json!({"type": kind, "id": "e1", "node-name": node}),
            more,
        )}),
        stop: json!({"execute": "block-export-del", "arguments": {"id": "e1"}}),
    };
    let fuse = |more: Value| with(json!({"mountpoint": MOUNTPOINT}), more);
    let vhost_user = |writable: bool| json!({"addr": {"type": "unix", "path": "vhost.sock"}, "writable": writable});
    vec![
        job("mirror", "blockdev-mirror", json!({"target": "tgt", "sync": "full"})),
        job("active commit", "block-commit", json!({"base-node": "base"})),
        job("commit", "block-commit", json!({"top-node": "mid", "base-node": "base"})),
        job("stream", "block-stream", json!({"base-node": "base"})),
        job("backup", "blockdev-backup", json!({"target": "tgt", "sync": "full"})),
        export("export", "nbd", "tgt", json!({"name": "e1", "writable": true})),
        export("read-only export", "nbd", "base", json!({"name": "e1"})),
        export("vhost-user-blk export", "vhost-user-blk", "tgt", vhost_user(true)),
        export("read-only vhost-user-blk export", "vhost-user-blk", "base", vhost_user(false)),
        export("fuse export", "fuse", "tgt", fuse(json!({"writable": true}))),
        export("read-only fuse export", "fuse", "base", fuse(json!({}))),
        export("growable fuse export", "fuse", "base", fuse(json!({"growable": true}))),
    ]
}

/// An object with more members.
fn with(mut object: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// An endpoint with the chain `base <- mid <- top`, a writable export on `top`, and `tgt` beside.
fn prepare(endpoint: &mut dyn Endpoint) {
    let mut backing = None;
    for name in ["base", "mid", "top", "tgt"] {
        let filename = format!("{name}.qcow2");
        let mut image = Image::new(filename, ImageFormat::Qcow2, Some(1 << 20));
        image.backing = backing.clone().filter(|_| name != "tgt");
        endpoint.create_image(&image).unwrap();
        backing = Some(Backing { filename: image.filename, format: ImageFormat::Qcow2 });
    }
    endpoint.create_image(&Image::new(MOUNTPOINT, ImageFormat::Raw, Some(1 << 20))).unwrap();
    let mut below = Value::Null;
    let file = |name: &str| {
        json!({"driver": "file", "filename": format!("{name}.qcow2"),
               "node-name": format!("{name}-file")})
    };
    let listen = json!({"addr": {"type": "unix", "data": {"path": "nbd.sock"}}});
    let mut commands = vec![json!({"execute": "nbd-server-start", "arguments": listen})];
    for name in ["base", "mid", "top", "tgt"] {
        let backing = if name == "tgt" { Value::Null } else { below };
        commands.push(json!({"execute": "blockdev-add", "arguments": {
            "driver": "qcow2", "node-name": name, "file": file(name), "backing": backing,
        }}));
        below = json!(name);
    }
    commands.push(json!({"execute": "block-export-add", "arguments": {
        "type": "nbd", "id": "guest", "node-name": "top", "writable": true,
    }}));
    for command in commands {
        assert_eq!(ask(endpoint, &command), None, "{command}");
    }
}

/// Carries out a command and waits; gives the text with which it is refused.
fn ask(endpoint: &mut dyn Endpoint, command: &Value) -> Option<String> {
    let reply = endpoint.execute(command).unwrap();
    endpoint.settle().unwrap();
    endpoint.take_events();
    match reply {
        Reply::Return(_) => None,
        Reply::Error { desc, .. } => Some(desc),
    }
}

/// What a stranger wants of one permission.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Take,
    Unshare,
    Both,
}

impl Side {
    /// Each with one that conflicts with it, and the word for it.
    const ALL: [(Side, Side, &'static str); 3] = [
        (Side::Take, Side::Unshare, "take"),
        (Side::Unshare, Side::Take, "unshare"),
        (Side::Both, Side::Both, "take and unshare"),
    ];
}

fn stranger(name: &str, node: &str, side: Side, permission: &str) -> Value {
    let mut options = json!({"driver": "blkdebug", "node-name": name, "image": node});
    if side != Side::Unshare {
        options["take-child-perms"] = json!([permission]);
    }
    if side != Side::Take {
        options["unshare-child-perms"] = json!([permission]);
    }
    json!({"execute": "blockdev-add", "arguments": options})
}

fn delete(name: &str) -> Value {
    json!({"execute": "blockdev-del", "arguments": {"node-name": name}})
}

/// Every situation with a refusal in it, a line each, of the subjects whose names are `wanted`.
fn refusals(endpoint: &mut dyn Endpoint, wanted: fn(&str) -> bool) -> String {
    prepare(endpoint);
    let mut text = String::new();
    for subject in subjects().into_iter().filter(|subject| wanted(subject.name)) {
        for node in NODES {
            for permission in PERMISSIONS {
                for (side, opposite, words) in Side::ALL {
                    let strangers = [("one", opposite), ("two", side)]
                        .map(|(name, side)| stranger(name, node, side, permission));
                    let what = format!("{node}, {words} {permission}");
                    text += &both_orders(endpoint, &subject, &strangers, &what);
                }
            }
        }
    }
    text
}

/// What is refused when the first stranger comes before the subject, and when it comes after it.
fn both_orders(
    endpoint: &mut dyn Endpoint,
    Subject { name, start, stop }: &Subject,
    [one, two]: &[Value; 2],
    what: &str,
) -> String {
    let mut text = String::new();
    let orders = [
        ("one first", [("one", one), ("start", start), ("two", two)]),
        ("one next", [("start", start), ("one", one), ("two", two)]),
    ];
    for (order, commands) in orders {
        for (who, command) in commands {
            if let Some(refusal) = ask(endpoint, command) {
                writeln!(text, "{name}, {order}: {what}: {who}: {refusal}").unwrap();
            }
        }
        // The strangers go before the subject, which might not be able to leave otherwise.
        for command in [&delete("two"), &delete("one"), stop] {
            ask(endpoint, command);
        }
    }
    text
}

fn recording() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conflicts.txt")
}

fn assert_recorded(said: &str, wanted: fn(&str) -> bool) {
    let recorded = fs::read_to_string(recording()).unwrap();
    let is_wanted = |line: &&str| wanted(line.split(", one ").next().unwrap());
    let recorded: Vec<&str> = recorded.lines().filter(is_wanted).collect();
    for (number, (said, recorded)) in said.lines().zip(&recorded).enumerate() {
        assert_eq!(said, *recorded, "line {}", number + 1);
    }
    assert_eq!(said.lines().count(), recorded.len());
}

#[test]
fn the_baseline_says_what_qemu_said() {
    let mut monitor = MonitorEndpoint::new(Baseline, Completion::Stepwise);
    assert_recorded(&refusals(&mut monitor, |_| true), |_| true);
}

#[test]
fn live_qemu_says_what_it_said() {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(error) => return println!("skipped: {error}"),
    };
    let records = env::var_os("BLKPERM_RECORD").is_some();
    // Without FUSE, and in a container there often is none, what needs it cannot be asked.
    let wanted: fn(&str) -> bool = match records || can_mount(Daemon::start(&programs).unwrap()) {
        true => |_| true,
        false => |subject| !subject.contains("fuse"),
    };
    let said = refusals(&mut Daemon::start(&programs).unwrap(), wanted);
    if records {
        fs::write(recording(), &said).unwrap();
    }
    assert_recorded(&said, wanted);
}

/// Whether the host lets a daemon mount with FUSE.
fn can_mount(mut daemon: Daemon) -> bool {
    daemon.create_image(&Image::new(MOUNTPOINT, ImageFormat::Raw, Some(512))).unwrap();
    let node = json!({"driver": "null-co", "node-name": "node"});
    let export = json!({"type": "fuse", "id": "e", "node-name": "node", "mountpoint": MOUNTPOINT});
    // A mount would outlive the daemon.
    let remove = json!({"id": "e"});
    let commands =
        [("blockdev-add", node), ("block-export-add", export), ("block-export-del", remove)];
    commands.into_iter().all(|(command, arguments)| {
        ask(&mut daemon, &json!({"execute": command, "arguments": arguments})).is_none()
    })
}

/// The recording has every kind of parent that can be at fault, on either side.
#[test]
fn every_kind_of_parent_is_at_fault_somewhere() {
    let recorded = fs::read_to_string(recording()).unwrap();
    let at_fault = |word: &str| -> BTreeSet<String> {
        let parent = |line: &str| {
            let (_, rest) = line.split_once(word)?;
            let (user, rest) = rest.split_once(" (uses node '")?;
            let (_, rest) = rest.split_once("' as '")?;
            let (edge, _) = rest.split_once('\'')?;
            Some(format!("{user}: {edge}"))
        };
        recorded.lines().filter_map(parent).collect()
    };
    let both = [
        "an unnamed block device: root",
        "commit job 'j0': main node",
        "mirror job 'j0': main node",
        "node 'filter': file",
        "node 'filter': target",
        "node 'mid': backing",
        "node 'one': image",
        "node 'tgt': file",
        "node 'top': backing",
        "node 'two': image",
    ];
    // A job takes nothing by its other edges.
    let only_unshare = [
        "commit job 'j0': intermediate node",
        "commit job 'j0': source",
        "mirror job 'j0': source",
        "stream job 'j0': active node",
        "stream job 'j0': intermediate node",
    ];
    let only_take = ["node 'filter': backing"];
    let set = |lists: [&[&str]; 2]| -> BTreeSet<String> {
        lists.concat().into_iter().map(str::to_owned).collect()
    };
    assert_eq!(at_fault("both required by "), set([&both, &only_take]));
    assert_eq!(at_fault("unshared by "), set([&both, &only_unshare]));
}
