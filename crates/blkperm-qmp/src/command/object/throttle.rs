//! Limits of rates.

use serde::{Deserialize, Serialize};

/// The properties of an object with limits: `limits`, and the same one by one.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThrottleGroupProperties {
    /// The limits.
    pub limits: Option<ThrottleLimits>,
    /// The limit of operations of all kinds a second.
    pub x_iops_total: Option<i64>,
    /// The limit of operations in a burst, a second.
    pub x_iops_total_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_iops_total_max_length: Option<i64>,
    /// The limit of operations read a second.
    pub x_iops_read: Option<i64>,
    /// How many may be read in a burst, a second.
    pub x_iops_read_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_iops_read_max_length: Option<i64>,
    /// The limit of operations written a second.
    pub x_iops_write: Option<i64>,
    /// How many may be written in a burst, a second.
    pub x_iops_write_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_iops_write_max_length: Option<i64>,
    /// The limit of bytes of all kinds a second.
    pub x_bps_total: Option<i64>,
    /// The limit of bytes in a burst, a second.
    pub x_bps_total_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_bps_total_max_length: Option<i64>,
    /// The limit of bytes read a second.
    pub x_bps_read: Option<i64>,
    /// How many may be read in a burst, a second.
    pub x_bps_read_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_bps_read_max_length: Option<i64>,
    /// The limit of bytes written a second.
    pub x_bps_write: Option<i64>,
    /// How many may be written in a burst, a second.
    pub x_bps_write_max: Option<i64>,
    /// How many seconds a burst may last.
    pub x_bps_write_max_length: Option<i64>,
    /// The size in bytes that counts as one operation.
    pub x_iops_size: Option<i64>,
}

/// Limits of rates.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThrottleLimits {
    /// The limit of operations of all kinds a second.
    pub iops_total: Option<i64>,
    /// The limit of operations in a burst, a second.
    pub iops_total_max: Option<i64>,
    /// How many seconds a burst may last.
    pub iops_total_max_length: Option<i64>,
    /// The limit of operations read a second.
    pub iops_read: Option<i64>,
    /// How many may be read in a burst, a second.
    pub iops_read_max: Option<i64>,
    /// How many seconds a burst may last.
    pub iops_read_max_length: Option<i64>,
    /// The limit of operations written a second.
    pub iops_write: Option<i64>,
    /// How many may be written in a burst, a second.
    pub iops_write_max: Option<i64>,
    /// How many seconds a burst may last.
    pub iops_write_max_length: Option<i64>,
    /// The limit of bytes of all kinds a second.
    pub bps_total: Option<i64>,
    /// The limit of bytes in a burst, a second.
    pub bps_total_max: Option<i64>,
    /// How many seconds a burst may last.
    pub bps_total_max_length: Option<i64>,
    /// The limit of bytes read a second.
    pub bps_read: Option<i64>,
    /// How many may be read in a burst, a second.
    pub bps_read_max: Option<i64>,
    /// How many seconds a burst may last.
    pub bps_read_max_length: Option<i64>,
    /// The limit of bytes written a second.
    pub bps_write: Option<i64>,
    /// How many may be written in a burst, a second.
    pub bps_write_max: Option<i64>,
    /// How many seconds a burst may last.
    pub bps_write_max_length: Option<i64>,
    /// The size in bytes that counts as one operation.
    pub iops_size: Option<i64>,
}
