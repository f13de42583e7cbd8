//! A QMP server without its transport: messages in, bytes out.
//!
//! A [`Server`] is one process: one block layer and any number of QMP monitors, each with at most
//! one client at a time. Where bytes come from, where they go and what time it is, is for the
//! caller to say; nothing here blocks.
//!
//! ```
//! use blkperm_qmp::Monitor;
//! use blkperm_qmp::image::DeclaredImages;
//! use blkperm_qmp::json::Reader;
//! use blkperm_qmp::server::{AtAbort, Layout, Server};
//!
//! let rule = blkperm_baseline::Baseline;
//! let engine = Monitor::new(rule, blkperm_jobs::Completion::Atomic, DeclaredImages::default());
//! let mut server = Server::new(engine, AtAbort::GoOn, || std::time::Duration::ZERO);
//! let monitor = server.add_monitor(Layout::Plain);
//! server.connect(monitor);
//! server.take_output(monitor); // the greeting
//!
//! let mut reader = Reader::new();
//! for item in reader.feed(b"{'execute': 'qmp_capabilities'} {'execute': 'query-jobs'}") {
//!     server.receive(monitor, item).expect("it goes on");
//! }
//! assert_eq!(server.take_output(monitor), b"{\"return\": {}}\r\n{\"return\": []}\r\n");
//! ```

mod engine;
mod format;

#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use format::{Layout, message};

use std::time::Duration;

use blkperm_jobs::Abort;
use serde_json::{Value, json};

use crate::command::Command;
use crate::monitor::{self, Failed, Response};
use crate::transcript::{Death, Event};
use crate::{CommandError, Phase, QmpError, Request, json};

/// What a server does where QEMU's process would end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtAbort {
    /// It ends too.
    Die,
    /// It goes on; the job that could not leave the graph is stuck.
    GoOn,
}

/// One of a server's monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MonitorId(usize);

/// A monitor, and its client if it has one.
#[derive(Debug)]
struct Client {
    layout: Layout,
    phase: Phase,
    is_connected: bool,
    output: Vec<u8>,
}

impl Client {
    fn send(&mut self, value: &Value) {
        if self.is_connected {
            self.output.extend_from_slice(message(value, self.layout).as_bytes());
        }
    }
}

/// A process that speaks QMP: a block layer and its monitors.
pub struct Server {
    engine: Box<dyn Engine + Send>,
    at_abort: AtAbort,
    clock: Box<dyn FnMut() -> Duration + Send>,
    clients: Vec<Client>,
    is_over: bool,
}

impl Server {
    /// A server without monitors; `clock` tells the time since the beginning of 1970.
    pub fn new(
        engine: impl Engine + Send + 'static,
        at_abort: AtAbort,
        clock: impl FnMut() -> Duration + Send + 'static,
    ) -> Server {
        Server {
            engine: Box::new(engine),
            at_abort,
            clock: Box::new(clock),
            clients: Vec::new(),
            is_over: false,
        }
    }

    /// Adds a monitor that nobody is connected to.
    pub fn add_monitor(&mut self, layout: Layout) -> MonitorId {
        let (phase, output) = (Phase::default(), Vec::new());
        self.clients.push(Client { layout, phase, is_connected: false, output });
        MonitorId(self.clients.len() - 1)
    }

    /// Greets a client, which has negotiated nothing yet.
    pub fn connect(&mut self, monitor: MonitorId) {
        let client = self.client(monitor);
        client.phase = Phase::default();
        client.is_connected = true;
        client.send(&monitor::greeting());
    }

    /// Forgets a client that has hung up, with all that it has not taken.
    pub fn disconnect(&mut self, monitor: MonitorId) {
        let client = self.client(monitor);
        client.is_connected = false;
        client.phase = Phase::default();
        client.output = Vec::new();
    }

    /// What the client has to be sent since this was last asked.
    pub fn take_output(&mut self, monitor: MonitorId) -> Vec<u8> {
        std::mem::take(&mut self.client(monitor).output)
    }

