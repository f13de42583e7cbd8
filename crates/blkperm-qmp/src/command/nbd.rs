//! Arguments of the commands for the NBD server.

use serde::{Deserialize, Serialize};

use super::enums::qapi_enum;

/// The arguments of `nbd-server-start`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NbdServerOptionsLegacy {
    /// Seconds that a client may take to introduce itself, 0 for no limit.
    pub handshake_max_seconds: Option<u32>,
    /// The object with the server's TLS credentials.
    pub tls_creds: Option<String>,
    /// The object that authorises clients.
    pub tls_authz: Option<String>,
    /// Clients at the same time, 0 for no limit.
    pub max_connections: Option<u32>,
    /// Where to listen.
    pub addr: SocketAddressLegacy,
}

/// The NBD server as the option `--nbd-server` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NbdServerOptions {
    /// As in [`NbdServerOptionsLegacy`].
    pub handshake_max_seconds: Option<u32>,
    /// As in [`NbdServerOptionsLegacy`].
    pub tls_creds: Option<String>,
    /// As in [`NbdServerOptionsLegacy`].
    pub tls_authz: Option<String>,
    /// As in [`NbdServerOptionsLegacy`].
    pub max_connections: Option<u32>,
    /// Where to listen.
    pub addr: SocketAddressFlat,
}

impl From<NbdServerOptions> for NbdServerOptionsLegacy {
    fn from(options: NbdServerOptions) -> Self {
        Self {
            handshake_max_seconds: options.handshake_max_seconds,
            tls_creds: options.tls_creds,
            tls_authz: options.tls_authz,
            max_connections: options.max_connections,
            addr: options.addr.into(),
        }
    }
}

/// A socket address, with the details beside its type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union SocketAddress")]
pub struct SocketAddressFlat {
    /// What all addresses have.
    pub base: SocketAddressBase,
    /// The address itself.
    #[serde(rename = "type")]
    pub address: FlatAddress,
}

/// The kinds of socket addresses, with their details beside the type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlatAddress {
    /// An address and port of the internet protocols.
    Inet(InetSocketAddress),
    /// A path in the file system.
    Unix(UnixSocketAddress),
    /// An address of a virtual machine.
    Vsock(VsockSocketAddress),
    /// A file descriptor.
    Fd(FdSocketAddress),
}

impl From<SocketAddressFlat> for SocketAddressLegacy {
    fn from(SocketAddressFlat { base, address }: SocketAddressFlat) -> Self {
        let address = match address {
            FlatAddress::Inet(data) => SocketAddress::Inet(Wrapper { data }),
            FlatAddress::Unix(data) => SocketAddress::Unix(Wrapper { data }),
            FlatAddress::Vsock(data) => SocketAddress::Vsock(Wrapper { data }),
            FlatAddress::Fd(data) => SocketAddress::Fd(Wrapper { data }),
        };
        Self { base, address }
    }
}

qapi_enum! {
    /// The kinds of socket addresses.
    pub enum SocketAddressType {
        Inet = "inet",
        Unix = "unix",
        Vsock = "vsock",
        Fd = "fd",
    }
}

/// A socket address, in its older form with the details below `data`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "union SocketAddressLegacy")]
pub struct SocketAddressLegacy {
    /// What all addresses have.
    pub base: SocketAddressBase,
    /// The address itself.
    #[serde(rename = "type")]
    pub address: SocketAddress,
}

/// What all socket addresses have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SocketAddressBase {
    /// The kind of address.
    #[serde(rename = "type")]
    pub kind: SocketAddressType,
}

/// The kinds of socket addresses, with their details.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketAddress {
    /// An address and port of the internet protocols.
    Inet(Wrapper<InetSocketAddress>),
    /// A path in the file system.
    Unix(Wrapper<UnixSocketAddress>),
    /// An address of a virtual machine.
    Vsock(Wrapper<VsockSocketAddress>),
    /// A file descriptor.
    Fd(Wrapper<FdSocketAddress>),
}

/// Details below `data`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Wrapper<T> {
    /// The details.
    pub data: T,
}

/// An address and port of the internet protocols.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InetSocketAddress {
    /// The host, by name or number.
    pub host: String,
    /// The port, by name or number.
    pub port: String,
    /// Whether host and port are numbers.
    pub numeric: Option<bool>,
    /// The last port to try.
    pub to: Option<u16>,
    /// Whether to use IPv4.
    pub ipv4: Option<bool>,
    /// Whether to use IPv6.
    pub ipv6: Option<bool>,
    /// Whether to keep idle connections alive.
    pub keep_alive: Option<bool>,
    /// Whether to use several paths.
    pub mptcp: Option<bool>,
}

/// A path in the file system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct UnixSocketAddress {
    /// The path.
    pub path: String,
    /// Whether it is in Linux's abstract namespace instead.
    #[serde(rename = "abstract")]
    pub is_abstract: Option<bool>,
    /// Whether an abstract name is as long as its text.
    pub tight: Option<bool>,
}

/// An address of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct VsockSocketAddress {
    /// The machine.
    pub cid: String,
    /// The port.
    pub port: String,
}

/// A file descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct FdSocketAddress {
    /// Its name or number.
    pub str: String,
}
