//! What each driver is: its table, the child that is opened before it, and who opens it.

use blkperm_graph::driver::{
    BLKDEBUG, BLKLOGWRITES, BLKVERIFY, COMPRESS, COPY_BEFORE_WRITE, COPY_ON_READ, FILE, LUKS,
    NULL_AIO, NULL_CO, PARALLELS, PREALLOCATE, QCOW, QCOW2, QED, QUORUM, REPLICATION,
    SNAPSHOT_ACCESS, THROTTLE, VDI, VHDX, VMDK, VPC,
};
use blkperm_graph::{Demand, Driver, Permissions, Rule};
use serde_json::{Value, json};

use super::unavailable::NEVER_OPEN;
use super::{Opening, quorum, raw_driver};
use crate::command::blockdev::{
    BlockPermission, BlockdevOptions, BlockdevRef, BlockdevRefOrNull, DriverOptions,
};
use crate::image::ImageFormat;
use crate::monitor::{Failed, Monitor};
use crate::qapi::flat::flatten;
use crate::qapi::qdict_order;

const SECTOR: u64 = 512;

/// The greatest length that a node can have.
///
/// Source: `BDRV_MAX_LENGTH` in `include/block/block-common.h`, QEMU 10.0.
const MAX_LENGTH: u64 = (i64::MAX as u64) - ((1 << 30) - 1);

/// The driver's table for a node with these options, and what they demand of its main child.
pub(super) fn table(options: &DriverOptions) -> (&'static Driver, Demand) {
    let demand = match options {
        DriverOptions::Quorum(quorum) if quorum::rewrites(quorum) => {
            Demand::taking(Permissions::WRITE)
        }
        DriverOptions::Blkdebug(blkdebug) => Demand::new(
            permissions(blkdebug.take_child_perms.as_deref()),
            permissions(blkdebug.unshare_child_perms.as_deref()),
        ),
        _ => Demand::NONE,
    };
    (driver(options), demand)
}

fn driver(options: &DriverOptions) -> &'static Driver {
    match options {
        DriverOptions::Blkdebug(_) => &BLKDEBUG,
        DriverOptions::Blklogwrites(_) => &BLKLOGWRITES,
        DriverOptions::Blkverify(_) => &BLKVERIFY,
        DriverOptions::Compress(_) => &COMPRESS,
        DriverOptions::CopyBeforeWrite(_) => &COPY_BEFORE_WRITE,
        DriverOptions::CopyOnRead(_) => &COPY_ON_READ,
        DriverOptions::File(_) => &FILE,
        DriverOptions::Luks(_) => &LUKS,
        DriverOptions::NullAio(_) => &NULL_AIO,
        DriverOptions::NullCo(_) => &NULL_CO,
        DriverOptions::Parallels(_) => &PARALLELS,
        DriverOptions::Preallocate(_) => &PREALLOCATE,
        DriverOptions::Qcow(_) => &QCOW,
        DriverOptions::Qcow2(_) => &QCOW2,
        DriverOptions::Qed(_) => &QED,
        DriverOptions::Quorum(_) => &QUORUM,
        DriverOptions::Raw(raw) => raw_driver(raw.offset, raw.size),
        DriverOptions::Replication(_) => &REPLICATION,
        DriverOptions::SnapshotAccess(_) => &SNAPSHOT_ACCESS,
        DriverOptions::Throttle(_) => &THROTTLE,
        DriverOptions::Vdi(_) => &VDI,
        DriverOptions::Vhdx(_) => &VHDX,
        DriverOptions::Vmdk(_) => &VMDK,
        DriverOptions::Vpc(_) => &VPC,
        DriverOptions::Blkreplay(_)
        | DriverOptions::Bochs(_)
        | DriverOptions::Cloop(_)
        | DriverOptions::Dmg(_)
        | DriverOptions::Ftp(_)
        | DriverOptions::Ftps(_)
        | DriverOptions::Gluster(_)
        | DriverOptions::HostCdrom(_)
        | DriverOptions::HostDevice(_)
        | DriverOptions::Http(_)
        | DriverOptions::Https(_)
        | DriverOptions::Iscsi(_)
        | DriverOptions::Nbd(_)
        | DriverOptions::Nfs(_)
        | DriverOptions::Nvme(_)
        | DriverOptions::Rbd(_)
        | DriverOptions::Ssh(_)
        | DriverOptions::Vvfat(_) => &NEVER_OPEN,
    }
}

/// The child that is opened before its parent's own node has a name: the one called `file`, which
/// all drivers have but those that QEMU counts among the protocols, and quorum.
pub(super) fn file_of(options: &DriverOptions) -> Option<&BlockdevRef> {
    match options {
        DriverOptions::Blklogwrites(options) => Some(&options.file),
        DriverOptions::CopyBeforeWrite(options) => Some(&options.file),
        DriverOptions::CopyOnRead(options) => Some(&options.file),
        DriverOptions::Luks(options) => Some(&options.file),
        DriverOptions::Preallocate(options) => Some(&options.file),
        DriverOptions::Qcow(options) => Some(&options.file),
        DriverOptions::Qcow2(options) => Some(&options.file),
        DriverOptions::Raw(options) => Some(&options.file),
        DriverOptions::Replication(options) => Some(&options.file),
        DriverOptions::Throttle(options) => Some(&options.file),
        DriverOptions::Qed(options) | DriverOptions::Vmdk(options) => Some(&options.file),
        DriverOptions::Bochs(options)
        | DriverOptions::Cloop(options)
        | DriverOptions::Compress(options)
        | DriverOptions::Dmg(options)
        | DriverOptions::Parallels(options)
        | DriverOptions::SnapshotAccess(options)
        | DriverOptions::Vdi(options)
        | DriverOptions::Vhdx(options)
        | DriverOptions::Vpc(options) => Some(&options.file),
        _ => None,
    }
}

