//! What each driver does when a node of it is opened.

use blkperm_graph::driver::{BLKDEBUG, FILE, NULL_AIO, NULL_CO, QCOW2, QUORUM, RAW, RAW_WINDOW};
use blkperm_graph::{Demand, NodeId, Permissions, Role, Rule};
use serde_json::json;

use super::{Child, Flags, Table, quorum};
use crate::QmpError;
use crate::command::OnOffAuto;
use crate::command::blockdev::{
    BlockPermission, BlockdevOptions, BlockdevOptionsBlkdebug, BlockdevOptionsFile,
    BlockdevOptionsNull, BlockdevOptionsRaw, DriverOptions,
};
use crate::image::{ImageError, ImageFormat, ImageHeader};
use crate::monitor::{Failed, Monitor};

const SECTOR: u64 = 512;

/// The length of a null node whose size is not given.
const NULL_SIZE: i64 = 1 << 30;

/// The greatest length that a node can have.
///
/// Source: `BDRV_MAX_LENGTH` in `include/block/block-common.h`, QEMU 10.0.
const MAX_LENGTH: u64 = (i64::MAX as u64) - ((1 << 30) - 1);

/// The driver's table for a node with these options, and what they demand of its main child.
pub(super) fn table(options: &DriverOptions) -> Table {
    match options {
        DriverOptions::NullCo(_) => (&NULL_CO, Demand::NONE),
        DriverOptions::NullAio(_) => (&NULL_AIO, Demand::NONE),
        DriverOptions::File(_) => (&FILE, Demand::NONE),
        DriverOptions::Raw(raw) if is_window(raw) => (&RAW_WINDOW, Demand::NONE),
        DriverOptions::Raw(_) => (&RAW, Demand::NONE),
        DriverOptions::Qcow2(_) => (&QCOW2, Demand::NONE),
        DriverOptions::Quorum(quorum) if quorum::rewrites(quorum) => {
            (&QUORUM, Demand::taking(Permissions::WRITE))
        }
        DriverOptions::Quorum(_) => (&QUORUM, Demand::NONE),
        DriverOptions::Blkdebug(blkdebug) => {
            let take = permissions(blkdebug.take_child_perms.as_deref());
            let unshare = permissions(blkdebug.unshare_child_perms.as_deref());
            (&BLKDEBUG, Demand::new(take, unshare))
        }
    }
}

fn is_window(raw: &BlockdevOptionsRaw) -> bool {
    raw.size.is_some() || raw.offset.is_some_and(|offset| offset != 0)
}

fn permissions(list: Option<&[BlockPermission]>) -> Permissions {
    let one = |name: &BlockPermission| Permissions::from_qmp_name(name.as_str());
    list.unwrap_or_default().iter().filter_map(one).collect()
}

/// The complaint about an option that nobody has taken: QEMU notices those that are empty last.
pub(super) fn leftover(options: &BlockdevOptions) -> Option<String> {
    let cache = options.base.cache.as_ref();
    let empty_cache = cache.is_some_and(|cache| cache.direct.is_none() && cache.no_flush.is_none());
    let mut leftovers = vec![("cache", empty_cache)];
    if let DriverOptions::Blkdebug(blkdebug) = &options.options {
        let is_empty = |list: &Option<Vec<_>>| list.as_ref().is_some_and(Vec::is_empty);
        leftovers.push(("take-child-perms", is_empty(&blkdebug.take_child_perms)));
        leftovers.push(("unshare-child-perms", is_empty(&blkdebug.unshare_child_perms)));
    }
    let (option, _) = leftovers.into_iter().find(|(_, is_left)| *is_left)?;
    let driver = options.base.driver;
    let format = matches!(options.options, DriverOptions::Raw(_) | DriverOptions::Qcow2(_));
    Some(if format {
        format!("Block format '{driver}' does not support the option '{option}'")
    } else {
        format!("Block protocol '{driver}' doesn't support the option '{option}'")
    })
}

impl<R: Rule> Monitor<R> {
    /// Lets the driver open a node that has its name, with its `file` if it is of a format.
    pub(super) fn open_driver(
        &mut self,
        node: NodeId,
        options: &BlockdevOptions,
        flags: Flags,
        file: Option<Child>,
    ) -> Result<(), Failed> {
        let file = file.map(|child| child.node);
        let length = match (&options.options, file) {
            (DriverOptions::NullCo(null) | DriverOptions::NullAio(null), _) => {
                self.open_null(node, null)?
            }
            (DriverOptions::File(options), _) => self.open_file(node, options, flags)?,
            (DriverOptions::Blkdebug(options), _) => self.open_blkdebug(node, options, flags)?,
            (DriverOptions::Quorum(options), _) => self.open_quorum(node, options, flags)?,
            (DriverOptions::Raw(raw), Some(file)) => self.open_raw(node, file, raw)?,
            (DriverOptions::Qcow2(_), Some(file)) => self.open_qcow2(node, file)?,
            (DriverOptions::Raw(_) | DriverOptions::Qcow2(_), None) => {
                unreachable!("a format has its file")
            }
        };
        if length > MAX_LENGTH {
            let desc = "Could not refresh total sector count: File too large";
            return Err(Failed::generic(desc));
        }
        self.layer.graph.set_length(node, length.next_multiple_of(SECTOR));
        Ok(())
    }

    pub(super) fn remember(&mut self, node: NodeId, option: &str, value: serde_json::Value) {
        let name = self.layer.graph.name(node).to_owned();
        self.nodes.get_mut(&name).options.insert(option.to_owned(), value);
    }

