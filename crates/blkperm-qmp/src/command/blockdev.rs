//! Arguments of the commands that open and remove nodes.
//!
//! A further driver is one struct below [`BlockdevOptions`] and one line in [`DriverOptions`].

mod blkdebug;
mod driver;
mod file;
mod filter;
mod format;
mod qcow2;
mod quorum;
mod unavailable;

pub use blkdebug::*;
pub use driver::BlockdevDriver;
pub use file::*;
pub use filter::*;
pub use format::*;
pub use qcow2::*;
pub use quorum::*;
pub use unavailable::*;

use serde::{Deserialize, Serialize};

use super::enums::qapi_enum;

/// The arguments of `blockdev-add`, or a node that is defined within them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename = "union BlockdevOptions")]
pub struct BlockdevOptions {
    /// What all nodes have.
    pub base: BlockdevBase,
    /// What the driver adds.
    #[serde(rename = "driver")]
    pub options: DriverOptions,
}

/// What all nodes have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevBase {
    /// The driver.
    pub driver: BlockdevDriver,
    /// The name of the node.
    pub node_name: Option<String>,
    /// What to do with requests to discard.
    pub discard: Option<BlockdevDiscardOptions>,
    /// How to cache.
    pub cache: Option<BlockdevCacheOptions>,
    /// Whether the node is active from the beginning; it is by default.
    pub active: Option<bool>,
    /// Whether the node is read-only; not by default.
    pub read_only: Option<bool>,
    /// Whether the node may become read-only where it cannot be written; not by default.
    pub auto_read_only: Option<bool>,
    /// Whether to share the image with everybody; not by default.
    pub force_share: Option<bool>,
    /// What to do with zeroes being written.
    pub detect_zeroes: Option<BlockdevDetectZeroesOptions>,
}

/// The drivers, with their options.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverOptions {
    /// Injects errors, and takes and unshares permissions at will.
    Blkdebug(Box<BlockdevOptionsBlkdebug>),
    /// Logs what is written.
    Blklogwrites(BlockdevOptionsBlklogwrites),
    /// Records and replays what is read.
    Blkreplay(BlockdevOptionsBlkreplay),
    /// Compares two children.
    Blkverify(BlockdevOptionsBlkverify),
    /// Bochs' format.
    Bochs(BlockdevOptionsGenericFormat),
    /// The format of compressed loop devices.
    Cloop(BlockdevOptionsGenericFormat),
    /// Compresses what is written.
    Compress(BlockdevOptionsGenericFormat),
    /// Saves what is about to be overwritten.
    CopyBeforeWrite(BlockdevOptionsCbw),
    /// Copies what is read up from the backing file.
    CopyOnRead(BlockdevOptionsCor),
    /// The format of Apple's disk images.
    Dmg(BlockdevOptionsGenericFormat),
    /// A file of the host.
    File(BlockdevOptionsFile),
    /// A file on a server.
    Ftp(BlockdevOptionsCurlFtp),
    /// A file on a server, encrypted on the way.
    Ftps(BlockdevOptionsCurlFtps),
    /// A file of a volume.
    Gluster(BlockdevOptionsGluster),
    /// A drive of the host.
    #[serde(rename = "host_cdrom")]
    HostCdrom(BlockdevOptionsFile),
    /// A device of the host.
    #[serde(rename = "host_device")]
    HostDevice(BlockdevOptionsFile),
    /// A file on a server.
    Http(BlockdevOptionsCurlHttp),
    /// A file on a server, encrypted on the way.
    Https(BlockdevOptionsCurlHttps),
    /// A unit of a target.
    Iscsi(BlockdevOptionsIscsi),
    /// Encrypted.
    Luks(BlockdevOptionsLuks),
    /// An export on a server.
    Nbd(BlockdevOptionsNbd),
    /// A file on a server.
    Nfs(BlockdevOptionsNfs),
    /// Nothing, through the host's asynchronous I/O.
    NullAio(BlockdevOptionsNull),
    /// Nothing, through coroutines.
    NullCo(BlockdevOptionsNull),
    /// A controller of the host, without its kernel.
    Nvme(BlockdevOptionsNvme),
    /// Parallels' format.
    Parallels(BlockdevOptionsGenericFormat),
    /// Grows the child in large steps.
    Preallocate(BlockdevOptionsPreallocate),
    /// QEMU's first image format.
    Qcow(BlockdevOptionsQcow),
    /// QEMU's image format.
    Qcow2(Box<BlockdevOptionsQcow2>),
    /// QEMU's enhanced disk.
    Qed(BlockdevOptionsGenericCowFormat),
    /// Several children with the same data.
    Quorum(BlockdevOptionsQuorum),
    /// No format, or a part of a node.
    Raw(BlockdevOptionsRaw),
    /// An image of a cluster.
    Rbd(Box<BlockdevOptionsRbd>),
    /// The disk of a replicated guest.
    Replication(BlockdevOptionsReplication),
    /// What a copy-before-write child has saved.
    SnapshotAccess(BlockdevOptionsGenericFormat),
    /// A file on a server, encrypted on the way.
    Ssh(BlockdevOptionsSsh),
    /// Limits the rate.
    Throttle(BlockdevOptionsThrottle),
    /// VirtualBox's format.
    Vdi(BlockdevOptionsGenericFormat),
    /// Hyper-V's format.
    Vhdx(BlockdevOptionsGenericFormat),
    /// VMware's format.
    Vmdk(BlockdevOptionsGenericCowFormat),
    /// Virtual PC's format.
    Vpc(BlockdevOptionsGenericFormat),
    /// A directory as a disk.
    Vvfat(BlockdevOptionsVvfat),
}

