//! What each option of each driver answers when a reopen changes it, and when it leaves it out.
//!
//! A node of each driver is opened with some of its options and reopened once for each option and
//! value, and once without each option that it has; after each it is reopened as it was.
//! `tests/reopens.txt` has what `qemu-storage-daemon` 10.0.2 answered; it is written anew by
//!
//! ```text
//! BLKPERM_RECORD=1 cargo test -p blkperm-tests --test reopen_rows live
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
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

const PASSPHRASE: &str = "open sesame";

/// The formats, each of an image of its own, with what their nodes are opened with besides a file.
const FORMATS: [(ImageFormat, &str); 9] = [
    (ImageFormat::Luks, r#"{"key-secret": "secret"}"#),
    (ImageFormat::Parallels, "{}"),
    (ImageFormat::Qcow, r#"{"backing": null}"#),
    (ImageFormat::Qcow2, r#"{"lazy-refcounts": true}"#),
    (ImageFormat::Qed, "{}"),
    (ImageFormat::Vdi, "{}"),
    (ImageFormat::Vhdx, "{}"),
    (ImageFormat::Vmdk, "{}"),
    (ImageFormat::Vpc, "{}"),
];

/// Options of one format, and values that they are given.
const OF_FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Luks, r#"{"key-secret": ["other"], "header": ["n3"]}"#),
    (ImageFormat::Qcow, r#"{"backing": ["n3", ""], "encrypt": [{"format": "aes"}]}"#),
    (
        ImageFormat::Qcow2,
        r#"{"backing": ["n3", null, ""], "lazy-refcounts": [false],
            "pass-discard-request": [true], "pass-discard-snapshot": [true],
            "pass-discard-other": [true], "discard-no-unref": [true],
            "overlap-check": ["none", {"template": "none"}], "cache-size": [1048576],
            "l2-cache-size": [1048576], "refcount-cache-size": [1048576],
            "cache-clean-interval": [0], "data-file": ["n3"],
            "encrypt": [{"format": "luks"}, {"format": "aes"}]}"#,
    ),
    (ImageFormat::Qed, r#"{"backing": ["n3", null, ""]}"#),
    (ImageFormat::Vmdk, r#"{"backing": ["n3", null, ""]}"#),
];

/// The other drivers: with what nodes of them are opened, and what their options are changed to.
const OTHERS: [(&str, &str); 24] = [
    (
        r#"{"driver": "null-co", "size": 1048576}"#,
        r#"{"size": [512], "latency-ns": [1], "read-zeroes": [true]}"#,
    ),
    (
        r#"{"driver": "null-aio", "latency-ns": 5}"#,
        r#"{"size": [512], "latency-ns": [1], "read-zeroes": [true]}"#,
    ),
    (
        r#"{"driver": "file", "filename": "plain.img"}"#,
        r#"{"filename": ["other.img"], "locking": ["off", "auto", "on"],
            "aio": ["threads", "native"], "aio-max-batch": [1], "drop-cache": [true, false],
            "x-check-cache-dropped": [true, false], "pr-manager": ["none"]}"#,
    ),
    (
        r#"{"driver": "file", "filename": "plain.img", "locking": "off", "aio": "threads"}"#,
        r#"{"filename": ["other.img"], "locking": ["auto"], "aio": ["native"]}"#,
    ),
    (
        r#"{"driver": "raw", "file": "n0"}"#,
        r#"{"file": ["n1"], "offset": [0, 512], "size": [1024, 511]}"#,
    ),
    (
        r#"{"driver": "raw", "file": "n0", "offset": 512}"#,
        r#"{"file": ["n1"], "offset": [0, 1024, -1], "size": [1024]}"#,
    ),
    (
        r#"{"driver": "raw", "file": "n0", "size": 1024}"#,
        r#"{"file": ["n1"], "offset": [0, 1024], "size": [2048, -1]}"#,
    ),
    (
        r#"{"driver": "throttle", "file": "n0", "throttle-group": "group"}"#,
        r#"{"file": ["n1"], "throttle-group": ["other-group", "none", ""]}"#,
    ),
    (
        r#"{"driver": "preallocate", "file": "n0"}"#,
        r#"{"file": ["n1"], "prealloc-align": [512, 100, -1], "prealloc-size": [4096, -1, 5]}"#,
    ),
    (
        r#"{"driver": "preallocate", "file": "n0", "prealloc-align": 4096, "prealloc-size": 65536}"#,
        r#"{"file": ["n1"], "prealloc-align": [512], "prealloc-size": [4096]}"#,
    ),
    (r#"{"driver": "compress", "file": "image"}"#, r#"{"file": ["n1"]}"#),
    (
        r#"{"driver": "blkdebug", "image": "n0"}"#,
        r#"{"image": ["n1"], "align": [512], "max-transfer": [512], "config": ["none"],
            "take-child-perms": [["write"]], "unshare-child-perms": [["resize"]],
            "inject-error": [[{"event": "none"}]],
            "set-state": [[{"event": "none", "new_state": 1}]]}"#,
    ),
    (
        r#"{"driver": "blkdebug", "image": "n0", "align": 512, "take-child-perms": ["write"],
            "inject-error": [{"event": "none"}]}"#,
        r#"{"image": ["n1"], "align": [1024], "take-child-perms": [["write", "resize"]]}"#,
    ),
    (r#"{"driver": "blkverify", "raw": "n0", "test": "n1"}"#, r#"{"raw": ["n2"], "test": ["n2"]}"#),
    (
        r#"{"driver": "blklogwrites", "file": "n0", "log": "n1"}"#,
        r#"{"file": ["n2"], "log": ["n2"], "log-sector-size": [1024], "log-append": [true],
            "log-super-update-interval": [7]}"#,
    ),
    (
        r#"{"driver": "copy-on-read", "file": "n0"}"#,
        r#"{"file": ["n1"], "bottom": ["n0", "none"]}"#,
    ),
    (
        r#"{"driver": "copy-on-read", "file": "image", "bottom": "image"}"#,
        r#"{"file": ["n1"], "bottom": ["n0", "none"]}"#,
    ),
    (
        r#"{"driver": "copy-before-write", "file": "n0", "target": "n1"}"#,
        r#"{"file": ["n2"], "target": ["n2"], "on-cbw-error": ["break-snapshot"],
            "cbw-timeout": [5], "min-cluster-size": [65536],
            "bitmap": [{"node": "n0", "name": "none"}]}"#,
    ),
    (
        r#"{"driver": "copy-before-write", "file": "n0", "target": "n1",
            "on-cbw-error": "break-snapshot", "cbw-timeout": 5}"#,
        r#"{"on-cbw-error": ["break-guest-write"], "cbw-timeout": [6]}"#,
    ),
    (r#"{"driver": "snapshot-access", "file": "saving"}"#, r#"{"file": ["n2"]}"#),
    (
        r#"{"driver": "quorum", "children": ["n0", "n1"], "vote-threshold": 1}"#,
        r#"{"children": [["n0", "n2"], ["n0"]], "vote-threshold": [2], "blkverify": [true],
            "rewrite-corrupted": [true], "read-pattern": ["fifo"]}"#,
    ),
    (
        r#"{"driver": "replication", "mode": "primary", "file": "n0"}"#,
        r#"{"mode": ["secondary"], "file": ["n1"], "top-id": ["x"]}"#,
    ),
    (
        r#"{"driver": "replication", "mode": "secondary", "top-id": "x", "file": "n0"}"#,
        r#"{"mode": ["primary"], "file": ["n1"], "top-id": ["y"]}"#,
    ),
    // Children that were opened for the node follow it.
    (
        r#"{"driver": "raw", "file": {"driver": "null-co", "node-name": "child"}}"#,
        r#"{"file": ["child", "n0", {"driver": "null-co"},
            {"driver": "null-co", "node-name": "child", "size": 512},
            {"driver": "null-aio", "node-name": "child"},
            {"driver": "null-co", "node-name": "child", "read-only": true}]}"#,
    ),
];

