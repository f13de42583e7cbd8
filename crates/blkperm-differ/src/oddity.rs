//! Crashes and hangs of QEMU that have nothing to do with permissions, and are not reproduced.
//!
//! Each stands in `docs/differences.md`. Scripts that could run into one are not written where that
//! can be known beforehand; the others end before the step in which QEMU does.

use std::collections::HashSet;

use blkperm_qmp::transcript::{GraphEdge, Job, NodeType, Step, Transcript};
use serde_json::Value;

/// An oddity, and whether QEMU shows it in a step.
struct Oddity {
    what: &'static str,
    shows: fn(&Moment<'_>) -> bool,
}

const ODDITIES: &[Oddity] = &[
    Oddity {
        what: "a mirror of a filter that was larger looks for data where its image has ended",
        shows: |moment| moment.dies_of("mirror_dirty_init: Assertion `count' failed."),
    },
    Oddity {
        what: "a commit of a filter that was larger goes on for ever where its image has ended",
        shows: |moment| moment.commits_for_ever(),
    },
    Oddity {
        what: "a paused mirror with 'replaces' is told to complete twice",
        shows: |moment| moment.dies_of("error_setv: Assertion `*errp == NULL' failed."),
    },
    Oddity {
        what: "a job writes to an image that was made inactive meanwhile",
        shows: |moment| {
            const WRITE: &str = "bdrv_co_write_req_prepare: Assertion ";
            moment.dies_of(&format!("{WRITE}`!(bs->open_flags & BDRV_O_INACTIVE)' failed."))
                || (moment.comes_after_inactivation()
                    && moment.dies_of(&format!("{WRITE}`child->perm & BLK_PERM_WRITE' failed.")))
        },
    },
    Oddity {
        what: "a node becomes inactive that is above another twice",
        shows: |moment| {
            moment.dies_of("bdrv_inactivate_recurse: Assertion `top_level' failed.")
                && moment.has_diamond()
        },
    },
    Oddity {
        what: "a reopen takes away the only parent of a commit's filter, which is frozen",
        shows: |moment| {
            moment.dies_of("bdrv_replace_child_noperm: Assertion `!child->frozen' failed.")
                && moment.now().command_name() == "blockdev-reopen"
                && moment.has_commit()
        },
    },
    Oddity {
        what: "a commit or stream cannot tell a read-only overlay of its new backing file, and is undone",
        shows: |moment| moment.crashes_after("Could not update backing file link"),
    },
    Oddity {
        what: "a job writes zeroes to a blkverify node",
        shows: |moment| {
            moment
                .dies_of("bdrv_co_do_pwrite_zeroes: Assertion `!bs->supported_zero_flags' failed.")
        },
    },
    Oddity {
        what: "a stream through blklogwrites writes zeroes, which loses that they change nothing",
        shows: |moment| {
            moment.dies_of(
                "bdrv_co_write_req_prepare: Assertion `child->perm & BLK_PERM_WRITE' failed.",
            ) && moment.has_had("block-stream")
                && moment.has_added("blklogwrites")
        },
    },
    Oddity {
        what: "a backup of a transaction has copied all before all is closed that ends with it",
        shows: |moment| moment.copies_while_overlays_close(),
    },
    Oddity {
        what: "a vmdk image does not read a backing file of another format",
        shows: |moment| moment.fails_to_read() && moment.has_vmdk_overlay(),
    },
    Oddity {
        what: "a backup ends whose filter alone holds its image",
        shows: |moment| {
            moment.dies_of("bdrv_do_drained_end: Assertion `bs->quiesce_counter > 0' failed.")
                && moment.has_lonely_filter()
        },
    },
    Oddity {
        what: "a job stays paused above a node that holds another twice",
        shows: |moment| moment.pauses_for_ever() && moment.has_double(),
    },
];

/// A known oddity that ends a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sighting {
    /// How many steps come before it.
    pub(crate) steps: usize,
    /// What happens in QEMU.
    pub(crate) what: &'static str,
}

/// The first known oddity that QEMU shows, on the right; on the left is who has none.
pub(crate) fn first(left: &Transcript, right: &Transcript) -> Option<Sighting> {
    (0..right.steps.len()).find_map(|steps| {
        let moment = Moment { left: left.steps.get(steps), right: &right.steps[..=steps] };
        let oddity = ODDITIES.iter().find(|oddity| (oddity.shows)(&moment))?;
        Some(Sighting { steps, what: oddity.what })
    })
}

/// A step of both transcripts, and those of QEMU's before it.
struct Moment<'t> {
    left: Option<&'t Step>,
    /// The last one is the step; there is at least one.
    right: &'t [Step],
}

