//! Drivers of which no node can be opened here, and why.

use blkperm_graph::driver::default_row;
use blkperm_graph::{Driver, Role, Rule};

use super::{Flags, Opening};
use crate::command::blockdev::{
    BlockdevDriver, BlockdevOptionsFile, BlockdevOptionsNbd, BlockdevOptionsVvfat, DriverOptions,
};
use crate::command::nbd::FlatAddress;
use crate::image::ImageError;
use crate::monitor::{Failed, Monitor};

/// The table of all these drivers, whose nodes have no parents before they are gone again.
pub(super) static NEVER_OPEN: Driver = Driver::new("none", default_row);

/// The longest that a string may be in the protocol of NBD, in bytes.
///
/// Source: `NBD_MAX_STRING_SIZE` in `include/block/nbd.h`, QEMU 10.0.
const MAX_NBD_STRING: usize = 4096;

/// The longest name of a volume.
///
/// Source: `vvfat_open` in `block/vvfat.c`, QEMU 10.0.
const MAX_LABEL: usize = 11;

/// The drivers of the schema that Debian's `qemu-storage-daemon` comes without: they are in packages of
/// their own, or for other programs.
const ABSENT: [BlockdevDriver; 10] = [
    BlockdevDriver::Blkreplay,
    BlockdevDriver::Ftp,
    BlockdevDriver::Ftps,
    BlockdevDriver::Gluster,
    BlockdevDriver::Http,
    BlockdevDriver::Https,
    BlockdevDriver::Iscsi,
    BlockdevDriver::Nfs,
    BlockdevDriver::Rbd,
    BlockdevDriver::Ssh,
];

/// Whether the daemon comes without the driver.
pub(in crate::monitor) fn is_absent(driver: BlockdevDriver) -> bool {
    ABSENT.contains(&driver)
}

/// The complaint of a driver that only reads about an image that is full of zeroes.
///
/// Source: `bochs_open`, `cloop_open`, `dmg_open` in `block/`, QEMU 10.0.
fn not_in_format(options: &DriverOptions, length: u64) -> &'static str {
    const TRAILER: u64 = 512;
    match options {
        DriverOptions::Bochs(_) => "Image not in Bochs format",
        DriverOptions::Cloop(_) => "block_size cannot be zero",
        _ if length < TRAILER => "dmg file must be at least 512 bytes long",
        _ => "Could not locate UDIF trailer in dmg file",
    }
}

/// Refuses a node that is to be written where the driver only reads.
///
/// Source: `bdrv_apply_auto_read_only` in `block.c`, QEMU 10.0.
fn require_read_only(flags: Flags) -> Result<(), Failed> {
    if flags.read_only || flags.auto_read_only {
        return Ok(());
    }
    Err(Failed::generic("Image is read-only"))
}

/// Why a server cannot be reached: in this world nobody listens.
///
/// Source: `nbd_process_options`, `nbd_open` in `block/nbd.c`, QEMU 10.0.
fn open_nbd(options: &BlockdevOptionsNbd) -> Result<u64, Failed> {
    let is_long =
        |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_NBD_STRING);
    Err(Failed::generic(if is_long(&options.export) {
        "export name too long to send to server".to_owned()
    } else if let Some(credentials) = &options.tls_creds {
        format!("No TLS credentials with id '{credentials}'")
    } else if is_long(&options.x_dirty_bitmap) {
        "x-dirty-bitmap query too long to send to server".to_owned()
    } else {
        match &options.server.address {
            FlatAddress::Unix(unix) => {
                format!("Failed to connect to '{}': No such file or directory", unix.path)
            }
            FlatAddress::Inet(inet) => {
                format!("Failed to connect to '{}:{}': Connection refused", inet.host, inet.port)
            }
            FlatAddress::Vsock(vsock) if vsock.cid.parse::<u32>().is_err() => {
                format!("Failed to parse cid '{}'", vsock.cid)
            }
            FlatAddress::Vsock(vsock) => {
                format!("Failed to connect to '{}:{}': Connection timed out", vsock.cid, vsock.port)
            }
            FlatAddress::Fd(_) => "only QEMU supports file descriptor passing".to_owned(),
        }
    }))
}

/// Why a controller cannot be taken from the host.
///
/// Source: `qemu_vfio_init_pci` in `util/vfio-helpers.c`, QEMU 10.0.
fn no_vfio() -> Failed {
    Failed::generic("Failed to open /dev/vfio/vfio: No such file or directory")
}

impl<R: Rule> Monitor<R> {
    /// Why a node of one of these drivers is not opened.
    pub(super) fn open_unavailable(
        &mut self,
        opening: Opening,
        options: &DriverOptions,
    ) -> Result<u64, Failed> {
        let flags = opening.flags;
        match options {
            DriverOptions::HostCdrom(device) => self.open_device(flags, "host_cdrom", device),
            DriverOptions::HostDevice(device) => self.open_device(flags, "host_device", device),
            DriverOptions::Nbd(nbd) => open_nbd(nbd),
            DriverOptions::Nvme(_) => Err(no_vfio()),
            DriverOptions::Vvfat(vvfat) => self.open_vvfat(flags, vvfat),
            options => self.open_foreign(opening, options),
        }
    }

    /// Why a driver that only reads cannot open its image.
    fn open_foreign(&mut self, opening: Opening, options: &DriverOptions) -> Result<u64, Failed> {
        require_read_only(opening.flags)?;
        let state = Flags { read_only: true, ..opening.flags }.state();
        self.layer.graph.transact(|change| {
            change.set_state(opening.node, state);
            Ok(())
        })?;
        let file = self.attach_file(opening, Role::IMAGE)?;
        let length = self.layer.graph.length(file);
        Err(Failed::generic(not_in_format(options, length)))
    }

    /// Why a device of the host cannot be opened.
    ///
    /// Source: `raw_open_common` in `block/file-posix.c`, QEMU 10.0.
    fn open_device(
        &self,
        flags: Flags,
        driver: &str,
        BlockdevOptionsFile { filename, .. }: &BlockdevOptionsFile,
    ) -> Result<u64, Failed> {
        let error = match self.images.probe(filename) {
            Err(ImageError::Io(_)) => return Err(Failed::unimplemented("driver", driver)),
            Err(ImageError::IsADirectory) if flags.read_only => None,
            Err(error) => Some(error),
            Ok(_) => None,
        };
        Err(Failed::generic(match error {
            Some(error) => format!("Could not open '{filename}': {error}"),
            None => format!(
                "'{driver}' driver requires '{filename}' to be either a character or block device"
            ),
        }))
    }

    /// Why a directory cannot be presented as a disk.
    ///
    /// Source: `vvfat_open` in `block/vvfat.c`, QEMU 10.0.
    fn open_vvfat(&self, flags: Flags, options: &BlockdevOptionsVvfat) -> Result<u64, Failed> {
        let refuse = |desc: &str| Err(Failed::generic(desc));
        if options.label.as_ref().is_some_and(|label| label.len() > MAX_LABEL) {
            return refuse("vvfat label cannot be longer than 11 bytes");
        }
        if !matches!(options.fat_type.unwrap_or(0), 0 | 12 | 16 | 32) {
            return refuse("Valid FAT types are only 12, 16 and 32");
        }
        if options.rw != Some(true) {
            require_read_only(flags)?;
        }
        match self.images.probe(&options.dir) {
            Err(ImageError::IsADirectory) => Err(Failed::unimplemented("driver", "vvfat")),
            _ => refuse(&format!("Could not read directory {}", options.dir)),
        }
    }
}