/// Options that all nodes have.
const COMMON: &str = r#"{"read-only": [true], "auto-read-only": [true], "force-share": [true],
    "discard": ["unmap"], "detect-zeroes": ["on", "unmap"], "active": [true, false],
    "cache": [{"direct": true}, {"no-flush": true}, {}], "driver": ["null-co"]}"#;

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A value with the members of another one.
fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// What the nodes are opened with that are reopened, each with what its options are changed to.
fn rows() -> Vec<(Value, Value)> {
    let formats = FORMATS.iter().map(|&(format, more)| {
        let file = json!({"driver": format.name(), "file": format!("{}-file", format.name())});
        let own = OF_FORMATS.iter().find(|row| row.0 == format).map_or("{}", |row| row.1);
        (with(file, &object(more)), with(json!({"file": ["n3"]}), &object(own)))
    });
    let others = OTHERS.iter().map(|(opened, changes)| (object(opened), object(changes)));
    formats.chain(others).collect()
}

/// Carries out a command; gives the text of its reply.
fn ask(endpoint: &mut dyn Endpoint, command: &str, arguments: &Value) -> String {
    let request = json!({"execute": command, "arguments": arguments});
    let reply = endpoint.execute(&request).unwrap();
    endpoint.take_events();
    match reply {
        Reply::Return(_) => "done".to_owned(),
        Reply::Error { class, desc } => format!("{class}: {desc}"),
    }
}

