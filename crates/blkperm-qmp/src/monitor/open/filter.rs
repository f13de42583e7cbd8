//! How filters are opened, and what is built like them.

use blkperm_graph::{NodeId, Role, Rule};

use super::Opening;
use super::driver::size_option;
use crate::command::blockdev::{
    BlockdevOptionsBlkdebug, BlockdevOptionsBlklogwrites, BlockdevOptionsBlkverify,
    BlockdevOptionsCbw, BlockdevOptionsCor, BlockdevOptionsPreallocate, BlockdevOptionsReplication,
    BlockdevOptionsThrottle, ReplicationMode,
};
use crate::monitor::{Failed, Monitor};

/// What the main child of a filter is to it.
const FILTERED: Role = Role::FILTERED.union(Role::PRIMARY);

const SECTOR: u64 = 512;

/// What the sector size of a log must be less than.
///
/// Source: `blk_log_writes_sector_size_valid` in `block/blklogwrites.c`, QEMU 10.0.
const MAX_LOG_SECTOR: u64 = 1 << 24;

/// Whether a node of the driver writes compressed what it is given to write so.
///
/// Source: `block_driver_can_compress` in `block.c`, QEMU 10.0.
pub(in crate::monitor) fn can_compress(driver: &str) -> bool {
    matches!(driver, "copy-on-read" | "qcow" | "qcow2" | "throttle" | "vmdk")
}

/// The sector size of a log.
fn check_log(options: &BlockdevOptionsBlklogwrites) -> Result<u64, Failed> {
    let sector = options.log_sector_size.map(u64::from);
    if options.log_append == Some(true) {
        // Nobody has ever written a log.
        return Err(Failed::generic(match sector {
            Some(_) => "log-append and log-sector-size are mutually exclusive",
            None => "Invalid log superblock magic",
        }));
    }
    let sector = sector.unwrap_or(SECTOR);
    if !sector.is_power_of_two() || sector >= MAX_LOG_SECTOR {
        return Err(Failed::generic(format!("Invalid log sector size {sector}")));
    }
    if options.log_super_update_interval == Some(0) {
        return Err(Failed::generic("Invalid log superblock update interval 0"));
    }
    Ok(sector)
}

/// What a `preallocate` node can be told of how it is to allocate.
///
/// Source: `preallocate_absorb_opts` in `block/preallocate.c`, QEMU 10.0.
pub(in crate::monitor) fn check_preallocation(
    align: Option<i64>,
    size: Option<i64>,
) -> Result<(), Failed> {
    let align = size_option("prealloc-align", align)?;
    size_option("prealloc-size", size)?;
    if align.is_some_and(|align| !align.is_multiple_of(SECTOR)) {
        let desc = "prealloc-align parameter of preallocate filter is not aligned to 512";
        return Err(Failed::generic(desc));
    }
    Ok(())
}

/// The complaint about a throttle group that is not there.
pub(in crate::monitor) fn no_throttle_group(group: &str) -> Failed {
    Failed::generic(format!("Throttle group '{group}' does not exist"))
}

impl<R: Rule> Monitor<R> {
    fn length(&self, node: NodeId) -> u64 {
        self.layer.graph.length(node)
    }

    /// Notes the alignment of a node's requests, in bytes.
    fn align(&mut self, node: NodeId, alignment: u64) {
        let name = self.layer.graph.name(node).to_owned();
        self.nodes.get_mut(&name).alignment = Some(alignment);
    }

    pub(super) fn open_blkdebug(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsBlkdebug,
    ) -> Result<u64, Failed> {
        let align = size_option("align", options.align)?.unwrap_or(0);
        if let Some(config) = &options.config {
            self.images.probe(config).map_err(|error| {
                Failed::generic(format!("Could not read blkdebug config file: {error}"))
            })?;
        }
        let image = self.open_further(opening, "image", &options.image, FILTERED)?;
        if align != 0 && !(align.is_power_of_two() && align <= 1 << 30) {
            return Err(Failed::generic(format!("Cannot meet constraints with align {align}")));
        }
        self.align(opening.node, align.max(1));
        Ok(self.length(image))
    }

