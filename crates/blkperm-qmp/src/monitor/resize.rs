//! `block_resize`: makes a node longer or shorter, with what stores its data.

use blkperm_graph::driver::Length;
use blkperm_graph::{Demand, Holder, NodeId, Permissions, Role, Rule, State};
use blkperm_jobs::Operation;
use serde_json::Value;

use super::length::data_offset;
use super::{Failed, Monitor, done};
use crate::command::blockdev::BlockResize;

/// The complaints of `truncate` that are an `EINVAL`.
const NOT_WHOLE: &str = "The new size must be a multiple of 512";
const INVALID_SIZE: &str = "Invalid image size specified";

/// The complaint about a driver that cannot resize.
const UNSUPPORTED: &str = "Image format driver does not support resize";

/// The unit of lengths, in bytes.
const SECTOR: u64 = 512;

/// The greatest length of a node.
///
/// Source: `BDRV_MAX_LENGTH` in `include/block/block-common.h`, QEMU 10.0.
const MAX_LENGTH: u64 = i64::MAX as u64 & !((1 << 30) - 1);

/// The greatest length of a qcow2 image with clusters of the usual size: what the largest table of
/// tables reaches.
///
/// Source: `QCOW_MAX_L1_SIZE` in `block/qcow2.h`, QEMU 10.0.
const MAX_QCOW2: u64 = 1 << 51;

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_block_resize` in `blockdev.c`, QEMU 10.0.
    pub(super) fn block_resize(&mut self, arguments: &BlockResize) -> Result<Value, Failed> {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let node = self.look_up(&name(&arguments.device), &name(&arguments.node_name))?;
        let Ok(length) = u64::try_from(arguments.size) else {
            return Err(Failed::generic("Parameter 'size' expects a >0 size"));
        };
        self.layer.require_unblocked(node, Operation::Resize)?;
        self.layer.drain_all();
        let graph = &mut self.layer.graph;
        let purpose = format!("block_resize of '{}'", graph.name(node));
        let backend = graph.add_root(Holder::Backend { purpose }, None);
        let demand = Demand::taking(Permissions::RESIZE);
        let attached = graph.transact(|change| change.attach_root(backend, node, "root", demand));
        if let Err(refusal) = attached {
            graph.remove_root(backend);
            return Err(refusal.into());
        }
        let drained = self.layer.begin_drain(&[node]);
        let resized = self.truncate(node, length);
        self.layer.end_drain(&drained);
        self.layer.remove_backend(backend);
        resized.map_err(Failed::generic)?;
        done()
    }

    /// Makes a node so long, and the nodes below it that store its data long enough.
    ///
    /// Source: `bdrv_co_truncate` in `block/io.c` and the drivers' functions of that name,
    /// QEMU 10.0.
    fn truncate(&mut self, node: NodeId, length: u64) -> Result<(), String> {
        if length > MAX_LENGTH {
            return Err(format!("offset({length}) exceeds maximum({MAX_LENGTH})"));
        }
        let graph = &self.layer.graph;
        if graph.state(node).contains(State::READ_ONLY) {
            return Err("Image is read-only".to_owned());
        }
        let driver = graph.driver(node);
        let (is_whole, old) = (length.is_multiple_of(SECTOR), graph.length(node));
        let grows = length > old;
        let refused = match driver.name {
            _ if grows && driver.length == Length::Own && !self.layer.can_grow(node) => {
                Some("Block driver does not support requested flags")
            }
            "qcow2" if !is_whole => Some(NOT_WHOLE),
            "qcow2" if length > MAX_QCOW2 => Some("Failed to grow the L1 table: File too large"),
            "qed" if !is_whole => Some(INVALID_SIZE),
            "qed" if length < old => Some("Shrinking images is currently not supported"),
            "raw" if driver.length == Length::Fixed => Some("Cannot resize fixed-size raw disks"),
            _ if [Length::Fixed, Length::Children].contains(&driver.length) => Some(UNSUPPORTED),
            _ => None,
        };
        if let Some(desc) = refused {
            return Err(desc.to_owned());
        }
        match driver.length {
            Length::Child => self.truncate_child(node, length, 0),
            Length::Rest => {
                let offset = data_offset(graph, &self.nodes, node);
                self.truncate_child(node, length, offset)
            }
            Length::Own | Length::Fixed | Length::Children => {
                self.layer.resize(node, length.next_multiple_of(SECTOR));
                Ok(())
            }
        }
    }

    /// Makes a node so long by the child that stores its data from `offset` on.
    fn truncate_child(&mut self, node: NodeId, length: u64, offset: u64) -> Result<(), String> {
        let Some(edge) = self.layer.graph.child_by_role(node, Role::PRIMARY) else {
            return Err(UNSUPPORTED.to_owned());
        };
        let child = self.layer.graph.child_of(edge);
        let result = self.truncate(child, length.saturating_add(offset));
        // QEMU's quirk: that error is also a preallocate node's sign for that there is nothing to say.
        if !result.as_ref().is_err_and(|desc| [NOT_WHOLE, INVALID_SIZE].contains(&desc.as_str())) {
            self.layer.note_resize(node, result.is_ok());
        }
        result?;
        let length = self.layer.graph.length(child).saturating_sub(offset);
        self.layer.resize(node, length);
        self.realign(node);
        Ok(())
    }
}
