//! What QEMU answered to a scenario of each oddity, in `tests/oddities`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use blkperm_baseline::Baseline;
use blkperm_jobs::Completion;
use blkperm_qemu::Recording;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Death, Step, Transcript};
use serde_json::json;

use super::*;

/// Each scenario's name, what the baseline answers to it, and what QEMU 10.0.2 did.
fn recorded() -> Vec<(String, Transcript, Transcript)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oddities");
    let files =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.unwrap().path());
    let scenarios = files.filter(|file| file.extension().is_some_and(|kind| kind == "qmp"));
    let played = scenarios.map(|file| {
        let scenario = Scenario::load(&file).expect("the scenario is well formed");
        let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
        let ours = play(&mut endpoint, &scenario).expect("our monitor answers");
        let recording = Recording::load(&Recording::path(&file)).expect("it is well formed");
        (scenario.name, ours, recording.transcript)
    });
    played.collect()
}

#[test]
fn every_oddity_is_known_when_it_comes_and_not_before() {
    let mut seen = BTreeSet::new();
    for (name, ours, qemus) in recorded() {
        let sighting = first(&ours, &qemus).unwrap_or_else(|| panic!("{name} is not known"));
        let differences = ours.differences(&qemus);
        let line = differences.first().map(|difference| difference.line);
        assert_eq!(Some(qemus.steps[sighting.steps].line), line, "{name}: {}", sighting.what);
        seen.insert(sighting.what);
    }
    let all: BTreeSet<&str> = ODDITIES.iter().map(|oddity| oddity.what).collect();
    assert_eq!(seen, all, "each has a scenario");
}

/// What ends a script must not be taken for an oddity because of a word or two.
#[test]
fn what_is_like_an_oddity_is_none() {
    let step = |command| Step::new(1, command);
    let died_of = |first, message: &str| {
        let (signal, message) = ("SIGABRT".to_owned(), message.to_owned());
        let last = step(json!({"execute": "job-finalize"}));
        let last = Step { death: Some(Death { signal, message, origin: None }), ..last };
        let right = Transcript { steps: vec![step(first), last] };
        super::first(&Transcript::default(), &right).map(|sighting| sighting.steps)
    };
    let set_active =
        |active| json!({"execute": "blockdev-set-active", "arguments": {"active": active}});
    let not_permitted = "block/io.c:2006: bdrv_co_write_req_prepare: Assertion `child->perm & BLK_PERM_WRITE' failed.";
    assert_eq!(died_of(set_active(false), not_permitted), Some(1));
    assert_eq!(died_of(set_active(true), not_permitted), None);
    let stream = json!({"execute": "block-stream", "arguments": {"device": "base"}});
    assert_eq!(died_of(stream, not_permitted), None, "there is no blklogwrites");
    assert_eq!(died_of(set_active(false), "Permission conflict on node 'base'"), None);
    let twice = "block.c:7017: bdrv_inactivate_recurse: Assertion `top_level' failed.";
    assert_eq!(died_of(set_active(false), twice), None, "no node holds another twice");
    assert_eq!(super::first(&Transcript::default(), &Transcript::default()), None);
}
