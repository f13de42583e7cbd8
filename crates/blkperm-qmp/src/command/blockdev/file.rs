//! The driver `file`.

use serde::{Deserialize, Serialize};

use crate::command::OnOffAuto;
use crate::command::enums::qapi_enum;

/// Options of the driver `file`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsFile {
    /// The path.
    pub filename: String,
    /// The object that manages persistent reservations.
    pub pr_manager: Option<String>,
    /// Whether to lock the file against other processes.
    pub locking: Option<OnOffAuto>,
    /// How to do asynchronous I/O.
    pub aio: Option<BlockdevAioOptions>,
    /// Requests that may be submitted at once, 0 for the default.
    pub aio_max_batch: Option<i64>,
    /// Whether to drop the host's cache when the node becomes active.
    pub drop_cache: Option<bool>,
    /// Whether to check that the cache was dropped.
    pub x_check_cache_dropped: Option<bool>,
}

qapi_enum! {
    /// How to do asynchronous I/O.
    pub enum BlockdevAioOptions {
        Threads = "threads",
        Native = "native",
        IoUring = "io_uring",
    }
}
