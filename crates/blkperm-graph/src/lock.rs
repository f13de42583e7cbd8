//! Locks on the host's files: what two nodes that have the same file open demand of each other.
//!
//! Source: `raw_check_lock_bytes` in `block/file-posix.c`, QEMU 10.0. Each node locks what its
//! parents demand, so that nodes conflict over a file as edges conflict over a node.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::{Demand, Fault, Graph, NodeId, Refusal, Rule, Slot, State};

/// The nodes that have each file open, by what the file is. Files are opened rarely, so that copies
/// of a graph share the tables until one of them opens or closes one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks(Arc<Tables>);

#[derive(Clone, Debug, Default)]
struct Tables {
    file_of: HashMap<NodeId, Box<str>, FxBuildHasher>,
    nodes_of: HashMap<Box<str>, Vec<NodeId>, FxBuildHasher>,
    /// What nodes locked when they became inactive last.
    kept: HashMap<NodeId, Demand, FxBuildHasher>,
}

impl Locks {
    fn insert(&mut self, node: NodeId, file: &str) {
        let tables = Arc::make_mut(&mut self.0);
        tables.file_of.insert(node, file.into());
        tables.nodes_of.entry(file.into()).or_default().push(node);
    }

    pub(crate) fn remove(&mut self, node: NodeId) {
        let tables = Arc::make_mut(&mut self.0);
        tables.kept.remove(&node);
        let Some(file) = tables.file_of.remove(&node) else { return };
        if let Some(nodes) = tables.nodes_of.get_mut(&file) {
            nodes.retain(|&other| other != node);
            if nodes.is_empty() {
                tables.nodes_of.remove(&file);
            }
        }
    }

    /// Lets a node keep its locks while it is inactive.
    pub(crate) fn keep(&mut self, node: NodeId, demand: Demand) {
        Arc::make_mut(&mut self.0).kept.insert(node, demand);
    }

    /// The other nodes that have the same file open.
    pub(crate) fn others(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let file = self.0.file_of.get(&node);
        let nodes = file.into_iter().flat_map(|file| self.nodes(file));
        nodes.filter(move |&other| other != node)
    }

    /// The nodes that have the file open.
    fn nodes(&self, file: &str) -> impl Iterator<Item = NodeId> + Clone + '_ {
        self.0.nodes_of.get(file).into_iter().flatten().copied()
    }
}

impl<R: Rule> Graph<R> {
    /// Lets a new node lock the file of the host that `file` identifies. Nothing is judged anew.
    pub fn lock_file(&mut self, node: NodeId, file: &str) {
        self.node_mut(node).state |= State::LOCKING;
        self.locks.insert(node, file);
    }

    /// The other nodes that have the same file of the host open.
    pub fn same_file(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.locks.others(node)
    }

    /// Requires of the other nodes that have it open that somebody who is no node yet can lock a file
    /// of the host; `name` is for the refusal.
    ///
    /// # Errors
    ///
    /// [`Fault::Locked`] with the first part of `demand` that is not allowed.
    pub fn require_lock(&self, file: &str, name: &str, demand: Demand) -> Result<(), Refusal> {
        let nodes = self.locks.nodes(file);
        match self.denied(demand, nodes.clone()) {
            Some(slot) => Err(Refusal::Permissions(vec![self.locked(name, slot, nodes)])),
            None => Ok(()),
        }
    }

    /// What the node would demand of its file in vain: the first thing, taken before unshared, that
    /// another node's lock on the same file does not allow.
    pub(crate) fn lock_fault(&self, id: NodeId) -> Option<Slot> {
        self.denied(self.locked_by(id), self.locks.others(id))
    }

    /// The fault of a node that demands `slot` of its file in vain.
    pub(crate) fn lock_fault_at(&self, id: NodeId) -> Option<Fault> {
        let slot = self.lock_fault(id)?;
        Some(self.locked(self.name(id), slot, self.locks.others(id)))
    }

    fn denied(&self, demand: Demand, nodes: impl Iterator<Item = NodeId>) -> Option<Slot> {
        let foreign = nodes.map(|node| self.locked_by(node)).fold(Demand::NONE, Demand::union);
        let denied = Demand::new(foreign.unshare(), foreign.take());
        demand.intersection(denied).slots().next()
    }

    /// The fault of somebody whom the nodes do not allow `slot` of the file that they have open.
    fn locked(&self, name: &str, slot: Slot, nodes: impl Iterator<Item = NodeId>) -> Fault {
        let permission = slot.permission();
        let opposite = match slot.is_take() {
            true => Demand::unsharing(permission),
            false => Demand::taking(permission),
        };
        let mut sources = Vec::new();
        for node in nodes.filter(|_| self.tells_why) {
            for source in self.parents(node).flat_map(|edge| self.sources(edge, opposite)) {
                if !sources.contains(&source) {
                    sources.push(source);
                }
            }
        }
        Fault::Locked { node: name.to_owned(), slot, sources }
    }

    /// What the node locks now. An inactive node locks what it did when it was active last, which is
    /// nothing if it was opened so.
    ///
    /// Source: `raw_handle_perm_lock` in `block/file-posix.c`, QEMU 10.0.
    fn locked_by(&self, id: NodeId) -> Demand {
        if self.state(id).contains(State::INACTIVE) {
            self.locks.0.kept.get(&id).copied().unwrap_or(Demand::NONE)
        } else {
            self.demand_on(id)
        }
    }
}
