//! Sockets that listen or are connected, of either family.

use super::super::error::{OptionFault, reason};
use super::words::Words;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The longest path of a Unix socket.
const MAX_PATH: usize = 108;

/// A socket as the options describe it.
#[derive(Debug)]
pub(super) struct SocketOptions {
    address: Address,
    is_server: bool,
    /// Whether a server waits for its first client before it goes on.
    waits: bool,
}

#[derive(Debug)]
enum Address {
    Unix(String),
    Inet { host: String, port: String },
}

/// A connected socket of either family: only what families have in common is asked of it.
pub(in super::super) type Socket = UnixStream;

/// A socket that clients connect to, one after the other.
#[derive(Debug)]
pub(in super::super) enum Listener {
    /// At a path.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// The path, which is removed in the end.
        path: PathBuf,
    },
    /// At an address of the internet protocols.
    Inet(TcpListener),
}

impl Listener {
    /// Waits for the next client.
    pub(in super::super) fn accept(&self) -> io::Result<Socket> {
        match self {
            Listener::Unix { listener, .. } => Ok(listener.accept()?.0),
            Listener::Inet(listener) => Ok(any_family(listener.accept()?.0)),
        }
    }

    /// Where it listens, as QEMU names it.
    fn name(&self) -> String {
        match self {
            Listener::Unix { path, .. } => format!("unix:{}", path.display()),
            Listener::Inet(listener) => {
                let address = listener.local_addr().map(|address| address.to_string());
                format!("tcp:{}", address.unwrap_or_default())
            }
        }
    }
}

fn any_family(stream: TcpStream) -> Socket {
    Socket::from(OwnedFd::from(stream))
}

/// A socket that is ready for clients, or connected.
#[derive(Debug)]
pub(super) enum Opened {
    /// It waits for clients, of whom one may be there already.
    Listening(Listener, Option<Socket>),
    /// It is connected.
    Connected(Socket),
}

impl SocketOptions {
    /// Source: `qemu_chr_parse_socket` in `chardev/char-socket.c`, QEMU 10.0.
    pub(super) fn parse(words: &Words) -> Result<SocketOptions, OptionFault> {
        let address = address(words)?;
        let is_server = words.switch("server").unwrap_or(false);
        let wait = words.switch("wait");
        if wait.is_some() && !is_server {
            let text = "'wait' option is incompatible with socket in client connect mode";
            return Err(OptionFault::other(text));
        }
        let refused = [
            "reconnect",
            "reconnect-ms",
            "telnet",
            "tn3270",
            "websocket",
            "tls-creds",
            "tls-authz",
            "abstract",
            "to",
            "localaddr",
            "localport",
        ];
        refused.iter().try_for_each(|key| words.refuse(key))?;
        Ok(SocketOptions { address, is_server, waits: wait.unwrap_or(true) })
    }

    /// Listens, and waits for the first client if that was asked for; or connects. `tell` is told
    /// when it waits.
    pub(super) fn open(self, tell: &mut dyn FnMut(String)) -> Result<Opened, OptionFault> {
        if !self.is_server {
            return self.address.connect().map(Opened::Connected);
        }
        let listener = self.address.listen()?;
        if !self.waits {
            return Ok(Opened::Listening(listener, None));
        }
        let name = listener.name();
        tell(format!("info: QEMU waiting for connection on: disconnected:{name},server=on"));
        let failed = |error| OptionFault::other(format!("Failed to accept: {}", reason(&error)));
        let first = listener.accept().map_err(failed)?;
        Ok(Opened::Listening(listener, Some(first)))
    }
}

fn address(words: &Words) -> Result<Address, OptionFault> {
    let given = |key| words.text(key).is_some();
    let [path, host, fd] = ["path", "host", "fd"].map(given);
    if [path, host, fd].iter().filter(|given| **given).count() > 1 {
        return Err(OptionFault::other("None or one of 'path', 'fd' or 'host' option required."));
    }
    if let Some(path) = words.text("path").filter(|path| !path.is_empty()) {
        if path.len() >= MAX_PATH {
            return Err(OptionFault::other(format!(
                "UNIX socket path '{path}' is too long\nPath must be less than {MAX_PATH} bytes"
            )));
        }
        return Ok(Address::Unix(path.to_owned()));
    }
    if let Some(host) = words.text("host") {
        let Some(port) = words.text("port") else {
            return Err(OptionFault::other("chardev: socket: no port given"));
        };
        return Ok(Address::Inet { host: host.to_owned(), port: port.to_owned() });
    }
    Err(OptionFault::Unsupported {
        what: "a socket without a path and a host".to_owned(),
        remedy: "give path=PATH, or host=HOST,port=PORT",
    })
}

impl Address {
    fn listen(self) -> Result<Listener, OptionFault> {
        match self {
            Address::Unix(path) => {
                let failed = |error| {
                    let reason = reason(&error);
                    OptionFault::other(format!("Failed to bind socket to {path}: {reason}"))
                };
                // The daemon replaces whatever is there, an image too.
                if fs::metadata(&path).is_ok_and(|it| it.file_type().is_socket()) {
                    fs::remove_file(&path).map_err(failed)?;
                }
                let listener = UnixListener::bind(&path).map_err(failed)?;
                Ok(Listener::Unix { listener, path: path.into() })
            }
            Address::Inet { host, port } => {
                let addresses = resolve(&host, &port)?;
                let listener = TcpListener::bind(&addresses[..]).map_err(|error| {
                    let reason = reason(&error);
                    OptionFault::other(format!("Failed to find an available port: {reason}"))
                })?;
                Ok(Listener::Inet(listener))
            }
        }
    }

    fn connect(self) -> Result<Socket, OptionFault> {
        let (connected, name) = match self {
            Address::Unix(path) => (UnixStream::connect(&path), path),
            Address::Inet { host, port } => {
                let addresses = resolve(&host, &port)?;
                (TcpStream::connect(&addresses[..]).map(any_family), format!("{host}:{port}"))
            }
        };
        connected.map_err(|error| {
            OptionFault::other(format!("Failed to connect to '{name}': {}", reason(&error)))
        })
    }
}

fn resolve(host: &str, port: &str) -> Result<Vec<std::net::SocketAddr>, OptionFault> {
    let failed = |reason: String| {
        OptionFault::other(format!("address resolution failed for {host}:{port}: {reason}"))
    };
    let number = port.parse::<u16>();
    let number = number.map_err(|_| failed("Servname not supported for ai_socktype".to_owned()))?;
    // Without a host, a server listens at all addresses.
    let name = if host.is_empty() { "0.0.0.0" } else { host };
    let addresses = (name, number).to_socket_addrs();
    Ok(addresses.map_err(|error| failed(reason(&error)))?.collect())
}
