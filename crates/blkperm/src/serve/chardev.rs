//! Character devices: where a monitor's bytes come from and go to.

mod socket;
mod words;

pub(super) use socket::{Listener, Socket};

use super::error::OptionFault;
use socket::{Opened, SocketOptions};
use words::Words;

/// A character device.
#[derive(Debug)]
pub(super) struct Chardev {
    /// Its id.
    pub(super) id: String,
    /// What it is; none once a monitor has taken it.
    pub(super) backend: Option<Backend>,
    is_stdio: bool,
}

/// The kinds of character devices.
#[derive(Debug)]
pub(super) enum Backend {
    /// Nobody is there.
    Null,
    /// Standard input and output.
    Stdio,
    /// A socket that clients connect to, of whom one may be there already.
    Listening(Listener, Option<Socket>),
    /// A socket that is connected, once.
    Connected(Socket),
}

/// The kinds that the daemon has, and this has not.
const UNSUPPORTED: [&str; 12] = [
    "file", "hub", "memory", "mux", "parallel", "pipe", "pty", "ringbuf", "serial", "testdev",
    "udp", "vc",
];

/// Makes the device that `text` describes, beside those that are there; `tell` is told what is to
/// be said on standard error.
pub(super) fn open(
    text: &str,
    others: &[Chardev],
    tell: &mut dyn FnMut(String),
) -> Result<Chardev, OptionFault> {
    let words = Words::parse(text, tell)?;
    let Some(id) = words.id.clone() else {
        return Err(OptionFault::other("chardev: no id specified"));
    };
    let Some(kind) = words.text("backend") else {
        return Err(OptionFault::other(format!("chardev: \"{id}\" missing backend")));
    };
    if kind == "stdio" && others.iter().any(|other| other.is_stdio) {
        return Err(OptionFault::other("cannot use stdio by multiple character devices"));
    }
    if others.iter().any(|other| other.id == id) {
        return Err(OptionFault::Duplicate(id));
    }
    ["mux", "logfile"].iter().try_for_each(|key| words.refuse(key))?;
    let backend = match kind {
        "null" => Backend::Null,
        "stdio" => Backend::Stdio,
        "socket" => match SocketOptions::parse(&words)?.open(tell)? {
            Opened::Listening(listener, first) => Backend::Listening(listener, first),
            Opened::Connected(socket) => Backend::Connected(socket),
        },
        _ if UNSUPPORTED.contains(&kind) => {
            return Err(OptionFault::Unsupported {
                what: format!("'{kind}'"),
                remedy: "use stdio, socket or null",
            });
        }
        _ => {
            let text = format!("'{kind}' is not a valid char driver name");
            return Err(OptionFault::other(text));
        }
    };
    let is_stdio = matches!(backend, Backend::Stdio);
    Ok(Chardev { id, backend: Some(backend), is_stdio })
}
