//! The drivers that are filters, and those that are built like them.

use serde::{Deserialize, Serialize};

use super::BlockdevRef;
use crate::command::enums::qapi_enum;
use crate::command::export::BlockDirtyBitmap;

/// Options of the driver `throttle`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsThrottle {
    /// The object with the limits.
    pub throttle_group: String,
    /// The child.
    pub file: BlockdevRef,
}

/// Options of the driver `copy-on-read`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsCor {
    /// The child.
    pub file: BlockdevRef,
    /// The last node of the chain that is copied from; all of it by default.
    pub bottom: Option<String>,
}

/// Options of the driver `copy-before-write`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsCbw {
    /// The child.
    pub file: BlockdevRef,
    /// Where the old data go.
    pub target: BlockdevRef,
    /// The dirty bitmap that says what to copy; all by default.
    pub bitmap: Option<BlockDirtyBitmap>,
    /// What happens when copying fails.
    pub on_cbw_error: Option<OnCbwError>,
    /// Seconds after which copying has failed; never by default.
    pub cbw_timeout: Option<u32>,
    /// The least that is copied at once, in bytes.
    pub min_cluster_size: Option<u64>,
}

qapi_enum! {
    /// What happens when copying before a write fails.
    pub enum OnCbwError {
        BreakGuestWrite = "break-guest-write",
        BreakSnapshot = "break-snapshot",
    }
}

/// Options of the driver `preallocate`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsPreallocate {
    /// The child.
    pub file: BlockdevRef,
    /// What the end of the child is aligned to, in bytes.
    pub prealloc_align: Option<i64>,
    /// How much is allocated in advance, in bytes.
    pub prealloc_size: Option<i64>,
}

/// Options of the driver `blkverify`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsBlkverify {
    /// The child that is tested.
    pub test: BlockdevRef,
    /// The child that it must be equal to.
    pub raw: BlockdevRef,
}

/// Options of the driver `blklogwrites`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsBlklogwrites {
    /// The child.
    pub file: BlockdevRef,
    /// Where the log goes.
    pub log: BlockdevRef,
    /// The sector size of the log, in bytes.
    pub log_sector_size: Option<u32>,
    /// Whether the log is continued.
    pub log_append: Option<bool>,
    /// After how many writes the log's superblock is written.
    pub log_super_update_interval: Option<u64>,
}

/// Options of the driver `replication`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsReplication {
    /// The child.
    pub file: BlockdevRef,
    /// Which side it is.
    pub mode: ReplicationMode,
    /// The top of the secondary's chain.
    pub top_id: Option<String>,
}

qapi_enum! {
    /// A side of a replication.
    pub enum ReplicationMode {
        Primary = "primary",
        Secondary = "secondary",
    }
}
