//! What the search finds, against other searches and against the monitor.

mod against;
mod canonical;
mod findings;
mod model;
mod monitor;
mod shards;
mod universes;

use blkperm_baseline::Baseline;
use blkperm_explore::{Ended, Limits, Report, Search, Single, Stage, System, Universe};
use blkperm_jobs::Completion;

/// A universe in which strangers only unshare consistent reads.
fn small(images: &str, kinds: &str) -> Universe {
    Universe::parse(&small_text(images, kinds)).expect("it is a universe")
}

fn small_text(images: &str, kinds: &str) -> String {
    format!(
        r#"{{"images": [{images}], "strangers": 1, "demands": ["unshare-consistent-read"],
            "exports": 1, "jobs": 1, "kinds": [{kinds}], "manual": true, "pauses": false}}"#
    )
}

const CHAIN: &str = r#"{"name": "base"}, {"name": "mid", "backing": "base"},
    {"name": "top", "backing": "mid"}"#;

fn chain() -> Universe {
    small(CHAIN, r#""commit""#)
}

fn pair() -> Universe {
    small(r#"{"name": "src"}, {"name": "tgt"}"#, r#""mirror""#)
}

fn preset(name: &str) -> Universe {
    Universe::parse(Universe::preset(name).expect("it is a preset")).expect("it is a universe")
}

const ALL: Limits = Limits { depth: u32::MAX, bytes: 1 << 30 };

/// Explores everything.
fn explore<S: System>(system: &S) -> Report {
    let mut search = Search::new(system);
    assert_eq!(search.run(ALL, |_| true), Ended::Complete);
    search.report()
}

fn qemu(universe: Universe) -> Single<Baseline> {
    Single { stage: Stage::new(universe, Baseline, Completion::Stepwise), judges: false }
}
