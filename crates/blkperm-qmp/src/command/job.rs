//! Arguments of the commands that start and steer jobs.

use serde::Deserialize;

use super::enums::{BlockdevOnError, qapi_enum};

/// The arguments of `job-complete` and its like, of `block-job-finalize` and of
/// `block-job-dismiss`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// The job.
    pub id: String,
}

/// The arguments of `block-job-complete`, `block-job-pause` and `block-job-resume`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockJob {
    /// The job.
    pub device: String,
}

/// The arguments of `block-job-cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockJobCancel {
    /// The job.
    pub device: String,
    /// Whether to give up at once where the job could end gracefully.
    pub force: Option<bool>,
}

/// The arguments of `block-job-set-speed`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockJobSetSpeed {
    /// The job.
    pub device: String,
    /// Bytes in a second, 0 for no limit.
    pub speed: i64,
}

qapi_enum! {
    /// What a mirror copies to begin with.
    pub enum MirrorSyncMode {
        Top = "top",
        Full = "full",
        None = "none",
        Incremental = "incremental",
        Bitmap = "bitmap",
    }
}

qapi_enum! {
    /// When a mirror copies what a guest writes.
    pub enum MirrorCopyMode {
        Background = "background",
        WriteBlocking = "write-blocking",
    }
}

/// The arguments of `blockdev-mirror`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevMirror {
    /// The name of the job; that of the device by default.
    pub job_id: Option<String>,
    /// The source.
    pub device: String,
    /// The target.
    pub target: String,
    /// The node to replace with the target; the source by default.
    pub replaces: Option<String>,
    /// What to copy to begin with.
    pub sync: MirrorSyncMode,
    /// Bytes in a second, 0 for no limit.
    pub speed: Option<i64>,
    /// The granularity of the bitmap of dirty areas.
    pub granularity: Option<u32>,
    /// The size of the buffer.
    pub buf_size: Option<i64>,
    /// What to do when reading fails.
    pub on_source_error: Option<BlockdevOnError>,
    /// What to do when writing fails.
    pub on_target_error: Option<BlockdevOnError>,
    /// The name of the filter above the source; QEMU makes one up by default.
    pub filter_node_name: Option<String>,
    /// When to copy what a guest writes.
    pub copy_mode: Option<MirrorCopyMode>,
    /// Whether the job ends without being told to.
    pub auto_finalize: Option<bool>,
    /// Whether the job is forgotten without being told to.
    pub auto_dismiss: Option<bool>,
}

/// The arguments of `block-commit`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockCommit {
    /// The name of the job; that of the device by default.
    pub job_id: Option<String>,
    /// The top of the chain.
    pub device: String,
    /// The node to write to; the bottom of the chain by default.
    pub base_node: Option<String>,
    /// The same by file name; deprecated.
    pub base: Option<String>,
    /// The node to copy from and remove; the top of the chain by default.
    pub top_node: Option<String>,
    /// The same by file name; deprecated.
    pub top: Option<String>,
    /// The backing file to record in the overlay of the removed nodes.
    pub backing_file: Option<String>,
    /// Whether a backing file that is a protocol node is recorded as format raw.
    pub backing_mask_protocol: Option<bool>,
    /// Bytes in a second, 0 for no limit.
    pub speed: Option<i64>,
    /// What to do about an I/O error.
    pub on_error: Option<BlockdevOnError>,
    /// The name of the filter above the top; QEMU makes one up by default.
    pub filter_node_name: Option<String>,
    /// Whether the job ends without being told to.
    pub auto_finalize: Option<bool>,
    /// Whether the job is forgotten without being told to.
    pub auto_dismiss: Option<bool>,
}

qapi_enum! {
    /// The types of jobs.
    pub enum JobType {
        Commit = "commit",
        Stream = "stream",
        Mirror = "mirror",
        Backup = "backup",
        Create = "create",
        Amend = "amend",
        SnapshotLoad = "snapshot-load",
        SnapshotSave = "snapshot-save",
        SnapshotDelete = "snapshot-delete",
    }
}

