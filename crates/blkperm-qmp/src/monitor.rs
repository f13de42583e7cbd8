//! The monitor: carries out commands on a block layer, and answers as QEMU does.

mod activity;
mod adopt;
mod answer;
mod child;
mod endpoint;
mod event;
mod export;
mod filename;
mod graph_query;
mod image;
mod job;
mod length;
mod node;
mod node_query;
mod object;
mod open;
mod reopen;
mod resize;
mod snapshot;
pub mod text;
mod transaction;

pub use adopt::{FoundExport, FoundNode};
pub use answer::Failed;
pub use endpoint::{MonitorEndpoint, death};

use blkperm_graph::{NodeId, Rule};
use blkperm_jobs::{Abort, BlockLayer, Completion};
use serde_json::{Map, Value, json};

use crate::command::Command;
use crate::image::ImageStore;
use crate::transcript::Event;
use crate::{CommandError, Phase, QmpError, Request};

use export::Exports;
use node::NodeDetails;
use object::Objects;

/// A QMP monitor with its block layer: what a `qemu-storage-daemon` is, as far as its graph goes.
///
/// Images are looked at through an [`ImageStore`]; nothing is ever written, served or waited for.
#[derive(Clone)]
pub struct Monitor<R: Rule> {
    layer: BlockLayer<R>,
    images: Box<dyn ImageStore>,
    nodes: NodeDetails,
    exports: Exports,
    objects: Objects,
    events: Vec<Event>,
    phase: Phase,
    quitting: bool,
}

/// The reply to a request, with the request's `id` if it had one.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// The request's `id`.
    pub id: Option<Value>,
    /// What the command returned.
    pub result: Result<Value, QmpError>,
}

impl Response {
    /// The reply as QMP sends it.
    pub fn to_json(&self) -> Value {
        let mut reply = Map::new();
        match &self.result {
            Ok(value) => reply.insert("return".to_owned(), value.clone()),
            Err(error) => reply.insert("error".to_owned(), json!(error)),
        };
        if let Some(id) = &self.id {
            reply.insert("id".to_owned(), id.clone());
        }
        Value::Object(reply)
    }
}

impl<R: Rule> Monitor<R> {
    /// A monitor with an empty block layer, which finds its images in `images`.
    pub fn new(rule: R, completion: Completion, images: impl ImageStore + 'static) -> Monitor<R> {
        let mut layer = BlockLayer::new(rule, completion);
        layer.graph.keep_gone();
        Monitor {
            layer,
            images: Box::new(images),
            nodes: NodeDetails::default(),
            exports: Exports::default(),
            objects: Objects::default(),
            events: Vec::new(),
            phase: Phase::default(),
            quitting: false,
        }
    }

    /// The block layer.
    pub fn layer(&self) -> &BlockLayer<R> {
        &self.layer
    }

    /// The block layer, for checks of its invariants.
    pub fn layer_mut(&mut self) -> &mut BlockLayer<R> {
        &mut self.layer
    }

    /// Whether `quit` was asked for.
    pub fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// Forgets that capabilities were negotiated, as for a client that connects anew.
    pub fn reconnect(&mut self) {
        self.phase = Phase::default();
    }

    /// Carries out one request, a parsed JSON value.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end.
    pub fn respond(&mut self, request: &Value) -> Result<Response, Abort> {
        let Request { id, command } = Request::parse(request, self.phase);
        let result = match command {
            Ok(command) => match self.execute(&command) {
                Ok(value) => Ok(value),
                Err(failed) => Err(failed.into_answer()?),
            },
            Err(error) => Err(CommandError::into_qmp(error)),
        };
        Ok(Response { id, result })
    }

    /// Carries out one command.
    ///
    /// # Errors
    ///
    /// What [`Failed::into_answer`] tells apart: an error with which QEMU answers, or its end.
    pub fn execute(&mut self, command: &Command) -> Result<Value, Failed> {
        let result = self.dispatch(command);
        self.forget_gone_nodes();
        self.collect_job_events();
        result
    }

    /// Lets all jobs run until none moves by itself.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end.
    pub fn run_jobs(&mut self) -> Result<(), Abort> {
        let result = self.layer.run_jobs();
        self.collect_job_events();
        result
    }