impl Moment<'_> {
    fn now(&self) -> &Step {
        self.right.last().expect("there is at least one step")
    }

    fn dies_of(&self, words: &str) -> bool {
        self.now().death.as_ref().is_some_and(|death| death.message.contains(words))
    }

    /// Whether it crashes, rather than aborts, having said that last.
    fn crashes_after(&self, words: &str) -> bool {
        self.dies_of(words)
            && self.now().death.as_ref().is_some_and(|death| death.signal == "SIGSEGV")
    }

    /// The jobs that QEMU has after the step; none after a death.
    fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.now().jobs.iter()
    }

    /// The job as the left one has it.
    fn left_job(&self, job: &Job) -> Option<&Job> {
        self.left?.jobs.iter().find(|other| other.id == job.id)
    }

    /// Whether nodes were made inactive, or might have been.
    fn comes_after_inactivation(&self) -> bool {
        self.right.iter().any(|step| {
            step.command_name() == "blockdev-set-active"
                && step.command["arguments"]["active"] == Value::Bool(false)
        })
    }

    /// Whether there was such a command.
    fn has_had(&self, command: &str) -> bool {
        self.right.iter().any(|step| step.command_name() == command)
    }

    /// Whether a node of that driver was added by itself.
    fn has_added(&self, driver: &str) -> bool {
        self.right.iter().any(|step| step.command["arguments"]["driver"] == driver)
    }

    /// Whether an ordinary commit runs, though all that moves by itself has settled.
    fn commits_for_ever(&self) -> bool {
        let is_at_work = |job: &Job| job.r#type == "commit" && job.status == "running";
        self.jobs().any(|job| is_at_work(job) && !self.left_job(job).is_some_and(is_at_work))
    }

    /// Whether a job is paused that need not be.
    fn pauses_for_ever(&self) -> bool {
        let is_paused = |job: &Job| ["paused", "standby"].contains(&job.status.as_str());
        self.jobs().any(|job| is_paused(job) && self.left_job(job).is_some_and(|it| !is_paused(it)))
    }

    /// Whether a backup that the transaction has started pauses less often than on the left, while
    /// the transaction's overlays go that nobody uses, and does the same otherwise.
    fn copies_while_overlays_close(&self) -> bool {
        let empty = Vec::new();
        let actions = self.now().command["arguments"]["actions"].as_array().unwrap_or(&empty);
        let is = |action: &Value, kind: &str| action["type"] == kind;
        let is_quicker = |action: &Value| {
            let id = action["data"]["job-id"].as_str().unwrap_or_default();
            let left = Pauses::of(id, self.left);
            let right = Pauses::of(id, Some(self.now()));
            left.others == right.others && left.count > right.count
        };
        actions.iter().any(|action| is(action, "blockdev-snapshot-sync"))
            && actions.iter().any(|action| is(action, "blockdev-backup") && is_quicker(action))
    }

    /// The edges as they were seen last, of parents of that type.
    fn edges(&self, parent: NodeType) -> impl Iterator<Item = &GraphEdge> {
        let graph = self.right.iter().rev().find_map(|step| step.graph.as_ref());
        let edges = graph.into_iter().flat_map(|graph| &graph.edges);
        edges.filter(move |edge| edge.parent.r#type == parent)
    }

    /// Whether a job fails since it has read what was refused.
    fn fails_to_read(&self) -> bool {
        self.now().events.iter().any(|event| {
            event.name == "BLOCK_JOB_COMPLETED" && event.data["error"] == "Invalid argument"
        })
    }

    /// Whether a node that was added as a vmdk image has a backing file.
    fn has_vmdk_overlay(&self) -> bool {
        self.edges(NodeType::BlockDriver).any(|edge| {
            edge.name == "backing"
                && self.right.iter().any(|step| {
                    let arguments = &step.command["arguments"];
                    arguments["driver"] == "vmdk" && arguments["node-name"] == *edge.parent.name
                })
        })
    }

    /// Whether a node is the child of another twice.
    fn has_double(&self) -> bool {
        let mut seen = HashSet::new();
        let mut edges = self.edges(NodeType::BlockDriver);
        edges.any(|edge| !seen.insert((&edge.parent.name, &edge.child)))
    }

    /// Whether a node is above another in two ways.
    fn has_diamond(&self) -> bool {
        let edges: Vec<&GraphEdge> = self.edges(NodeType::BlockDriver).collect();
        edges.iter().any(|top| {
            let mut below = vec![&top.parent.name];
            let mut done = 0;
            while let Some(&node) = below.get(done) {
                for edge in edges.iter().filter(|edge| edge.parent.name == *node) {
                    if below.contains(&&edge.child) {
                        return true;
                    }
                    below.push(&edge.child);
                }
                done += 1;
            }
            false
        })
    }

    /// Whether what a backup's filter is above has no other parent: only that filter has a target.
    fn has_lonely_filter(&self) -> bool {
        let mut targets = self.edges(NodeType::BlockDriver).filter(|edge| edge.name == "target");
        targets.any(|target| {
            let mut files = self.edges(NodeType::BlockDriver);
            let file = files.find(|it| it.parent == target.parent && it.name == "file");
            file.is_some_and(|file| {
                let kinds = [NodeType::BlockDriver, NodeType::BlockBackend, NodeType::BlockJob];
                let parents = kinds.into_iter().flat_map(|kind| self.edges(kind));
                parents.filter(|edge| edge.child == file.child).count() == 1
            })
        })
    }

    /// Whether there is an ordinary commit: only that has such an edge.
    fn has_commit(&self) -> bool {
        self.edges(NodeType::BlockJob).any(|edge| edge.name == "base")
    }
}

/// What a step tells of a job.
struct Pauses<'t> {
    /// How often it pauses and goes on.
    count: usize,
    /// What else it does.
    others: Vec<&'t str>,
}

impl<'t> Pauses<'t> {
    fn of(job: &str, step: Option<&'t Step>) -> Pauses<'t> {
        let events = step.into_iter().flat_map(|step| &step.events);
        let events = events.filter(|event| event.job() == Some(job));
        let told: Vec<&str> =
            events.map(|event| event.data["status"].as_str().unwrap_or(&event.name)).collect();
        let count = told.iter().filter(|status| **status == "paused").count();
        let others = told.into_iter().filter(|status| !["paused", "running"].contains(status));
        Pauses { count, others: others.collect() }
    }
}

#[cfg(test)]
mod tests;
