//! The scenarios of the seed, played to our rules and compared with what QEMU 10.0.2 answered.

use std::path::{Path, PathBuf};

use blkperm_baseline::Baseline;
use blkperm_jobs::Completion;
use blkperm_qemu::Recording;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios are there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "qmp"))
        .collect();
    files.sort();
    files
}

#[test]
fn baseline_stepwise_equals_qemu_on_every_scenario() {
    let mut failures = Vec::new();
    let files = scenario_files();
    assert!(files.len() >= 20, "{} scenarios", files.len());
    for file in files {
        let scenario = Scenario::load(&file).expect("the scenario is well formed");
        let recorded =
            Recording::load(&Recording::path(&file)).expect("the recording is well formed");
        let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
        let ours = play(&mut endpoint, &scenario).expect("our monitor answers");
        for difference in ours.differences(&recorded.transcript) {
            failures.push(format!("{}: {difference}", scenario.name));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}
