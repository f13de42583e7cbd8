//! The life of a job, from running to gone.
//!
//! Source: `job.c` and `blockjob.c`, QEMU 10.0.

use blkperm_graph::Rule;

use crate::denied::Abort;
use crate::drain::Drained;
use crate::event::{Event, JobError};
use crate::exit::{Exit, Step};
use crate::job::{Ending, Job, Work};
use crate::layer::BlockLayer;
use crate::status::Status;
use crate::{commit, mirror};

impl<R: Rule> BlockLayer<R> {
    /// Lets all jobs go on until none moves by itself.
    ///
    /// # Errors
    ///
    /// [`Abort`]: the process is over.
    pub fn run_jobs(&mut self) -> Result<(), Abort> {
        let mut moved = true;
        while moved {
            moved = false;
            let mut index = 0;
            while index < self.jobs.len() {
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
            self.leave_without_effect(job)?;
            return Ok(!job.stuck);
        }
        match (job.status, job.ending) {
            (Status::Running | Status::Ready, Some(Ending::Forced)) => {
                self.fail(job, JobError::Cancelled)?;
            }
            (Status::Running, _) => self.work(job)?,
            (Status::Ready, Some(Ending::Complete | Ending::Graceful)) => self.succeed(job)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn work(&mut self, job: &mut Job) -> Result<(), Abort> {
        match &job.work {
            Work::Mirror(mirror) if mirror.sizes_differ(&self.graph) => {
                self.fail(job, JobError::DifferentSizes)
            }
            Work::Mirror(mirror) => {
                job.len = mirror.len(&self.graph);
                job.offset = job.len;
                self.set_status(job, Status::Ready);
                self.events.push(Event::Ready(job.progress()));
                Ok(())
            }
            Work::Commit(commit) => {
                job.len = commit.len(&self.graph);
                job.offset = job.len;
                self.succeed(job)
            }
        }
    }

    /// The job's work is done: it waits to be finalized, or finalizes itself.
    fn succeed(&mut self, job: &mut Job) -> Result<(), Abort> {
        self.drain_source(job);
        self.set_status(job, Status::Waiting);
        self.set_status(job, Status::Pending);
        if job.auto_finalize {
            return self.finalize(job);
        }
        self.events.push(Event::Pending { job: job.id.clone(), kind: job.kind });
        Ok(())
    }

    /// Takes the job out of the graph with its effect; a job that cannot is cancelled.
    pub(crate) fn finalize(&mut self, job: &mut Job) -> Result<(), Abort> {
        let steps = self.completing_steps(job);
        match self.carry_out(&steps)? {
            Exit::Done => {
                self.conclude(job);
                Ok(())
            }
            Exit::Refused => self.fail(job, JobError::NotPermitted),
        }
    }

    /// Ends the job without effect.
    pub(crate) fn fail(&mut self, job: &mut Job, error: JobError) -> Result<(), Abort> {
        job.error = Some(error);
        self.leave_without_effect(job)
    }

    fn leave_without_effect(&mut self, job: &mut Job) -> Result<(), Abort> {
        self.drain_source(job);
        if job.status != Status::Aborting {
            self.set_status(job, Status::Aborting);
        }
        let steps = self.cancelling_steps(job);
        match self.carry_out(&steps)? {
            Exit::Done => {
                job.stuck = false;
                self.conclude(job);
            }
            Exit::Refused => job.stuck = true,
        }
        Ok(())
    }

    /// A mirror that ends keeps its source drained until it has left the graph.
    fn drain_source(&mut self, job: &mut Job) {
        if let Work::Mirror(mirror) = &job.work
            && job.drained == Drained::default()
        {
            job.drained = self.begin_drain(&[mirror.source]);
        }
    }

    fn completing_steps(&self, job: &Job) -> Vec<Step<R>> {
        match &job.work {
            Work::Mirror(mirror) => {
                let completing = job.ending == Some(Ending::Complete);
                mirror::exit_steps(&self.graph, job, mirror, completing)
            }
            Work::Commit(commit) => commit::completing_steps(job, commit, self.completion),
        }
    }

    fn cancelling_steps(&self, job: &Job) -> Vec<Step<R>> {
        match &job.work {
            Work::Mirror(mirror) => mirror::exit_steps(&self.graph, job, mirror, false),
            Work::Commit(commit) => commit::cancelling_steps(job, commit),
        }
    }

    fn conclude(&mut self, job: &mut Job) {
        let drained = std::mem::take(&mut job.drained);
        self.end_drain(&drained);
        self.clean_up(job);
        self.events.push(match job.error {
            Some(JobError::Cancelled) => Event::Cancelled(job.progress()),
            error => Event::Completed(job.progress(), error),
        });
        self.set_status(job, Status::Concluded);
        if job.auto_dismiss {
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
    }
}
