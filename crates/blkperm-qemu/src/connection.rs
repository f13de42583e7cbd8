//! QMP over a socket, with deadlines.

use crate::Error;
use blkperm_qmp::transcript::{Event, Reply};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What QEMU writes on its standard output, where its monitor is too, when it makes an image.
///
/// Source: `bdrv_img_create` in `block.c`, QEMU 10.0.
const MAKING_AN_IMAGE: &str = "Formatting '";

/// A connection to a monitor that speaks QMP.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: UnixStream,
    received: Vec<u8>,
    events: Vec<Event>,
    patience: Duration,
    /// The run's own directory as JSON has it, which has no place in an answer.
    directory: String,
}

impl Connection {
    pub(crate) fn new(socket: UnixStream, patience: Duration, directory: &str) -> Connection {
        let quoted = Value::from(directory).to_string();
        let directory = quoted.trim_matches('"').to_owned();
        Connection { socket, received: Vec::new(), events: Vec::new(), patience, directory }
    }

    /// Sends a command and receives its reply; none when the daemon closes the connection first.
    ///
    /// Events that come before the reply are kept.
    pub(crate) fn call(&mut self, command: &Value) -> Result<Option<Reply>, Error> {
        let deadline = Instant::now() + self.patience;
        self.send(&format!("{command}\n"), command)?;
        self.reply(deadline, command)
    }

    /// Sends commands and receives their replies; none when the daemon closes the connection before
    /// the last of them. The commands have to fit into what the kernel keeps for the daemon to read.
    pub(crate) fn call_all(&mut self, commands: &[Value]) -> Result<Option<Vec<Reply>>, Error> {
        if let Some(first) = commands.first() {
            let lines: Vec<_> = commands.iter().map(|command| format!("{command}\n")).collect();
            self.send(&lines.concat(), first)?;
        }
        let reply = |command| self.reply(Instant::now() + self.patience, command);
        commands.iter().map(reply).collect()
    }

    fn send(&mut self, text: &str, command: &Value) -> Result<(), Error> {
        self.socket.set_write_timeout(Some(self.patience)).map_err(failed("send", command))?;
        match self.socket.write_all(text.as_bytes()) {
            // What the daemon said before its end is still there to be read.
            Err(error) if is_end(&error) => Ok(()),
            sent => sent.map_err(|error| self.failure(error, command.to_string())),
        }
    }

    fn reply(&mut self, deadline: Instant, command: &Value) -> Result<Option<Reply>, Error> {
        while let Some(message) = self.receive(deadline, command)? {
            if let Some(reply) = Reply::from_message(&message) {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Receives the greeting; none when the daemon closes the connection first.
    pub(crate) fn greeting(&mut self) -> Result<Option<Value>, Error> {
        self.receive(Instant::now() + self.patience, &Value::from("the start"))
    }

    /// Receives all that is still to come from a daemon that has closed the connection.
    pub(crate) fn drain(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience;
        while self.receive(deadline, &Value::from("the end"))?.is_some() {}
        Ok(())
    }

    /// The events so far.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The next message that is not an event; none at the end of the connection.
    fn receive(&mut self, deadline: Instant, what: &Value) -> Result<Option<Value>, Error> {
        while let Some(line) = self.line(deadline, what)? {
            if line.starts_with(MAKING_AN_IMAGE) {
                continue;
            }
            let text = line.replace(&format!("{}/", self.directory), "");
            let text = text.replace(&self.directory, ".");
            let message: Value = serde_json::from_str(&text)
                .map_err(|source| Error::NotQmp { text, source: Some(source) })?;
            match Event::from_message(&message) {
                Some(event) => self.events.push(event),
                None => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    fn line(&mut self, deadline: Instant, what: &Value) -> Result<Option<String>, Error> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.failure(io::ErrorKind::TimedOut.into(), what.to_string()));
            }
            self.socket.set_read_timeout(Some(left)).map_err(failed("receive", what))?;
            let mut chunk = [0; 16 << 10];
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if is_end(&error) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error, what.to_string())),
            }
        }
    }

    fn failure(&self, error: io::Error, what: String) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Error::Timeout { what, after: self.patience }
            }
            _ => Error::Io { what: format!("talk to the daemon about {what}"), source: error },
        }
    }
}

fn failed(verb: &str, what: &Value) -> impl FnOnce(io::Error) -> Error {
    Error::io(format!("{verb} {what}"))
}

/// A daemon that dies leaves what we sent unread, which resets the connection.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
