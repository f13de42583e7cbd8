//! `blockdev-snapshot` and `blockdev-snapshot-sync`, which put an overlay in a node's place: each is a
//! transaction of a single action.
//!
//! Source: `external_snapshot_action` in `blockdev.c`, QEMU 10.0.

mod image;

use blkperm_graph::{Change, EdgeId, NodeId, Permissions, Refusal, Role, Rule};
use blkperm_jobs::{Abort, Completion, Drained, Operation};
use serde_json::Value;

use super::transaction::Begun;
use super::{Failed, Monitor};
use crate::command::transaction::{BlockdevSnapshot, BlockdevSnapshotSync};

/// A snapshot from when its node is drained to when it goes on.
pub(super) struct Snapshot {
    drained: Drained,
    node: NodeId,
    /// The edges that ended at the node, newest first.
    above: Vec<EdgeId>,
    /// The overlay, if it was opened for the snapshot, which holds it.
    opened: Option<NodeId>,
    /// The overlay, once it is in the node's place.
    overlay: Option<NodeId>,
}

/// Finds the overlay, or opens it.
type FindOverlay<'f, R> = &'f dyn Fn(&mut Monitor<R>, &mut Snapshot) -> Result<NodeId, Failed>;

impl<R: Rule> Monitor<R> {
    pub(super) fn blockdev_snapshot(
        &mut self,
        arguments: &BlockdevSnapshot,
    ) -> Result<Value, Failed> {
        self.layer.drain_all();
        let mut begun = Vec::new();
        let result = self.begin_snapshot(arguments, &mut begun);
        self.conclude(begun, result)
    }

    pub(super) fn blockdev_snapshot_sync(
        &mut self,
        arguments: &BlockdevSnapshotSync,
    ) -> Result<Value, Failed> {
        self.layer.drain_all();
        let mut begun = Vec::new();
        let result = self.begin_snapshot_sync(arguments, &mut begun);
        self.conclude(begun, result)
    }

    pub(super) fn begin_snapshot(
        &mut self,
        arguments: &BlockdevSnapshot,
        begun: &mut Vec<Begun>,
    ) -> Result<(), Failed> {
        let BlockdevSnapshot { node, overlay } = arguments;
        let node = self.look_up(node, node)?;
        self.begin(node, begun, &|monitor, _| Ok(monitor.look_up(overlay, overlay)?))
    }

    pub(super) fn begin_snapshot_sync(
        &mut self,
        arguments: &BlockdevSnapshotSync,
        begun: &mut Vec<Begun>,
    ) -> Result<(), Failed> {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let node = self.look_up(&name(&arguments.device), &name(&arguments.node_name))?;
        self.begin(node, begun, &|monitor, snapshot| {
            let overlay = monitor.open_overlay(node, arguments)?;
            snapshot.opened = Some(overlay);
            Ok(overlay)
        })
    }

    fn begin(
        &mut self,
        node: NodeId,
        begun: &mut Vec<Begun>,
        find_overlay: FindOverlay<'_, R>,
    ) -> Result<(), Failed> {
        let drained = self.layer.begin_drain(&[node]);
        let above = self.layer.graph.parents(node).collect();
        let mut snapshot = Snapshot { drained, node, above, opened: None, overlay: None };
        let inserted = self.insert_overlay(&mut snapshot, find_overlay);
        snapshot.overlay = inserted.as_ref().ok().copied();
        begun.push(Begun::Snapshot(snapshot));
        inserted.map(|_| ())
    }

