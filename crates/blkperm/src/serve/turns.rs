//! Turns: one thing at a time, done by whoever asks for it.
//!
//! The thread that reads a client's command carries it out itself and tells all clients what came of
//! it, so that a reply takes no more changes of threads than it must.

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
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take for what it was told last, when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// The process is about to end.
pub(super) struct Over;

/// A server and those who are connected to it, who take turns.
pub(super) struct Turns {
    server: Mutex<Connected>,
    /// Is told how the server ends.
    end: Sender<Result<(), Death>>,
}

struct Connected {
    server: Server,
    clients: HashMap<MonitorId, Arc<Outbox>>,
    is_over: bool,
}

impl Turns {
    /// Serves the character devices of the monitors until told to end.
    ///
    /// # Errors
    ///
    /// Fails when signals cannot be caught.
    pub(super) fn serve(
        server: Server,
        devices: Vec<(MonitorId, Backend)>,
        pid_file: Option<PidFile>,
    ) -> Result<ExitCode, ServeError> {
        let (end, ended) = channel();
        let server = Mutex::new(Connected { server, clients: HashMap::new(), is_over: false });
        let turns = Arc::new(Turns { server, end });
        turns.start_threads(devices)?;
        Ok(turns.wait(&ended, pid_file))
    }

    /// Does what the input asks for, as soon as it is its turn.
    pub(super) fn take(&self, input: Input) -> Result<(), Over> {
        let mut connected = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if connected.is_over {
            return Err(Over);
        }
        let result = connected.take(input);
        connected.deliver();
        connected.is_over = result.is_err() || connected.server.is_over();
        if connected.is_over {
            // Whoever waits for it never goes before.
            let _ = self.end.send(result);
            return Err(Over);
        }
        Ok(())
    }

    fn wait(&self, ended: &Receiver<Result<(), Death>>, pid_file: Option<PidFile>) -> ExitCode {
        // The thread that waits for signals never lets go of its end.
        let result = ended.recv().unwrap_or(Ok(()));
        let connected = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + FAREWELL;
        connected.clients.values().for_each(|outbox| outbox.flush(deadline));
        if let Err(death) = result {
            die(&death, &death.message);
        }
        drop(pid_file);
        ExitCode::SUCCESS
    }

    /// Starts a thread for each monitor's character device, and one that waits for signals.
    fn start_threads(
        self: &Arc<Turns>,
        devices: Vec<(MonitorId, Backend)>,
    ) -> Result<(), ServeError> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(ServeError::Signals)?;
        let turns = self.clone();
        thread::spawn(move || {
            let mut terminations = signals.forever().map(|_| turns.take(Input::Terminated));
            while let Some(Ok(())) = terminations.next() {}
        });
        for (monitor, backend) in devices {
            let wire = Wire { monitor, turns: self.clone() };
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
        Ok(())
    }
}

impl Connected {
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
}
