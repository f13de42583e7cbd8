//! The members of QEMU's replies that bear on the graph.

use blkperm_qmp::transcript;
use serde::Deserialize;

/// An item of `query-named-block-nodes` (`BlockDeviceInfo` in `qapi/block-core.json`, QEMU 10.0).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NodeInfo {
    pub(crate) node_name: String,
    pub(crate) drv: String,
    pub(crate) ro: bool,
    /// Since QEMU 10.0.
    #[serde(default = "yes")]
    pub(crate) active: bool,
    /// The node's filename, or `json:{...}`.
    pub(crate) file: String,
    pub(crate) image: ImageInfo,
}

/// The image of a node (`ImageInfo`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImageInfo {
    #[serde(default)]
    pub(crate) virtual_size: u64,
    pub(crate) backing_filename: Option<String>,
    pub(crate) backing_filename_format: Option<String>,
}

/// An item of `query-jobs` (`JobInfo`).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) r#type: String,
    pub(crate) status: String,
}

impl From<&transcript::Job> for Job {
    fn from(job: &transcript::Job) -> Job {
        let transcript::Job { id, r#type, status, .. } = job.clone();
        Job { id, r#type, status }
    }
}

/// An item of `query-block-jobs` (`BlockJobInfo`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct BlockJob {
    pub(crate) device: String,
    pub(crate) r#type: String,
    pub(crate) status: String,
    pub(crate) speed: u64,
    pub(crate) auto_finalize: bool,
    pub(crate) auto_dismiss: bool,
}

/// An item of `query-block-exports` (`BlockExportInfo`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Export {
    pub(crate) id: String,
    pub(crate) r#type: String,
    pub(crate) node_name: String,
}

/// An item of `query-block` (`BlockInfo`).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Device {
    /// The BlockBackend's name; empty for one that was made with its device.
    pub(crate) device: String,
    /// The device's id, or its path.
    pub(crate) qdev: Option<String>,
}

fn yes() -> bool {
    true
}
