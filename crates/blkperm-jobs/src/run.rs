//! The life of a job, from running to gone.
//!
//! Source: `job.c` and `blockjob.c`, QEMU 10.0.

use blkperm_graph::Rule;

use crate::content::Extents;
use crate::denied::Abort;
use crate::event::{Event, JobError};
use crate::exit::{Exit, Step};
use crate::job::{Ending, Job};
use crate::layer::BlockLayer;
use crate::status::Status;
use crate::work::Work;

impl<R: Rule> BlockLayer<R> {
    /// Lets all jobs go on until none moves by itself.
    ///
    /// # Errors
    ///
    /// [`Abort`]: the process is over.
    pub fn run_jobs(&mut self) -> Result<(), Abort> {
        self.run_those(|_| true)
    }

    /// Lets one job go on until it does not move by itself, while all others stand still; but for
    /// those that nobody can hold.
    ///
    /// # Errors
    ///
    /// [`Abort`]: the process is over.
    pub fn run_job(&mut self, id: &str) -> Result<(), Abort> {
        self.run_those(|job| job.id == id)
    }

    fn run_those(&mut self, may_move: impl Fn(&Job) -> bool) -> Result<(), Abort> {
        let mut moved = true;
        while moved {
            self.follow_drains();
            moved = false;
            let mut index = 0;
            while index < self.jobs.len() {
                if !may_move(&self.jobs[index]) && !self.jobs[index].is_compelled() {
                    index += 1;
                    continue;
                }
                let job = self.jobs.remove(index);
                let (job, result) = self.with_job(job, Self::advance);
                if let Some(job) = job {
                    self.jobs.insert(index, job);
                    index += 1;
                }
                moved |= result?;
            }
        }
        Ok(())
    }

    /// Cancels and forgets all jobs, newest first, with all of them paused: the end of a process.
    ///
    /// Source: `job_cancel_sync_all` in `job.c`, in the drained section of `main` in
    /// `storage-daemon/qemu-storage-daemon.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Abort`]: the process is over before it has ended. Whoever goes on has one job less, and may
    /// call this again for the others.
    pub fn cancel_all(&mut self) -> Result<(), Abort> {
        self.begin_pause_of_all();
        while let Some(mut job) = self.jobs.pop() {
            self.wake(&mut job);
            if job.status != Status::Concluded {
                self.fail(&mut job, JobError::Cancelled)?;
            }
            if job.status == Status::Concluded {
                self.forget(&mut job);
            }
        }
        Ok(())
    }

    /// Does something with a job that is taken out of the list; the job is not returned when it is
    /// gone after that.
    pub(crate) fn with_job<T>(
        &mut self,
        mut job: Job,
        act: impl FnOnce(&mut Self, &mut Job) -> Result<T, Abort>,
    ) -> (Option<Job>, Result<T, Abort>) {
        let result = act(self, &mut job);
        // Where QEMU's process ends; whoever goes on has a job that is stuck.
        job.stuck |= result.is_err();
        if job.status == Status::Null { (None, result) } else { (Some(job), result) }
    }

