//! Every driver's rows against a live `qemu-storage-daemon`: what a node demands of its children for
//! each of the 256 (perm, shared) that a parent can demand of it, or why that is refused.
//!
//! A sample runs by itself. All of it, some minutes:
//! `cargo test -p blkperm-tests --test driver_rows -- --ignored`.

use std::path::Path;

use blkperm_baseline::Baseline;
use blkperm_graph::{Demand, Permissions};
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Error, Programs};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use serde_json::{Value, json};

/// The images and objects that the drivers find.
const PRELUDE: &str = r#"
{"image": {"filename": "b.qcow2", "format": "qcow2", "size": "1M"}}
{"image": {"filename": "x.qcow2", "format": "qcow2", "size": "1M"}}
{"image": {"filename": "o.qcow2", "format": "qcow2", "backing": "b.qcow2"}}
{"image": {"filename": "d.qcow2", "format": "qcow2", "size": "1M", "options": {"data_file": "d.raw"}}}
{"image": {"filename": "x.qcow", "format": "qcow", "size": "1M"}}
{"image": {"filename": "o.qed", "format": "qed", "backing": "b.qcow2"}}
{"image": {"filename": "x.vdi", "format": "vdi", "size": "1M"}}
{"image": {"filename": "x.vhdx", "format": "vhdx", "size": "1M"}}
{"image": {"filename": "x.vpc", "format": "vpc", "size": "1M"}}
{"image": {"filename": "x.parallels", "format": "parallels", "size": "1M"}}
{"image": {"filename": "x.vmdk", "format": "vmdk", "size": "1M"}}
{"image": {"filename": "f.vmdk", "format": "vmdk", "size": "1M", "options": {"subformat": "monolithicFlat"}}}
{"image": {"filename": "s.vmdk", "format": "vmdk", "size": "1M", "options": {"subformat": "twoGbMaxExtentSparse"}}}
{"image": {"filename": "x.luks", "format": "luks", "size": "1M", "secret": "open sesame"}}
{"execute": "object-add", "arguments": {"qom-type": "secret", "id": "s", "data": "open sesame"}}
{"execute": "object-add", "arguments": {"qom-type": "throttle-group", "id": "g"}}
{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "c0", "size": 1048576}}
{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "c1", "size": 1048576}}
{"execute": "blockdev-add", "arguments": {"driver": "qcow2", "node-name": "q", "file": {"driver": "file", "filename": "x.qcow2"}}}
"#;

/// The options of a node of each driver, but its name; children by name are those of the prelude.
fn drivers() -> Vec<Value> {
    let file = |name: &str| json!({"driver": "file", "filename": name});
    let image = |driver: &str, name: &str| json!({"driver": driver, "file": file(name)});
    vec![
        json!({"driver": "null-co"}),
        json!({"driver": "null-aio"}),
        file("x.vdi"),
        json!({"driver": "raw", "file": "c0"}),
        json!({"driver": "raw", "file": "c0", "offset": 512}),
        json!({"driver": "raw", "file": "c0", "size": 1_048_576}),
        image("qcow2", "b.qcow2"),
        image("qcow2", "o.qcow2"),
        image("qcow2", "d.qcow2"),
        image("qcow", "x.qcow"),
        image("qed", "o.qed"),
        image("vdi", "x.vdi"),
        image("vhdx", "x.vhdx"),
        image("vpc", "x.vpc"),
        image("parallels", "x.parallels"),
        image("vmdk", "x.vmdk"),
        image("vmdk", "f.vmdk"),
        image("vmdk", "s.vmdk"),
        json!({"driver": "luks", "key-secret": "s", "file": file("x.luks")}),
        json!({"driver": "blkdebug", "image": "c0"}),
        json!({"driver": "blkdebug", "image": "c0", "take-child-perms": ["write"],
               "unshare-child-perms": ["consistent-read", "resize"]}),
        json!({"driver": "throttle", "file": "c0", "throttle-group": "g"}),
        json!({"driver": "compress", "file": "q"}),
        json!({"driver": "blkverify", "raw": "c0", "test": "c1"}),
        json!({"driver": "blkverify", "raw": "c0", "test": "c0"}),
        json!({"driver": "blklogwrites", "file": "c0", "log": "c1"}),
        json!({"driver": "copy-on-read", "file": "c0"}),
        json!({"driver": "copy-on-read", "file": "q", "bottom": "q"}),
        json!({"driver": "preallocate", "file": "c0"}),
        json!({"driver": "quorum", "children": ["c0", "c1"], "vote-threshold": 1}),
        json!({"driver": "quorum", "children": ["c0", "c1"], "vote-threshold": 2,
               "rewrite-corrupted": true}),
        json!({"driver": "copy-before-write", "file": "c0", "target": "c1"}),
        json!({"driver": "snapshot-access", "file": "c0"}),
        json!({"driver": "replication", "file": "c0", "mode": "primary"}),
        json!({"driver": "replication", "file": "c0", "mode": "secondary", "top-id": "x"}),
    ]
}

