//! The queue of a reopen: which nodes are reopened, and with which options.

use blkperm_graph::{NodeId, Role, Rule, State};
use serde_json::Value;

use crate::command::blockdev::BlockdevDetectZeroesOptions;
use crate::monitor::Monitor;
use crate::qapi::flat::Options;

/// The options that every node has and that the block layer takes care of.
///
/// Source: `update_flags_from_options`, `bdrv_reopen_prepare` in `block.c`, QEMU 10.0.
const TAKEN: [&str; 7] = [
    "active",
    "auto-read-only",
    "cache.direct",
    "cache.no-flush",
    "detect-zeroes",
    "discard",
    "read-only",
];

/// The flags of a node that a reopen sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flags {
    pub(super) read_only: bool,
    pub(super) inactive: bool,
    pub(super) unmaps: bool,
}

/// A node that is to be reopened.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) node: NodeId,
    /// The options that it was given.
    pub(super) explicit: Options,
    /// Those, and what is taken over from the parent for which it was opened.
    pub(super) options: Options,
    pub(super) flags: Flags,
    /// Whether nothing was said of the backing file.
    pub(super) backing_missing: bool,
}

impl Entry {
    /// The options that are left when the block layer has taken those that every node has.
    pub(super) fn left(&self) -> Options {
        let left = self.options.iter().filter(|(name, _)| !TAKEN.contains(&name.as_str()));
        left.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether the node is to pass on what is discarded there.
    ///
    /// QEMU's quirk: without the option, as before.
    pub(super) fn unmaps(&self) -> bool {
        match self.options.get("discard") {
            Some(discard) => discard == "unmap" || is_on(Some(discard)),
            None => self.flags.unmaps,
        }
    }

    /// What the node is to do with zeroes.
    pub(super) fn detect_zeroes(&self) -> Option<BlockdevDetectZeroesOptions> {
        let option = self.options.get("detect-zeroes")?;
        let all = BlockdevDetectZeroesOptions::ALL.iter();
        all.copied().find(|mode| option == mode.as_str())
    }
}

/// What a child takes over when its parent is reopened.
struct FromParent<'p> {
    options: &'p Options,
    flags: Flags,
    is_format: bool,
    role: Role,
}

impl<R: Rule> Monitor<R> {
    /// Adds a node to the queue, and its children that were opened for it; none of its options is
    /// kept that is not given.
    ///
    /// Source: `bdrv_reopen_queue` in `block.c`, QEMU 10.0.
    pub(super) fn queue(&self, queue: &mut Vec<Entry>, node: NodeId, options: Options) {
        self.queue_node(queue, node, options, None, false);
    }

    /// Source: `bdrv_reopen_queue_child` in `block.c`, QEMU 10.0.
    fn queue_node(
        &self,
        queue: &mut Vec<Entry>,
        node: NodeId,
        mut options: Options,
        parent: Option<&FromParent<'_>>,
        keep: bool,
    ) {
        let place = queue.iter().position(|entry| entry.node == node);
        match place {
            Some(place) => join(&mut options, &queue[place].explicit),
            None if keep => join(&mut options, &self.explicit_options(node)),
            None => {}
        }
        let mut explicit = options.clone();
        let mut flags = self.flags(node);
        if let Some(parent) = parent {
            inherit(&mut options, parent.options, parent.role, parent.is_format);
            flags = parent.flags;
        }
        if keep {
            join(&mut options, &self.options(node));
        }
        flags.read_only = is_on(options.get("read-only"));
        flags.inactive |= options.contains_key("active") && !is_on(options.get("active"));
        let backing_missing =
            !keep && !options.contains_key("backing") && !options.contains_key("backing.driver");
        let place = place.unwrap_or_else(|| {
            let (explicit, options) = (Options::new(), Options::new());
            queue.push(Entry { node, explicit, options, flags, backing_missing });
            queue.len() - 1
        });
        let graph = &self.layer.graph;
        for edge in graph.children(node).collect::<Vec<_>>() {
            let (child, name) = (graph.child_of(edge), graph.edge_name(edge));
            if self.layer.heirs.parent_of(child) != Some(node) {
                continue;
            }
            let (given, keep) = match options.get(name) {
                Some(Value::String(reference)) if reference == graph.name(child) => {
                    (Options::new(), true)
                }
                Some(_) => continue,
                None => {
                    extract(&mut explicit, name);
                    (extract(&mut options, name), keep)
                }
            };
            let is_format = graph.driver(node).is_format;
            let role = graph.role(edge);
            let parent = FromParent { options: &options, flags, is_format, role };
            self.queue_node(queue, child, given, Some(&parent), keep);
        }
        let entry = &mut queue[place];
        *entry = Entry {
            explicit,
            options,
            flags,
            // QEMU's quirk: what was said before is forgotten.
            backing_missing: if keep { entry.backing_missing } else { backing_missing },
            ..*entry
        };
    }

