//! The headers of the formats, as their specifications lay them out.
//!
//! Nothing is read but what a format is recognised by, the virtual size, the names of other files, and
//! which bytes a qcow2 image maps.

mod text;
mod vhdx;
mod vmdk;

use super::{ImageError, ImageFormat, ImageHeader, Mapped};
use imago::file::File as Storage;
use imago::format::drivers::{FormatDriverInstance, ShallowMapping};
use imago::qcow2::Qcow2;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

const SECTOR: u64 = 512;

/// How much of a file its format is recognised by.
///
/// Source: `BLOCK_PROBE_BUF_SIZE` in `include/block/block_int-common.h`, QEMU 10.0.
const PROBED: usize = 512;

/// Where the header of a vdi image has its signature, and what that is.
const VDI_SIGNATURE: (usize, [u8; 4]) = (0x40, 0xbeda_107f_u32.to_le_bytes());

/// The header of a file that is otherwise to be described as `raw`.
pub(super) fn read(path: &Path, file: &File, raw: ImageHeader) -> Result<ImageHeader, ImageError> {
    let head = head(file)?;
    let format = probe(&head);
    let result = match format {
        ImageFormat::Raw => return Ok(raw),
        ImageFormat::Qcow2 => qcow2(path, file, raw),
        ImageFormat::Qcow => qcow(file, raw),
        ImageFormat::Qed => qed(file, raw),
        ImageFormat::Vdi => vdi(file, raw),
        ImageFormat::Vhdx => vhdx::read(file, raw),
        ImageFormat::Vpc => vpc(file, raw),
        ImageFormat::Parallels => parallels(file, raw),
        ImageFormat::Vmdk => vmdk::read(file, &head, raw),
        ImageFormat::Luks => luks(file, raw),
    };
    let header = result.map_err(ImageError::BadImage)?;
    let virtual_size = header.virtual_size.checked_next_multiple_of(SECTOR);
    let virtual_size = virtual_size.ok_or_else(|| ImageError::BadImage(too_large()))?;
    Ok(ImageHeader { format, virtual_size, ..header })
}