fn command(name: &str, arguments: &Value) -> String {
    format!("{}\n", json!({"execute": name, "arguments": arguments}))
}

fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permissions::qmp_name).collect()
}

/// A node with these options in each state, and above it a node that demands each of `inputs` in
/// turn.
fn scenario(options: &Value, inputs: &[Demand]) -> Scenario {
    let mut text = PRELUDE.to_owned();
    for state in [None, Some(("read-only", true)), Some(("active", false))] {
        let mut node = options.clone();
        node["node-name"] = json!("x");
        if let Some((name, value)) = state {
            node[name] = json!(value);
        }
        text += &command("blockdev-add", &node);
        for input in inputs {
            let mut parent = json!({"driver": "blkdebug", "node-name": "p", "image": "x"});
            if !input.take().is_empty() {
                parent["take-child-perms"] = json!(names(input.take()));
            }
            if !input.unshare().is_empty() {
                parent["unshare-child-perms"] = json!(names(input.unshare()));
            }
            // An active node has no inactive child.
            if node.get("active").is_some() {
                parent["active"] = json!(false);
            }
            text += &command("blockdev-add", &parent);
            text += &command("blockdev-del", &json!({"node-name": "p"}));
        }
        text += &command("blockdev-del", &json!({"node-name": "x"}));
    }
    Scenario::parse(Path::new("rows.qmp"), &text).expect("the scenario is well formed")
}

/// Compares with QEMU what each driver, read-write, read-only and inactive, makes of the inputs.
fn compare(inputs: impl Fn(usize) -> Vec<Demand>) {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(error @ Error::NotInstalled { .. }) => return println!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let mut failures = Vec::new();
    for (number, options) in drivers().iter().enumerate() {
        let scenario = scenario(options, &inputs(number));
        let mut daemon = Daemon::start(&programs).expect("the daemon starts");
        let theirs = play(&mut daemon, &scenario).expect("the daemon answers");
        let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
        let ours = play(&mut endpoint, &scenario).expect("our monitor answers");
        assert_eq!(theirs.steps.len(), scenario.commands().count(), "QEMU survives {options}");
        let differences = ours.differences(&theirs);
        failures.extend(differences.iter().take(5).map(|it| format!("{options}: {it}")));
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// Eight inputs for each driver, others for each, among them those that an export demands.
#[test]
fn a_sample_of_each_drivers_rows_is_that_of_qemu() {
    let export = Permissions::CONSISTENT_READ | Permissions::WRITE;
    compare(|number| {
        let spread = (0..7).map(|place| Demand::from_index((number * 31 + place * 37) % 256));
        spread.chain([Demand::new(export, Permissions::RESIZE)]).collect()
    });
}

#[test]
#[ignore = "takes some minutes"]
fn every_row_of_every_driver_is_that_of_qemu() {
    compare(|_| (0..Demand::COUNT).map(Demand::from_index).collect());
}
