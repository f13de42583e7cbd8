//! The NBD server and block exports, as far as they are parents of nodes: nothing is served.

use blkperm_graph::{Demand, Holder, NodeId, Permissions, RootId, Rule, State};
use blkperm_jobs::is_wellformed;
use serde_json::{Value, json};

use super::{Failed, Monitor, done};
use crate::command::export::{BlockExportOptions, BlockExportOptionsNbd, ExportOptions};
use crate::command::nbd::NbdServerOptionsLegacy;
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
    /// The name under which NBD clients find it.
    pub(super) nbd_name: String,
    pub(super) backend: RootId,
}

impl<R: Rule> Monitor<R> {
    /// The id of the export whose BlockBackend this is.
    pub fn export_of(&self, backend: RootId) -> Option<&str> {
        let mut exports = self.exports.exports.iter();
        exports.find(|export| export.backend == backend).map(|export| export.id.as_str())
    }

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
        if let Some(iothread) = &base.iothread {
            return Err(Failed::generic(format!("iothread \"{iothread}\" not found")));
        }
        let ExportOptions::Nbd(nbd) = &options.options;
        let mut take = Permissions::CONSISTENT_READ;
        take.set(Permissions::WRITE, writable);
        let backend = self.attach_export(node, &base.id, take)?;
        match self.start_nbd_export(nbd, &base.node_name, backend, take) {
            Ok(nbd_name) => {
                let export = Export { id: base.id.clone(), nbd_name, backend };
                self.exports.exports.push(export);
                done()
            }
            Err(failed) => {
                self.layer.remove_backend(backend);
                Err(failed)
            }
        }
    }

    /// The first step of every export: its BlockBackend takes what it needs and shares all.
    fn attach_export(
        &mut self,
        node: NodeId,
        id: &str,
        take: Permissions,
    ) -> Result<RootId, Failed> {
        self.layer.drain_all();
        let graph = &mut self.layer.graph;
        let backend = graph.add_root(Holder::Backend { purpose: format!("export '{id}'") }, None);
        let demand = Demand::taking(take);
        match graph.transact(|change| change.attach_root(backend, node, "root", demand)) {
            Ok(_) => Ok(backend),
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
        if self.exports.exports.iter().any(|export| export.nbd_name == name) {
            let desc = format!("NBD server already has export named '{name}'");
            return Err(Failed::generic(desc));
        }
        let graph = &mut self.layer.graph;
        let edge = graph.child_edge(backend, "root").expect("the export has its edge");
        graph.transact(|change| {
            change.set_demand(edge, Demand::new(take, Permissions::RESIZE));
            Ok(())
        })?;
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
                "type": "nbd",
                "id": export.id,
            })
        };
        self.exports.exports.iter().rev().map(member).collect()
    }
}