    fn insert_overlay(
        &mut self,
        snapshot: &mut Snapshot,
        find_overlay: FindOverlay<'_, R>,
    ) -> Result<NodeId, Failed> {
        let node = snapshot.node;
        self.layer.require_unblocked(node, Operation::ExternalSnapshot)?;
        let overlay = find_overlay(self, snapshot)?;
        let graph = &self.layer.graph;
        if graph.demand_on(overlay).take().contains(Permissions::CONSISTENT_READ) {
            return Err(Failed::generic("The overlay is already in use"));
        }
        if graph.driver(overlay).is_filter {
            return Err(Failed::generic("Filters cannot be used as overlays"));
        }
        if graph.backing_edge(overlay).is_some() {
            return Err(Failed::generic("The overlay already has a backing image"));
        }
        if !graph.driver(overlay).supports_backing {
            return Err(Failed::generic("The overlay does not support backing images"));
        }
        // An overlay that QEMU makes inactive stays so, whatever becomes of the transaction.
        if self.layer.is_inactive(node) && !self.layer.is_inactive(overlay) {
            self.layer.inactivate(overlay)?;
        }
        let pause = self.layer.begin_pause_of_all();
        let appended = self.layer.graph.transact(|change| {
            change.attach(overlay, node, "backing", Role::COW)?;
            change.replace(node, overlay)?;
            change.set_starts(vec![overlay]);
            Ok(())
        });
        self.layer.end_drain(&pause);
        appended?;
        Ok(overlay)
    }

    /// Makes a snapshot final.
    ///
    /// QEMU's quirk 22: the node is read-only from then on, though nobody has asked for that.
    ///
    /// Source: `external_snapshot_commit` in `blockdev.c`, QEMU 10.0.
    pub(super) fn finish_snapshot(&mut self, snapshot: &Snapshot) {
        // QEMU ignores it when this fails.
        let _ = self.layer.set_read_only(snapshot.node, true);
    }

    /// Lets go of what a snapshot has held, whatever became of it.
    ///
    /// Source: `external_snapshot_clean` in `blockdev.c`, QEMU 10.0.
    pub(super) fn end_snapshot(&mut self, snapshot: Snapshot) {
        self.layer.end_drain(&snapshot.drained);
        if let Some(overlay) = snapshot.opened {
            self.layer.release(overlay);
        }
    }

    /// Takes the overlay out again, in two changes that QEMU assumes to succeed. The second moves all
    /// that is above the overlay, QEMU's quirk, and is refused where a job has frozen some of it;
    /// judged at once, only what was moved moves back.
    ///
    /// Source: `external_snapshot_abort` in `blockdev.c`, QEMU 10.0.
    pub(super) fn abort_snapshot(&mut self, snapshot: &mut Snapshot) -> Result<(), Failed> {
        let Some(overlay) = snapshot.overlay else { return Ok(()) };
        let Some(edge) = self.layer.graph.backing_edge(overlay) else { return Ok(()) };
        let node = snapshot.node;
        if self.layer.completion() == Completion::Atomic {
            let graph = &self.layer.graph;
            let above = snapshot.above.iter().rev().copied();
            let moved: Vec<_> = above.filter(|&edge| graph.child_of(edge) == overlay).collect();
            let take_back = |change: &mut Change<'_, R>| {
                change.detach(edge)?;
                moved.into_iter().try_for_each(|edge| change.move_edge(edge, node))
            };
            return self.change_or_abort(take_back);
        }
        // The overlay may be all that holds the node by now.
        self.layer.graph.keep(node);
        self.change_or_abort(|change| change.detach(edge))?;
        // Who uses the overlay goes on for a moment, since it is above the drained node no more. A
        // process that ends here does not get to the end of the next section.
        let drained = self.layer.begin_drain(&[overlay]);
        self.change_or_abort(|change| change.replace(overlay, node))?;
        self.layer.end_drain(&drained);
        self.layer.release(node);
        Ok(())
    }

    fn change_or_abort(
        &mut self,
        change: impl FnOnce(&mut Change<'_, R>) -> Result<(), Refusal>,
    ) -> Result<(), Failed> {
        self.layer.drain_all();
        let changed = self.layer.graph.transact(change);
        changed.map_err(|refusal| Failed::Abort(Abort::of(refusal)))
    }
}
