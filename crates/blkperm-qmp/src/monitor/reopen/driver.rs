//! What each driver can do when a node of it is reopened.

/// What a driver can do when a node of it is reopened.
#[derive(Clone, Copy, Debug)]
pub(in crate::monitor) struct Reopening {
    /// The options that go back to their defaults when they are not given (`mutable_opts`). Those
    /// that end in a dot stand for all that begin so.
    pub(super) resettable: &'static [&'static str],
    /// The options that can be given another value.
    pub(super) changeable: &'static [&'static str],
}

const QCOW2: &[&str] = &[
    "lazy-refcounts",
    "pass-discard-request",
    "pass-discard-snapshot",
    "pass-discard-other",
    "discard-no-unref",
    "overlap-check",
    "overlap-check.",
    "cache-size",
    "l2-cache-size",
    "l2-cache-entry-size",
    "refcount-cache-size",
    "cache-clean-interval",
];
const RAW: &[&str] = &["offset", "size"];
const THROTTLE: &[&str] = &["throttle-group"];
const PREALLOCATE: &[&str] = &["prealloc-align", "prealloc-size"];
const FILE: &[&str] = &["x-check-cache-dropped"];
const FILE_CHANGEABLE: &[&str] = &["x-check-cache-dropped", "drop-cache"];

/// The drivers whose nodes can be reopened.
///
/// Source: `bdrv_reopen_prepare` and `mutable_opts` of each `BlockDriver`, QEMU 10.0.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("blkdebug", &[], &[]),
    ("file", FILE, FILE_CHANGEABLE),
    ("luks", &[], &[]),
    ("null-aio", &[], &[]),
    ("null-co", &[], &[]),
    ("preallocate", &[], PREALLOCATE),
    ("qcow", &[], &[]),
    ("qcow2", QCOW2, QCOW2),
    ("qed", &[], &[]),
    ("raw", RAW, RAW),
    ("throttle", THROTTLE, THROTTLE),
    ("vdi", &[], &[]),
    ("vhdx", &[], &[]),
    ("vmdk", &[], &[]),
    ("vpc", &[], &[]),
];

impl Reopening {
    /// What the driver of that name can do; none if its nodes cannot be reopened.
    pub(in crate::monitor) fn of(driver: &str) -> Option<Reopening> {
        let row = TABLE.iter().find(|(name, ..)| *name == driver);
        row.map(|&(_, resettable, changeable)| Reopening { resettable, changeable })
    }
}

/// Whether the option is one of those in a list.
pub(super) fn lists(list: &[&str], option: &str) -> bool {
    list.iter().any(
        |&entry| {
            if entry.ends_with('.') { option.starts_with(entry) } else { option == entry }
        },
    )
}
