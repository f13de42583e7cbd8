//! Which jobs there are, and what belongs to each: its filter, and its BlockBackends.

use std::collections::HashMap;

use blkperm_graph::{Demand, Permissions};
use blkperm_jobs::Status;
use blkperm_qmp::transcript::{GraphDump, NodeType};

use super::{Job, Noted, Parent, Survey};
use crate::replies::Replies;

/// A type of block job, by the edges that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A mirror.
    Mirror,
    /// A commit that the mirror driver does.
    ActiveCommit,
    /// An ordinary commit.
    Commit,
    /// A stream.
    Stream,
    /// A backup.
    Backup,
}

/// A BlockBackend that a job makes for itself.
pub(super) struct Own {
    /// The name of the job's edge to the node where it is; the topmost of several.
    pub(super) at: &'static str,
    /// What the job does with it.
    pub(super) doing: &'static str,
    /// Whether it demands this.
    pub(super) demands: fn(Demand) -> bool,
}

const WRITE: Permissions = Permissions::WRITE;
const READ: Permissions = Permissions::CONSISTENT_READ;

impl Kind {
    /// QEMU's name of the type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Mirror => "mirror",
            Kind::ActiveCommit | Kind::Commit => "commit",
            Kind::Stream => "stream",
            Kind::Backup => "backup",
        }
    }

    /// The driver of its filter.
    pub(super) fn filter_driver(self) -> &'static str {
        match self {
            Kind::Mirror | Kind::ActiveCommit => "mirror_top",
            Kind::Commit => "commit_top",
            Kind::Stream => "copy-on-read",
            Kind::Backup => "copy-before-write",
        }
    }

    /// The BlockBackends that it makes for itself, in their order.
    pub(super) fn own(self) -> &'static [Own] {
        match self {
            Kind::Mirror | Kind::ActiveCommit => &[Own {
                at: "target",
                doing: "writing its target",
                demands: |demand| demand.take().contains(WRITE) && !demand.take().contains(READ),
            }],
            Kind::Commit => &[
                Own {
                    at: "base",
                    doing: "writing its base",
                    demands: |demand| {
                        demand.take().contains(WRITE) && demand.unshare().contains(WRITE)
                    },
                },
                Own { at: "intermediate node", doing: "reading its top", demands: Demand::is_none },
            ],
            Kind::Stream => &[Own {
                at: "main node",
                doing: "copying",
                demands: |demand| demand == Demand::new(READ, Permissions::RESIZE),
            }],
            Kind::Backup => &[],
        }
    }

    /// The type with that name of a job that has edges of these names; without a name, what the
    /// edges look like.
    fn of(name: Option<&str>, edges: &[&str]) -> Option<Kind> {
        let has = |edge| edges.contains(&edge);
        match name {
            Some("mirror") => Some(Kind::Mirror),
            Some("commit") if has("source") => Some(Kind::ActiveCommit),
            Some("commit") => Some(Kind::Commit),
            Some("stream") => Some(Kind::Stream),
            Some("backup") => Some(Kind::Backup),
            Some(_) => None,
            None if has("source") && has("intermediate node") => Some(Kind::ActiveCommit),
            None if has("source") => Some(Kind::Mirror),
            None if has("base") => Some(Kind::Commit),
            None if has("active node") => Some(Kind::Stream),
            None if has("target") => Some(Kind::Backup),
            None => None,
        }
    }
}

/// The jobs of the graph, oldest first, with what the queries say of each.
pub(super) fn named(dump: &GraphDump, replies: &Replies, notes: &mut Vec<Noted>) -> Vec<Job> {
    let mut edges: HashMap<&str, Vec<&str>> = HashMap::new();
    for edge in dump.edges.iter().filter(|edge| edge.parent.r#type == NodeType::BlockJob) {
        edges.entry(&edge.parent.name).or_default().push(&edge.name);
    }
    let infos: HashMap<&str, _> =
        replies.jobs.iter().flatten().map(|job| (job.id.as_str(), job)).collect();
    let block_infos: HashMap<&str, _> =
        replies.block_jobs.iter().flatten().map(|job| (job.device.as_str(), job)).collect();
    let mut jobs = Vec::new();
    for node in dump.nodes.iter().filter(|node| node.r#type == NodeType::BlockJob) {
        let job = infos.get(node.name.as_str());
        let block_job = block_infos.get(node.name.as_str());
        let said = block_job.map(|job| job.r#type.as_str());
        let said = said.or(job.map(|job| job.r#type.as_str()));
        let kind = Kind::of(said, edges.get(node.name.as_str()).map_or(&[][..], Vec::as_slice));
        if kind.is_none() {
            let why = match said {
                Some(kind) => format!("QEMU 10.0 has no block job of the type '{kind}'"),
                None => "no block job has such edges".to_owned(),
            };
            notes.push(Noted::Job { job: node.name.clone(), why });
        }
        let status = block_job.map(|job| job.status.as_str());
        let status = status.or(job.map(|job| job.status.as_str())).and_then(Status::from_name);
        jobs.push(Job {
            id: node.name.clone(),
            kind,
            // Without an answer: as if the job could be asked for all that jobs can be asked for.
            status: status.unwrap_or(match kind {
                Some(Kind::Mirror | Kind::ActiveCommit) => Status::Ready,
                _ => Status::Running,
            }),
            auto_finalize: block_job.is_none_or(|job| job.auto_finalize),
            auto_dismiss: block_job.is_none_or(|job| job.auto_dismiss),
            speed: block_job.map_or(0, |job| job.speed),
            filter: None,
            backends: Vec::new(),
        });
    }
    jobs
}

impl Survey {
    /// The nodes that the job's edges of that name end at, in their order.
    fn ends<'a>(&'a self, job: usize, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let edges = self.index.of_jobs[job].iter().map(|&edge| &self.edges[edge]);
        edges.filter(move |edge| edge.name == name).map(|edge| edge.child)
    }

    /// The node where the first of the job's edges of that name ends.
    pub(super) fn end(&self, job: usize, name: &str) -> Option<usize> {
        self.ends(job, name).next()
    }

    /// Finds each job's filter: its main node, or for a commit the node above the topmost one that
    /// it commits.
    pub(super) fn find_filters(&mut self) {
        for job in 0..self.jobs.len() {
            let Some(kind) = self.jobs[job].kind else { continue };
            let filter = if kind == Kind::Commit {
                let top = self.end(job, "intermediate node");
                let above = top.map_or(&[][..], |top| &self.index.into[top]);
                let mut nodes = above.iter().filter_map(|&edge| match self.edges[edge].parent {
                    Parent::Node(node) if self.edges[edge].name == "backing" => Some(node),
                    _ => None,
                });
                nodes.find(|&node| self.may_be(node, kind.filter_driver()))
            } else {
                self.end(job, "main node").filter(|&node| self.may_be(node, kind.filter_driver()))
            };
            let filter = filter.filter(|&node| !self.index.of_nodes[node].is_empty());
            if let Some(filter) = filter {
                self.nodes[filter].job = Some(job);
            }
            self.jobs[job].filter = filter;
        }
    }

    fn may_be(&self, node: usize, driver: &str) -> bool {
        let node = &self.nodes[node];
        node.job.is_none() && node.info.as_ref().is_none_or(|info| info.drv == driver)
    }
}
