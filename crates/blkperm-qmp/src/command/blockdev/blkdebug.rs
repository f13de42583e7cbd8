//! The driver `blkdebug`.

use serde::{Deserialize, Serialize};

use super::BlockdevRef;
use crate::command::enums::qapi_enum;

/// Options of the driver `blkdebug`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsBlkdebug {
    /// The child.
    pub image: BlockdevRef,
    /// A file with rules.
    pub config: Option<String>,
    /// The alignment that requests need.
    pub align: Option<i64>,
    /// The longest request.
    pub max_transfer: Option<i32>,
    /// The best length for writing zeroes.
    pub opt_write_zero: Option<i32>,
    /// The greatest length for writing zeroes.
    pub max_write_zero: Option<i32>,
    /// The best length for discarding.
    pub opt_discard: Option<i32>,
    /// The greatest length for discarding.
    pub max_discard: Option<i32>,
    /// Errors to inject.
    pub inject_error: Option<Vec<BlkdebugInjectErrorOptions>>,
    /// Changes of the state, on which rules depend.
    pub set_state: Option<Vec<BlkdebugSetStateOptions>>,
    /// Permissions to take on the child beyond those that are needed.
    pub take_child_perms: Option<Vec<BlockPermission>>,
    /// Permissions to unshare on the child.
    pub unshare_child_perms: Option<Vec<BlockPermission>>,
}

/// An error to inject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlkdebugInjectErrorOptions {
    /// When.
    pub event: BlkdebugEvent,
    /// Only in this state.
    pub state: Option<i64>,
    /// Only for such requests.
    pub iotype: Option<BlkdebugIoType>,
    /// The error; `EIO` by default.
    pub errno: Option<i64>,
    /// Only for requests that touch the sector.
    pub sector: Option<i64>,
    /// Whether to do it only once.
    pub once: Option<bool>,
    /// Whether the request fails before anything else is done for it.
    pub immediately: Option<bool>,
}

/// A change of the state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlkdebugSetStateOptions {
    /// When.
    pub event: BlkdebugEvent,
    /// Only in this state.
    pub state: Option<i64>,
    /// The state to change to.
    pub new_state: i64,
}

qapi_enum! {
    /// A permission, by name.
    pub enum BlockPermission {
        ConsistentRead = "consistent-read",
        Write = "write",
        WriteUnchanged = "write-unchanged",
        Resize = "resize",
    }
}

qapi_enum! {
    /// A kind of request.
    pub enum BlkdebugIoType {
        Read = "read",
        Write = "write",
        WriteZeroes = "write-zeroes",
        Discard = "discard",
        Flush = "flush",
        BlockStatus = "block-status",
    }
}

qapi_enum! {
    /// A place in QEMU at which a rule applies.
    pub enum BlkdebugEvent {
        L1Update = "l1_update",
        L1GrowAllocTable = "l1_grow_alloc_table",
        L1GrowWriteTable = "l1_grow_write_table",
        L1GrowActivateTable = "l1_grow_activate_table",
        L2Load = "l2_load",
        L2Update = "l2_update",
        L2UpdateCompressed = "l2_update_compressed",
        L2AllocCowRead = "l2_alloc_cow_read",
        L2AllocWrite = "l2_alloc_write",
        ReadAio = "read_aio",
        ReadBackingAio = "read_backing_aio",
        ReadCompressed = "read_compressed",
        WriteAio = "write_aio",
        WriteCompressed = "write_compressed",
        VmstateLoad = "vmstate_load",
        VmstateSave = "vmstate_save",
        CowRead = "cow_read",
        CowWrite = "cow_write",
        ReftableLoad = "reftable_load",
        ReftableGrow = "reftable_grow",
        ReftableUpdate = "reftable_update",
        RefblockLoad = "refblock_load",
        RefblockUpdate = "refblock_update",
        RefblockUpdatePart = "refblock_update_part",
        RefblockAlloc = "refblock_alloc",
        RefblockAllocHookup = "refblock_alloc_hookup",
        RefblockAllocWrite = "refblock_alloc_write",
        RefblockAllocWriteBlocks = "refblock_alloc_write_blocks",
        RefblockAllocWriteTable = "refblock_alloc_write_table",
        RefblockAllocSwitchTable = "refblock_alloc_switch_table",
        ClusterAlloc = "cluster_alloc",
        ClusterAllocBytes = "cluster_alloc_bytes",
        ClusterFree = "cluster_free",
        FlushToOs = "flush_to_os",
        FlushToDisk = "flush_to_disk",
        PwritevRmwHead = "pwritev_rmw_head",
        PwritevRmwAfterHead = "pwritev_rmw_after_head",
        PwritevRmwTail = "pwritev_rmw_tail",
        PwritevRmwAfterTail = "pwritev_rmw_after_tail",
        Pwritev = "pwritev",
        PwritevZero = "pwritev_zero",
        PwritevDone = "pwritev_done",
        EmptyImagePrepare = "empty_image_prepare",
        L1ShrinkWriteTable = "l1_shrink_write_table",
        L1ShrinkFreeL2Clusters = "l1_shrink_free_l2_clusters",
        CorWrite = "cor_write",
        ClusterAllocSpace = "cluster_alloc_space",
        None = "none",
    }
}
