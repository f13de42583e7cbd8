//! Jobs that end together, or not at all: those of a transaction that is grouped.
//!
//! Source: `JobTxn` in `job.c`, QEMU 10.0.

use blkperm_graph::Rule;

use crate::backup::BackupStart;
use crate::event::JobError;
use crate::job::Job;
use crate::layer::BlockLayer;
use crate::status::Status;

impl<R: Rule> BlockLayer<R> {
    /// Lets backups that were created, and do not run yet, end together: each waits until all are
    /// done, and with one that fails or is cancelled all are.
    pub fn group_backups<'s>(&mut self, starts: impl IntoIterator<Item = &'s BackupStart>) {
        let mut roots = starts.into_iter().filter_map(BackupStart::job).peekable();
        let group = roots.peek().copied();
        for root in roots {
            let member = self.jobs.iter_mut().find(|job| job.root == root);
            member.expect("the job was created").group = group;
        }
    }

    /// The other jobs that end with this one, which is out of the list.
    pub(crate) fn group_of(&self, job: &Job) -> impl Iterator<Item = &Job> {
        let group = job.group;
        self.jobs.iter().filter(move |other| group.is_some() && other.group == group)
    }

    /// Whether nothing is left to be done by the jobs that end with this one.
    pub(crate) fn is_group_done(&self, job: &Job) -> bool {
        self.group_of(job).all(|other| matches!(other.status, Status::Waiting | Status::Pending))
    }

    /// Lets the jobs be cancelled that end with this one, which ends without effect.
    pub(crate) fn abort_group(&mut self, job: &mut Job) {
        let Some(group) = job.group.take() else { return };
        for place in 0..self.jobs.len() {
            if self.jobs[place].group != Some(group) {
                continue;
            }
            let mut member = self.jobs.remove(place);
            member.group = None;
            member.error = Some(JobError::Cancelled);
            self.wake(&mut member);
            self.set_status(&mut member, Status::Aborting);
            self.jobs.insert(place, member);
        }
    }
}