/// Whether the driver opens a file of the host by its name.
pub(super) fn is_file(options: &DriverOptions) -> bool {
    use DriverOptions as D;
    matches!(options, D::File(_) | D::HostCdrom(_) | D::HostDevice(_))
}

/// Whether the node's definition names the file that is its `file`.
pub(super) fn names_file(options: &BlockdevOptions) -> bool {
    let file = file_of(&options.options);
    matches!(file, Some(BlockdevRef::Definition(file)) if is_file(&file.options))
}

/// The `backing` of a driver that has such an option; none for the others.
pub(super) fn backing_of(options: &DriverOptions) -> Option<Option<&BlockdevRefOrNull>> {
    match options {
        DriverOptions::Qcow(options) => Some(options.backing.as_ref()),
        DriverOptions::Qcow2(options) => Some(options.backing.as_ref()),
        DriverOptions::Qed(options) | DriverOptions::Vmdk(options) => {
            Some(options.backing.as_ref())
        }
        _ => None,
    }
}

fn permissions(list: Option<&[BlockPermission]>) -> Permissions {
    let one = |name: &BlockPermission| Permissions::from_qmp_name(name.as_str());
    list.unwrap_or_default().iter().filter_map(one).collect()
}

/// The complaint about an option that nobody has taken: an empty object or list, in which there is
/// nothing to be taken.
pub(super) fn leftover(options: &BlockdevOptions) -> Option<String> {
    let flat = flatten(options);
    let is_empty = |value: &Value| *value == json!({}) || *value == json!([]);
    let (option, _) = qdict_order(&flat).into_iter().find(|(_, value)| is_empty(value))?;
    let Driver { name: driver, is_protocol, .. } = driver(&options.options);
    Some(if *is_protocol {
        format!("Block protocol '{driver}' doesn't support the option '{option}'")
    } else {
        format!("Block format '{driver}' does not support the option '{option}'")
    })
}

impl<R: Rule> Monitor<R> {
    /// Lets the driver open a node that has its name, with its `file` if there is one.
    pub(super) fn open_driver(
        &mut self,
        opening: Opening,
        options: &DriverOptions,
    ) -> Result<(), Failed> {
        let length = match options {
            DriverOptions::NullCo(options) | DriverOptions::NullAio(options) => {
                self.open_null(opening, options)?
            }
            DriverOptions::File(options) => self.open_file(opening, options)?,
            DriverOptions::Blkdebug(options) => self.open_blkdebug(opening, options)?,
            DriverOptions::Blklogwrites(options) => self.open_blklogwrites(opening, options)?,
            DriverOptions::Blkverify(options) => self.open_blkverify(opening, options)?,
            DriverOptions::Compress(_) => self.open_compress(opening)?,
            DriverOptions::CopyBeforeWrite(options) => self.open_cbw(opening, options)?,
            DriverOptions::CopyOnRead(options) => self.open_cor(opening, options)?,
            DriverOptions::Preallocate(options) => self.open_preallocate(opening, options)?,
            DriverOptions::Quorum(options) => self.open_quorum(opening, options)?,
            DriverOptions::Raw(options) => self.open_raw(opening, options)?,
            DriverOptions::Replication(options) => self.open_replication(opening, options)?,
            DriverOptions::SnapshotAccess(_) => self.open_snapshot_access(opening)?,
            DriverOptions::Throttle(options) => self.open_throttle(opening, options)?,
            DriverOptions::Luks(options) => self.open_luks(opening, options)?,
            DriverOptions::Parallels(_) => self.open_format(opening, ImageFormat::Parallels)?,
            DriverOptions::Qcow(_) => self.open_format(opening, ImageFormat::Qcow)?,
            DriverOptions::Qcow2(options) => self.open_qcow2(opening, options)?,
            DriverOptions::Qed(_) => self.open_format(opening, ImageFormat::Qed)?,
            DriverOptions::Vdi(_) => self.open_format(opening, ImageFormat::Vdi)?,
            DriverOptions::Vhdx(_) => self.open_format(opening, ImageFormat::Vhdx)?,
            DriverOptions::Vmdk(_) => self.open_vmdk(opening)?,
            DriverOptions::Vpc(_) => self.open_format(opening, ImageFormat::Vpc)?,
            options => self.open_unavailable(opening, options)?,
        };
        if length > MAX_LENGTH {
            let desc = "Could not refresh total sector count: File too large";
            return Err(Failed::generic(desc));
        }
        self.layer.graph.set_length(opening.node, length.next_multiple_of(SECTOR));
        self.realign(opening.node);
        Ok(())
    }
}

/// A number that QEMU's option parser takes: one that is not negative.
pub(super) fn size_option(option: &str, value: Option<i64>) -> Result<Option<u64>, Failed> {
    value.map(u64::try_from).transpose().map_err(|_| {
        let value = value.unwrap_or_default();
        Failed::generic(format!("Value '{value}' is out of range for parameter '{option}'"))
    })
}
