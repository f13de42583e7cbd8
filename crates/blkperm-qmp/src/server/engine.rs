//! What a server drives: a monitor, whatever its rule.

use blkperm_graph::Rule;
use blkperm_jobs::Abort;
use serde_json::Value;

use crate::Monitor;
use crate::command::Command;
use crate::monitor::Failed;
use crate::transcript::Event;

/// A [`Monitor`] under a rule that is known at run time only.
pub trait Engine {
    /// Carries out one command, as [`Monitor::execute`] does.
    ///
    /// # Errors
    ///
    /// What [`Failed::into_answer`] tells apart: an error with which QEMU answers, or its end.
    fn execute(&mut self, command: &Command) -> Result<Value, Failed>;

    /// Lets all jobs run until none moves by itself.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end; called again, the other jobs go on.
    fn run_jobs(&mut self) -> Result<(), Abort>;

    /// Removes all exports and ends all jobs.
    ///
    /// # Errors
    ///
    /// [`Abort`] where QEMU's process would end before that; called again, it goes on.
    fn shut_down(&mut self) -> Result<(), Abort>;

    /// The events since this was last asked.
    fn take_events(&mut self) -> Vec<Event>;
}

impl<R: Rule> Engine for Monitor<R> {
    fn execute(&mut self, command: &Command) -> Result<Value, Failed> {
        Monitor::execute(self, command)
    }

    fn run_jobs(&mut self) -> Result<(), Abort> {
        Monitor::run_jobs(self)
    }

    fn shut_down(&mut self) -> Result<(), Abort> {
        Monitor::shut_down(self)
    }

    fn take_events(&mut self) -> Vec<Event> {
        Monitor::take_events(self)
    }
}
