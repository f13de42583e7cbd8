//! Requests: from a JSON value to a typed command, or to QEMU's error.

pub mod blockdev;
mod enums;
pub mod export;
pub mod job;
pub mod nbd;
pub mod object;
mod request;
mod session;
pub mod transaction;
mod unmodelled;

pub use enums::{BlockdevOnError, OnOffAuto};
pub use request::Request;
pub use session::{Phase, QmpCapabilities, QmpCapability};
pub use unmodelled::UNMODELLED;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::{CommandError, qapi};

/// The arguments of a command that has none.
#[derive(Deserialize)]
struct NoArguments {}

/// The table of commands: variants, names and arguments all follow from it.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:literal => $variant:ident $(($arguments:ty))?,)*) => {
        /// A command with its arguments.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $variant $(($arguments))?,)*
        }

        impl Command {
            /// The names of all commands, in the order of QEMU's answer to `query-commands`.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The command's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }

            /// Reads the arguments of the named command from anything that knows QAPI's types.
            ///
            /// # Errors
            ///
            /// What the deserializer reports, or that there is no such command.
            pub fn deserialize<'de, D: Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error> {
                match name {
                    $($name => commands!(@read $variant arguments $($arguments)?),)*
                    _ => Err(D::Error::custom(format_args!("no command {name}"))),
                }
            }
        }
    };
    (@read $variant:ident $from:ident) => {
        NoArguments::deserialize($from).map(|NoArguments {}| Self::$variant)
    };
    (@read $variant:ident $from:ident $arguments:ty) => {
        <$arguments>::deserialize($from).map(Self::$variant)
    };
}

commands! {
    /// Removes an object.
    "object-del" => ObjectDel(object::ObjectDel),
    /// Makes an object that nodes can refer to.
    "object-add" => ObjectAdd(object::ObjectOptions),
    /// Ends the process.
    "quit" => Quit,
    /// Lists the commands.
    "query-commands" => QueryCommands,
    /// Tells QEMU's version.
    "query-version" => QueryVersion,
    /// Ends the negotiation of capabilities.
    "qmp_capabilities" => QmpCapabilities(QmpCapabilities),
    /// Does several things, or none.
    "transaction" => Transaction(transaction::Transaction),
    /// Lists the exports.
    "query-block-exports" => QueryBlockExports,
    /// Removes an export.
    "block-export-del" => BlockExportDel(export::BlockExportDel),
    /// Exports a node.
    "block-export-add" => BlockExportAdd(export::BlockExportOptions),
    /// Stops the NBD server, and its exports.
    "nbd-server-stop" => NbdServerStop,
    /// Starts the NBD server.
    "nbd-server-start" => NbdServerStart(nbd::NbdServerOptionsLegacy),
    /// Gives a node another child, or takes one away.
    "x-blockdev-change" => XBlockdevChange(transaction::XBlockdevChange),
    /// Makes nodes inactive, so that another process may use their images, or active again.
    "blockdev-set-active" => BlockdevSetActive(blockdev::BlockdevSetActive),
    /// Removes a node.
    "blockdev-del" => BlockdevDel(blockdev::BlockdevDel),
    /// Changes options of nodes that are open.
    "blockdev-reopen" => BlockdevReopen(blockdev::BlockdevReopen),
    /// Opens a node.
    "blockdev-add" => BlockdevAdd(Box<blockdev::BlockdevOptions>),
    /// Changes an option of a job.
    "block-job-change" => BlockJobChange(job::BlockJobChangeOptions),
    /// Lets a job that waits enter its end.
    "block-job-finalize" => BlockJobFinalize(job::Job),
    /// Forgets a job that has ended.
    "block-job-dismiss" => BlockJobDismiss(job::Job),
    /// Asks a job that is ready to end.
    "block-job-complete" => BlockJobComplete(job::BlockJob),
    /// Lets a paused job go on.
    "block-job-resume" => BlockJobResume(job::BlockJob),
    /// Pauses a job.
    "block-job-pause" => BlockJobPause(job::BlockJob),
    /// Cancels a job.
    "block-job-cancel" => BlockJobCancel(job::BlockJobCancel),
    /// Limits the speed of a job.
    "block-job-set-speed" => BlockJobSetSpeed(job::BlockJobSetSpeed),
    /// Starts to copy the contents of a backing chain up.
    "block-stream" => BlockStream(job::BlockStream),
    /// Starts to copy a node to another, which may then replace it.
    "blockdev-mirror" => BlockdevMirror(job::BlockdevMirror),
    /// Dumps the nodes, jobs and backends with all edges.
    "x-debug-query-block-graph" => XDebugQueryBlockGraph,
    /// Lists the nodes.
    "query-named-block-nodes" => QueryNamedBlockNodes(blockdev::QueryNamedBlockNodes),
    /// Starts to save the contents of a node in another.
    "blockdev-backup" => BlockdevBackup(job::BlockdevBackup),
    /// Starts to move the contents of a backing chain down.
    "block-commit" => BlockCommit(job::BlockCommit),
    /// Puts an overlay in a node's place.
    "blockdev-snapshot" => BlockdevSnapshot(transaction::BlockdevSnapshot),
    /// Puts an overlay in a node's place whose image it opens, or makes.
    "blockdev-snapshot-sync" => BlockdevSnapshotSync(transaction::BlockdevSnapshotSync),
    /// Makes a node longer or shorter.
    "block_resize" => BlockResize(blockdev::BlockResize),
    /// Lists the block jobs.
    "query-block-jobs" => QueryBlockJobs,
    /// Lists the block devices.
    "query-block" => QueryBlock,
    /// Lists the jobs.
    "query-jobs" => QueryJobs,
    /// Lets a job that waits enter its end.
    "job-finalize" => JobFinalize(job::Job),
    /// Forgets a job that has ended.
    "job-dismiss" => JobDismiss(job::Job),
    /// Asks a job that is ready to end.
    "job-complete" => JobComplete(job::Job),
    /// Cancels a job by force.
    "job-cancel" => JobCancel(job::Job),
    /// Lets a paused job go on.
    "job-resume" => JobResume(job::Job),
    /// Pauses a job.
    "job-pause" => JobPause(job::Job),
}

impl Command {
    /// The named command with these arguments; none if there is no such command.
    ///
    /// # Errors
    ///
    /// QEMU's complaint about the arguments, or that a part of the schema is not implemented.
    pub fn new(name: &str, arguments: &Map<String, Value>) -> Option<Result<Self, CommandError>> {
        let known = Self::NAMES.contains(&name);
        known.then(|| qapi::from_arguments_seed(arguments, ByName(name)))
    }
}

/// Reads the arguments of the command with this name.
struct ByName<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for ByName<'_> {
    type Value = Command;

    fn deserialize<D: Deserializer<'de>>(self, arguments: D) -> Result<Command, D::Error> {
        Command::deserialize(self.0, arguments)
    }
}
