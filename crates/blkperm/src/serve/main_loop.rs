//! The main loop: one thing at a time, whoever asks for it.

use super::chardev::Backend;
use super::connection::{Input, Wire};
use super::error::{ServeError, die};
use super::outbox::Outbox;
use super::pid_file::PidFile;
use blkperm_qmp::server::{MonitorId, Server};
use blkperm_qmp::transcript::Death;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take for what it was told last, when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// A server with its connections.
pub(super) struct MainLoop {
    /// The server.
    pub(super) server: Server,
    /// The file with the process ID, if there is one.
    pub(super) pid_file: Option<PidFile>,
    /// Those who are connected.
    pub(super) clients: HashMap<MonitorId, Arc<Outbox>>,
}

impl MainLoop {
    /// Serves until told to end.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) -> ExitCode {
        while !self.server.is_over() {
            // The thread that waits for signals never lets go of its end.
            let input = inputs.recv().unwrap_or(Input::Terminated);
            let result = self.take(input);
            self.deliver();
            if let Err(death) = result {
                self.flush();
                die(&death, &death.message);
            }
        }
        self.flush();
        drop(self.pid_file);
        ExitCode::SUCCESS
    }

    fn take(&mut self, input: Input) -> Result<(), Death> {
        match input {
            Input::Connected(monitor, outbox) => {
                self.clients.insert(monitor, outbox);
                self.server.connect(monitor);
                Ok(())
            }
            Input::Said(monitor, item) => self.server.receive(monitor, item),
            Input::Disconnected(monitor) => {
                self.clients.remove(&monitor);
                self.server.disconnect(monitor);
                Ok(())
            }
            Input::Terminated => self.server.shut_down(),
        }
    }

    fn deliver(&mut self) {
        for (&monitor, outbox) in &self.clients {
            outbox.push(&self.server.take_output(monitor));
        }
    }

    fn flush(&self) {
        let deadline = Instant::now() + FAREWELL;
        self.clients.values().for_each(|outbox| outbox.flush(deadline));
    }
}

/// Starts a thread for each monitor's character device, and one that waits for signals.
pub(super) fn start_threads(
    devices: Vec<(MonitorId, Backend)>,
) -> Result<Receiver<Input>, ServeError> {
    // No room in it: a client's next message waits until the one before is taken.
    let (main_loop, inputs) = sync_channel(0);
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(ServeError::Signals)?;
    wait_for_signals(signals, main_loop.clone());
    for (monitor, backend) in devices {
        let wire = Wire { monitor, main_loop: main_loop.clone() };
        match backend {
            Backend::Null => {}
            Backend::Stdio => drop(thread::spawn(move || wire.stdio())),
            Backend::Listening(listener, first) => {
                thread::spawn(move || wire.listen(&listener, first));
            }
            Backend::Connected(socket) => {
                // There is nobody to serve after it.
                thread::spawn(move || drop(wire.serve(&socket)));
            }
        }
    }
    Ok(inputs)
}

fn wait_for_signals(mut signals: Signals, main_loop: SyncSender<Input>) {
    thread::spawn(move || {
        for _ in signals.forever() {
            if main_loop.send(Input::Terminated).is_err() {
                return;
            }
        }
    });
}
