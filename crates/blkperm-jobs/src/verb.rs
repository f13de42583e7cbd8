//! What users ask of jobs.

use blkperm_graph::Rule;

use crate::denied::{Abort, Denied, Failure};
use crate::event::JobError;
use crate::job::{Ending, Job};
use crate::layer::BlockLayer;
use crate::status::{Status, Verb};
use crate::work::Work;

impl<R: Rule> BlockLayer<R> {
    /// Asks a job that is ready to end with all its effects.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`], [`Denied::CannotComplete`] when the job is being cancelled, and
    /// [`Denied::NoSuchReplaced`].
    ///
    /// # Panics
    ///
    /// This and the other verbs panic when there is no job of that id.
    pub fn complete(&mut self, id: &str) -> Result<(), Denied> {
        let job = self.require(id, Verb::Complete)?;
        if job.ending == Some(Ending::Forced) {
            return Err(Denied::CannotComplete(id.to_owned()));
        }
        if job.ending.is_some() {
            return Ok(());
        }
        let place = self.place(id);
        self.hold_replaced(place)?;
        self.jobs[place].ending = Some(Ending::Complete);
        Ok(())
    }

    /// Asks a job to end without effect; one that is ready ends gracefully unless `force`.
    ///
    /// QEMU's quirk 13: `job-cancel` always forces.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`], and without `force` [`Denied::Paused`]; [`Failure::Abort`]: the
    /// process is over.
    pub fn cancel(&mut self, id: &str, force: bool) -> Result<(), Failure> {
        let job = self.require(id, Verb::Cancel)?;
        if matches!(job.status, Status::Waiting | Status::Pending) {
            let cancel = |layer: &mut Self, job: &mut Job| layer.fail(job, JobError::Cancelled);
            return Ok(self.act_on(id, cancel)?);
        }
        if job.user_paused && !force {
            return Err(Denied::Paused(id.to_owned()).into());
        }
        let graceful = !force && job.is_mirror() && job.status == Status::Ready;
        job.ending = Some(if graceful { Ending::Graceful } else { Ending::Forced });
        Ok(())
    }

    /// Makes the end of a pending job final.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`]; [`Failure::Abort`]: the process is over.
    pub fn finalize_job(&mut self, id: &str) -> Result<(), Failure> {
        let job = self.require(id, Verb::Finalize)?;
        let (group, root) = (job.group, job.root);
        let ends = |job: &&Job| job.root == root || group.is_some() && job.group == group;
        let ids: Vec<String> = self.jobs.iter().filter(ends).map(|job| job.id.clone()).collect();
        ids.iter().try_for_each(|id| self.act_on(id, Self::finalize))?;
        Ok(())
    }

    /// Forgets a concluded job.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`].
    pub fn dismiss(&mut self, id: &str) -> Result<(), Failure> {
        self.require(id, Verb::Dismiss)?;
        Ok(self.act_on(id, |layer, job| {
            layer.forget(job);
            Ok(())
        })?)
    }

    /// Pauses a job until it is resumed.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`], [`Denied::AlreadyPaused`].
    pub fn pause(&mut self, id: &str) -> Result<(), Denied> {
        if self.require(id, Verb::Pause)?.user_paused {
            return Err(Denied::AlreadyPaused);
        }
        let place = self.place(id);
        self.hold(place, |job| job.user_paused = true);
        Ok(())
    }

    /// Lets a job that the user has paused go on.
    ///
    /// # Errors
    ///
    /// [`Denied::NotPaused`].
    pub fn resume(&mut self, id: &str) -> Result<(), Denied> {
        let place = self.place(id);
        if !self.jobs[place].user_paused {
            return Err(Denied::NotPaused);
        }
        self.hold(place, |job| job.user_paused = false);
        Ok(())
    }

    /// Changes the speed of a job, in bytes per second; 0 for no limit.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`], [`Denied::NegativeSpeed`].
    pub fn set_speed(&mut self, id: &str, speed: i64) -> Result<(), Denied> {
        let job = self.require(id, Verb::SetSpeed)?;
        job.speed = u64::try_from(speed).map_err(|_| Denied::NegativeSpeed)?;
        Ok(())
    }

    /// Changes whether writes to a mirror's source wait until its target is written too.
    ///
    /// Source: `block_job_change_locked` in `blockjob.c`, QEMU 10.0.
    ///
    /// # Errors
    ///
    /// [`Denied::WrongStatus`], [`Denied::CannotChange`], [`Denied::CannotStopBlocking`].
    pub fn change_copy_mode(&mut self, id: &str, write_blocking: bool) -> Result<(), Denied> {
        let job = self.require(id, Verb::Change)?;
        match &mut job.work {
            Work::Mirror(mirror) if job.kind == "mirror" => mirror.change_copy_mode(write_blocking),
            _ => Err(Denied::CannotChange),
        }
    }

    /// The job, when its status allows the verb.
    fn require(&mut self, id: &str, verb: Verb) -> Result<&mut Job, Denied> {
        let place = self.place(id);
        let status = self.jobs[place].status();
        if status.allows(verb) {
            return Ok(&mut self.jobs[place]);
        }
        Err(Denied::WrongStatus { job: id.to_owned(), status, verb })
    }

    fn place(&self, id: &str) -> usize {
        self.jobs.iter().position(|job| job.id == id).expect("there is such a job")
    }

    fn act_on(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Self, &mut Job) -> Result<(), Abort>,
    ) -> Result<(), Abort> {
        let index = self.place(id);
        let job = self.jobs.remove(index);
        let (job, result) = self.with_job(job, act);
        if let Some(job) = job {
            self.jobs.insert(index, job);
        }
        result
    }
}
