//! The NBD server and block exports, as far as they are parents of nodes: nothing is served.

use blkperm_graph::{Demand, Holder, NodeId, Permissions, RootId, Rule, State};
use blkperm_jobs::is_wellformed;
use serde_json::{Value, json};

use super::{Failed, Monitor, done};
use crate::command::export::{
    BlockExportOptions, BlockExportOptionsFuse, BlockExportOptionsNbd, BlockExportOptionsVduseBlk,
    BlockExportOptionsVhostUserBlk, ExportOptions,
};
use crate::command::nbd::{FlatAddress, NbdServerOptionsLegacy};
use crate::image::ImageError;
use crate::transcript::Event;

/// The longest name and description of an NBD export.
///
/// Source: `NBD_MAX_STRING_SIZE` in `include/block/nbd.h`, QEMU 10.0.
const MAX_NBD_STRING: usize = 4096;

/// The NBD server, if it runs, and the exports, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Exports {
    pub(super) nbd_server_runs: bool,
    pub(super) exports: Vec<Export>,
}

#[derive(Clone, Debug)]
pub(super) struct Export {
    pub(super) id: String,
    /// What QEMU calls its type.
    pub(super) kind: String,
    /// Where clients find it: the name of an NBD export, or where a FUSE export is mounted.
    pub(super) place: Option<String>,
    pub(super) backend: RootId,
}

impl<R: Rule> Monitor<R> {
    pub(super) fn nbd_server_start(&mut self, _: &NbdServerOptionsLegacy) -> Result<Value, Failed> {
        if self.exports.nbd_server_runs {
            return Err(Failed::generic("NBD server already running"));
        }
        self.exports.nbd_server_runs = true;
        done()
    }

    pub(super) fn nbd_server_stop(&mut self) -> Result<Value, Failed> {
        if !self.exports.nbd_server_runs {
            return Err(Failed::generic("NBD server not running"));
        }
        self.exports.nbd_server_runs = false;
        self.remove_all_exports();
        done()
    }

    /// Removes all exports; they are reported when all are gone, newest first.
    pub(super) fn remove_all_exports(&mut self) {
        let exports = std::mem::take(&mut self.exports.exports);
        for export in &exports {
            self.layer.remove_backend(export.backend);
        }
        self.collect_job_events();
        for export in exports.iter().rev() {
            self.report_deleted(export);
        }
    }

    /// Source: `blk_exp_add` in `block/export/export.c`, QEMU 10.0.
    pub(super) fn block_export_add(
        &mut self,
        options: &BlockExportOptions,
    ) -> Result<Value, Failed> {
        let base = &options.base;
        if !is_wellformed(&base.id) {
            return Err(Failed::generic("Invalid block export id"));
        }
        if self.exports.exports.iter().any(|export| export.id == base.id) {
            let desc = format!("Block export id '{}' is already in use", base.id);
            return Err(Failed::generic(desc));
        }
        let node = self.look_up("", &base.node_name)?;
        let writable = base.writable.unwrap_or(false);
        if writable && self.layer.graph.state(node).contains(State::READ_ONLY) {
            return Err(Failed::generic("Cannot export read-only node as writable"));
        }
        if let Some(iothread) = &base.iothread
            && !self.objects.has_iothread(iothread)
        {
            return Err(Failed::generic(format!("iothread \"{iothread}\" not found")));
        }
        let is_nbd = matches!(options.options, ExportOptions::Nbd(_));
        let allows_inactive = base.allow_inactive.unwrap_or(false);
        if allows_inactive && !is_nbd {
            return Err(Failed::generic("Export type does not support inactive exports"));
        }
        if !allows_inactive {
            self.activate(node)?;
        }
        let mut take = Permissions::CONSISTENT_READ;
        take.set(Permissions::WRITE, writable);
        let backend = self.attach_export(node, &base.id, take)?;
        if allows_inactive {
            self.layer.allow_inactive(backend);
        }
        let started = match &options.options {
            ExportOptions::Nbd(nbd) => {
                self.start_nbd_export(nbd, &base.node_name, backend, take).map(Some)
            }
            ExportOptions::Fuse(fuse) => self.start_fuse_export(fuse, backend, take).map(Some),
            ExportOptions::VhostUserBlk(options) => check_vhost_user_blk(options).map(|()| None),
            ExportOptions::VduseBlk(options) => check_vduse_blk(options).map(|()| None),
        };
        match started {
            Ok(place) => {
                let (id, kind) = (base.id.clone(), base.kind.to_string());
                self.exports.exports.push(Export { id, kind, place, backend });
                done()
            }
            Err(failed) => {
                self.layer.remove_backend(backend);
                Err(failed)
            }
        }
    }

    /// What FUSE adds: where the export is mounted, and that it resizes the node if it may grow, or
    /// be written at all.
    ///
    /// Source: `fuse_export_create` in `block/export/fuse.c`, QEMU 10.0.
    fn start_fuse_export(
        &mut self,
        options: &BlockExportOptionsFuse,
        backend: RootId,
        take: Permissions,
    ) -> Result<String, Failed> {
        if take.contains(Permissions::WRITE) || options.growable == Some(true) {
            let demand = Demand::taking(take | Permissions::RESIZE);
            self.layer.set_backend_demand(backend, demand)?;
        }
        let mountpoint = &options.mountpoint;
        if self.is_taken("fuse", mountpoint) {
            let desc = format!("There already is a FUSE export on '{mountpoint}'");
            return Err(Failed::generic(desc));
        }
        match self.images.probe(mountpoint) {
            Err(ImageError::IsADirectory) => {
                Err(Failed::generic(format!("'{mountpoint}' is not a regular file")))
            }
            Err(error @ ImageError::NotFound) => {
                Err(Failed::generic(format!("Failed to stat '{mountpoint}': {error}")))
            }
            _ => Ok(mountpoint.clone()),
        }
    }

