//! Arguments of the commands that change the graph: snapshots, transactions, children of a quorum.

use serde::Deserialize;

use super::enums::qapi_enum;
use super::job::BlockdevBackup;

/// The arguments of `blockdev-snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockdevSnapshot {
    /// The node that becomes the backing file.
    pub node: String,
    /// The node that takes its place.
    pub overlay: String,
}

qapi_enum! {
    /// Whether an image is made.
    pub enum NewImageMode {
        Existing = "existing",
        AbsolutePaths = "absolute-paths",
    }
}

/// The arguments of `blockdev-snapshot-sync`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevSnapshotSync {
    /// The block device, of which the storage daemon has none.
    pub device: Option<String>,
    /// The node that becomes the backing file.
    pub node_name: Option<String>,
    /// The overlay's image.
    pub snapshot_file: String,
    /// The name of the overlay's node.
    pub snapshot_node_name: Option<String>,
    /// The overlay's format; qcow2 by default.
    pub format: Option<String>,
    /// Whether the overlay's image is made; it is by default.
    pub mode: Option<NewImageMode>,
}

qapi_enum! {
    /// What a transaction can do.
    pub enum TransactionActionKind {
        Abort = "abort",
        BlockDirtyBitmapAdd = "block-dirty-bitmap-add",
        BlockDirtyBitmapRemove = "block-dirty-bitmap-remove",
        BlockDirtyBitmapClear = "block-dirty-bitmap-clear",
        BlockDirtyBitmapEnable = "block-dirty-bitmap-enable",
        BlockDirtyBitmapDisable = "block-dirty-bitmap-disable",
        BlockDirtyBitmapMerge = "block-dirty-bitmap-merge",
        BlockdevBackup = "blockdev-backup",
        BlockdevSnapshot = "blockdev-snapshot",
        BlockdevSnapshotInternalSync = "blockdev-snapshot-internal-sync",
        BlockdevSnapshotSync = "blockdev-snapshot-sync",
        DriveBackup = "drive-backup",
    }
}

/// An action of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "union TransactionAction")]
pub struct TransactionAction {
    /// What all actions have.
    pub base: TransactionActionBase,
    /// What the kind adds.
    #[serde(rename = "type")]
    pub action: Action,
}

/// What all actions have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TransactionActionBase {
    /// What is done.
    pub r#type: TransactionActionKind,
}

/// The actions that are implemented.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Fails.
    Abort(Wrapped<Nothing>),
    /// Starts a backup.
    BlockdevBackup(Box<Wrapped<BlockdevBackup>>),
    /// Puts an overlay in a node's place.
    BlockdevSnapshot(Wrapped<BlockdevSnapshot>),
    /// Puts an overlay in a node's place whose image it opens, or makes.
    BlockdevSnapshotSync(Box<Wrapped<BlockdevSnapshotSync>>),
}

/// An action's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Wrapped<T> {
    /// The arguments.
    pub data: T,
}

/// The arguments of an action that has none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Nothing {}

qapi_enum! {
    /// What becomes of a transaction's jobs when one of them fails.
    pub enum ActionCompletionMode {
        Individual = "individual",
        Grouped = "grouped",
    }
}

/// How a transaction is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TransactionProperties {
    /// What becomes of its jobs when one of them fails.
    pub completion_mode: Option<ActionCompletionMode>,
}

/// The arguments of `transaction`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Transaction {
    /// What is done, all or nothing.
    pub actions: Vec<TransactionAction>,
    /// How.
    pub properties: Option<TransactionProperties>,
}

/// The arguments of `x-blockdev-change`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct XBlockdevChange {
    /// The node that loses or gets a child.
    pub parent: String,
    /// The edge to be removed.
    pub child: Option<String>,
    /// The node to be added.
    pub node: Option<String>,
}