    /// Source: `blkverify_open` in `block/blkverify.c`, QEMU 10.0.
    pub(super) fn open_blkverify(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsBlkverify,
    ) -> Result<u64, Failed> {
        self.open_further(opening, "raw", &options.raw, FILTERED)?;
        let test = self.open_further(opening, "test", &options.test, Role::DATA)?;
        Ok(self.length(test))
    }

    /// Source: `blk_log_writes_open` in `block/blklogwrites.c`, QEMU 10.0.
    pub(super) fn open_blklogwrites(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsBlklogwrites,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        self.open_further(opening, "log", &options.log, Role::METADATA)?;
        let sector = check_log(options).inspect_err(|_| self.layer.drain_all())?;
        self.align(opening.node, sector);
        Ok(self.length(file))
    }

    /// Source: `cbw_open` in `block/copy-before-write.c`, QEMU 10.0.
    pub(super) fn open_cbw(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsCbw,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        self.open_further(opening, "target", &options.target, Role::DATA)?;
        if let Some(bitmap) = &options.bitmap {
            let node = &bitmap.node;
            return Err(Failed::generic(match self.layer.graph.node_by_name(node) {
                Some(_) => format!("Dirty bitmap '{}' not found", bitmap.name),
                None => format!("Node '{node}' not found"),
            }));
        }
        let size = options.min_cluster_size.unwrap_or(0);
        let fault = if i64::try_from(size).is_err() {
            format!("min-cluster-size too large: {size} > {}", i64::MAX)
        } else if size != 0 && !size.is_power_of_two() {
            "min-cluster-size needs to be a power of 2".to_owned()
        } else {
            return Ok(self.length(file));
        };
        Err(Failed::generic(format!("Cannot create block-copy-state: {fault}")))
    }

    /// Source: `cor_open` in `block/copy-on-read.c`, QEMU 10.0.
    pub(super) fn open_cor(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsCor,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        if let Some(bottom) = &options.bottom {
            let graph = &self.layer.graph;
            let Some(node) = graph.node_by_name(bottom) else {
                return Err(Failed::generic(format!("Bottom node '{bottom}' not found")));
            };
            if graph.driver(node).is_filter {
                return Err(Failed::generic(format!("Bottom node '{bottom}' is a filter")));
            }
            self.pin(opening.node, node)?;
        }
        Ok(self.length(file))
    }

    /// Source: `compress_open`, `compress_refresh_limits` in `block/filter-compress.c`, QEMU 10.0.
    pub(super) fn open_compress(&mut self, opening: Opening) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        let driver = self.layer.graph.driver(file).name;
        if !can_compress(driver) {
            let desc = format!("Compression is not supported for underlying format: {driver}");
            return Err(Failed::generic(desc));
        }
        if let Some(size) = self.layer.cluster_size(file) {
            self.align(opening.node, size);
        }
        Ok(self.length(file))
    }

    /// Source: `preallocate_open` in `block/preallocate.c`, QEMU 10.0.
    pub(super) fn open_preallocate(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsPreallocate,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        check_preallocation(options.prealloc_align, options.prealloc_size)?;
        Ok(self.length(file))
    }

    /// Source: `replication_open` in `block/replication.c`, QEMU 10.0.
    pub(super) fn open_replication(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsReplication,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        match (options.mode, &options.top_id) {
            (ReplicationMode::Primary, Some(_)) => {
                Err(Failed::generic("The primary side does not support option top-id"))
            }
            (ReplicationMode::Secondary, None) => Err(Failed::generic("Missing the option top-id")),
            (ReplicationMode::Primary, None) | (ReplicationMode::Secondary, Some(_)) => {
                Ok(self.length(file))
            }
        }
    }

    /// Source: `snapshot_access_open` in `block/snapshot-access.c`, QEMU 10.0.
    pub(super) fn open_snapshot_access(&mut self, opening: Opening) -> Result<u64, Failed> {
        let file = self.attach_file(opening, Role::DATA | Role::PRIMARY)?;
        Ok(self.length(file))
    }

    /// Source: `throttle_open` in `block/throttle.c`, QEMU 10.0.
    pub(super) fn open_throttle(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsThrottle,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, FILTERED)?;
        let group = &options.throttle_group;
        if !self.objects.has_throttle_group(group) {
            return Err(no_throttle_group(group));
        }
        Ok(self.length(file))
    }
}
