//! A monitor as something that scenarios are played to.

use blkperm_graph::Rule;
use blkperm_jobs::{Abort, Completion};
use serde_json::Value;

use super::{Monitor, text};
use crate::Phase;
use crate::image::DeclaredImages;
use crate::play::{Endpoint, EndpointError, Stop};
use crate::scenario::Image;
use crate::transcript::{Death, Event, Reply};

/// A monitor on images that exist only by declaration; where QEMU's process would end, it is dead.
pub struct MonitorEndpoint<R: Rule>(Monitor<R>);

impl<R: Rule> MonitorEndpoint<R> {
    /// A monitor with an empty block layer, ready for commands.
    pub fn new(rule: R, completion: Completion) -> MonitorEndpoint<R> {
        let mut monitor = Monitor::new(rule, completion, DeclaredImages::default());
        monitor.phase = Phase::Commands { oob: false };
        MonitorEndpoint(monitor)
    }

    /// The monitor.
    pub fn monitor(&mut self) -> &mut Monitor<R> {
        &mut self.0
    }
}

impl<R: Rule> Endpoint for MonitorEndpoint<R> {
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError> {
        Ok(self.0.images.create(image)?)
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        let died = |abort: Abort| Stop::Died(death(&abort));
        let response = self.0.respond(command).map_err(died)?;
        if self.0.is_quitting() {
            self.0.shut_down().map_err(died)?;
        }
        Ok(match response.result {
            Ok(value) => Reply::Return(value),
            Err(error) => Reply::Error { class: format!("{:?}", error.class), desc: error.desc },
        })
    }

    fn settle(&mut self) -> Result<(), Stop> {
        if self.0.is_quitting() {
            return Err(Stop::Died(Death::exit()));
        }
        self.0.run_jobs().map_err(|abort| Stop::Died(death(&abort)))
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.0.collect_job_events();
        self.0.take_events()
    }

    fn stuck(&mut self) -> Vec<String> {
        let stuck = self.0.layer.jobs().iter().filter(|job| job.is_stuck());
        stuck.map(|job| job.id().to_owned()).collect()
    }
}

/// How QEMU's process ends.
///
/// Source: `bdrv_a_allow_b` in `block.c`, QEMU 10.0, with `error_abort`.
pub fn death(abort: &Abort) -> Death {
    Death {
        signal: "SIGABRT".to_owned(),
        message: text::refused(&abort.refusal),
        origin: Some("bdrv_a_allow_b() at block.c:2243".to_owned()),
    }
}
