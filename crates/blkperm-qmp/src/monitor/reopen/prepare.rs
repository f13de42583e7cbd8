//! The checks of a reopen, node by node, and the new children.

use blkperm_graph::{Change, EdgeId, Graph, NodeId, Role, Rule};
use blkperm_jobs::Heirs;
use serde_json::Value;

use super::driver::{Reopening, lists};
use super::queue::Entry;
use crate::command::blockdev::BlockdevDetectZeroesOptions;
use crate::monitor::Failed;
use crate::monitor::filename::{below_implicit, is_implicit};
use crate::monitor::open::{check_preallocation, no_throttle_group, raw_length, raw_window};
use crate::qapi::flat::Options;
use crate::qapi::qdict_order;

/// The options that may be left out in every reopen, whatever they were.
///
/// Source: `bdrv_reset_options_allowed` in `block.c`, QEMU 10.0.
const RESETTABLE: [&str; 7] = [
    "auto-read-only",
    "cache.direct",
    "cache.no-flush",
    "detect-zeroes",
    "discard",
    "node-name",
    "read-only",
];

/// What a reopen has to know of a node as it is.
pub(super) struct Old {
    pub(super) options: Options,
    /// Whether its image names a backing file.
    pub(super) names_backing: bool,
    /// The throttle group that it is to have from now on and that is not there.
    pub(super) missing_group: Option<String>,
}

/// What becomes of the graph while a reopen is prepared.
pub(super) struct Preparation {
    /// Which nodes take over options from others, if the reopen is accepted.
    pub(super) heirs: Heirs,
    /// How often the graph was changed, or would have been.
    pub(super) changes: usize,
    /// The nodes that are updated, in the order in which QEMU notes them.
    updated: Vec<NodeId>,
}

impl Preparation {
    pub(super) fn new(heirs: Heirs) -> Preparation {
        Preparation { heirs, changes: 0, updated: Vec::new() }
    }

    /// The nodes from which QEMU begins its update: the last that was noted first.
    pub(super) fn starts(&self) -> Vec<NodeId> {
        self.updated.iter().rev().copied().collect()
    }

    /// Checks a node's options, and gives it its new children.
    ///
    /// Source: `bdrv_reopen_prepare` in `block.c`, QEMU 10.0.
    pub(super) fn prepare<R: Rule>(
        &mut self,
        change: &mut Change<'_, R>,
        entry: &Entry,
        old: &Old,
    ) -> Result<(), Failed> {
        let node = entry.node;
        let left = entry.left();
        let graph = change.graph();
        let reopening = check_options(graph, entry, &left, old)?;
        let has_backing = || graph.backing_edge(node).is_some() || old.names_backing;
        if graph.driver(node).supports_backing && entry.backing_missing && has_backing() {
            let desc = format!("backing is missing for '{}'", graph.name(node));
            return Err(Failed::generic(desc));
        }
        self.updated.push(node);
        for child in ["backing", "file"] {
            self.set_child(change, entry, child)?;
        }
        check_leftovers(change.graph(), node, &left, old, reopening)
    }

    /// Gives a node another backing file or file, if its options say so.
    ///
    /// Source: `bdrv_reopen_parse_file_or_backing` in `block.c`, QEMU 10.0.
    fn set_child<R: Rule>(
        &mut self,
        change: &mut Change<'_, R>,
        entry: &Entry,
        name: &str,
    ) -> Result<(), Failed> {
        let node = entry.node;
        let graph = change.graph();
        let new = match entry.options.get(name) {
            None => return Ok(()),
            Some(Value::String(new)) => Some(find(graph, node, new, name)?),
            Some(_) => None,
        };
        let edge = child_edge(graph, node, name);
        let old = edge.map(|edge| graph.child_of(edge));
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            if Some(skip_implicit_filters(graph, old)) == new {
                return Ok(());
            }
            if is_implicit(graph, old) {
                let name_of_node = graph.name(node);
                let desc = format!("Cannot replace implicit {name} child of {name_of_node}");
                return Err(Failed::generic(desc));
            }
        } else if graph.driver(node).is_filter {
            return Err(Failed::generic(format!(
                "'{}' is a {} filter node that does not support a {name} child",
                graph.name(node),
                graph.driver(node).name,
            )));
        }
        self.updated.extend(old);
        self.changes += 1;
        self.replace_child(change, node, edge, new, name)
    }

    /// Source: `bdrv_set_file_or_backing_noperm` in `block.c`, QEMU 10.0.
    fn replace_child<R: Rule>(
        &mut self,
        change: &mut Change<'_, R>,
        node: NodeId,
        old: Option<EdgeId>,
        new: Option<NodeId>,
        name: &str,
    ) -> Result<(), Failed> {
        let graph = change.graph();
        let was_below = new.filter(|&new| self.heirs.is_below(new, node));
        if let Some(edge) = old.filter(|&edge| graph.is_frozen(edge)) {
            return Err(Failed::generic(format!(
                "Cannot change frozen '{}' link from '{}' to '{}'",
                graph.edge_name(edge),
                graph.name(node),
                graph.name(graph.child_of(edge)),
            )));
        }
        let driver = graph.driver(node);
        let is_backing = name == "backing";
        if is_backing && !driver.is_filter && !driver.supports_backing {
            return Err(Failed::generic(format!(
                "Driver '{}' of node '{}' does not support backing files",
                driver.name,
                graph.name(node),
            )));
        }
        let role = if driver.is_filter {
            Role::FILTERED | Role::PRIMARY
        } else if is_backing {
            Role::COW
        } else {
            let edge = old.ok_or_else(|| {
                Failed::generic("Cannot set file child to format node without file child")
            })?;
            graph.role(edge)
        };
        if let Some(edge) = old {
            self.heirs.disinherit(graph, node, edge);
            change.detach(edge)?;
        }
        if let Some(new) = new {
            change.attach(node, new, name, role)?;
        }
        if let Some(new) = was_below {
            self.heirs.set_parent(new, Some(node));
        }
        Ok(())
    }
}

