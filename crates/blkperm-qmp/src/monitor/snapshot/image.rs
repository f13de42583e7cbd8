//! The overlay of `blockdev-snapshot-sync`: its image is made, unless it is there, and opened.

use blkperm_graph::{Demand, NodeId, Permissions, Rule};
use serde_json::json;

use crate::command::blockdev::{BlockdevDriver, BlockdevOptions};
use crate::command::transaction::{BlockdevSnapshotSync, NewImageMode};
use crate::image::{ImageFormat, ImageHeader};
use crate::monitor::open::unavailable::is_absent;
use crate::monitor::{Failed, Monitor};
use crate::qapi;

/// How a driver makes an image that has a backing file.
///
/// Source: the create function of the driver, QEMU 10.0; how often it pauses all jobs, by opening and
/// closing nodes, was found with the daemon.
struct Maker {
    format: ImageFormat,
    pauses: usize,
    /// What it opens besides the new file, unless that is locked.
    opens: Option<Opens>,
}

/// A file that is opened while an image is made.
struct Opens {
    /// Whether it is the backing file, to see what that is; the new image otherwise, to be filled in.
    is_backing: bool,
    /// What is demanded of the file.
    demand: Demand,
    /// How often all jobs have paused when that is refused.
    pauses: usize,
}

const LENGTH: Permissions = Permissions::WRITE.union(Permissions::RESIZE);

const MAKERS: [Maker; 4] = [
    Maker { format: ImageFormat::Qcow, pauses: 3, opens: None },
    Maker {
        format: ImageFormat::Qcow2,
        pauses: 15,
        opens: Some(Opens {
            is_backing: false,
            demand: Demand::new(LENGTH.union(Permissions::CONSISTENT_READ), LENGTH),
            pauses: 8,
        }),
    },
    Maker { format: ImageFormat::Qed, pauses: 3, opens: None },
    Maker {
        format: ImageFormat::Vmdk,
        pauses: 11,
        opens: Some(Opens {
            is_backing: true,
            demand: Demand::new(Permissions::CONSISTENT_READ, LENGTH),
            pauses: 9,
        }),
    },
];

/// What is demanded of a new file while it is made.
///
/// Source: `raw_co_create` in `block/file-posix.c`, QEMU 10.0.
const NEW_FILE: Demand = Demand::new(LENGTH, Permissions::RESIZE);

/// The drivers that make images, but none with a backing file.
const WITHOUT_BACKING: [BlockdevDriver; 11] = [
    BlockdevDriver::File,
    BlockdevDriver::HostCdrom,
    BlockdevDriver::HostDevice,
    BlockdevDriver::Luks,
    BlockdevDriver::Nbd,
    BlockdevDriver::Nvme,
    BlockdevDriver::Parallels,
    BlockdevDriver::Raw,
    BlockdevDriver::Vdi,
    BlockdevDriver::Vhdx,
    BlockdevDriver::Vpc,
];

/// The driver of that name that the daemon has.
fn driver(name: &str) -> Option<BlockdevDriver> {
    let is_named = |driver: &BlockdevDriver| driver.as_str() == name;
    let driver = BlockdevDriver::ALL.iter().copied().find(is_named)?;
    (!is_absent(driver)).then_some(driver)
}

/// How the driver of that name makes images.
///
/// Source: `bdrv_img_create` in `block.c`, QEMU 10.0.
fn maker(format: &str) -> Result<&'static Maker, Failed> {
    let Some(driver) = driver(format) else {
        return Err(Failed::generic(format!("Unknown file format '{format}'")));
    };
    MAKERS.iter().find(|maker| maker.format.name() == format).ok_or_else(|| {
        Failed::generic(if WITHOUT_BACKING.contains(&driver) {
            format!("Backing file not supported for file format '{format}'")
        } else {
            format!("Format driver '{format}' does not support image creation")
        })
    })
}

/// The path that a filename stands for.
///
/// Source: `bdrv_find_protocol`, `path_has_protocol` in `block.c`, QEMU 10.0.
fn path(filename: &str) -> Result<&str, Failed> {
    match filename.split_once(':') {
        Some((protocol, _)) if protocol.contains('/') => Ok(filename),
        Some(("file", path)) => Ok(path),
        Some((protocol, _)) if driver(protocol).is_none() => {
            Err(Failed::generic(format!("Unknown protocol '{protocol}'")))
        }
        Some(_) => Err(Failed::unimplemented("snapshot-file", filename)),
        None => Ok(filename),
    }
}

