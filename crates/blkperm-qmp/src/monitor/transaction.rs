//! `transaction`, and `blockdev-snapshot`, which is one of a single action.
//!
//! Source: `qmp_transaction` in `blockdev.c`, QEMU 10.0.

use blkperm_graph::{Change, EdgeId, NodeId, Permissions, Refusal, Role, Rule};
use blkperm_jobs::{Abort, BackupStart, BlockLayer, Completion, Drained, Operation};
use serde_json::Value;

use super::{Failed, Monitor, done};
use crate::command::job::BlockdevBackup;
use crate::command::transaction::{
    Action, ActionCompletionMode, BlockdevSnapshot, Transaction, TransactionActionKind,
};

/// An action that has begun, and ends with the transaction.
enum Begun {
    Backup(BackupStart),
    Snapshot(Snapshot),
}

/// A snapshot from when its node is drained to when it goes on.
struct Snapshot {
    drained: Vec<Drained>,
    node: NodeId,
    /// The edges that ended at the node, newest first.
    above: Vec<EdgeId>,
    /// The overlay, once it is in the node's place.
    overlay: Option<NodeId>,
}

impl<R: Rule> Monitor<R> {
    pub(super) fn transaction(&mut self, arguments: &Transaction) -> Result<Value, Failed> {
        let mode = arguments.properties.as_ref().and_then(|properties| properties.completion_mode);
        if mode == Some(ActionCompletionMode::Grouped) {
            let kinds = arguments.actions.iter().map(|action| action.base.r#type);
            let is_alone = |kind: &TransactionActionKind| {
                !matches!(kind, TransactionActionKind::BlockdevBackup)
            };
            if let Some(kind) = kinds.into_iter().find(is_alone) {
                return Err(Failed::generic(format!(
                    "Action '{kind}' does not support transaction property completion-mode = \
                     grouped"
                )));
            }
        }
        let actions: Vec<&Action> = arguments.actions.iter().map(|action| &action.action).collect();
        self.carry_out(&actions, mode)
    }

    pub(super) fn blockdev_snapshot(
        &mut self,
        arguments: &BlockdevSnapshot,
    ) -> Result<Value, Failed> {
        self.layer.drain_all();
        let mut begun = Vec::new();
        let result = self.begin_snapshot(arguments, &mut begun);
        self.conclude(begun, result)
    }

    fn carry_out(
        &mut self,
        actions: &[&Action],
        mode: Option<ActionCompletionMode>,
    ) -> Result<Value, Failed> {
        self.layer.drain_all();
        let mut begun = Vec::new();
        let result = actions.iter().try_for_each(|action| match action {
            Action::Abort(_) => Err(Failed::generic("Transaction aborted using Abort action")),
            Action::BlockdevSnapshot(snapshot) => self.begin_snapshot(&snapshot.data, &mut begun),
            Action::BlockdevBackup(backup) => self.begin_backup(&backup.data, &mut begun),
        });
        if result.is_ok() && mode == Some(ActionCompletionMode::Grouped) {
            self.layer.group_backups(begun.iter().filter_map(|action| match action {
                Begun::Backup(start) => Some(start),
                Begun::Snapshot(_) => None,
            }));
        }
        self.conclude(begun, result)
    }

    /// Makes all actions final, or takes them back, the last one first.
    fn conclude(
        &mut self,
        mut begun: Vec<Begun>,
        result: Result<(), Failed>,
    ) -> Result<Value, Failed> {
        begun.reverse();
        for action in &mut begun {
            match (action, &result) {
                (Begun::Backup(start), Ok(())) => self.layer.run_backup(start),
                (Begun::Backup(start), Err(_)) => self.layer.abort_backup(start)?,
                (Begun::Snapshot(snapshot), Ok(())) => {
                    // QEMU ignores it when this fails.
                    let _ = self.layer.set_read_only(snapshot.node, true);
                }
                (Begun::Snapshot(snapshot), Err(_)) => self.abort_snapshot(snapshot)?,
            }
        }
        for action in begun {
            match action {
                Begun::Backup(start) => self.layer.end_backup(start),
                Begun::Snapshot(snapshot) => {
                    snapshot.drained.iter().for_each(|drained| self.layer.end_drain(drained));
                }
            }
        }
        result?;
        done()
    }

    fn begin_backup(
        &mut self,
        arguments: &BlockdevBackup,
        begun: &mut Vec<Begun>,
    ) -> Result<(), Failed> {
        let (source, target) = self.backup_nodes(arguments)?;
        let mut start = self.layer.begin_backup(source);
        let created = self.create_backup(&mut start, source, target, arguments);
        begun.push(Begun::Backup(start));
        created
    }

    /// Source: `external_snapshot_action` in `blockdev.c`, QEMU 10.0.
    fn begin_snapshot(
        &mut self,
        arguments: &BlockdevSnapshot,
        begun: &mut Vec<Begun>,
    ) -> Result<(), Failed> {
        let node = self.look_up(&arguments.node, &arguments.node)?;
        let drained = vec![self.layer.begin_drain(&[node])];
        let above = self.layer.graph.parents(node).collect();
        let mut snapshot = Snapshot { drained, node, above, overlay: None };
        let inserted = self.insert_overlay(&mut snapshot, &arguments.overlay);
        snapshot.overlay = inserted.as_ref().ok().copied();
        begun.push(Begun::Snapshot(snapshot));
        inserted.map(|_| ())
    }

    fn insert_overlay(&mut self, snapshot: &mut Snapshot, name: &str) -> Result<NodeId, Failed> {
        let node = snapshot.node;
        self.layer.require_unblocked(node, Operation::ExternalSnapshot)?;
        let overlay = self.look_up(name, name)?;
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
        if appended.is_ok() {
            // Who uses the overlay uses the drained node from now on.
            snapshot.drained.push(self.layer.begin_drain(&[node]));
        }
        self.layer.end_drain(&pause);
        appended?;
        Ok(overlay)
    }

    /// Takes the overlay out again, in two changes that QEMU assumes to succeed. The second moves all
    /// that is above the overlay, QEMU's quirk, and is refused where a job has frozen some of it;
    /// judged at once, only what was moved moves back.
    ///
    /// Source: `external_snapshot_abort` in `blockdev.c`, QEMU 10.0.
    fn abort_snapshot(&mut self, snapshot: &mut Snapshot) -> Result<(), Failed> {
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
            return self.change_or_abort(take_back, |_| ());
        }
        // The overlay may be all that holds the node by now.
        self.layer.graph.keep(node);
        self.change_or_abort(
            |change| change.detach(edge),
            |layer| {
                // Who uses the overlay is above the drained node no more.
                let above = snapshot.drained.pop();
                above.iter().for_each(|drained| layer.end_drain(drained));
            },
        )?;
        self.change_or_abort(
            |change| change.replace(overlay, node),
            |layer| {
                snapshot.drained.push(layer.begin_drain(&[node]));
            },
        )?;
        self.layer.release(node);
        Ok(())
    }

    /// Changes the graph, and then what is drained, while all jobs pause.
    fn change_or_abort(
        &mut self,
        change: impl FnOnce(&mut Change<'_, R>) -> Result<(), Refusal>,
        drain: impl FnOnce(&mut BlockLayer<R>),
    ) -> Result<(), Failed> {
        let pause = self.layer.begin_pause_of_all();
        let changed = self.layer.graph.transact(change);
        // A process that ends does not get to the end of the pause.
        changed.map_err(|refusal| Failed::Abort(Abort { refusal }))?;
        drain(&mut self.layer);
        self.layer.end_drain(&pause);
        Ok(())
    }
}
