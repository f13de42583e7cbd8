//! The driver `quorum`.

use serde::{Deserialize, Serialize};

use super::BlockdevRef;
use crate::command::enums::qapi_enum;

/// Options of the driver `quorum`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsQuorum {
    /// Whether the two children are compared, and nothing is voted on.
    pub blkverify: Option<bool>,
    /// The children.
    pub children: Vec<BlockdevRef>,
    /// How many children have to agree.
    pub vote_threshold: i64,
    /// Whether what is outvoted is written anew.
    pub rewrite_corrupted: Option<bool>,
    /// Which children are read.
    pub read_pattern: Option<QuorumReadPattern>,
}

qapi_enum! {
    /// Which children are read.
    pub enum QuorumReadPattern {
        Quorum = "quorum",
        Fifo = "fifo",
    }
}