/// What a driver cannot make an image of.
fn refuse_size(format: ImageFormat, size: u64) -> Result<(), Failed> {
    const LARGEST_QED: u64 = 1 << 46;
    match format {
        ImageFormat::Qcow if size == 0 => {
            Err(Failed::generic("Image size is too small, cannot be zero length"))
        }
        ImageFormat::Qed if size > LARGEST_QED => Err(Failed::generic(format!(
            "QED image size must be a non-zero multiple of cluster size and less than \
             {LARGEST_QED} bytes"
        ))),
        _ => Ok(()),
    }
}

impl<R: Rule> Monitor<R> {
    /// Opens the overlay that is to take a node's place; the caller holds it once after that.
    pub(super) fn open_overlay(
        &mut self,
        node: NodeId,
        arguments: &BlockdevSnapshotSync,
    ) -> Result<NodeId, Failed> {
        let Some(name) = &arguments.snapshot_node_name else {
            return Err(Failed::generic("New overlay node-name missing"));
        };
        if self.layer.graph.node_by_name(name).is_some() {
            return Err(Failed::generic("New overlay node-name already in use"));
        }
        let format = arguments.format.as_deref().unwrap_or(ImageFormat::Qcow2.name());
        if arguments.mode != Some(NewImageMode::Existing) {
            self.make_overlay(node, arguments, format)?;
        }
        let Some(driver) = driver(format) else {
            self.layer.drain_all();
            return Err(Failed::generic(format!("Unknown driver '{format}'")));
        };
        // A file's name is all that there is to say of it.
        let has_filename = driver != BlockdevDriver::File;
        let inherited = self.inherited_by_overlay(node, has_filename);
        let mut options = json!({"driver": format, "node-name": name});
        match driver {
            BlockdevDriver::NullCo | BlockdevDriver::NullAio => {}
            BlockdevDriver::File => options["filename"] = path(&arguments.snapshot_file)?.into(),
            _ => {
                let path = path(&arguments.snapshot_file)?;
                options["file"] = json!({"driver": "file", "filename": path});
            }
        }
        if MAKERS.iter().any(|maker| maker.format.name() == format) {
            options["backing"] = json!(null);
        }
        let options = options.as_object().and_then(|options| {
            // A driver that needs more than a file is nothing that an overlay could be.
            qapi::from_arguments::<BlockdevOptions>(options).ok()
        });
        let options = options.ok_or_else(|| Failed::unimplemented("format", format))?;
        self.open(&options, inherited)
    }

    /// Makes the image of a node's overlay.
    ///
    /// Source: `bdrv_img_create` in `block.c`, QEMU 10.0.
    fn make_overlay(
        &mut self,
        node: NodeId,
        arguments: &BlockdevSnapshotSync,
        format: &str,
    ) -> Result<(), Failed> {
        let filename = &arguments.snapshot_file;
        let overlay = arguments.snapshot_node_name.as_deref().unwrap_or_default();
        if driver(format).is_some() {
            path(filename)?;
        }
        let maker = maker(format)?;
        let path = path(filename)?;
        let backing = self.filename(node);
        if *filename == backing {
            return Err(Failed::generic(
                "Error: Trying to create an image with the same filename as the backing file",
            ));
        }
        let graph = &self.layer.graph;
        let (size, backing_format) = (graph.length(node), graph.driver(node).name);
        if maker.format == ImageFormat::Vmdk && backing_format != "vmdk" {
            return Err(Failed::generic("backing_file must be a vmdk image"));
        }
        graph.require_lock(path, overlay, NEW_FILE)?;
        let unfinished = self.images.insert(path, ImageHeader::raw(0));
        unfinished
            .map_err(|error| Failed::generic(format!("Could not create '{path}': {error}")))?;
        if let Err(failed) = refuse_size(maker.format, size) {
            self.pause_all(1);
            return Err(failed);
        }
        if let Some(opens) = &maker.opens {
            let file = if opens.is_backing { &backing } else { path };
            if let Err(refusal) = self.layer.graph.require_lock(file, overlay, opens.demand) {
                if !opens.is_backing {
                    self.images.remove(path);
                }
                self.pause_all(opens.pauses);
                return Err(refusal.into());
            }
        }
        let header = ImageHeader::fresh(maker.format, size, Some((&backing, backing_format)));
        // There was a place for it before.
        let _ = self.images.insert(path, header);
        self.pause_all(maker.pauses);
        Ok(())
    }

    fn pause_all(&mut self, times: usize) {
        (0..times).for_each(|_| self.layer.drain_all());
    }
}