/// The arguments of `block-job-change`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "union BlockJobChangeOptions")]
pub struct BlockJobChangeOptions {
    /// Which job.
    pub base: BlockJobChangeBase,
    /// What is to be changed.
    #[serde(rename = "type")]
    pub change: JobChange,
}

/// The job that `block-job-change` is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockJobChangeBase {
    /// The job.
    pub id: String,
    /// What type it is taken for.
    #[serde(rename = "type")]
    pub kind: JobType,
}

/// What can be changed of a job, by its type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the types are QEMU's, and documented there")]
pub enum JobChange {
    Mirror(BlockJobChangeOptionsMirror),
    Commit(NothingToChange),
    Stream(NothingToChange),
    Backup(NothingToChange),
    Create(NothingToChange),
    Amend(NothingToChange),
    SnapshotLoad(NothingToChange),
    SnapshotSave(NothingToChange),
    SnapshotDelete(NothingToChange),
}

/// What can be changed of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockJobChangeOptionsMirror {
    /// When to copy what a guest writes.
    pub copy_mode: MirrorCopyMode,
}

/// What can be changed of any other job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NothingToChange {}

/// The arguments of `block-stream`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockStream {
    /// The name of the job; that of the device by default.
    pub job_id: Option<String>,
    /// The node to copy into.
    pub device: String,
    /// The file name of the image not to copy any more; deprecated.
    pub base: Option<String>,
    /// The node not to copy any more, which becomes the backing file; none by default.
    pub base_node: Option<String>,
    /// The backing file to record in the image.
    pub backing_file: Option<String>,
    /// Whether a backing file that is a protocol node is recorded as format raw.
    pub backing_mask_protocol: Option<bool>,
    /// The last node to copy, instead of a base.
    pub bottom: Option<String>,
    /// Bytes in a second, 0 for no limit.
    pub speed: Option<i64>,
    /// What to do about an I/O error.
    pub on_error: Option<BlockdevOnError>,
    /// The name of the filter above the device; QEMU makes one up by default.
    pub filter_node_name: Option<String>,
    /// Whether the job ends without being told to.
    pub auto_finalize: Option<bool>,
    /// Whether the job is forgotten without being told to.
    pub auto_dismiss: Option<bool>,
}

qapi_enum! {
    /// What becomes of a backup's bitmap.
    pub enum BitmapSyncMode {
        OnSuccess = "on-success",
        Never = "never",
        Always = "always",
    }
}

/// How a backup is to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupPerf {
    /// Whether the host may copy within its files.
    pub use_copy_range: Option<bool>,
    /// How many requests may be under way.
    pub max_workers: Option<i64>,
    /// The most bytes of a request, 0 for no limit.
    pub max_chunk: Option<i64>,
    /// The least bytes of a cluster.
    pub min_cluster_size: Option<u64>,
}

/// The arguments of `blockdev-backup`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevBackup {
    /// The name of the job; that of the device by default.
    pub job_id: Option<String>,
    /// The source.
    pub device: String,
    /// What to copy to begin with.
    pub sync: MirrorSyncMode,
    /// Bytes in a second, 0 for no limit.
    pub speed: Option<i64>,
    /// The bitmap that says what to copy.
    pub bitmap: Option<String>,
    /// What becomes of the bitmap.
    pub bitmap_mode: Option<BitmapSyncMode>,
    /// Whether to compress what is written.
    pub compress: Option<bool>,
    /// What to do when reading fails.
    pub on_source_error: Option<BlockdevOnError>,
    /// What to do when writing fails.
    pub on_target_error: Option<BlockdevOnError>,
    /// Whether the job ends without being told to.
    pub auto_finalize: Option<bool>,
    /// Whether the job is forgotten without being told to.
    pub auto_dismiss: Option<bool>,
    /// The name of the filter above the source; QEMU makes one up by default.
    pub filter_node_name: Option<String>,
    /// Whether to discard in the source what was copied.
    pub discard_source: Option<bool>,
    /// How to copy.
    pub x_perf: Option<BackupPerf>,
    /// The target.
    pub target: String,
}