fn prepare(endpoint: &mut dyn Endpoint) {
    let mut create = |name: &str, format: ImageFormat, backing: Option<&str>| {
        let mut image = Image::new(name, format, Some(1 << 20));
        let backing = backing.map(str::to_owned);
        image.backing = backing.map(|filename| Backing { filename, format: ImageFormat::Qcow2 });
        image.secret = (format == ImageFormat::Luks).then(|| PASSPHRASE.to_owned());
        endpoint.create_image(&image).unwrap();
    };
    create("image", ImageFormat::Qcow2, None);
    create("overlay", ImageFormat::Qcow2, Some("image"));
    ["plain.img", "other.img"].iter().for_each(|name| create(name, ImageFormat::Raw, None));
    FORMATS.iter().for_each(|&(format, _)| create(&format!("{}.img", format.name()), format, None));
    let empty = |name: &str| json!({"driver": "null-co", "node-name": name});
    let file =
        |name: &str, path: String| json!({"driver": "file", "node-name": name, "filename": path});
    let mut commands = vec![
        ("object-add", json!({"qom-type": "throttle-group", "id": "group"})),
        ("object-add", json!({"qom-type": "throttle-group", "id": "other-group"})),
        ("object-add", json!({"qom-type": "secret", "id": "secret", "data": PASSPHRASE})),
        ("object-add", json!({"qom-type": "secret", "id": "other", "data": "open barley"})),
        (
            "blockdev-add",
            json!({"driver": "qcow2", "node-name": "image", "file": file("ifile", "overlay".into())}),
        ),
        (
            "blockdev-add",
            json!({"driver": "copy-before-write", "node-name": "saving", "file": empty("saved"),
                   "target": empty("saves")}),
        ),
    ];
    commands.extend(["n0", "n1", "n2", "n3"].map(|name| ("blockdev-add", empty(name))));
    commands.extend(FORMATS.iter().map(|(format, _)| {
        let name = format.name();
        ("blockdev-add", file(&format!("{name}-file"), format!("{name}.img")))
    }));
    for (command, arguments) in commands {
        assert_eq!(ask(endpoint, command, &arguments), "done", "{arguments}");
    }
}

/// What each change of each row answers, and the way back, a line each.
fn answers(endpoint: &mut dyn Endpoint) -> String {
    prepare(endpoint);
    let mut text = String::new();
    for (opened, changes) in rows() {
        writeln!(text, "{opened}").unwrap();
        let before = with(json!({"node-name": "node"}), &opened);
        let changes = with(changes, &object(COMMON));
        let changed = changes.as_object().unwrap().iter().flat_map(|(option, values)| {
            let values = values.as_array().unwrap().iter();
            values.map(move |value| (format!("{option} = {value}"), option, Some(value)))
        });
        let left_out =
            before.as_object().unwrap().keys().map(|option| (format!("no {option}"), option, None));
        for (what, option, value) in changed.chain(left_out) {
            let mut after = before.clone();
            match value {
                Some(value) => after[option] = value.clone(),
                None => drop(after.as_object_mut().unwrap().remove(option)),
            }
            assert_eq!(ask(endpoint, "blockdev-add", &before), "done", "{before}");
            let reopen = |options: &Value| json!({"options": [options]});
            let there = ask(endpoint, "blockdev-reopen", &reopen(&after));
            let back = ask(endpoint, "blockdev-reopen", &reopen(&before));
            writeln!(text, "  {what}: {there}; back: {back}").unwrap();
            assert_eq!(ask(endpoint, "blockdev-del", &json!({"node-name": "node"})), "done");
        }
    }
    text
}

fn recording() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("reopens.txt")
}

fn assert_recorded(said: &str) {
    let recorded = fs::read_to_string(recording()).unwrap();
    for (number, (said, recorded)) in said.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(said, recorded, "line {}", number + 1);
    }
    assert_eq!(said.lines().count(), recorded.lines().count());
}

#[test]
fn the_baseline_reopens_as_qemu_did() {
    assert_recorded(&answers(&mut MonitorEndpoint::new(Baseline, Completion::Stepwise)));
}

#[test]
fn live_qemu_reopens_as_it_did() {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(error) => return println!("skipped: {error}"),
    };
    let said = answers(&mut Daemon::start(&programs).unwrap());
    if env::var_os("BLKPERM_RECORD").is_some() {
        fs::write(recording(), &said).unwrap();
    }
    assert_recorded(&said);
}