    /// Whether the process is to end in good order; nothing more is carried out.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Answers what a [`json::Reader`] has made of a client's bytes.
    ///
    /// Events of the command itself come before its reply. After it jobs run by themselves, and
    /// their events come.
    ///
    /// # Errors
    ///
    /// The process dies; what was said before still is to be sent.
    pub fn receive(&mut self, monitor: MonitorId, item: json::Item) -> Result<(), Death> {
        if self.is_over {
            return Ok(());
        }
        let response = match item {
            Ok(located) => {
                let Request { id, command } = Request::parse(&located.value, self.phase(monitor));
                Response { id, result: self.carry_out(monitor, command)? }
            }
            Err(error) => Response { id: None, result: Err(error.into()) },
        };
        self.client(monitor).send(&response.to_json());
        if self.is_over { Ok(()) } else { self.run_jobs() }
    }

    /// Carries out a command that comes from no client, as on a command line.
    ///
    /// # Errors
    ///
    /// QEMU's error, or that the process dies.
    pub fn execute(&mut self, command: &Command) -> Result<Value, Refused> {
        let result = self.engine.execute(command);
        self.broadcast();
        let value = match result {
            Ok(value) => value,
            Err(failed) => return Err(Refused::Error(self.answer(failed)?)),
        };
        self.run_jobs()?;
        Ok(value)
    }

    /// Ends exports and jobs in good order, and with them the process.
    ///
    /// # Errors
    ///
    /// The process dies before that.
    pub fn shut_down(&mut self) -> Result<(), Death> {
        self.is_over = true;
        self.until_settled(|engine| engine.shut_down())
    }

    fn carry_out(
        &mut self,
        monitor: MonitorId,
        command: Result<Command, CommandError>,
    ) -> Result<Result<Value, QmpError>, Death> {
        match command {
            Err(error) => Ok(Err(error.into_qmp())),
            Ok(Command::QmpCapabilities(capabilities)) => {
                self.client(monitor).phase = Phase::negotiated(&capabilities);
                Ok(Ok(json!({})))
            }
            // The daemon replies to it last.
            Ok(Command::Quit) => {
                self.shut_down()?;
                Ok(Ok(json!({})))
            }
            Ok(command) => {
                let result = self.engine.execute(&command);
                self.broadcast();
                match result {
                    Ok(value) => Ok(Ok(value)),
                    Err(failed) => Ok(Err(self.answer(failed)?)),
                }
            }
        }
    }

    /// The error with which a command that failed is answered, if the process outlives it.
    fn answer(&mut self, failed: Failed) -> Result<QmpError, Death> {
        failed.into_answer().or_else(|abort| self.survive(&abort))
    }

    fn run_jobs(&mut self) -> Result<(), Death> {
        self.until_settled(|engine| engine.run_jobs())
    }

    /// Repeats something that has less left to do each time it is cut short.
    fn until_settled(
        &mut self,
        mut act: impl FnMut(&mut dyn Engine) -> Result<(), Abort>,
    ) -> Result<(), Death> {
        loop {
            let result = act(self.engine.as_mut());
            self.broadcast();
            match result {
                Ok(()) => return Ok(()),
                Err(abort) => self.survive(&abort)?,
            };
        }
    }

    /// What is answered where QEMU's process would have ended; nothing if this one ends too.
    fn survive(&self, abort: &Abort) -> Result<QmpError, Death> {
        let death = monitor::death(abort);
        match self.at_abort {
            AtAbort::Die => Err(death),
            AtAbort::GoOn => Ok(QmpError::generic(death.message)),
        }
    }

    /// Tells the events to every client that has negotiated.
    fn broadcast(&mut self) {
        for event in self.engine.take_events() {
            let event = event_message(event, (self.clock)());
            for client in &mut self.clients {
                if client.phase != Phase::Negotiation {
                    client.send(&event);
                }
            }
        }
    }

    fn phase(&self, monitor: MonitorId) -> Phase {
        self.clients[monitor.0].phase
    }

    fn client(&mut self, monitor: MonitorId) -> &mut Client {
        &mut self.clients[monitor.0]
    }
}

/// Why a command was not carried out that comes from no client.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// QEMU's error.
    Error(QmpError),
    /// The process dies.
    Death(Death),
}

impl From<Death> for Refused {
    fn from(death: Death) -> Refused {
        Refused::Death(death)
    }
}

fn event_message(event: Event, time: Duration) -> Value {
    json!({
        "timestamp": {"seconds": time.as_secs(), "microseconds": time.subsec_micros()},
        "event": event.name,
        "data": event.data,
    })
}