/// The beginning of a file, filled up with zeroes.
fn head(file: &File) -> io::Result<[u8; PROBED]> {
    let mut head = [0; PROBED];
    let mut done = 0;
    while done < head.len() {
        match file.read_at(&mut head[done..], done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(head)
}

/// Source: `bdrv_probe_all` in `block.c` and the drivers' probe functions, QEMU 10.0.
fn probe(head: &[u8; PROBED]) -> ImageFormat {
    let version = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    let (vdi_at, vdi) = VDI_SIGNATURE;
    match head {
        [b'Q', b'F', b'I', 0xfb, ..] if version == 1 => ImageFormat::Qcow,
        [b'Q', b'F', b'I', 0xfb, ..] if version >= 2 => ImageFormat::Qcow2,
        [b'Q', b'E', b'D', 0, ..] => ImageFormat::Qed,
        [b'v', b'h', b'd', b'x', b'f', b'i', b'l', b'e', ..] => ImageFormat::Vhdx,
        [b'c', b'o', b'n', b'e', b'c', b't', b'i', b'x', ..] => ImageFormat::Vpc,
        [b'L', b'U', b'K', b'S', 0xba, 0xbe, 0, 1, ..] => ImageFormat::Luks,
        head if head.starts_with(b"WithoutFreeSpace") => ImageFormat::Parallels,
        head if head.starts_with(b"WithouFreSpacExt") => ImageFormat::Parallels,
        head if head[vdi_at..].starts_with(&vdi) => ImageFormat::Vdi,
        head if vmdk::is_vmdk(head) => ImageFormat::Vmdk,
        _ => ImageFormat::Raw,
    }
}

/// So many bytes of a file.
fn bytes<const N: usize>(file: &File, offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// A text that a header says to be at `offset`; none where it is nowhere.
fn name(file: &File, offset: u64, length: u32) -> io::Result<Option<String>> {
    const LONGEST: u32 = 1023;
    if offset == 0 {
        return Ok(None);
    }
    if length > LONGEST {
        return Err(io::Error::other("the name of the backing file is too long"));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, offset)?;
    let name = String::from_utf8(bytes).map_err(io::Error::other)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn product(size: u64, unit: u64) -> io::Result<u64> {
    size.checked_mul(unit).ok_or_else(too_large)
}

fn too_large() -> io::Error {
    io::Error::other("the image is too large")
}

/// Opens read-only, and neither the backing nor the data file.
fn qcow2(path: &Path, file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    let image = Qcow2::<Storage>::open_path(path, false)?;
    check_table(image.size(), file)?;
    let data_file = image.implicit_external_data_file().cloned().unwrap_or_default();
    let data_file = image.requires_external_data_file().then_some(data_file);
    Ok(ImageHeader {
        virtual_size: image.size(),
        backing_file: image.implicit_backing_file().cloned(),
        backing_format: image.implicit_backing_format().cloned(),
        data_file_is_raw: data_file.is_some() && data_file_is_raw(file)?,
        data_file,
        mapped: Mapped::Tables(path.to_owned()),
        ..raw
    })
}

/// Whether the first table of a qcow2 image of that size is as large as it has to be, and no larger
/// than it may be.
///
/// Source: `qcow2_do_open` in `block/qcow2.c`, QEMU 10.0.
fn check_table(size: u64, file: &File) -> io::Result<()> {
    const ENTRY: u64 = 8;
    const LARGEST: u64 = 32 << 20;
    let cluster_bits = u32::from_be_bytes(bytes(file, 20)?);
    let entries = u64::from(u32::from_be_bytes(bytes(file, 36)?));
    let cluster = 1_u64.checked_shl(cluster_bits).ok_or_else(too_large)?;
    let needed = size.div_ceil(product(cluster / ENTRY, cluster)?);
    if needed > LARGEST / ENTRY {
        return Err(too_large());
    }
    if entries < needed {
        return Err(io::Error::other("the L1 table is too small"));
    }
    Ok(())
}

/// The bytes that the tables of a qcow2 image map, to data or to zeroes, up to the first table that
/// cannot be read.
pub(super) fn mapped(path: &Path) -> Vec<Range<u64>> {
    let mut mapped = Vec::new();
    let Ok(mut image) = Qcow2::<Storage>::open_path(path, false) else { return mapped };
    // Where the data are, in another file perhaps, does not matter.
    image.set_data_file(None);
    let (mut start, size) = (0, image.size());
    while start < size
        && let Ok((mapping, length)) = image.get_mapping(start, size - start)
        && length > 0
    {
        let end = start + length;
        let is_mapped = match mapping {
            ShallowMapping::Raw { .. } | ShallowMapping::Special { .. } => true,
            ShallowMapping::Zero { explicit, .. } => explicit,
            _ => false,
        };
        if is_mapped {
            mapped.push(start..end);
        }
        start = end;
    }
    mapped
}

/// Whether a qcow2 image with an external data file says that this can be used alone, which the
/// library does not tell. Only images of version 3 have such a file.
///
/// Source: `docs/interop/qcow2.rst` in QEMU 10.0.
fn data_file_is_raw(file: &File) -> io::Result<bool> {
    const RAW_EXTERNAL_DATA: u64 = 2;
    let autoclear_features = u64::from_be_bytes(bytes(file, 88)?);
    Ok(autoclear_features & RAW_EXTERNAL_DATA != 0)
}

/// Source: `QCowHeader` in `block/qcow.c`, QEMU 10.0.
fn qcow(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    let backing_at = u64::from_be_bytes(bytes(file, 8)?);
    let backing_length = u32::from_be_bytes(bytes(file, 16)?);
    Ok(ImageHeader {
        virtual_size: u64::from_be_bytes(bytes(file, 24)?),
        backing_file: name(file, backing_at, backing_length)?,
        ..raw
    })
}

/// Source: `docs/specs/qed_spec.rst` in QEMU 10.0.
fn qed(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    const HAS_BACKING_FILE: u64 = 1;
    const BACKING_FILE_IS_RAW: u64 = 4;
    let features = u64::from_le_bytes(bytes(file, 16)?);
    let backing_at = u32::from_le_bytes(bytes(file, 56)?);
    let backing_length = u32::from_le_bytes(bytes(file, 60)?);
    let has_backing = features & HAS_BACKING_FILE != 0;
    let backing_at = if has_backing { u64::from(backing_at) } else { 0 };
    Ok(ImageHeader {
        virtual_size: u64::from_le_bytes(bytes(file, 48)?),
        backing_file: name(file, backing_at, backing_length)?,
        backing_format: (features & BACKING_FILE_IS_RAW != 0).then(|| "raw".to_owned()),
        ..raw
    })
}

/// Source: `VdiHeader` in `block/vdi.c`, QEMU 10.0.
fn vdi(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    Ok(ImageHeader { virtual_size: u64::from_le_bytes(bytes(file, 0x170)?), ..raw })
}

/// The size is that of the geometry, unless the program that made the image counts otherwise.
///
/// Source: the VHD image format specification; `vpc_open` in `block/vpc.c`, QEMU 10.0.
fn vpc(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    const COUNT_BYTES: [&[u8]; 5] = [b"win ", b"qem2", b"d2v ", b"CXS ", b"tap\0"];
    const LARGEST_GEOMETRY: u64 = 65_535 * 16 * 255;
    let creator: [u8; 4] = bytes(file, 28)?;
    let bytes_counted = u64::from_be_bytes(bytes(file, 48)?);
    let cylinders = u64::from(u16::from_be_bytes(bytes(file, 56)?));
    let [heads, sectors]: [u8; 2] = bytes(file, 58)?;
    let geometry = cylinders * u64::from(heads) * u64::from(sectors);
    let counts_bytes = COUNT_BYTES.contains(&creator.as_slice()) || geometry == LARGEST_GEOMETRY;
    let virtual_size = if counts_bytes { bytes_counted } else { geometry * SECTOR };
    Ok(ImageHeader { virtual_size, ..raw })
}

/// Source: `docs/interop/parallels.rst` in QEMU 10.0.
fn parallels(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    let extended: [u8; 16] = bytes(file, 0)?;
    let mut sectors = u64::from_le_bytes(bytes(file, 36)?);
    if &extended == b"WithoutFreeSpace" {
        sectors &= u64::from(u32::MAX);
    }
    Ok(ImageHeader { virtual_size: product(sectors, SECTOR)?, ..raw })
}

/// What follows the header is as large as the disk.
///
/// Source: the LUKS on-disk format specification, version 1.
fn luks(file: &File, raw: ImageHeader) -> io::Result<ImageHeader> {
    let payload = u64::from(u32::from_be_bytes(bytes(file, 104)?)) * SECTOR;
    Ok(ImageHeader { virtual_size: raw.file_length.saturating_sub(payload), ..raw })
}
