//! Arguments of the commands for exports.

use serde::{Deserialize, Serialize};

use super::enums::qapi_enum;
use super::nbd::SocketAddressFlat;

qapi_enum! {
    /// The kinds of exports.
    pub enum BlockExportType {
        Nbd = "nbd",
        VhostUserBlk = "vhost-user-blk",
        Fuse = "fuse",
        VduseBlk = "vduse-blk",
    }
}

/// The arguments of `block-export-add`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "union BlockExportOptions")]
pub struct BlockExportOptions {
    /// What all exports have.
    pub base: BlockExportBase,
    /// What the kind of export adds.
    #[serde(rename = "type")]
    pub options: ExportOptions,
}

/// What all exports have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockExportBase {
    /// The kind of export.
    #[serde(rename = "type")]
    pub kind: BlockExportType,
    /// The name of the export in QMP.
    pub id: String,
    /// Whether the export may not be moved to another thread with its node.
    pub fixed_iothread: Option<bool>,
    /// The thread to run in.
    pub iothread: Option<String>,
    /// The node.
    pub node_name: String,
    /// Whether clients may write.
    pub writable: Option<bool>,
    /// Whether each write is flushed.
    pub writethrough: Option<bool>,
    /// Whether the node may be inactive.
    pub allow_inactive: Option<bool>,
}

/// The kinds of exports that are implemented, with their options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportOptions {
    /// A file of the host.
    Fuse(BlockExportOptionsFuse),
    /// Served by the NBD server.
    Nbd(BlockExportOptionsNbd),
    /// A device of the host.
    VduseBlk(BlockExportOptionsVduseBlk),
    /// For another process with a virtual machine.
    VhostUserBlk(BlockExportOptionsVhostUserBlk),
}

/// Options of an export as a file of the host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockExportOptionsFuse {
    /// The file in whose place it appears.
    pub mountpoint: String,
    /// Whether writing behind the end makes it longer.
    pub growable: Option<bool>,
    /// Whether other users may use it.
    pub allow_other: Option<FuseExportAllowOther>,
}

qapi_enum! {
    /// Whether other users may use an export.
    pub enum FuseExportAllowOther {
        Off = "off",
        On = "on",
        Auto = "auto",
    }
}

/// Options of an export for another process with a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockExportOptionsVhostUserBlk {
    /// Where to listen.
    pub addr: SocketAddressFlat,
    /// The size of a block, in bytes.
    pub logical_block_size: Option<u64>,
    /// How many queues there are.
    pub num_queues: Option<u16>,
}

/// Options of an export as a device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockExportOptionsVduseBlk {
    /// The name of the device.
    pub name: String,
    /// How many queues there are.
    pub num_queues: Option<u16>,
    /// How many requests a queue holds.
    pub queue_size: Option<u16>,
    /// The size of a block, in bytes.
    pub logical_block_size: Option<u64>,
    /// The serial number.
    pub serial: Option<String>,
}

/// Options of an NBD export.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockExportOptionsNbd {
    /// Its name for clients; the name of the node by default.
    pub name: Option<String>,
    /// A text for people.
    pub description: Option<String>,
    /// Dirty bitmaps that clients may see.
    pub bitmaps: Option<Vec<BlockDirtyBitmapOrStr>>,
    /// Whether clients may see how deep in the backing chain data are.
    pub allocation_depth: Option<bool>,
}

/// A dirty bitmap.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "alternate BlockDirtyBitmapOrStr", rename_all = "kebab-case")]
pub enum BlockDirtyBitmapOrStr {
    /// One of the exported node, or of a backing file, by name.
    String(String),
    /// One of the given node.
    Object(BlockDirtyBitmap),
}

/// A dirty bitmap of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockDirtyBitmap {
    /// The node.
    pub node: String,
    /// The bitmap.
    pub name: String,
}

qapi_enum! {
    /// Whether an export that is in use may be removed.
    pub enum BlockExportRemoveMode {
        Safe = "safe",
        Hard = "hard",
    }
}

/// The arguments of `block-export-del`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockExportDel {
    /// The export.
    pub id: String,
    /// Whether it may be in use; not by default.
    pub mode: Option<BlockExportRemoveMode>,
}
