//! A monitor as something that scenarios are played to.

use blkperm_graph::{Refusal, Rule};
use blkperm_jobs::{Abort, Completion, Denied};
use serde_json::Value;

use super::{Failed, Monitor, text};
use crate::image::DeclaredImages;
use crate::play::{Endpoint, EndpointError, Stop};
use crate::scenario::Image;
use crate::transcript::{Death, Event, Reply};
use crate::{CommandError, Phase, QmpError, Request};

/// A monitor on images that exist only by declaration; where QEMU's process would end, it is dead.
pub struct MonitorEndpoint<R: Rule> {
    monitor: Monitor<R>,
    /// What was refused since this was last asked.
    refusal: Option<Refusal>,
}

impl<R: Rule> MonitorEndpoint<R> {
    /// A monitor with an empty block layer, ready for commands.
    pub fn new(rule: R, completion: Completion) -> MonitorEndpoint<R> {
        let mut monitor = Monitor::new(rule, completion, DeclaredImages::default());
        monitor.phase = Phase::Commands { oob: false };
        MonitorEndpoint { monitor, refusal: None }
    }

    /// The monitor.
    pub fn monitor(&mut self) -> &mut Monitor<R> {
        &mut self.monitor
    }

    /// What the graph refused since this was last asked: to a command, to a job that failed or got
    /// stuck of it, or to a step of which QEMU's process would have died.
    pub fn take_refusal(&mut self) -> Option<Refusal> {
        let setback = self.monitor.layer.take_setback();
        self.refusal.take().or(setback)
    }

    fn died(&mut self, abort: Abort) -> Stop {
        let death = death(&abort);
        self.refusal = Some(abort.refusal);
        Stop::Died(death)
    }

    /// The error with which a command that failed is answered.
    fn answer(&mut self, failed: Failed) -> Result<QmpError, Stop> {
        if let Failed::Denied(Denied::Refused(refusal)) = &failed {
            self.refusal = Some(refusal.clone());
        }
        failed.into_answer().map_err(|abort| self.died(abort))
    }
}

impl<R: Rule> Endpoint for MonitorEndpoint<R> {
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError> {
        Ok(self.monitor.images.create(image)?)
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        let result = match Request::parse(command, self.monitor.phase).command {
            Ok(command) => self.monitor.execute(&command),
            Err(error) => Err(Failed::Error(CommandError::into_qmp(error))),
        };
        let reply = match result {
            Ok(value) => Reply::Return(value),
            Err(failed) => {
                let error = self.answer(failed)?;
                Reply::Error { class: format!("{:?}", error.class), desc: error.desc }
            }
        };
        if self.monitor.is_quitting() {
            self.monitor.shut_down().map_err(|abort| self.died(abort))?;
        }
        Ok(reply)
    }

    fn settle(&mut self) -> Result<(), Stop> {
        if self.monitor.is_quitting() {
            return Err(Stop::Died(Death::exit()));
        }
        self.monitor.run_jobs().map_err(|abort| self.died(abort))
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.monitor.collect_job_events();
        self.monitor.take_events()
    }

    fn stuck(&mut self) -> Vec<String> {
        let stuck = self.monitor.layer.jobs().iter().filter(|job| job.is_stuck());
        stuck.map(|job| job.id().to_owned()).collect()
    }
}

/// How QEMU's process ends.
///
/// Source: `bdrv_a_allow_b` and `bdrv_replace_node_noperm` in `block.c`, QEMU 10.0, with
/// `error_abort`.
pub fn death(abort: &Abort) -> Death {
    let origin = match &abort.refusal {
        _ if abort.crashes => None,
        Refusal::Frozen { .. } => Some("bdrv_replace_node_noperm() at block.c:5371"),
        _ => Some("bdrv_a_allow_b() at block.c:2243"),
    };
    Death {
        signal: if abort.crashes { "SIGSEGV" } else { "SIGABRT" }.to_owned(),
        message: text::refused(&abort.refusal),
        origin: origin.map(str::to_owned),
    }
}