    fn flags(&self, node: NodeId) -> Flags {
        let state = self.layer.graph.state(node);
        let detail = self.nodes.get(self.layer.graph.name(node));
        Flags {
            read_only: state.contains(State::READ_ONLY),
            inactive: state.contains(State::INACTIVE),
            unmaps: detail.is_some_and(|detail| detail.unmaps),
        }
    }

    /// The options that the node was given.
    fn explicit_options(&self, node: NodeId) -> Options {
        let graph = &self.layer.graph;
        let detail = self.nodes.get(graph.name(node));
        let mut options = detail.map(|detail| detail.explicit.clone()).unwrap_or_default();
        options.shift_remove("read-only");
        if self.layer.heirs.has_own_read_only(node) {
            let read_only = graph.state(node).contains(State::READ_ONLY);
            options.insert("read-only".to_owned(), Value::Bool(read_only));
        }
        options
    }

    /// All options of the node: those that it was given, and what it has taken over from the parent
    /// for which it was opened.
    pub(super) fn options(&self, node: NodeId) -> Options {
        let graph = &self.layer.graph;
        let mut options = self.explicit_options(node);
        if let Some(parent) = self.layer.heirs.parent_of(node)
            && let Some(edge) =
                graph.children(parent).filter(|&edge| graph.child_of(edge) == node).last()
        {
            let is_format = graph.driver(parent).is_format;
            inherit(&mut options, &self.options(parent), graph.role(edge), is_format);
        }
        let read_only = graph.state(node).contains(State::READ_ONLY);
        options.insert("read-only".to_owned(), Value::Bool(read_only));
        options
    }
}

/// Whether an option is switched on that is off by default.
pub(super) fn is_on(option: Option<&Value>) -> bool {
    option.is_some_and(|value| *value == Value::Bool(true) || value == "on")
}

/// Adds the options that are not there yet.
fn join(options: &mut Options, more: &Options) {
    for (name, value) in more {
        options.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Takes out the options of a child.
fn extract(options: &mut Options, child: &str) -> Options {
    let prefix = format!("{child}.");
    let names = options.keys().filter(|name| name.starts_with(&prefix)).cloned();
    let names: Vec<String> = names.collect();
    let extracted = names.into_iter().filter_map(|name| {
        let value = options.shift_remove(&name)?;
        Some((name[prefix.len()..].to_owned(), value))
    });
    extracted.collect()
}

/// Adds what a child takes over from its parent's options.
///
/// Source: `bdrv_inherited_options` in `block.c`, QEMU 10.0.
fn inherit(options: &mut Options, parent: &Options, role: Role, parent_is_format: bool) {
    let mut copied = vec!["cache.direct", "cache.no-flush", "force-share"];
    let mut default = |name: &str, value: &str| {
        options.entry(name).or_insert_with(|| Value::from(value));
    };
    if role.contains(Role::COW) {
        default("read-only", "on");
        default("auto-read-only", "off");
    } else {
        copied.extend(["read-only", "auto-read-only"]);
    }
    if parent_is_format {
        options.entry("discard").or_insert_with(|| Value::from("unmap"));
    }
    for name in copied {
        if let Some(value) = parent.get(name) {
            options.entry(name).or_insert_with(|| value.clone());
        }
    }
}
