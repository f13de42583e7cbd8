//! The header of vmdk: binary, or a text that names the files with the data.
//!
//! Source: VMware's Virtual Disk Format 1.1; `vmdk_open` in `block/vmdk.c`, QEMU 10.0.

use super::{ImageHeader, PROBED, SECTOR, bytes, product, text};
use crate::image::Extent;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A sparse image of VMware's products for desktops.
const HOSTED: [u8; 4] = *b"KDMV";

/// A sparse image of old servers.
const COWD: [u8; 4] = *b"COWD";

/// The longest text that describes an image.
const LONGEST_DESCRIPTOR: u64 = 1 << 20;

pub(super) fn is_vmdk(head: &[u8; PROBED]) -> bool {
    head.starts_with(&HOSTED) || head.starts_with(&COWD) || is_descriptor(head)
}

/// Whether the first line that is neither empty nor a comment gives a version that is known.
fn is_descriptor(head: &[u8]) -> bool {
    let text = text::up_to_nul(head);
    let mut lines = text.lines();
    let first = lines.find(|line| !line.starts_with('#') && !line.trim_start().is_empty());
    let commented = text.starts_with('#');
    commented && matches!(first.map(str::trim_end), Some("version=1" | "version=2" | "version=3"))
}

pub(super) fn read(file: &File, head: &[u8; PROBED], raw: ImageHeader) -> io::Result<ImageHeader> {
    if head.starts_with(&COWD) {
        let sectors = u64::from(u32::from_le_bytes(bytes(file, 12)?));
        return Ok(ImageHeader { virtual_size: product(sectors, SECTOR)?, ..raw });
    }
    if head.starts_with(&HOSTED) {
        let virtual_size = product(u64::from_le_bytes(bytes(file, 12)?), SECTOR)?;
        let offset = product(u64::from_le_bytes(bytes(file, 28)?), SECTOR)?;
        let length = product(u64::from_le_bytes(bytes(file, 36)?), SECTOR)?;
        let descriptor = descriptor(file, offset, length)?;
        return Ok(ImageHeader { virtual_size, ..with_parent(&descriptor, raw) });
    }
    let descriptor = descriptor(file, 0, raw.file_length)?;
    let extents: Vec<Extent> = descriptor.lines().filter_map(extent).collect();
    let virtual_size = extents.iter().fold(0, |sum: u64, it| sum.saturating_add(it.length));
    Ok(ImageHeader { virtual_size, extents, ..with_parent(&descriptor, raw) })
}

fn descriptor(file: &File, offset: u64, length: u64) -> io::Result<String> {
    let length = length.min(LONGEST_DESCRIPTOR);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(text::up_to_nul(&bytes))
}

fn with_parent(descriptor: &str, raw: ImageHeader) -> ImageHeader {
    let parent = descriptor.lines().find_map(|line| line.strip_prefix("parentFileNameHint="));
    let parent = parent.map(|name| name.trim().trim_matches('"').to_owned());
    let backing_format = parent.is_some().then(|| "vmdk".to_owned());
    ImageHeader { backing_file: parent, backing_format, ..raw }
}

/// A line such as `RW 2048 SPARSE "disk-s001.vmdk"`: how many sectors, and which file.
fn extent(line: &str) -> Option<Extent> {
    let (access, rest) = line.split_once(' ')?;
    if !["RW", "RDONLY", "NOACCESS"].contains(&access) {
        return None;
    }
    let (sectors, rest) = rest.split_once(' ')?;
    let (kind, rest) = rest.split_once(' ')?;
    let filename = rest.split('"').nth(1)?.to_owned();
    let length = sectors.parse::<u64>().ok()?.saturating_mul(SECTOR);
    Some(Extent { filename, length, is_sparse: !["FLAT", "VMFS"].contains(&kind) })
}
