//! Who uses each BlockBackend: a device, a job, or an export.

use std::collections::HashMap;

use blkperm_graph::{Demand, Holder, Permissions};

use super::{Export, Parent, Survey};
use crate::replies::{self, Replies};

impl Survey {
    /// Finds out who uses each BlockBackend.
    pub(super) fn name_backends(&mut self, replies: &Replies) {
        let mut free: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, edge) in self.edges.iter().enumerate() {
            let Parent::Backend(backend) = edge.parent else { continue };
            let backend = &mut self.backends[backend];
            match &backend.device {
                Some(name) => {
                    let devices = replies.devices.iter().flatten();
                    let qdev =
                        devices.filter(|it| it.device == *name).find_map(|it| it.qdev.as_deref());
                    let words = match qdev {
                        Some(qdev) => format!("drive '{name}' of device '{}'", short(qdev)),
                        None => format!("device '{}'", short(name)),
                    };
                    backend.holder = Holder::Device { name: name.clone(), words };
                    backend.is_drive = qdev.is_some();
                }
                None => free.entry(edge.child).or_default().push(place),
            }
        }
        self.name_own_backends(&mut free);
        self.name_exports(replies, &mut free);
        if !replies.missing().contains(&"query-block-exports") {
            self.name_leftovers(&free);
        }
    }

    /// QEMU's quirk: a stream that is refused late leaves its BlockBackend behind, which is suspended
    /// as others are while its node is inactive. Nothing else has one when all jobs, exports and
    /// devices are known.
    fn name_leftovers(&mut self, free: &HashMap<usize, Vec<usize>>) {
        for &edge in free.values().flatten() {
            if let Parent::Backend(backend) = self.edges[edge].parent
                && (self.edges[edge].demand == READING || self.edges[edge].demand.is_none())
            {
                let purpose = "the remains of a block-stream that was refused".to_owned();
                self.backends[backend].holder = Holder::Backend { purpose };
            }
        }
    }

    /// The BlockBackends of jobs; of several that it could be, the newest.
    fn name_own_backends(&mut self, free: &mut HashMap<usize, Vec<usize>>) {
        for job in 0..self.jobs.len() {
            let Some(kind) = self.jobs[job].kind.filter(|_| self.jobs[job].filter.is_some()) else {
                continue;
            };
            for own in kind.own() {
                let Some(node) = self.end(job, own.at) else { continue };
                let candidates = free.entry(node).or_default();
                let fits = |&edge: &usize| (own.demands)(self.edges[edge].demand);
                let Some(found) = self.newest(candidates, fits) else { continue };
                let Parent::Backend(backend) = self.edges[candidates.remove(found)].parent else {
                    unreachable!("only edges of BlockBackends are free");
                };
                let (name, id) = (kind.name(), &self.jobs[job].id);
                let purpose = format!("{name} job '{id}' {}", own.doing);
                self.backends[backend].holder = Holder::Backend { purpose };
                self.backends[backend].job = Some(job);
                self.jobs[job].backends.push(backend);
            }
        }
    }

    /// Exports, which are listed newest first, as their BlockBackends come.
    fn name_exports(&mut self, replies: &Replies, free: &mut HashMap<usize, Vec<usize>>) {
        let names = self.nodes.iter().enumerate();
        let nodes: HashMap<&str, usize> =
            names.map(|(place, node)| (node.name.as_str(), place)).collect();
        let mut of_node: HashMap<usize, Vec<&replies::Export>> = HashMap::new();
        for export in replies.exports.iter().flatten() {
            if let Some(&node) = nodes.get(export.node_name.as_str()) {
                of_node.entry(node).or_default().push(export);
            }
        }
        for (node, exports) in of_node {
            let candidates = free.entry(node).or_default();
            let edges = self.backends_of_exports(&exports, candidates);
            candidates.retain(|edge| !edges.contains(edge));
            for (edge, export) in edges.into_iter().zip(exports) {
                let Parent::Backend(backend) = self.edges[edge].parent else {
                    unreachable!("only edges of BlockBackends are free");
                };
                let export = Export { id: export.id.clone(), kind: export.r#type.clone() };
                self.backends[backend].holder = Holder::Export { id: export.id.clone() };
                self.backends[backend].export = Some(export);
            }
        }
    }

    /// The edges of a node's exports among these edges of BlockBackends, newest first. What a refused
    /// stream leaves behind looks like an export that only reads, and is taken for newer.
    fn backends_of_exports(&self, exports: &[&replies::Export], edges: &[usize]) -> Vec<usize> {
        let demand = |edge: &usize| self.edges[*edge].demand;
        let may_be = |edge: &usize| {
            let demand = demand(edge);
            demand.is_none() || exports.iter().any(|export| is_of_export(&export.r#type, demand))
        };
        let mut found: Vec<usize> = edges.iter().rev().copied().filter(may_be).collect();
        let surplus = found.len().saturating_sub(exports.len());
        let mut remains = found.clone();
        remains.retain(|edge| [READING, Demand::NONE].contains(&demand(edge)));
        remains.sort_by_key(|edge| demand(edge).is_none());
        remains.truncate(surplus);
        found.retain(|edge| !remains.contains(edge));
        found
    }
}

impl Survey {
    /// The place of the newest of these edges that fits, or else of the newest that demands nothing:
    /// while a node is inactive, and at times for longer, a BlockBackend's demand is suspended.
    fn newest(&self, edges: &[usize], fits: impl Fn(&usize) -> bool) -> Option<usize> {
        let is_suspended = |&edge: &usize| self.edges[edge].demand.is_none();
        edges.iter().rposition(fits).or_else(|| edges.iter().rposition(is_suspended))
    }
}

/// What an export demands that only reads, and a stream.
const READING: Demand = Demand::new(Permissions::CONSISTENT_READ, Permissions::RESIZE);

/// The id of a device, or its path where it has none, of its path in QEMU's tree of objects.
fn short(path: &str) -> &str {
    let path = path.strip_suffix("/virtio-backend").unwrap_or(path);
    path.strip_prefix("/machine/peripheral/").unwrap_or(path)
}

/// Whether an export of that type may demand this.
///
/// Source: `blk_exp_add` in `block/export/export.c` and the drivers of exports beside it, QEMU 10.0.
fn is_of_export(kind: &str, demand: Demand) -> bool {
    let unshares = match kind {
        "nbd" => Permissions::RESIZE,
        _ => Permissions::empty(),
    };
    demand.take().contains(Permissions::CONSISTENT_READ) && demand.unshare() == unshares
}
