//! What the scripts aim at: of each verb more is accepted than refused, and each driver is opened.

use std::collections::BTreeMap;

use blkperm_baseline::Baseline;
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play;
use blkperm_qmp::transcript::{Reply, Transcript};

use crate::generate::{Plan, generate};
use crate::hunt::Tally;

/// The verbs that permissions bear on, and how often a hundred scripts have each accepted at least.
const VERBS: [(&str, u64); 13] = [
    ("block-commit", 40),
    ("block-export-add", 80),
    ("block-stream", 60),
    ("block_resize", 20),
    ("blockdev-add", 600),
    ("blockdev-backup", 20),
    ("blockdev-mirror", 20),
    ("blockdev-reopen", 50),
    ("blockdev-set-active", 20),
    ("blockdev-snapshot", 20),
    ("blockdev-snapshot-sync", 40),
    ("transaction", 10),
    ("x-blockdev-change", 10),
];

const DRIVERS: [&str; 22] = [
    "blkdebug",
    "blklogwrites",
    "blkverify",
    "compress",
    "copy-before-write",
    "copy-on-read",
    "file",
    "luks",
    "null-aio",
    "null-co",
    "parallels",
    "preallocate",
    "qcow",
    "qcow2",
    "qed",
    "quorum",
    "raw",
    "throttle",
    "vdi",
    "vhdx",
    "vmdk",
    "vpc",
];

fn played(index: u64) -> Transcript {
    let endpoint = || MonitorEndpoint::new(Baseline, Completion::Stepwise);
    let script = generate(Plan { seed: 1, index, length: 25 }, &mut endpoint()).unwrap();
    play::play(&mut endpoint(), &script.scenario("script")).unwrap()
}

#[test]
fn more_of_each_verb_is_accepted_than_refused() {
    let mut tally = Tally::default();
    let mut opened: BTreeMap<String, u64> = BTreeMap::new();
    for transcript in (0..100).map(played) {
        tally.add(&Tally::of(&transcript));
        let accepted = transcript.steps.iter().filter(|step| {
            step.command_name() == "blockdev-add" && matches!(step.reply, Some(Reply::Return(_)))
        });
        for driver in accepted.filter_map(|step| step.command["arguments"]["driver"].as_str()) {
            *opened.entry(driver.to_owned()).or_default() += 1;
        }
    }
    for (verb, least) in VERBS {
        let counts = tally.0.get(verb).copied().unwrap_or_default();
        assert!(counts.accepted >= counts.refused.max(least), "{verb}: {counts:?}");
    }
    for driver in DRIVERS {
        assert!(opened.get(driver).is_some_and(|&times| times >= 2), "{driver}: {opened:?}");
    }
}
