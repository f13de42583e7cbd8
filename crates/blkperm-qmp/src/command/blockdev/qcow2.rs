//! The driver `qcow2`.

use serde::{Deserialize, Serialize};

use super::{BlockdevRef, BlockdevRefOrNull};
use crate::command::enums::qapi_enum;

/// Options of the driver `qcow2`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsQcow2 {
    /// The child with the image.
    pub file: BlockdevRef,
    /// The backing file; by default the one that the image names.
    pub backing: Option<BlockdevRefOrNull>,
    /// Whether reference counts may lag behind.
    pub lazy_refcounts: Option<bool>,
    /// Whether a guest's discard frees space in the file.
    pub pass_discard_request: Option<bool>,
    /// Whether deleting a snapshot frees space in the file.
    pub pass_discard_snapshot: Option<bool>,
    /// Whether freeing a cluster otherwise frees space in the file.
    pub pass_discard_other: Option<bool>,
    /// Whether a discarded cluster keeps its place.
    pub discard_no_unref: Option<bool>,
    /// Which metadata to protect against being overwritten.
    pub overlap_check: Option<Qcow2OverlapChecks>,
    /// The size of all metadata caches.
    pub cache_size: Option<i64>,
    /// The size of the cache of level 2 tables.
    pub l2_cache_size: Option<i64>,
    /// The size of an entry of that cache.
    pub l2_cache_entry_size: Option<i64>,
    /// The size of the cache of reference counts.
    pub refcount_cache_size: Option<i64>,
    /// Seconds after which an unused entry leaves a cache.
    pub cache_clean_interval: Option<i64>,
    /// How to decrypt the image.
    pub encrypt: Option<BlockdevQcow2Encryption>,
    /// The child with the data, if the image keeps them outside.
    pub data_file: Option<BlockdevRef>,
}

/// Which metadata to protect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "alternate Qcow2OverlapChecks")]
pub enum Qcow2OverlapChecks {
    /// Each kind by itself.
    #[serde(rename = "object")]
    Flags(Qcow2OverlapCheckFlags),
    /// All of a template.
    #[serde(rename = "string")]
    Mode(Qcow2OverlapCheckMode),
}

qapi_enum! {
    /// A template of metadata to protect.
    pub enum Qcow2OverlapCheckMode {
        None = "none",
        Constant = "constant",
        Cached = "cached",
        All = "all",
    }
}

/// Which metadata to protect, each kind by itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Qcow2OverlapCheckFlags {
    /// The template that the others differ from.
    pub template: Option<Qcow2OverlapCheckMode>,
    /// The header.
    pub main_header: Option<bool>,
    /// The active level 1 table.
    pub active_l1: Option<bool>,
    /// The active level 2 tables.
    pub active_l2: Option<bool>,
    /// The table of reference counts.
    pub refcount_table: Option<bool>,
    /// The blocks of reference counts.
    pub refcount_block: Option<bool>,
    /// The table of snapshots.
    pub snapshot_table: Option<bool>,
    /// Level 1 tables of snapshots.
    pub inactive_l1: Option<bool>,
    /// Level 2 tables of snapshots.
    pub inactive_l2: Option<bool>,
    /// The directory of bitmaps.
    pub bitmap_directory: Option<bool>,
}

/// How to decrypt an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union BlockdevQcow2Encryption")]
pub struct BlockdevQcow2Encryption {
    /// What all formats have.
    pub base: BlockdevQcow2EncryptionBase,
    /// What the format adds.
    #[serde(rename = "format")]
    pub options: Qcow2EncryptionOptions,
}

/// What all formats of encryption have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockdevQcow2EncryptionBase {
    /// The format.
    pub format: BlockdevQcow2EncryptionFormat,
}

qapi_enum! {
    /// The formats of encryption.
    pub enum BlockdevQcow2EncryptionFormat {
        Aes = "aes",
        Luks = "luks",
    }
}

/// The formats of encryption, with their options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Qcow2EncryptionOptions {
    /// The old one.
    Aes(KeySecret),
    /// LUKS.
    Luks(KeySecret),
}

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeySecret {
    /// The object with the key.
    pub key_secret: Option<String>,
}
