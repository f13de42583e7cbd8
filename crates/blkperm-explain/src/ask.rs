//! Asks a running QEMU, by queries alone and within a bounded time.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::time::{Duration, Instant};

use blkperm_qmp::json::{JsonError, Reader};
use serde_json::{Value, json};

use crate::replies::{Replies, ReplyError};

/// The most that a monitor may say: more than a graph that any QEMU could run.
const MAX_BYTES: usize = 256 << 20;

/// Where a monitor listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A socket of the host, by its path.
    Unix(String),
    /// `HOST:PORT`.
    Tcp(String),
}

/// Reads `unix:PATH` and `tcp:HOST:PORT`.
impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Address::Unix(path.to_owned())),
            Some(("tcp", rest)) if rest.contains(':') => Ok(Address::Tcp(rest.to_owned())),
            _ => Err("give unix:PATH or tcp:HOST:PORT".to_owned()),
        }
    }
}

/// Writes what [`FromStr`] reads.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{path}"),
            Address::Tcp(place) => write!(f, "tcp:{place}"),
        }
    }
}

/// A monitor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is nobody to talk to.
    #[error("failed to connect to {address}")]
    Connect {
        /// Where.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// Talking failed.
    #[error("failed to talk to the monitor")]
    Io(#[from] io::Error),
    /// The monitor did not say in time what it should.
    #[error("the monitor did not answer '{0}' in time")]
    Silence(&'static str),
    /// The monitor closed the connection.
    #[error("the monitor closed the connection instead of answering '{0}'")]
    Closed(&'static str),
    /// What the monitor says is not JSON.
    #[error("the monitor does not speak QMP")]
    NotJson(#[from] JsonError),
    /// The first thing that the monitor says is not QMP's greeting.
    #[error("the monitor does not greet as QMP does")]
    NoGreeting,
    /// The monitor says more than it can have to say.
    #[error("the monitor says too much")]
    TooMuch,
    /// An answer cannot be used.
    #[error("failed to use the monitor's answer to '{query}'")]
    Reply {
        /// The query.
        query: &'static str,
        /// What is wrong.
        source: ReplyError,
    },
}

/// Asks a monitor for all that is to be known of its graph, in `patience` altogether.
///
/// # Errors
///
/// [`AskError`].
pub fn ask(address: &Address, patience: Duration) -> Result<Replies, AskError> {
    let mut talk = Talk::start(address, Instant::now() + patience)?;
    gather(|query, arguments| talk.call(query, arguments))
}

/// Asks for all that is to be known of a graph; `ask` sends a command with its arguments and gives
/// the reply.
///
/// Only queries are sent, and `query-named-block-nodes` in its flat form alone: the other one grows
/// exponentially on shared graphs. A query that is refused is passed over, but for the graph. While
/// a stream that is over keeps its filter, `query-named-block-nodes` is not sent at all: QEMU 10.0
/// would crash.
///
/// # Errors
///
/// Those of `ask`, and [`AskError::Reply`].
pub fn gather(
    mut ask: impl FnMut(&'static str, Value) -> Result<Value, AskError>,
) -> Result<Replies, AskError> {
    const GRAPH: &str = "x-debug-query-block-graph";
    const NODES: &str = "query-named-block-nodes";
    let queries =
        ["query-jobs", GRAPH, NODES, "query-block-jobs", "query-block-exports", "query-block"];
    let mut replies = Replies::default();
    for query in queries {
        let arguments = if query == NODES { json!({"flat": true}) } else { json!({}) };
        if query == NODES && replies.has_childless_filter() {
            continue;
        }
        match replies.answer(query, &ask(query, arguments)?) {
            Err(ReplyError::Refused(_)) if query != GRAPH => {}
            taken => taken.map_err(|source| AskError::Reply { query, source })?,
        }
    }
    Ok(replies)
}

/// A stream with deadlines.
trait Wire: Read + Write + Send {
    /// Lets no reading and writing take longer than `left`, which is not zero.
    fn limit(&self, left: Duration) -> io::Result<()>;
}

impl Wire for UnixStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl Wire for TcpStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

/// A QMP session until its deadline.
struct Talk {
    wire: Box<dyn Wire>,
    deadline: Instant,
    reader: Reader,
    received: std::collections::VecDeque<Value>,
    bytes: usize,
}

impl Talk {
    fn start(address: &Address, deadline: Instant) -> Result<Talk, AskError> {
        let wire = connect(address, deadline.saturating_duration_since(Instant::now()))
            .map_err(|source| AskError::Connect { address: address.clone(), source })?;
        let received = Default::default();
        let mut talk = Talk { wire, deadline, reader: Reader::new(), received, bytes: 0 };
        if talk.receive("the greeting")?.get("QMP").is_none() {
            return Err(AskError::NoGreeting);
        }
        talk.call("qmp_capabilities", json!({}))?;
        Ok(talk)
    }

    fn call(&mut self, command: &'static str, arguments: Value) -> Result<Value, AskError> {
        let message = json!({"execute": command, "arguments": arguments});
        self.wire.limit(self.left(command)?)?;
        self.wire.write_all(format!("{message}\n").as_bytes()).map_err(|error| {
            match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silence(command),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    AskError::Closed(command)
                }
                _ => AskError::Io(error),
            }
        })?;
        loop {
            let message = self.receive(command)?;
            if message.get("return").is_some() || message.get("error").is_some() {
                return Ok(message);
            }
        }
    }

    /// The next message.
    fn receive(&mut self, what: &'static str) -> Result<Value, AskError> {
        let mut chunk = vec![0; 64 << 10];
        loop {
            if let Some(message) = self.received.pop_front() {
                return Ok(message);
            }
            self.wire.limit(self.left(what)?)?;
            let length = match self.wire.read(&mut chunk) {
                Ok(0) => return Err(AskError::Closed(what)),
                Ok(length) => length,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        return Err(AskError::Silence(what));
                    }
                    io::ErrorKind::ConnectionReset => return Err(AskError::Closed(what)),
                    _ => return Err(error.into()),
                },
            };
            self.bytes += length;
            if self.bytes > MAX_BYTES {
                return Err(AskError::TooMuch);
            }
            for located in self.reader.feed(&chunk[..length]) {
                self.received.push_back(located?.value);
            }
        }
    }

    /// The time that is left.
    fn left(&self, what: &'static str) -> Result<Duration, AskError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(AskError::Silence(what)) } else { Ok(left) }
    }
}

/// Connects within `patience`. A socket of the host whose backlog is full has no deadline of its
/// own, nor has the resolution of a name: they wait in a thread of their own.
fn connect(address: &Address, patience: Duration) -> io::Result<Box<dyn Wire>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let address = address.clone();
    std::thread::spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = sender.send(connect_now(&address, patience));
    });
    receiver.recv_timeout(patience).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn connect_now(address: &Address, patience: Duration) -> io::Result<Box<dyn Wire>> {
    match address {
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path)?)),
        Address::Tcp(place) => {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in place.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, patience) {
                    Ok(stream) => return Ok(Box::new(stream)),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}
