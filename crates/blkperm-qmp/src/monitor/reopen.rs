//! `blockdev-reopen`: changes options of nodes that are open, all of them or none.
//!
//! Source: `bdrv_reopen_multiple`, `bdrv_reopen_prepare`, `bdrv_reopen_commit` in `block.c`, QEMU
//! 10.0.

mod driver;
mod prepare;
mod queue;

use blkperm_graph::{Change, NodeId, Rule, State};
use blkperm_jobs::Drained;
use serde_json::Value;

use super::open::raw_driver;
use super::{Failed, Monitor, done};
use crate::command::blockdev::{BlockdevCacheOptions, BlockdevOptions, BlockdevReopen};
use crate::qapi::flat::flatten;
pub(super) use driver::Reopening;
use prepare::{Old, Preparation};
use queue::{Entry, is_on};

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_blockdev_reopen` in `blockdev.c`, QEMU 10.0.
    pub(super) fn blockdev_reopen(&mut self, arguments: &BlockdevReopen) -> Result<Value, Failed> {
        let mut queue = Vec::new();
        let mut drained = Vec::new();
        let result = arguments
            .options
            .iter()
            .try_for_each(|options| self.queue_options(&mut queue, &mut drained, options))
            .and_then(|()| self.reopen(&queue));
        drained.iter().for_each(|section| self.layer.end_drain(section));
        result?;
        done()
    }

    /// Adds a node with its options to the queue; those that are new there are drained.
    fn queue_options(
        &mut self,
        queue: &mut Vec<Entry>,
        drained: &mut Vec<Drained>,
        options: &BlockdevOptions,
    ) -> Result<(), Failed> {
        let Some(name) = &options.base.node_name else {
            return Err(Failed::generic("node-name not specified"));
        };
        let Some(node) = self.layer.graph.node_by_name(name) else {
            let desc = format!("Failed to find node with node-name='{name}'");
            return Err(Failed::generic(desc));
        };
        let before = queue.len();
        self.queue(queue, node, flatten(options));
        let new = queue[before..].iter().map(|entry| entry.node);
        drained.extend(new.map(|node| self.layer.begin_drain(&[node])));
        Ok(())
    }

    /// Reopens all nodes of the queue, or none.
    fn reopen(&mut self, queue: &[Entry]) -> Result<(), Failed> {
        let before = self.layer.graph.closings();
        let old: Vec<Old> = queue.iter().map(|entry| self.old(entry)).collect();
        let mut preparation = Preparation::new(self.layer.heirs.clone());
        let result: Result<(), Failed> = self.layer.graph.attempt(|change| {
            let mut entries = queue.iter().zip(&old);
            entries.try_for_each(|(entry, old)| preparation.prepare(change, entry, old))?;
            queue.iter().for_each(|entry| set_state(change, entry));
            change.set_starts(preparation.starts());
            Ok(())
        });
        // For each change of a child, and for making them final, or taking them back.
        (0..=preparation.changes).for_each(|_| self.layer.drain_all());
        result?;
        self.layer.heirs = preparation.heirs;
        queue.iter().rev().for_each(|entry| self.take_over(entry));
        self.layer.closed(before);
        Ok(())
    }

    /// What a reopen has to know of the node as it is.
    fn old(&self, entry: &Entry) -> Old {
        let detail = self.nodes.get(self.layer.graph.name(entry.node));
        let group = entry.options.get("throttle-group").and_then(Value::as_str);
        let is_missing = |group: &&str| !self.objects.has_throttle_group(group);
        Old {
            options: self.options(entry.node),
            missing_group: group.filter(is_missing).map(str::to_owned),
            names_backing: detail.is_some_and(|detail| !detail.auto_backing.is_empty()),
        }
    }

    /// Makes the options of a node its own, whose reopen was accepted.
    fn take_over(&mut self, entry: &Entry) {
        let node = entry.node;
        if entry.flags.inactive && !self.layer.is_inactive(node) {
            self.layer.graph.make_inactive_unnoticed(node, entry.flags.read_only);
        }
        let own_read_only = entry.explicit.contains_key("read-only");
        self.layer.heirs.set_own_read_only(node, own_read_only);
        let name = self.layer.graph.name(node).to_owned();
        let option = |name: &str| entry.options.get(name);
        let detail = self.nodes.get_mut(&name);
        // QEMU's quirk: copying a table turns each of its chains around.
        detail.explicit = entry.explicit.clone().into_iter().rev().collect();
        detail.unmaps = entry.unmaps();
        detail.detect_zeroes = entry.detect_zeroes();
        detail.cache = Some(BlockdevCacheOptions {
            direct: Some(is_on(option("cache.direct"))),
            no_flush: Some(is_on(option("cache.no-flush"))),
        });
        if self.layer.graph.driver(node).name == "raw" {
            let number = |name| option(name).and_then(Value::as_i64);
            let driver = raw_driver(number("offset"), number("size"));
            // Its rows are those of the one before, so that this is never refused.
            let _ = self.layer.graph.transact(|change| {
                change.set_driver(node, driver);
                Ok(())
            });
        }
        self.keep_own_options(node);
        // QEMU does not look at whether this fails.
        let _ = self.refresh_length(node);
    }

    /// Lets go of the options that were the node's children's.
    pub(super) fn keep_own_options(&mut self, node: NodeId) {
        let graph = &self.layer.graph;
        let children = graph.children(node).map(|edge| graph.edge_name(edge)).chain(["backing"]);
        let children: Vec<String> = children.map(str::to_owned).collect();
        let is_childs = |option: &str| {
            let rest = |child: &String| option.strip_prefix(child.as_str());
            children.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let name = graph.name(node).to_owned();
        self.nodes.get_mut(&name).explicit.retain(|option, _| !is_childs(option));
    }
}

/// Gives the node the state by which the reopen is judged.
///
/// QEMU's quirk: one that becomes inactive cannot be written, but demands as an active one does.
///
/// Source: `bdrv_is_writable_after_reopen`, `bdrv_default_perms_for_storage` in `block.c`, QEMU 10.0.
fn set_state<R: Rule>(change: &mut Change<'_, R>, entry: &Entry) {
    let mut state = change.graph().state(entry.node);
    let becomes_inactive = entry.flags.inactive && !state.contains(State::INACTIVE);
    state.set(State::READ_ONLY, entry.flags.read_only || becomes_inactive);
    change.set_state(entry.node, state);
}
