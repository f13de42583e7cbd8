//! Connections: threads that read from clients and write to them.
//!
//! They know nothing of QMP but where a message ends. One message at a time takes its turn, and the
//! next one only when the client has taken most of what it was told.

use super::chardev::{Listener, Socket};
use super::outbox::Outbox;
use super::turns::{Over, Turns};
use blkperm_qmp::json::{self, Reader};
use blkperm_qmp::server::MonitorId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What happens in the world outside.
pub(super) enum Input {
    /// A client is there, who reads from the outbox.
    Connected(MonitorId, Arc<Outbox>),
    /// A client has said something.
    Said(MonitorId, json::Item),
    /// A client has hung up.
    Disconnected(MonitorId),
    /// A signal asks the process to end.
    Terminated,
}

/// How a monitor's threads reach the server.
#[derive(Clone)]
pub(super) struct Wire {
    /// The monitor.
    pub(super) monitor: MonitorId,
    /// The server, and all who are connected to it.
    pub(super) turns: Arc<Turns>,
}

impl Wire {
    /// Speaks over standard input and output.
    ///
    /// The end of the input ends nothing: what is told goes on to the output.
    pub(super) fn stdio(self) {
        let outbox = Arc::new(Outbox::new(|bytes| write_at_once(io::stdout(), bytes), || ()));
        thread::scope(|scope| {
            scope.spawn(|| outbox.write_to(io::stdout()));
            // Either way nothing more will be read.
            let _ = self.converse(io::stdin(), &outbox);
        });
    }

    /// Serves the clients of a listener, one after the other.
    pub(super) fn listen(self, listener: &Listener, first: Option<Socket>) {
        /// Between attempts to accept, which fail when the process has too many files open.
        const PAUSE: Duration = Duration::from_millis(100);
        let mut next = first;
        loop {
            match next.take().map_or_else(|| listener.accept(), Ok) {
                Ok(socket) => match self.serve(&socket) {
                    Ok(()) => {}
                    Err(Over) => return,
                },
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Serves the client at the other end of a socket.
    pub(super) fn serve(&self, socket: &Socket) -> Result<(), Over> {
        let Ok(clone) = socket.try_clone().map(Arc::new) else {
            // Too many files are open: to this client it is as if nobody were there.
            return Ok(());
        };
        let written = clone.clone();
        let at_once = move |bytes: &[u8]| write_at_once(&written, bytes);
        let outbox = Arc::new(Outbox::new(at_once, move || shut(&clone)));
        thread::scope(|scope| {
            scope.spawn(|| outbox.write_to(socket));
            let result = self.converse(socket, &outbox);
            let told = result.and_then(|()| self.turns.take(Input::Disconnected(self.monitor)));
            outbox.finish();
            told
        })
        .inspect(|()| shut(socket))
    }

    /// Hands on what a client says until it says no more.
    fn converse(&self, mut client: impl Read, outbox: &Arc<Outbox>) -> Result<(), Over> {
        self.turns.take(Input::Connected(self.monitor, outbox.clone()))?;
        let mut reader = Reader::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = match client.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // As good as hung up.
                Err(_) => return Ok(()),
            };
            for item in reader.feed(&buffer[..length]) {
                outbox.wait_for_room();
                self.turns.take(Input::Said(self.monitor, item))?;
            }
        }
    }
}

/// As many bytes as whatever is ready to be written to takes without waiting, whatever it is: POSIX's
/// `PIPE_BUF`, on Linux.
const AT_ONCE: usize = 4096;

/// Writes the bytes if that does not wait; gives how many were written.
fn write_at_once(client: impl AsFd, bytes: &[u8]) -> usize {
    let mut clients = [PollFd::new(&client, PollFlags::OUT)];
    let is_ready = matches!(poll(&mut clients, Some(&Timespec::default())), Ok(1))
        && clients[0].revents() == PollFlags::OUT;
    // What fails here fails again where it is written for good.
    if is_ready {
        rustix::io::write(&client, &bytes[..bytes.len().min(AT_ONCE)]).unwrap_or_default()
    } else {
        0
    }
}

fn shut(socket: &Socket) {
    // It fails when the client has shut it before.
    let _ = socket.shutdown(Shutdown::Both);
}