    /// Lets one job go on; returns whether it has moved.
    fn advance(&mut self, job: &mut Job) -> Result<bool, Abort> {
        if job.stuck {
            // That it cannot leave was said when it got stuck; the jobs behind it are to go on.
            let left = self.leave_without_effect(job);
            return Ok(left.is_ok() && !job.stuck);
        }
        match (job.status, job.ending) {
            (Status::Running | Status::Ready, Some(Ending::Forced)) => {
                self.wake(job);
                self.fail(job, JobError::Cancelled)?;
            }
            (Status::Running | Status::Ready, _) if job.is_held() => return Ok(false),
            (Status::Running, _) if !job.work.is_waiting() => self.work(job)?,
            (Status::Ready, ending) => {
                self.catch_up(job);
                if ending.is_none() {
                    return Ok(false);
                }
                self.succeed(job)?;
            }
            (Status::Waiting, _) if self.is_group_done(job) => self.pend(job)?,
            (Status::Aborting, _) => self.leave_without_effect(job)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Says that a job leaves its pause to be cancelled.
    pub(crate) fn wake(&mut self, job: &mut Job) {
        if job.status() != job.status {
            self.set_status(job, job.status);
        }
        job.user_paused = false;
    }

    fn work(&mut self, job: &mut Job) -> Result<(), Abort> {
        // A commit says how much it has to do before it makes its base as long as that.
        if let Work::Commit(commit) = &job.work {
            job.len = commit.len(&self.graph);
        }
        if let Err(error) = self.fit(job) {
            return self.fail(job, error);
        }
        match &mut job.work {
            Work::Mirror(mirror) => {
                mirror.catch_up();
                let dirty = mirror.dirty(self);
                if mirror.clears_target(self) {
                    let all = Extents::from(0..self.graph.length(mirror.target));
                    self.write(mirror.target, &all);
                }
                let written = mirror.written(self, &dirty);
                self.write(mirror.target, &written);
                job.len = dirty.len();
                job.offset = job.len;
                self.set_status(job, Status::Ready);
                self.events.push(Event::Ready(job.progress()));
                Ok(())
            }
            Work::Commit(commit) => {
                let dirty = commit.dirty(self);
                self.write(commit.base, &dirty);
                job.offset = job.len;
                self.succeed(job)
            }
            Work::Stream(stream) => {
                let copied = stream.copied(self);
                self.write(stream.device, &copied);
                job.len = stream.len(&self.graph);
                job.offset = job.len;
                self.succeed(job)
            }
            Work::Backup(backup) => {
                let dirty = backup.dirty(self);
                job.len = dirty.len();
                backup.waiting = backup.waits();
                if backup.waiting {
                    return Ok(());
                }
                self.write(backup.target, &dirty);
                job.offset = job.len;
                self.succeed(job)
            }
        }
    }

    /// Lets a mirror copy what was written since it was ready.
    fn catch_up(&mut self, job: &mut Job) {
        let Work::Mirror(mirror) = &mut job.work else { return };
        let behind = mirror.catch_up();
        if !behind.is_empty() {
            self.write(mirror.target, &behind);
            job.len += behind.len();
            job.offset = job.len;
        }
    }

    /// Makes the node long enough that the job writes.
    fn fit(&mut self, job: &Job) -> Result<(), JobError> {
        match &job.work {
            Work::Mirror(mirror) if mirror.sizes_differ(&self.graph) => {
                Err(JobError::DifferentSizes)
            }
            Work::Mirror(mirror) if mirror.resizes_target() => {
                self.grow(mirror.target, mirror.source)
            }
            Work::Mirror(_) => Ok(()),
            Work::Commit(commit) => self.grow(commit.base, commit.top),
            Work::Stream(_) | Work::Backup(_) => Ok(()),
        }
    }

    /// The job's work is done: it waits to be finalized, or finalizes itself.
    fn succeed(&mut self, job: &mut Job) -> Result<(), Abort> {
        self.drain_source(job);
        self.set_status(job, Status::Waiting);
        if self.is_group_done(job) { self.pend(job) } else { Ok(()) }
    }

    /// The job finalizes itself, or waits for that if it, or one that ends with it, is to be told.
    fn pend(&mut self, job: &mut Job) -> Result<(), Abort> {
        self.set_status(job, Status::Pending);
        if job.auto_finalize && self.group_of(job).all(|other| other.auto_finalize) {
            return self.finalize(job);
        }
        if !job.auto_finalize {
            self.events.push(Event::Pending { job: job.id.clone(), kind: job.kind });
        }
        Ok(())
    }

    /// Takes the job out of the graph with its effect; a job that cannot is cancelled.
    pub(crate) fn finalize(&mut self, job: &mut Job) -> Result<(), Abort> {
        let steps = self.completing_steps(job);
        let relinked = self.relinked(job);
        // An image that only the job holds goes with it.
        let can_tell = job.work.can_tell(&self.graph, &relinked);
        let heir = self.heir(job);
        let exit = self.leave(job, &steps)?;
        if let Some((node, parent)) = heir.filter(|_| exit == Exit::Done) {
            self.heirs.set_parent(node, parent);
        }
        let error = match exit {
            // QEMU's quirk: the graph is changed before it turns out that the image cannot be.
            Exit::Done if !can_tell => JobError::NotSupported,
            Exit::Done => {
                self.relinked.extend(relinked);
                self.conclude(job);
                return Ok(());
            }
            Exit::Failed => JobError::NotPermitted,
            Exit::Refused(error) => return self.fail(job, error),
        };
        job.error = Some(error);
        self.set_status(job, Status::Aborting);
        self.conclude(job);
        Ok(())
    }

    /// Ends the job without effect.
    pub(crate) fn fail(&mut self, job: &mut Job, error: JobError) -> Result<(), Abort> {
        job.error = Some(error);
        self.abort_group(job);
        self.leave_without_effect(job)
    }

    fn leave_without_effect(&mut self, job: &mut Job) -> Result<(), Abort> {
        self.drain_source(job);
        if job.status != Status::Aborting {
            self.set_status(job, Status::Aborting);
        }
        let steps = self.cancelling_steps(job);
        match self.leave(job, &steps)? {
            Exit::Done | Exit::Failed => {
                job.stuck = false;
                self.conclude(job);
            }
            Exit::Refused(_) => job.stuck = true,
        }
        Ok(())
    }

    /// Carries out the steps with which a job leaves, while all nodes stay that it is about.
    fn leave(&mut self, job: &mut Job, steps: &[Step<R>]) -> Result<Exit, Abort> {
        let nodes = job.work.nodes();
        if !std::mem::replace(&mut job.keeps_nodes, true) {
            nodes.iter().for_each(|&node| self.graph.keep(node));
        }
        // Where QEMU's process ends, the nodes stay: whoever goes on has a job that tries again.
        let exit = self.carry_out(steps)?;
        job.keeps_nodes = false;
        nodes.into_iter().for_each(|node| self.release(node));
        Ok(exit)
    }

    /// A mirror that ends keeps its source drained until it has left the graph.
    fn drain_source(&mut self, job: &mut Job) {
        if let (Some(source), None) = (job.source(), &job.drained) {
            job.drained = Some(self.begin_drain(&[source]));
        }
    }

    fn conclude(&mut self, job: &mut Job) {
        job.group = None;
        if let Some(drained) = job.drained.take() {
            self.end_drain(&drained);
        }
        self.clean_up(job);
        // Nobody is told, or asked, of a job that was never started.
        if job.has_run {
            self.events.push(match job.error {
                Some(JobError::Cancelled) => Event::Cancelled(job.progress()),
                error => Event::Completed(job.progress(), error),
            });
        }
        self.set_status(job, Status::Concluded);
        if job.auto_dismiss || !job.has_run {
            self.forget(job);
        }
    }

    /// Lets go of the filter and the BlockBackends of a job that has left the graph.
    fn clean_up(&mut self, job: &mut Job) {
        for backend in std::mem::take(&mut job.backends) {
            self.remove_backend(backend);
        }
        if let Some(filter) = job.filter.take() {
            self.release(filter);
        }
        if let Work::Mirror(mirror) = &mut job.work
            && let Some(replaced) = mirror.replaced.take()
        {
            self.release(replaced);
        }
    }
}