    /// Lets one job run until it does not move by itself, as [`BlockLayer::run_job`] does.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end.
    pub fn run_job(&mut self, id: &str) -> Result<(), Abort> {
        let result = self.layer.run_job(id);
        self.collect_job_events();
        result
    }

    /// Removes all exports and ends all jobs, as the daemon does when it ends.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end before that. Called again, it goes on with the
    /// other jobs.
    pub fn shut_down(&mut self) -> Result<(), Abort> {
        self.remove_all_exports();
        let result = self.layer.cancel_all();
        self.collect_job_events();
        result
    }

    /// The events since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn dispatch(&mut self, command: &Command) -> Result<Value, Failed> {
        match command {
            Command::Quit => self.quit(),
            Command::QmpCapabilities(capabilities) => {
                self.phase = Phase::negotiated(capabilities);
                done()
            }
            Command::QueryCommands => {
                let names = Command::NAMES.iter().map(|name| json!({ "name": name }));
                Ok(names.collect())
            }
            Command::QueryVersion => Ok(version()),
            Command::ObjectAdd(options) => self.object_add(options),
            Command::ObjectDel(arguments) => self.object_del(&arguments.id),
            Command::BlockdevAdd(options) => self.blockdev_add(options),
            Command::BlockdevDel(arguments) => self.blockdev_del(&arguments.node_name),
            Command::BlockdevSetActive(arguments) => self.blockdev_set_active(arguments),
            Command::BlockResize(arguments) => self.block_resize(arguments),
            Command::BlockdevReopen(arguments) => self.blockdev_reopen(arguments),
            Command::BlockdevSnapshot(arguments) => self.blockdev_snapshot(arguments),
            Command::BlockdevSnapshotSync(arguments) => self.blockdev_snapshot_sync(arguments),
            Command::Transaction(arguments) => self.transaction(arguments),
            Command::XBlockdevChange(arguments) => self.x_blockdev_change(arguments),
            Command::NbdServerStart(arguments) => self.nbd_server_start(arguments),
            Command::NbdServerStop => self.nbd_server_stop(),
            Command::BlockExportAdd(options) => self.block_export_add(options),
            Command::BlockExportDel(arguments) => self.block_export_del(&arguments.id),
            Command::QueryBlockExports => Ok(self.query_block_exports()),
            Command::BlockdevMirror(arguments) => self.blockdev_mirror(arguments),
            Command::BlockCommit(arguments) => self.block_commit(arguments),
            Command::BlockStream(arguments) => self.block_stream(arguments),
            Command::BlockdevBackup(arguments) => self.blockdev_backup(arguments),
            Command::QueryJobs => Ok(self.query_jobs()),
            Command::QueryBlockJobs => Ok(self.query_block_jobs()),
            Command::QueryBlock => Ok(json!([])),
            Command::QueryNamedBlockNodes(arguments) => {
                Ok(self.query_named_block_nodes(arguments.flat.unwrap_or(false)))
            }
            Command::XDebugQueryBlockGraph => Ok(self.query_block_graph()),
            _ => self.job_verb(command),
        }
    }

    fn quit(&mut self) -> Result<Value, Failed> {
        self.quitting = true;
        done()
    }

    /// The node of that name, for commands that also take the names of devices.
    ///
    /// Source: `bdrv_lookup_bs` in `block.c`, QEMU 10.0.
    fn look_up(&self, device: &str, node_name: &str) -> Result<NodeId, QmpError> {
        self.layer.graph.node_by_name(node_name).ok_or_else(|| {
            QmpError::generic(format!("Cannot find device='{device}' nor node-name='{node_name}'"))
        })
    }
}

/// What a command returns that has nothing to say.
fn done() -> Result<Value, Failed> {
    Ok(json!({}))
}

/// What `query-version` returns, and the greeting says: the version that this follows.
pub fn version() -> Value {
    json!({
        "qemu": {"major": 10, "minor": 0, "micro": 2},
        "package": concat!("blkperm ", env!("CARGO_PKG_VERSION")),
    })
}

/// The greeting with which a monitor meets a client.
pub fn greeting() -> Value {
    json!({"QMP": {"version": version(), "capabilities": ["oob"]}})
}
