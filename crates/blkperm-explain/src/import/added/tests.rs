use crate::import::tests::{ALL, survey};

/// Of the nodes in the order in which they were registered: whether each has surely been added by
/// itself.
fn sure(registered: &[&str], edges: &[(&str, &str, &str)]) -> Vec<bool> {
    let newest_first: Vec<&str> = registered.iter().rev().copied().collect();
    let edges: Vec<_> = edges
        .iter()
        .map(|&(parent, name, child)| (parent, name, child, &[][..], &ALL[..]))
        .collect();
    survey(&newest_first, &edges).added(true)
}

#[test]
fn what_was_registered_with_its_parent_may_have_been_opened_with_it() {
    let edges = [("top", "file", "file"), ("top", "backing", "base"), ("base", "file", "#base")];
    assert_eq!(sure(&["file", "top", "#base", "base"], &edges), [false, true, false, false]);
    // The backing file was there before; and something was registered between file and image.
    assert_eq!(sure(&["#base", "base", "file", "top"], &edges), [false, true, false, true]);
    let apart = ["file", "#base", "base", "top"];
    assert_eq!(sure(&apart, &edges), [true, false, true, true]);
}

#[test]
fn children_but_files_are_opened_after_their_parents() {
    let edges = [("debug", "image", "node")];
    assert_eq!(sure(&["node", "debug"], &edges), [true, true]);
    assert_eq!(sure(&["debug", "node"], &edges), [true, false]);
}

#[test]
fn an_overlay_of_an_older_node_may_be_a_snapshot_unless_its_file_has_a_name() {
    let edges = [("debug", "image", "top"), ("top", "file", "#f"), ("top", "backing", "base")];
    assert_eq!(sure(&["base", "#f", "top", "debug"], &edges), [true, false, false, true]);
    let edges = [("debug", "image", "top"), ("top", "file", "f"), ("top", "backing", "base")];
    assert_eq!(sure(&["f", "base", "top", "debug"], &edges), [true, true, true, true]);
}

#[test]
fn an_overlay_that_was_put_in_between_hides_nothing() {
    let edges = [("top", "file", "over"), ("over", "file", "#f"), ("over", "backing", "file")];
    assert_eq!(sure(&["file", "top", "#f", "over"], &edges), [false, true, false, false]);
}