    fn open_null(&mut self, node: NodeId, null: &BlockdevOptionsNull) -> Result<u64, Failed> {
        if null.latency_ns.is_some_and(|latency| i64::try_from(latency).is_err()) {
            return Err(Failed::generic("latency-ns is invalid"));
        }
        if let Some(size) = null.size {
            self.remember(node, "size", json!(size));
        }
        let size = null.size.unwrap_or(NULL_SIZE);
        let length = u64::try_from(size).map_err(|_| out_of_range("size", null.size))?;
        if null.read_zeroes == Some(true) {
            self.layer.set_reads_zeroes(node, length);
        }
        Ok(length)
    }

    fn open_file(
        &mut self,
        node: NodeId,
        file: &BlockdevOptionsFile,
        flags: Flags,
    ) -> Result<u64, Failed> {
        let filename = &file.filename;
        let header = self.images.probe(filename).map_err(|error| match error {
            // A directory can be opened for reading, and is then found not to be a file.
            ImageError::IsADirectory if flags.read_only => QmpError::generic(format!(
                "'file' driver requires '{filename}' to be a regular file"
            )),
            error => QmpError::generic(format!("Could not open '{filename}': {error}")),
        })?;
        if !header.writable && !flags.read_only {
            let error = ImageError::PermissionDenied;
            return Err(Failed::generic(format!("Could not open '{filename}': {error}")));
        }
        let length = header.file_length;
        if file.locking != Some(OnOffAuto::Off) {
            self.layer.graph.lock_file(node, filename);
        }
        let name = self.layer.graph.name(node).to_owned();
        let detail = self.nodes.get_mut(&name);
        detail.filename = Some(filename.clone());
        detail.header = Some(header);
        self.remember(node, "filename", json!(filename));
        Ok(length)
    }

    fn open_blkdebug(
        &mut self,
        node: NodeId,
        options: &BlockdevOptionsBlkdebug,
        flags: Flags,
    ) -> Result<u64, Failed> {
        if options.align.is_some_and(|align| align < 0) {
            return Err(out_of_range("align", options.align));
        }
        let image = self.open_child(&options.image, flags.for_storage())?;
        let attached = self.attach(node, image.node, "image", Role::FILTERED | Role::PRIMARY);
        let length = self.layer.graph.length(image.node);
        self.follow(image, node);
        if image.is_inline {
            self.layer.release(image.node);
        }
        attached?;
        let align = options.align.unwrap_or(0).unsigned_abs();
        if align != 0 && !(align.is_power_of_two() && align <= 1 << 30) {
            return Err(Failed::generic(format!("Cannot meet constraints with align {align}")));
        }
        if align != 0 && !length.is_multiple_of(align) {
            self.layer.graph.set_unaligned(node);
        }
        Ok(length)
    }

    fn open_raw(
        &mut self,
        node: NodeId,
        file: NodeId,
        raw: &BlockdevOptionsRaw,
    ) -> Result<u64, Failed> {
        let window = raw_window(raw.offset, raw.size)?;
        let role = if is_window(raw) { Role::DATA } else { Role::FILTERED };
        self.attach(node, file, "file", role | Role::PRIMARY)?;
        let length = raw_length(self.layer.graph.length(file), window)?;
        for (option, value) in [("offset", raw.offset), ("size", raw.size)] {
            if let Some(value) = value {
                self.remember(node, option, json!(value));
            }
        }
        Ok(length)
    }

    fn open_qcow2(&mut self, node: NodeId, file: NodeId) -> Result<u64, Failed> {
        self.attach(node, file, "file", Role::IMAGE)?;
        match self.qcow2_header(file) {
            Some(header) => Ok(header.virtual_size),
            None => {
                self.layer.drain_all();
                Err(Failed::generic("Image is not in qcow2 format"))
            }
        }
    }

    /// The header of the qcow2 image whose bytes the node presents.
    pub(super) fn qcow2_header(&self, node: NodeId) -> Option<&ImageHeader> {
        let graph = &self.layer.graph;
        let presented = std::iter::successors(Some(node), |&node| {
            let edge = graph.child_by_role(node, Role::FILTERED)?;
            Some(graph.child_of(edge))
        });
        let detail = self.nodes.get(graph.name(presented.last()?))?;
        detail.header.as_ref().filter(|header| header.format == ImageFormat::Qcow2)
    }
}

/// Where a raw node begins in its child, and its size if that was given.
///
/// Source: `raw_read_options` in `block/raw-format.c`, QEMU 10.0.
pub(in crate::monitor) fn raw_window(
    offset: Option<i64>,
    size: Option<i64>,
) -> Result<(u64, Option<u64>), Failed> {
    let unsigned = |option, value: Option<i64>| {
        value.map(u64::try_from).transpose().map_err(|_| out_of_range(option, value))
    };
    Ok((unsigned("offset", offset)?.unwrap_or(0), unsigned("size", size)?))
}

/// The length of a raw node over a child that is `whole` bytes long.
///
/// Source: `raw_apply_options`.
pub(in crate::monitor) fn raw_length(
    whole: u64,
    (offset, size): (u64, Option<u64>),
) -> Result<u64, Failed> {
    let Some(rest) = whole.checked_sub(offset) else {
        return Err(Failed::generic(format!(
            "Offset ({offset}) cannot be greater than size of the containing file ({whole})"
        )));
    };
    let Some(size) = size else { return Ok(rest) };
    if size > rest {
        return Err(Failed::generic(format!(
            "The sum of offset ({offset}) and size ({size}) has to be smaller or equal to the  \
             actual size of the containing file ({whole})"
        )));
    }
    if !size.is_multiple_of(SECTOR) {
        return Err(Failed::generic("Specified size is not multiple of 512"));
    }
    Ok(size)
}

fn out_of_range(option: &str, value: Option<i64>) -> Failed {
    let value = value.unwrap_or_default();
    Failed::generic(format!("Value '{value}' is out of range for parameter '{option}'"))
}
