//! The search drives the block layer, and the monitor is what QEMU is compared with.

use std::path::Path;

use blkperm_baseline::Baseline;
use blkperm_explore::{Act, Universe, scenario};
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::play;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Reply, Transcript};

use crate::{chain, explore, pair, preset, qemu};

fn play_to_monitor(text: &str) -> (Scenario, Transcript) {
    let scenario = Scenario::parse(Path::new("witness"), text).expect("well formed");
    let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
    let transcript = play(&mut endpoint, &scenario).expect("our monitor answers");
    (scenario, transcript)
}

/// Every witness ends the process with its last command, and not before.
#[test]
fn every_witness_ends_the_process_when_the_monitor_plays_it() {
    for universe in [chain(), pair(), preset("fork")] {
        let system = qemu(universe.clone());
        for finding in explore(&system).findings {
            let text = scenario(&universe, &finding.class.to_string(), &finding.witness);
            let (scenario, transcript) = play_to_monitor(&text);
            assert!(transcript.death().is_some(), "{text}");
            assert_eq!(transcript.steps.len(), scenario.commands().count(), "{text}");
        }
    }
}

/// Random walks, each command of which is refused in the search exactly where the monitor refuses it.
#[test]
fn the_search_and_the_monitor_refuse_the_same() {
    let mut seed = 1_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut refusals = 0;
    for name in Universe::presets() {
        let universe = preset(name);
        let system = qemu(universe.clone());
        for _ in 0..15 {
            let mut world = system.stage.start();
            let (mut actions, mut refused) = (Vec::new(), Vec::new());
            while actions.len() < 25 {
                let choice = system.stage.actions(&world);
                let action = choice[random(choice.len())];
                actions.push(action);
                match system.stage.act(&mut world, action) {
                    Act::Aborted(_) => break,
                    act => refused.push(matches!(act, Act::Refused(_))),
                }
            }
            let text = scenario(&universe, "a walk", &actions);
            let (scenario, transcript) = play_to_monitor(&text);
            let first = scenario.commands().count() - actions.len();
            let replies = transcript.steps[first..].iter().map(|step| &step.reply);
            let errors: Vec<bool> = replies
                .take(refused.len())
                .map(|reply| matches!(reply, Some(Reply::Error { .. })))
                .collect();
            assert_eq!(errors, refused, "{text}");
            assert_eq!(transcript.death().is_some(), refused.len() < actions.len(), "{text}");
            refusals += refused.into_iter().filter(|refused| *refused).count();
        }
    }
    assert!(refusals > 500);
}
