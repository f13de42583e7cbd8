//! What a child is to its parent.

bitflags::bitflags! {
    /// The role of a node's child, `BdrvChildRoleBits` (`include/block/block-common.h`, QEMU 10.0).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
    pub struct Role: u8 {
        /// The child stores the parent's data.
        const DATA = 1;
        /// The child stores the parent's metadata.
        const METADATA = 2;
        /// The parent presents the child's data, filtered.
        const FILTERED = 4;
        /// The child is the backing file of a copy-on-write parent.
        const COW = 8;
        /// The child is the parent's main child.
        const PRIMARY = 16;
        /// What a format's `file` child is: data, metadata, and the main child.
        const IMAGE = Self::DATA.bits() | Self::METADATA.bits() | Self::PRIMARY.bits();
    }
}
