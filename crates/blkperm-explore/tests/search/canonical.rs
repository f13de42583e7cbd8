//! That states with one packed form do the same from there on.

use std::collections::HashMap;

use blkperm_baseline::Baseline;
use blkperm_explore::{Act, Packed, Stage, Universe, World};
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_ownership::Ownership;

use crate::small_text;

/// What can happen next, whatever things are called: the states that commands lead to, how many are
/// refused, and how many end the process.
fn future<R: Rule + Clone>(
    stage: &Stage<R>,
    world: &World<R>,
) -> (Vec<Packed>, usize, usize, Vec<World<R>>) {
    let (mut next, mut refused, mut aborted, mut worlds) = (Vec::new(), 0, 0, Vec::new());
    for action in stage.actions(world) {
        let mut after = world.clone();
        match stage.act(&mut after, action) {
            Act::Aborted(_) => aborted += 1,
            act => {
                refused += usize::from(matches!(act, Act::Refused(_)));
                next.push(stage.pack(&after));
                worlds.push(after);
            }
        }
    }
    next.sort_unstable();
    (next, refused, aborted, worlds)
}

/// Every way to a state, not only the first: of each, what can happen next is compared.
fn has_one_future<R: Rule + Clone>(stage: &Stage<R>, depth: usize) -> usize {
    let mut known = HashMap::new();
    let mut level = vec![stage.start()];
    let mut again = 0;
    for _ in 0..depth {
        let mut below = Vec::new();
        for world in level {
            let (next, refused, aborted, worlds) = future(stage, &world);
            let future = (next, refused, aborted);
            match known.get(&stage.pack(&world)) {
                Some(first) => {
                    assert_eq!(first, &future);
                    again += 1;
                }
                None => {
                    known.insert(stage.pack(&world), future);
                    below.extend(worlds);
                }
            }
        }
        level = below;
    }
    again
}

#[test]
fn states_with_one_packed_form_have_one_future() {
    let images = r#"{"name": "base"}, {"name": "top", "backing": "base"}, {"name": "tgt"}"#;
    let text = small_text(images, r#""mirror", "commit""#)
        .replace(r#""strangers": 1"#, r#""strangers": 2"#)
        .replace(r#""pauses": false"#, r#""pauses": true"#);
    let universe = Universe::parse(&text).expect("it is a universe");
    let baseline = Stage::new(universe.clone(), Baseline, Completion::Stepwise);
    let ownership = Stage::new(universe, Ownership::default(), Completion::Atomic);
    assert!(has_one_future(&baseline, 4) > 1000);
    assert!(has_one_future(&ownership, 4) > 1000);
}
