//! How long the files of new images are, and what size the guest sees of them.
//!
//! Source: the create function of each driver, QEMU 10.0; the test of declared images asks
//! `qemu-img`.

use super::ImageFormat;

const SECTOR: u64 = 512;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The file length of a new image in one file, where the guest sees `size` bytes, and the header
/// names a backing file of `name` bytes.
pub(super) fn length(format: ImageFormat, size: u64, name: u64) -> u64 {
    match format {
        ImageFormat::Raw => size,
        ImageFormat::Qcow2 => qcow2(size),
        ImageFormat::Qcow => qcow(size, name),
        // Header and L1 table, of one and of four clusters.
        ImageFormat::Qed => 5 * 64 * KIB,
        ImageFormat::Vdi => SECTOR + (4 * size.div_ceil(MIB)).next_multiple_of(SECTOR),
        ImageFormat::Vhdx => vhdx(size),
        // The header and what describes a dynamic image, the table of blocks, the header again.
        ImageFormat::Vpc => 4 * SECTOR + (4 * size.div_ceil(2 * MIB)).next_multiple_of(SECTOR),
        ImageFormat::Parallels => (64 + 4 * size.div_ceil(MIB)).next_multiple_of(MIB),
        ImageFormat::Vmdk => vmdk(size),
        ImageFormat::Luks => LUKS_HEADER + size,
    }
}

/// The size of the clusters that the driver says a new image has, where the guest sees `size` bytes; a
/// `parallels` image does not say how large its clusters are.
pub(super) fn cluster_size(format: ImageFormat, size: u64, has_backing: bool) -> Option<u64> {
    match format {
        ImageFormat::Qcow if has_backing => Some(SECTOR),
        ImageFormat::Qcow => Some(4 * KIB),
        ImageFormat::Qcow2 => Some(QCOW2_CLUSTER),
        ImageFormat::Qed | ImageFormat::Vmdk => Some(64 * KIB),
        ImageFormat::Vdi => Some(MIB),
        ImageFormat::Vpc => Some(2 * MIB),
        ImageFormat::Vhdx => Some(vhdx_block(size)),
        ImageFormat::Raw | ImageFormat::Parallels | ImageFormat::Luks => None,
    }
}

/// The format of the backing file as the header has it; some formats have no place for it.
pub(super) fn written_format(format: ImageFormat, backing: &str) -> Option<String> {
    let is_written = match format {
        ImageFormat::Qcow => false,
        ImageFormat::Qed => backing == "raw",
        _ => true,
    };
    is_written.then(|| backing.to_owned())
}

/// The length of a vmdk image that is but a description of others, in whole sectors: its text
/// holds a random number without its leading zeroes.
pub(super) const DESCRIPTION: u64 = SECTOR;

/// The header of a LUKS image with its eight slots for keys of 64 bytes.
const LUKS_HEADER: u64 = 4040 * SECTOR;

const QCOW2_CLUSTER: u64 = 64 * KIB;

/// An L2 table is one cluster of entries of eight bytes, each for a cluster of data.
const MAPPED_BY_L2_TABLE: u64 = QCOW2_CLUSTER / 8 * QCOW2_CLUSTER;

/// Header, refcount table and refcount block take a cluster each, and the L1 table after them is
/// not padded.
fn qcow2(size: u64) -> u64 {
    const L1_ENTRY: u64 = 8;
    3 * QCOW2_CLUSTER + size.div_ceil(MAPPED_BY_L2_TABLE) * L1_ENTRY
}

/// The file length of a new qcow2 image all of which is mapped to a raw data file from the
/// beginning: the L1 table is in clusters of its own, and all L2 tables are there.
pub(super) fn qcow2_of_raw_data(size: u64) -> u64 {
    let tables = size.div_ceil(MAPPED_BY_L2_TABLE);
    3 * QCOW2_CLUSTER + (8 * tables).next_multiple_of(QCOW2_CLUSTER) + tables * QCOW2_CLUSTER
}

/// Header, name of the backing file, and an L1 table that is written in whole sectors. An L2 table
/// maps 2 MiB, with a backing file as without.
fn qcow(size: u64, name: u64) -> u64 {
    const HEADER: u64 = 48;
    let header = (HEADER + name).next_multiple_of(8);
    header + (8 * size.div_ceil(2 * MIB)).next_multiple_of(SECTOR)
}

/// Headers, log, metadata and an empty table of blocks; the table of a large image takes more.
fn vhdx(size: u64) -> u64 {
    const ENTRY: u64 = 8;
    8 * MIB + ENTRY * size.div_ceil(vhdx_block(size)) / MIB * MIB
}

fn vhdx_block(size: u64) -> u64 {
    match size {
        size if size > 32 << 40 => 64 * MIB,
        size if size > 100 << 30 => 32 * MIB,
        size if size > 1 << 30 => 16 * MIB,
        _ => 8 * MIB,
    }
}

/// Header, description, and two directories with their tables, in whole grains.
fn vmdk(size: u64) -> u64 {
    const GRAIN: u64 = 128;
    const DESCRIBED_TO: u64 = 21;
    const TABLE_ENTRIES: u64 = 512;
    let grains = size.div_ceil(SECTOR).div_ceil(GRAIN);
    let tables = grains.div_ceil(TABLE_ENTRIES);
    let directory = (4 * tables).div_ceil(SECTOR) + 4 * tables;
    (DESCRIBED_TO + 2 * directory).next_multiple_of(GRAIN) * SECTOR
}

/// The size that the guest sees of a new vpc image: that of the least geometry that is not smaller.
///
/// Source: `calculate_geometry` in `block/vpc.c`, QEMU 10.0; the VHD specification, appendix.
pub(super) fn vpc_size(size: u64) -> u64 {
    const LARGEST_GEOMETRY: u64 = 65_535 * 16 * 255;
    let sectors = size.div_ceil(SECTOR);
    if sectors > LARGEST_GEOMETRY {
        return sectors * SECTOR;
    }
    let geometries = (sectors..).map(geometry);
    let fitting = |&geometry: &u64| geometry >= sectors;
    let mut fitting = geometries.take(usize::from(u16::MAX)).filter(fitting);
    fitting.next().unwrap_or(sectors) * SECTOR
}

/// The sectors of the geometry for a disk of so many sectors; it may have fewer.
fn geometry(sectors: u64) -> u64 {
    let tracks = if sectors > 65_535 * 16 * 63 {
        return sectors / 255 / 16 * 16 * 255;
    } else {
        sectors / 17
    };
    let heads = tracks.div_ceil(1024).max(4);
    if tracks < heads * 1024 && heads <= 16 {
        return tracks / heads * heads * 17;
    }
    let tracks = sectors / 31;
    if tracks < 16 * 1024 {
        return tracks / 16 * 16 * 31;
    }
    sectors / 63 / 16 * 16 * 63
}
