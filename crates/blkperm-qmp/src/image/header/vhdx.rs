//! The header of vhdx: the size is an item of a table that is found through another table.
//!
//! Source: the VHDX format specification, version 1.00.

use super::{ImageHeader, bytes};
use std::fs::File;
use std::io;

/// Where the first of the two equal tables of regions is.
const REGION_TABLE: u64 = 192 << 10;

/// The region of the table of metadata, as the GUID's bytes stand in a file.
const METADATA_REGION: [u8; 16] = [
    0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
];

/// The item of the virtual size.
const VIRTUAL_DISK_SIZE: [u8; 16] = [
    0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
];

/// How many entries a table can have.
const MOST_ENTRIES: u64 = 2047;

const ENTRY: u64 = 32;

pub(super) fn read(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    let regions = u64::from(u32::from_le_bytes(bytes(file, REGION_TABLE + 8)?));
    let region = find(file, REGION_TABLE + 16, regions, METADATA_REGION)?;
    let metadata = u64::from_le_bytes(bytes(file, region + 16)?);
    let items = u64::from(u16::from_le_bytes(bytes(file, metadata + 10)?));
    let item = find(file, metadata + ENTRY, items, VIRTUAL_DISK_SIZE)?;
    let offset = u64::from(u32::from_le_bytes(bytes(file, item + 16)?));
    Ok(ImageHeader { virtual_size: u64::from_le_bytes(bytes(file, metadata + offset)?), ..raw })
}

/// Where the entry with this GUID is, in a table of `count` entries.
fn find(file: &File, table: u64, count: u64, guid: [u8; 16]) -> io::Result<u64> {
    for entry in (0..count.min(MOST_ENTRIES)).map(|number| table + number * ENTRY) {
        if bytes::<16>(file, entry)? == guid {
            return Ok(entry);
        }
    }
    Err(io::Error::other("a table of the image lacks an entry"))
}