/// A child: a node by name, or the definition of a new one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename = "alternate BlockdevRef", rename_all = "kebab-case")]
pub enum BlockdevRef {
    /// A new node.
    #[serde(rename = "object")]
    Definition(Box<BlockdevOptions>),
    /// A node that exists.
    #[serde(rename = "string")]
    Reference(String),
}

/// A child that may explicitly be absent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename = "alternate BlockdevRefOrNull", rename_all = "kebab-case")]
pub enum BlockdevRefOrNull {
    /// A new node.
    #[serde(rename = "object")]
    Definition(Box<BlockdevOptions>),
    /// A node that exists, or none if the name is empty.
    #[serde(rename = "string")]
    Reference(String),
    /// None.
    Null,
}

qapi_enum! {
    /// What to do with requests to discard.
    pub enum BlockdevDiscardOptions {
        Ignore = "ignore",
        Unmap = "unmap",
    }
}

qapi_enum! {
    /// What to do with zeroes being written.
    pub enum BlockdevDetectZeroesOptions {
        Off = "off",
        On = "on",
        Unmap = "unmap",
    }
}

/// How to cache.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevCacheOptions {
    /// Whether to bypass the host's cache.
    pub direct: Option<bool>,
    /// Whether to ignore requests to flush.
    pub no_flush: Option<bool>,
}

/// Options of the drivers `null-co` and `null-aio`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsNull {
    /// The size in bytes, 1 GiB by default.
    pub size: Option<i64>,
    /// Nanoseconds that a request takes.
    pub latency_ns: Option<u64>,
    /// Whether reading yields zeroes, or leaves the buffer as it is.
    pub read_zeroes: Option<bool>,
}

/// Options of the driver `raw`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsRaw {
    /// The child.
    pub file: BlockdevRef,
    /// Where the node begins in the child.
    pub offset: Option<i64>,
    /// The size of the node; up to the end of the child by default.
    pub size: Option<i64>,
}

/// The arguments of `blockdev-del`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevDel {
    /// The node.
    pub node_name: String,
}

/// The arguments of `blockdev-set-active`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevSetActive {
    /// The node; all of them by default.
    pub node_name: Option<String>,
    /// Whether it is to be active.
    pub active: bool,
}

/// The arguments of `block_resize`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockResize {
    /// The block device, of which the storage daemon has none.
    pub device: Option<String>,
    /// The node.
    pub node_name: Option<String>,
    /// How long it is to be, in bytes.
    pub size: i64,
}

/// The arguments of `blockdev-reopen`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockdevReopen {
    /// The nodes by their names, each with all options that it is to have.
    pub options: Vec<BlockdevOptions>,
}

/// The arguments of `query-named-block-nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct QueryNamedBlockNodes {
    /// Whether to leave out the details of backing images.
    pub flat: Option<bool>,
}
