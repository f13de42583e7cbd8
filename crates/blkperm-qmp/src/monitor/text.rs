//! QEMU's wording of refusals. Nothing else in the workspace writes these texts.

use blkperm_graph::{Conflict, Fault, Holder, ParentName, Party, Permissions, Refusal};
use blkperm_jobs::{Blocker, Denied, JobError};

use crate::QmpError;

/// The error with which QEMU answers when something is not carried out.
pub fn denied(denied: &Denied) -> QmpError {
    QmpError::generic(text(denied))
}

fn text(denied: &Denied) -> String {
    match denied {
        Denied::InvalidNodeName(name) => format!("Invalid node-name: '{name}'"),
        Denied::DuplicateNodeName(name) => format!("Duplicate nodes with node-name='{name}'"),
        Denied::NodeNameTooLong(_) => "Node name too long".to_owned(),
        Denied::InvalidJobId(id) => format!("Invalid job ID '{id}'"),
        Denied::JobIdInUse(id) => format!("Job ID '{id}' already in use"),
        Denied::NegativeSpeed => "Parameter 'speed' expects a non-negative value".to_owned(),
        Denied::InUse { node, by_backend: true } => format!("Node {node} is in use"),
        Denied::InUse { node, .. } => format!("Block device {node} is in use"),
        Denied::NeedRootNode => "Need a root block node".to_owned(),
        Denied::Busy { node, blocker } => format!("Node '{node}' is busy: {}", reason(blocker)),
        Denied::MirrorIntoItself => "Can't mirror node into itself".to_owned(),
        Denied::TargetFiltersChain => {
            "Cannot mirror to a filter on top of a node in the source's backing chain".to_owned()
        }
        Denied::NotBelow { node, top } => {
            format!("'{node}' is not in the backing chain of '{top}'")
        }
        Denied::CannotChangeOption(option) => format!("Cannot change the option '{option}'"),
        Denied::CannotResetOption(option) => {
            format!("Option '{option}' cannot be reset to its default value")
        }
        Denied::CannotReopen { driver, node } => format!(
            "Block format '{driver}' used by node '{node}' does not support reopening files"
        ),
        Denied::FilterNotCreated(why) => format!("Could not create node: {}", text(why)),
        Denied::FilterNotInserted(why) => format!("Could not replace node: {}", refused(why)),
        Denied::FrozenLink { edge, parent, child } => {
            format!("Cannot change '{edge}' link from '{parent}' to '{child}'")
        }
        Denied::UnfreezableLink { edge, child } => {
            format!("Cannot freeze '{edge}' link to '{child}'")
        }
        Denied::ClusterSize => {
            "Cannot create block-copy-state: min-cluster-size needs to be a power of 2".to_owned()
        }
        Denied::ChunkBelowCluster { max_chunk, cluster_size } => format!(
            "Required max-chunk ({max_chunk}) is less than backup cluster size ({cluster_size})"
        ),
        Denied::CannotReplace { replaced, source_node } => format!(
            "Cannot replace '{replaced}' by a node mirrored from '{source_node}', because it \
             cannot be guaranteed that doing so would not lead to an abrupt change of visible data"
        ),
        Denied::ReplacesOtherSize => {
            "cannot replace image with a mirror image of different size".to_owned()
        }
        Denied::NoSuchReplaced(name) => format!("Node name '{name}' not found"),
        Denied::Refused(refusal) => refused(refusal),
        Denied::WrongStatus { job, status, verb } => {
            format!("Job '{job}' in state '{status}' cannot accept command verb '{verb}'")
        }
        Denied::CannotComplete(job) => {
            format!("The active block job '{job}' cannot be completed")
        }
        Denied::Paused(job) => {
            format!("The block job for device '{job}' is currently paused")
        }
        Denied::AlreadyPaused => "Job is already paused".to_owned(),
        Denied::CannotChange => "Job type does not support change".to_owned(),
        Denied::CannotStopBlocking => {
            "Change to copy mode 'background' is not implemented".to_owned()
        }
        Denied::ActiveParent => "Node has active parent node".to_owned(),
        Denied::NoLength => "Could not refresh total sector count: Input/output error".to_owned(),
        Denied::StillWritten => "Failed to inactivate node: Operation not permitted".to_owned(),
        Denied::NotPaused => "Can't resume a job that was not paused".to_owned(),
    }
}

