//! The children of QEMU's drivers: which roles they have, by the driver's name and the edge's.
//!
//! The queries do not tell roles, nor options. Where a driver's children depend on options there are
//! several variants, and the edges tell which it is.

use blkperm_graph::driver::*;
use blkperm_graph::{Demand, Driver, Permissions, Role};
use blkperm_jobs::filter::{COMMIT_TOP, MIRROR_TOP, MIRROR_TOP_OF_COMMIT, MIRROR_TOP_STOPPING};
use serde_json::{Map, Value};

/// One way in which a node of a driver may treat its children.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    /// The driver's table.
    pub(super) driver: &'static Driver,
    /// The roles of its children, by the edge's name; a name that ends in `.` is followed by a
    /// number.
    roles: &'static [(&'static str, Role)],
    /// What options of the node may add to what it demands of its main child.
    pub(super) options: Demand,
}

const WHOLE: Role = Role::FILTERED.union(Role::PRIMARY);
const PART: Role = Role::DATA.union(Role::PRIMARY);
const HEADER: Role = Role::METADATA.union(Role::PRIMARY);
const SPARSE: Role = Role::DATA.union(Role::METADATA);
const NO_OPTIONS: Demand = Demand::NONE;
const WRITING: Demand = Demand::taking(Permissions::WRITE);