    /// Whether clients find an export of that kind there already.
    fn is_taken(&self, kind: &str, place: &str) -> bool {
        let is_there =
            |export: &Export| export.kind == kind && export.place.as_deref() == Some(place);
        self.exports.exports.iter().any(is_there)
    }

    /// The first step of every export: its BlockBackend takes what it needs and shares all.
    ///
    /// QEMU's quirk 19: what an export adds to that is a second step, with a refusal of its own.
    fn attach_export(
        &mut self,
        node: NodeId,
        id: &str,
        take: Permissions,
    ) -> Result<RootId, Failed> {
        self.layer.drain_all();
        let graph = &mut self.layer.graph;
        let backend = graph.add_root(Holder::Export { id: id.to_owned() }, None);
        // What it needs waits until the node is active.
        let is_inactive = graph.state(node).contains(State::INACTIVE);
        let needed = Demand::taking(take);
        let demand = if is_inactive { Demand::NONE } else { needed };
        match graph.transact(|change| change.attach_root(backend, node, "root", demand)) {
            Ok(_) => {
                if is_inactive {
                    self.layer.suspend_until_active(backend, needed);
                }
                Ok(backend)
            }
            Err(refusal) => {
                graph.remove_root(backend);
                Err(refusal.into())
            }
        }
    }

    /// What the NBD server adds: the export's name, and that nobody resizes the node.
    ///
    /// Source: `nbd_export_create` in `nbd/server.c`, QEMU 10.0.
    fn start_nbd_export(
        &mut self,
        options: &BlockExportOptionsNbd,
        node_name: &str,
        backend: RootId,
        take: Permissions,
    ) -> Result<String, Failed> {
        if !self.exports.nbd_server_runs {
            return Err(Failed::generic("NBD server not running"));
        }
        let name = options.name.as_deref().unwrap_or(node_name);
        if name.len() > MAX_NBD_STRING {
            return Err(Failed::generic(format!("export name '{name}' too long")));
        }
        if let Some(description) = options.description.as_deref()
            && description.len() > MAX_NBD_STRING
        {
            return Err(Failed::generic(format!("description '{description}' too long")));
        }
        if self.is_taken("nbd", name) {
            let desc = format!("NBD server already has export named '{name}'");
            return Err(Failed::generic(desc));
        }
        self.layer.set_backend_demand(backend, Demand::new(take, Permissions::RESIZE))?;
        Ok(name.to_owned())
    }

    pub(super) fn block_export_del(&mut self, id: &str) -> Result<Value, Failed> {
        let exports = &mut self.exports.exports;
        let Some(place) = exports.iter().position(|export| export.id == id) else {
            return Err(Failed::generic(format!("Export '{id}' is not found")));
        };
        let export = exports.remove(place);
        self.remove_export(&export);
        done()
    }

    fn remove_export(&mut self, export: &Export) {
        self.layer.remove_backend(export.backend);
        self.collect_job_events();
        self.report_deleted(export);
    }

    fn report_deleted(&mut self, export: &Export) {
        let data = json!({"id": export.id});
        self.events.push(Event { name: "BLOCK_EXPORT_DELETED".to_owned(), data });
    }

    pub(super) fn query_block_exports(&self) -> Value {
        let graph = &self.layer.graph;
        let member = |export: &Export| {
            let edge = graph.child_edge(export.backend, "root").expect("the export has its edge");
            json!({
                "node-name": graph.name(graph.child_of(edge)),
                "shutting-down": false,
                "type": export.kind,
                "id": export.id,
            })
        };
        self.exports.exports.iter().rev().map(member).collect()
    }
}

/// Source: `vu_blk_exp_create` in `block/export/vhost-user-blk-server.c`, QEMU 10.0.
fn check_vhost_user_blk(options: &BlockExportOptionsVhostUserBlk) -> Result<(), Failed> {
    check_block_size(options.logical_block_size)?;
    check_queues(options.num_queues)?;
    match options.addr.address {
        FlatAddress::Unix(_) | FlatAddress::Fd(_) => Ok(()),
        FlatAddress::Inet(_) | FlatAddress::Vsock(_) => {
            let desc = "Only socket address types 'unix' and 'fd' are supported";
            Err(Failed::generic(desc))
        }
    }
}

/// Source: `vduse_blk_exp_create` in `block/export/vduse-blk.c`, QEMU 10.0.
fn check_vduse_blk(options: &BlockExportOptionsVduseBlk) -> Result<(), Failed> {
    const LARGEST_QUEUE: u16 = 1024;
    check_queues(options.num_queues)?;
    let size = options.queue_size.unwrap_or(256);
    if size <= 2 || !size.is_power_of_two() || size > LARGEST_QUEUE {
        return Err(Failed::generic("queue-size is invalid"));
    }
    check_block_size(options.logical_block_size)
}

fn check_queues(queues: Option<u16>) -> Result<(), Failed> {
    if queues == Some(0) {
        return Err(Failed::generic("num-queues must be greater than 0"));
    }
    Ok(())
}

/// Source: `check_block_size` in `util/block-helpers.c`, QEMU 10.0.
fn check_block_size(size: Option<u64>) -> Result<(), Failed> {
    let size = size.unwrap_or(512);
    if !(512..=2 << 20).contains(&size) || !size.is_power_of_two() {
        let desc = "parameter logical-block-size must be a power of 2 between 512 and 2097152";
        return Err(Failed::generic(desc));
    }
    Ok(())
}
