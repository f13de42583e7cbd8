//! `transaction`: several actions, or none.
//!
//! Source: `qmp_transaction` in `blockdev.c`, QEMU 10.0.

use blkperm_graph::Rule;
use blkperm_jobs::BackupStart;
use serde_json::Value;

use super::snapshot::Snapshot;
use super::{Failed, Monitor, done};
use crate::command::job::BlockdevBackup;
use crate::command::transaction::{
    Action, ActionCompletionMode, Transaction, TransactionActionKind,
};

/// An action that has begun, and ends with the transaction.
pub(super) enum Begun {
    Backup(BackupStart),
    Snapshot(Snapshot),
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
            Action::BlockdevSnapshotSync(snapshot) => {
                self.begin_snapshot_sync(&snapshot.data, &mut begun)
            }
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
    pub(super) fn conclude(
        &mut self,
        mut begun: Vec<Begun>,
        result: Result<(), Failed>,
    ) -> Result<Value, Failed> {
        begun.reverse();
        for action in &mut begun {
            match (action, &result) {
                (Begun::Backup(start), Ok(())) => self.layer.run_backup(start),
                (Begun::Backup(start), Err(_)) => self.layer.abort_backup(start)?,
                (Begun::Snapshot(snapshot), Ok(())) => self.finish_snapshot(snapshot),
                (Begun::Snapshot(snapshot), Err(_)) => self.abort_snapshot(snapshot)?,
            }
        }
        for action in begun {
            match action {
                Begun::Backup(start) => self.layer.end_backup(start),
                Begun::Snapshot(snapshot) => self.end_snapshot(snapshot),
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
}