const fn variant(driver: &'static Driver, roles: &'static [(&'static str, Role)]) -> Variant {
    Variant { driver, roles, options: NO_OPTIONS }
}

const fn filter(driver: &'static Driver, roles: &'static [(&'static str, Role)]) -> [Variant; 1] {
    [variant(driver, roles)]
}

const fn format(driver: &'static Driver) -> [Variant; 1] {
    [variant(driver, &[("file", Role::IMAGE), ("backing", Role::COW)])]
}

/// A driver that speaks a protocol and has no children.
const fn protocol(name: &'static str) -> Driver {
    Driver { is_protocol: true, ..Driver::new(name, default_row) }
}

/// The drivers that the block layer reads and writes the host and the network with.
static PROTOCOLS: [Driver; 20] = [
    protocol("blkio"),
    protocol("ftp"),
    protocol("ftps"),
    protocol("gluster"),
    protocol("host_cdrom"),
    protocol("host_device"),
    protocol("http"),
    protocol("https"),
    protocol("io_uring"),
    protocol("iscsi"),
    protocol("nbd"),
    protocol("nfs"),
    protocol("nvme"),
    protocol("nvme-io_uring"),
    protocol("rbd"),
    protocol("ssh"),
    protocol("virtio-blk-vfio-pci"),
    protocol("virtio-blk-vhost-user"),
    protocol("virtio-blk-vhost-vdpa"),
    protocol("vvfat"),
];

/// The formats that are only ever read.
static READ_ONLY_FORMATS: [Driver; 3] = [protocol("bochs"), protocol("cloop"), protocol("dmg")];

static BLKREPLAY: Driver = Driver { is_filter: true, ..protocol("blkreplay") };

/// The variants of QEMU's drivers, by name. Of several that explain the edges the first counts.
const VARIANTS: &[(&str, &[Variant])] = &[
    ("file", &[variant(&FILE, &[])]),
    ("null-co", &[variant(&NULL_CO, &[])]),
    ("null-aio", &[variant(&NULL_AIO, &[])]),
    (
        "raw",
        &[
            variant(&RAW, &[("file", WHOLE)]),
            variant(&RAW_OFFSET, &[("file", PART)]),
            variant(&RAW_SIZED, &[("file", PART)]),
        ],
    ),
    (
        "qcow2",
        &[
            variant(&QCOW2, &[("file", Role::IMAGE), ("backing", Role::COW)]),
            variant(&QCOW2, &[("file", HEADER), ("data-file", Role::DATA), ("backing", Role::COW)]),
        ],
    ),
    ("qcow", &format(&QCOW)),
    ("qed", &format(&QED)),
    ("vdi", &format(&VDI)),
    ("vhdx", &format(&VHDX)),
    ("vpc", &format(&VPC)),
    ("parallels", &format(&PARALLELS)),
    (
        "vmdk",
        &[
            variant(&VMDK, &[("file", Role::IMAGE), ("backing", Role::COW)]),
            variant(&VMDK, &[("file", HEADER), ("extents.", Role::DATA), ("backing", Role::COW)]),
            variant(&VMDK, &[("file", HEADER), ("extents.", SPARSE), ("backing", Role::COW)]),
        ],
    ),
    (
        "luks",
        &[
            variant(&LUKS, &[("file", Role::IMAGE)]),
            variant(&LUKS, &[("file", PART), ("header", Role::METADATA)]),
        ],
    ),
    ("bochs", &[variant(&READ_ONLY_FORMATS[0], &[("file", Role::IMAGE)])]),
    ("cloop", &[variant(&READ_ONLY_FORMATS[1], &[("file", Role::IMAGE)])]),
    ("dmg", &[variant(&READ_ONLY_FORMATS[2], &[("file", Role::IMAGE)])]),
    ("blkreplay", &filter(&BLKREPLAY, &[("image", WHOLE)])),
    (
        "blkdebug",
        &[Variant { options: Demand::EVERYTHING, ..variant(&BLKDEBUG, &[("image", WHOLE)]) }],
    ),
    ("throttle", &filter(&THROTTLE, &[("file", WHOLE)])),
    ("compress", &filter(&COMPRESS, &[("file", WHOLE)])),
    ("blkverify", &filter(&BLKVERIFY, &[("raw", WHOLE), ("test", Role::DATA)])),
    ("blklogwrites", &filter(&BLKLOGWRITES, &[("file", WHOLE), ("log", Role::METADATA)])),
    ("copy-on-read", &filter(&COPY_ON_READ, &[("file", WHOLE)])),
    ("preallocate", &filter(&PREALLOCATE, &[("file", WHOLE)])),
    ("quorum", &[Variant { options: WRITING, ..variant(&QUORUM, &[("children.", Role::DATA)]) }]),
    (
        "copy-before-write",
        &[Variant {
            options: WRITING,
            ..variant(&COPY_BEFORE_WRITE, &[("file", WHOLE), ("target", Role::DATA)])
        }],
    ),
    ("snapshot-access", &[variant(&SNAPSHOT_ACCESS, &[("file", PART)])]),
    ("replication", &filter(&REPLICATION, &[("file", WHOLE)])),
    (
        "mirror_top",
        &[
            variant(&MIRROR_TOP, &[("backing", WHOLE)]),
            variant(&MIRROR_TOP_OF_COMMIT, &[("backing", WHOLE)]),
            variant(&MIRROR_TOP_STOPPING, &[("backing", WHOLE)]),
        ],
    ),
    ("commit_top", &filter(&COMMIT_TOP, &[("backing", WHOLE)])),
];

/// The drivers that a node may have of which only the edges are known: of several that explain the
/// edges, the first counts.
const GUESSED: &[&str] = &[
    "file",
    "qcow2",
    "raw",
    "mirror_top",
    "commit_top",
    "blkdebug",
    "copy-on-read",
    "copy-before-write",
    "quorum",
    "vmdk",
    "blkverify",
    "blklogwrites",
    "luks",
    "preallocate",
    "replication",
];

impl Variant {
    /// The role of the child that a node of this variant calls `edge`.
    pub(super) fn role(&self, edge: &str) -> Option<Role> {
        let is_called = |name: &str| match name.strip_suffix('.') {
            None => name == edge,
            Some(_) => edge.strip_prefix(name).is_some_and(|rest| rest.parse::<u32>().is_ok()),
        };
        self.roles.iter().find(|(name, _)| is_called(name)).map(|&(_, role)| role)
    }
}

/// The variants of the driver that QEMU calls `name`; none where QEMU 10.0 has no such driver.
pub(super) fn of_driver(name: &str) -> Option<Vec<Variant>> {
    let listed = VARIANTS.iter().find(|(driver, _)| *driver == name).map(|(_, all)| all.to_vec());
    let leaf = |driver: &'static Driver| vec![variant(driver, &[])];
    listed.or_else(|| PROTOCOLS.iter().find(|driver| driver.name == name).map(leaf))
}

/// The driver of a raw node with one of these options, as far as what QEMU calls the node's content
/// tells them.
pub(super) fn raw_called(filename: &str) -> Option<&'static Driver> {
    let options: Map<String, Value> = serde_json::from_str(filename.strip_prefix("json:")?).ok()?;
    let drivers = [("size", &RAW_SIZED), ("offset", &RAW_OFFSET)];
    drivers.into_iter().find(|(option, _)| options.contains_key(*option)).map(|(_, driver)| driver)
}

/// The variants that a node may be of, when only its edges are known.
pub(super) fn guessed() -> Vec<Variant> {
    GUESSED.iter().filter_map(|name| of_driver(name)).flatten().collect()
}

/// What a node is taken for whose driver QEMU 10.0 does not have.
pub(super) fn unknown() -> Variant {
    static UNKNOWN: Driver = Driver::new("unknown", default_row);
    variant(&UNKNOWN, &[("file", Role::IMAGE), ("backing", Role::COW)])
}
