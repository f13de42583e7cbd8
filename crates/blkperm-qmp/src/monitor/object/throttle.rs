//! Which limits of rates can be.

use crate::command::object::{ThrottleGroupProperties, ThrottleLimits};
use crate::monitor::Failed;

/// The greatest limit.
///
/// Source: `THROTTLE_VALUE_MAX` in `include/qemu/throttle.h`, QEMU 10.0.
const GREATEST: i64 = 1_000_000_000_000_000;

/// One limit: on average, in a burst, and how long a burst may last.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    name: &'static str,
    average: i64,
    burst: i64,
    seconds: i64,
}

/// The limits of bytes, of all, read and written; those of operations; and what counts as one.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: [Bucket; 3],
    operations: [Bucket; 3],
    size: i64,
}

macro_rules! bucket {
    ($name:literal, $average:expr, $burst:expr, $seconds:expr) => {
        Bucket {
            name: $name,
            average: $average.unwrap_or(0),
            burst: $burst.unwrap_or(0),
            seconds: $seconds.unwrap_or(1),
        }
    };
}

impl From<&ThrottleLimits> for Limits {
    fn from(of: &ThrottleLimits) -> Limits {
        Limits {
            bytes: [
                bucket!("bps-total", of.bps_total, of.bps_total_max, of.bps_total_max_length),
                bucket!("bps-read", of.bps_read, of.bps_read_max, of.bps_read_max_length),
                bucket!("bps-write", of.bps_write, of.bps_write_max, of.bps_write_max_length),
            ],
            operations: [
                bucket!("iops-total", of.iops_total, of.iops_total_max, of.iops_total_max_length),
                bucket!("iops-read", of.iops_read, of.iops_read_max, of.iops_read_max_length),
                bucket!("iops-write", of.iops_write, of.iops_write_max, of.iops_write_max_length),
            ],
            size: of.iops_size.unwrap_or(0),
        }
    }
}

impl From<&ThrottleGroupProperties> for Limits {
    fn from(of: &ThrottleGroupProperties) -> Limits {
        Limits {
            bytes: [
                bucket!("bps-total", of.x_bps_total, of.x_bps_total_max, of.x_bps_total_max_length),
                bucket!("bps-read", of.x_bps_read, of.x_bps_read_max, of.x_bps_read_max_length),
                bucket!("bps-write", of.x_bps_write, of.x_bps_write_max, of.x_bps_write_max_length),
            ],
            operations: [
                bucket!(
                    "iops-total",
                    of.x_iops_total,
                    of.x_iops_total_max,
                    of.x_iops_total_max_length
                ),
                bucket!("iops-read", of.x_iops_read, of.x_iops_read_max, of.x_iops_read_max_length),
                bucket!(
                    "iops-write",
                    of.x_iops_write,
                    of.x_iops_write_max,
                    of.x_iops_write_max_length
                ),
            ],
            size: of.x_iops_size.unwrap_or(0),
        }
    }
}

impl Limits {
    fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.bytes.iter().chain(&self.operations)
    }

    fn too_long(&self) -> Option<&Bucket> {
        self.buckets().find(|bucket| u32::try_from(bucket.seconds).is_err())
    }

    /// Source: `throttle_is_valid` in `util/throttle.c`, QEMU 10.0.
    fn fault(&self) -> Option<&'static str> {
        let mixes = |buckets: &[Bucket; 3], value: fn(&Bucket) -> i64| {
            let [total, read, write] = buckets.each_ref().map(value);
            total != 0 && (read != 0 || write != 0)
        };
        let mixes = |buckets| {
            mixes(buckets, |bucket| bucket.average) || mixes(buckets, |bucket| bucket.burst)
        };
        if mixes(&self.bytes) || mixes(&self.operations) {
            return Some(
                "bps/iops/max total values and read/write values cannot be used at the same time",
            );
        }
        if self.size != 0 && self.operations.iter().all(|bucket| bucket.average == 0) {
            return Some("iops size requires an iops value to be set");
        }
        self.buckets().find_map(Bucket::fault)
    }
}

impl Bucket {
    fn fault(&self) -> Option<&'static str> {
        let Bucket { average, burst, seconds, .. } = *self;
        let fault = if !(0..=GREATEST).contains(&average) || !(0..=GREATEST).contains(&burst) {
            "bps/iops/max values must be within [0, 1000000000000000]"
        } else if seconds == 0 {
            "the burst length cannot be 0"
        } else if seconds > 1 && burst == 0 {
            "burst length set without burst rate"
        } else if burst != 0 && seconds > GREATEST / burst {
            "burst length too high for this burst rate"
        } else if burst != 0 && average == 0 {
            "bps_max/iops_max require corresponding bps/iops values"
        } else if burst != 0 && burst < average {
            "bps_max/iops_max cannot be lower than bps/iops"
        } else {
            return None;
        };
        Some(fault)
    }
}

/// The checks of each property by itself.
///
/// Source: `throttle_group_set`, `throttle_group_set_limits` in `block/throttle-groups.c`, QEMU 10.0.
pub(super) fn check_properties(of: &ThrottleGroupProperties) -> Result<(), Failed> {
    let single = Limits::from(of);
    let negative = |bucket: &Bucket| bucket.average < 0 || bucket.burst < 0 || bucket.seconds < 0;
    if single.size < 0 || single.buckets().any(negative) {
        return Err(Failed::generic("Property values cannot be negative"));
    }
    if let Some(bucket) = single.too_long() {
        return Err(Failed::generic(format!(
            "x-{}-max-length value must be in therange [0, {}]",
            bucket.name,
            u32::MAX
        )));
    }
    let Some(limits) = &of.limits else { return Ok(()) };
    let limits = Limits::from(limits);
    if let Some(bucket) = limits.too_long() {
        return Err(Failed::generic(format!(
            "{}-max-length value must be in the range [0, {}]",
            bucket.name,
            u32::MAX
        )));
    }
    limits.fault().map_or(Ok(()), |fault| Err(Failed::generic(fault)))
}

/// The checks of all properties together.
///
/// Source: `throttle_group_obj_complete` in `block/throttle-groups.c`, QEMU 10.0.
pub(super) fn check(of: &ThrottleGroupProperties) -> Result<(), Failed> {
    // Given as a whole, the limits were checked already.
    let fault = if of.limits.is_some() { None } else { Limits::from(of).fault() };
    fault.map_or(Ok(()), |fault| Err(Failed::generic(fault)))
}