/// The checks before anything is changed.
fn check_options<R: Rule>(
    graph: &Graph<R>,
    entry: &Entry,
    left: &Options,
    old: &Old,
) -> Result<Reopening, Failed> {
    let detects = entry.detect_zeroes() == Some(BlockdevDetectZeroesOptions::Unmap);
    if detects && !entry.unmaps() {
        let desc = "setting detect-zeroes to unmap is not allowed without setting discard \
                    operation to unmap";
        return Err(Failed::generic(desc));
    }
    let driver = graph.driver(entry.node).name;
    let Some(reopening) = Reopening::of(driver) else {
        let name = graph.name(entry.node);
        return Err(Failed::generic(format!(
            "Block format '{driver}' used by node '{name}' does not support reopening files"
        )));
    };
    let is_needed = |&(name, _): &(&str, _)| {
        let may_be_missing = RESETTABLE.contains(&name) || lists(reopening.resettable, name);
        !left.contains_key(name) && !may_be_missing
    };
    if let Some((name, _)) = qdict_order(&old.options).into_iter().find(is_needed) {
        let desc = format!("Option '{name}' cannot be reset to its default value");
        return Err(Failed::generic(desc));
    }
    check_values(graph, entry.node, left, old)?;
    Ok(reopening)
}

/// The checks of the driver itself.
///
/// Source: `bdrv_reopen_prepare` of each `BlockDriver`, QEMU 10.0.
fn check_values<R: Rule>(
    graph: &Graph<R>,
    node: NodeId,
    left: &Options,
    old: &Old,
) -> Result<(), Failed> {
    let option = |name: &str| left.get(name).and_then(Value::as_i64);
    match graph.driver(node).name {
        "raw" => {
            let file = child_edge(graph, node, "file").map(|edge| graph.child_of(edge));
            let whole = file.map_or(0, |file| graph.length(file));
            raw_length(whole, raw_window(option("offset"), option("size"))?).map(drop)
        }
        "qcow2" => match left.get("encrypt.format").and_then(Value::as_str) {
            Some(format) => Err(Failed::generic(format!(
                "No encryption in image header, but options specified format '{format}'"
            ))),
            None => Ok(()),
        },
        "preallocate" => check_preallocation(option("prealloc-align"), option("prealloc-size")),
        "throttle" => match &old.missing_group {
            Some(group) => Err(no_throttle_group(group)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Requires that the options of which nobody has taken note are as they were.
fn check_leftovers<R: Rule>(
    graph: &Graph<R>,
    node: NodeId,
    left: &Options,
    old: &Old,
    reopening: Reopening,
) -> Result<(), Failed> {
    let is_same = |name: &str, value: &Value| {
        let child = graph.child_edge(node, name).map(|edge| graph.child_of(edge));
        let names_child = child.is_some_and(|child| *value == graph.name(child));
        // QEMU's quirk: it compares a switch with the word that it was read from.
        let is_old = name != "force-share" && old.options.get(name) == Some(value);
        names_child || is_old || lists(reopening.changeable, name)
    };
    let mut leftovers = qdict_order(left).into_iter();
    let changed = leftovers
        .find(|&(name, value)| !["backing", "file"].contains(&name) && !is_same(name, value));
    match changed {
        Some((name, _)) => Err(Failed::generic(format!("Cannot change the option '{name}'"))),
        None => Ok(()),
    }
}

/// The node of that name, which is to become a child.
fn find<R: Rule>(
    graph: &Graph<R>,
    parent: NodeId,
    name: &str,
    edge: &str,
) -> Result<NodeId, Failed> {
    let Some(node) = graph.node_by_name(name) else {
        let desc = format!("Cannot find device='' nor node-name='{name}'");
        return Err(Failed::generic(desc));
    };
    if graph.subtree(node).contains(&parent) {
        let parent = graph.name(parent);
        let desc = format!("Making '{name}' a {edge} child of '{parent}' would create a cycle");
        return Err(Failed::generic(desc));
    }
    Ok(node)
}

/// The edge that QEMU means by a node's `backing` or `file`, whatever its name is.
///
/// Source: `bdrv_child_cb_attach` in `block.c`, QEMU 10.0.
fn child_edge<R: Rule>(graph: &Graph<R>, node: NodeId, name: &str) -> Option<EdgeId> {
    match name {
        "backing" if graph.filter_owner(node).is_none() => graph.backing_edge(node),
        "file" => graph.child_by_role(node, Role::PRIMARY),
        _ => graph.child_edge(node, name),
    }
}

/// Source: `bdrv_skip_implicit_filters`.
fn skip_implicit_filters<R: Rule>(graph: &Graph<R>, node: NodeId) -> NodeId {
    std::iter::successors(Some(node), |&node| below_implicit(graph, node)).last().unwrap_or(node)
}
