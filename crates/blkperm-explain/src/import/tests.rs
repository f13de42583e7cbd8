use blkperm_baseline::Baseline;
use blkperm_graph::State;
use blkperm_jobs::Completion;
use serde_json::{Value, json};

use super::*;

pub(super) const ALL: [&str; 4] = ["consistent-read", "write", "write-unchanged", "resize"];

/// An edge: its parent, its name, its child, what it takes and what it shares.
pub(super) type Listed<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);

/// A graph of nodes of which only the edges are known.
pub(super) fn survey(nodes: &[&str], edges: &[Listed<'_>]) -> Survey {
    let id = |name: &str| nodes.iter().position(|node| *node == name).unwrap();
    let listed =
        nodes.iter().map(|name| json!({"id": id(name), "type": "block-driver", "name": name}));
    let edges = edges.iter().map(|(parent, name, child, takes, shares)| {
        json!({"parent": id(parent), "name": name, "child": id(child), "perm": takes, "shared-perm": shares})
    });
    let graph =
        json!({"nodes": listed.collect::<Vec<Value>>(), "edges": edges.collect::<Vec<Value>>()});
    let mut replies = Replies::default();
    replies.take(&graph).unwrap();
    Survey::of(&replies).unwrap()
}

fn is_inactive(monitor: &blkperm_qmp::Monitor<Baseline>, node: &str) -> bool {
    let graph = &monitor.layer().graph;
    graph.state(graph.node_by_name(node).unwrap()).contains(State::INACTIVE)
}

#[test]
fn a_filter_without_parents_may_be_inactive_and_what_an_image_holds_on_its_file_tells() {
    let write: &[&str] = &["write"];
    let taken = ["consistent-read", "write", "resize"];
    let image = ("image", "file", "file", &taken[..], &["consistent-read", "write-unchanged"][..]);
    let survey =
        survey(&["debug", "image", "file"], &[("debug", "image", "image", write, &ALL), image]);
    assert!(survey.unexplained().is_empty(), "{:?}", survey.unexplained());
    let built = survey.build(Baseline, Completion::Stepwise).unwrap();
    assert!(!is_inactive(&built.monitor, "debug"));
    let doubts = survey.build_doubtful(&Baseline, Completion::Stepwise);
    let doubt = doubts.iter().find(|doubt| doubt.untold == Untold::ARE_INACTIVE).unwrap();
    let inactive = ["debug", "image", "file"].map(|node| is_inactive(&doubt.monitor, node));
    assert_eq!(inactive, [true, false, false]);
}

#[test]
fn an_image_that_only_reads_its_file_and_shares_all_is_inactive_with_all_above_it() {
    let survey = survey(
        &["debug", "image", "backing", "file"],
        &[
            ("debug", "image", "image", &[], &ALL),
            ("image", "file", "file", &["consistent-read"], &ALL),
            ("image", "backing", "backing", &[], &ALL),
        ],
    );
    assert!(survey.unexplained().is_empty(), "{:?}", survey.unexplained());
    let built = survey.build(Baseline, Completion::Stepwise).unwrap();
    let inactive = ["debug", "image"].map(|node| is_inactive(&built.monitor, node));
    assert_eq!(inactive, [true, true]);
}