fn reason(blocker: &Blocker) -> String {
    match blocker {
        Blocker::BackingOf(parent) => format!("node is used as backing hd of '{parent}'"),
        Blocker::JobComplete => "block device is in use by block-job-complete".to_owned(),
        Blocker::Job(kind) => format!("block device is in use by block job: {kind}"),
    }
}

/// The text with which QEMU refuses a change of the graph.
pub fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Permissions(faults) => faulty(&faults[0]),
        Refusal::Cycle { parent, child, edge } => {
            format!("Making '{child}' a {edge} child of '{parent}' would create a cycle")
        }
        Refusal::Replacing { replaced, by } => format!(
            "Can no longer replace '{replaced}' by '{by}', because it can no longer be guaranteed \
             that doing so would not lead to an abrupt change of visible data"
        ),
        Refusal::Frozen { edge, child } => format!("Cannot change '{edge}' link to '{child}'"),
        Refusal::InactiveChild { parent, child, edge } => {
            format!("Inactive '{child}' can't be a {edge} child of active '{parent}'")
        }
        Refusal::InactiveNode { permissions } => {
            format!("Permission '{}' unavailable on inactive node", names(*permissions))
        }
    }
}

fn faulty(fault: &Fault) -> String {
    match fault {
        Fault::Conflict(conflict) => conflicting(conflict),
        Fault::ReadOnly { node, was_writable: true } => {
            format!("Read-only block node '{node}' cannot support read-write users")
        }
        Fault::ReadOnly { .. } => "Block node is read-only".to_owned(),
        Fault::Locked { slot, .. } => {
            let shared = if slot.is_take() { "" } else { "shared " };
            format!("Failed to get {shared}\"{}\" lock", names(slot.permission()))
        }
        Fault::Unaligned { .. } => "Cannot get 'write' permission without 'resize': Image size is \
                                    not a multiple of request alignment"
            .to_owned(),
    }
}

fn conflicting(conflict: &Conflict) -> String {
    let Conflict { node, permissions, requirer, unsharer } = conflict;
    let user = |party: &Party| {
        format!("{} (uses node '{node}' as '{}' child)", parent(&party.parent), party.edge)
    };
    format!(
        "Permission conflict on node '{node}': permissions '{}' are both required by {} and \
         unshared by {}.",
        names(*permissions),
        user(requirer),
        user(unsharer),
    )
}

fn parent(parent: &ParentName) -> String {
    match parent {
        ParentName::Node(name) => format!("node '{name}'"),
        ParentName::Root(Holder::Job { kind, id }) => format!("{kind} job '{id}'"),
        ParentName::Root(Holder::Device { name, .. }) => format!("block device '{name}'"),
        ParentName::Root(Holder::Export { .. } | Holder::Backend { .. }) => {
            "an unnamed block device".to_owned()
        }
    }
}

fn names(permissions: Permissions) -> String {
    let names: Vec<String> =
        permissions.iter().map(|one| one.qmp_name().replace('-', " ")).collect();
    names.join(", ")
}

/// The text with which QEMU says why a job failed.
pub fn job_error(error: JobError) -> &'static str {
    match error {
        JobError::NotPermitted => "Operation not permitted",
        JobError::Io => "Input/output error",
        JobError::Cancelled => "Operation canceled",
        JobError::DifferentSizes => "Source and target image have different sizes",
        JobError::NotSupported => "Operation not supported",
    }
}
