//! Drivers of which no node can be opened here: the daemon has not got them, or what they need is not
//! there. Their options are read all the same, as the complaints about those come first.

use serde::{Deserialize, Serialize};

use super::BlockdevRef;
use crate::command::enums::qapi_enum;
use crate::command::nbd::{InetSocketAddress, SocketAddressFlat};

/// Options of the driver `blkreplay`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsBlkreplay {
    /// The child.
    pub image: BlockdevRef,
}

/// Options of the drivers `http`, `https`, `ftp` and `ftps`, of which each has some.
macro_rules! curl {
    ($($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name {
            /// Where the file is.
            pub url: String,
            /// How much to read ahead, in bytes.
            pub readahead: Option<i64>,
            /// How long to wait for an answer, in seconds.
            pub timeout: Option<i64>,
            /// As whom to log in.
            pub username: Option<String>,
            /// The object with the password.
            pub password_secret: Option<String>,
            /// As whom to log in to the proxy.
            pub proxy_username: Option<String>,
            /// The object with the password for the proxy.
            pub proxy_password_secret: Option<String>,
            $($(#[$member_doc])* pub $member: $type,)*
        }
    )*};
}

curl! {
    /// Options of the driver `ftp`.
    BlockdevOptionsCurlFtp {}
    /// Options of the driver `ftps`.
    BlockdevOptionsCurlFtps {
        /// Whether to check the server's certificate.
        sslverify: Option<bool>,
    }
    /// Options of the driver `http`.
    BlockdevOptionsCurlHttp {
        /// Cookies to send along.
        cookie: Option<String>,
        /// The object with cookies to send along.
        cookie_secret: Option<String>,
    }
    /// Options of the driver `https`.
    BlockdevOptionsCurlHttps {
        /// Cookies to send along.
        cookie: Option<String>,
        /// Whether to check the server's certificate.
        sslverify: Option<bool>,
        /// The object with cookies to send along.
        cookie_secret: Option<String>,
    }
}

/// Options of the driver `gluster`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockdevOptionsGluster {
    /// The volume.
    pub volume: String,
    /// The path in the volume.
    pub path: String,
    /// The servers.
    pub server: Vec<SocketAddressFlat>,
    /// How much to log.
    pub debug: Option<i64>,
    /// Where to log.
    pub logfile: Option<String>,
}

/// Options of the driver `iscsi`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsIscsi {
    /// How to reach the target.
    pub transport: IscsiTransport,
    /// Where the target is.
    pub portal: String,
    /// The target.
    pub target: String,
    /// The unit of the target.
    pub lun: Option<i64>,
    /// As whom to log in.
    pub user: Option<String>,
    /// The object with the password.
    pub password_secret: Option<String>,
    /// Who logs in.
    pub initiator_name: Option<String>,
    /// How headers are secured.
    pub header_digest: Option<IscsiHeaderDigest>,
    /// How long to wait for an answer, in seconds.
    pub timeout: Option<i64>,
}

qapi_enum! {
    /// How to reach an iSCSI target.
    pub enum IscsiTransport {
        Tcp = "tcp",
        Iser = "iser",
    }
}

qapi_enum! {
    /// How the headers of iSCSI are secured.
    pub enum IscsiHeaderDigest {
        Crc32c = "crc32c",
        None = "none",
        Crc32cNone = "crc32c-none",
        NoneCrc32c = "none-crc32c",
    }
}

/// Options of the driver `nbd`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsNbd {
    /// The server.
    pub server: SocketAddressFlat,
    /// The name of the export.
    pub export: Option<String>,
    /// The object with the TLS credentials.
    pub tls_creds: Option<String>,
    /// Whose certificate to expect.
    pub tls_hostname: Option<String>,
    /// The context to read as if it were the data.
    pub x_dirty_bitmap: Option<String>,
    /// For how many seconds requests wait for a lost server.
    pub reconnect_delay: Option<u32>,
    /// For how many seconds to try to connect.
    pub open_timeout: Option<u32>,
}

/// Options of the driver `nfs`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsNfs {
    /// The server.
    pub server: NfsServer,
    /// The path on the server.
    pub path: String,
    /// As whom to open it.
    pub user: Option<i64>,
    /// As which group to open it.
    pub group: Option<i64>,
    /// How often to try to connect.
    pub tcp_syn_count: Option<i64>,
    /// How much to read ahead, in bytes.
    pub readahead_size: Option<i64>,
    /// How much to cache, in pages.
    pub page_cache_size: Option<i64>,
    /// How much to log.
    pub debug: Option<i64>,
}

/// A server of `nfs`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NfsServer {
    /// The kind of its address.
    #[serde(rename = "type")]
    pub kind: NfsTransport,
    /// Its address.
    pub host: String,
}

qapi_enum! {
    /// The kinds of addresses of servers of `nfs`.
    pub enum NfsTransport {
        Inet = "inet",
    }
}

/// Options of the driver `nvme`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockdevOptionsNvme {
    /// The address of the controller on the PCI bus.
    pub device: String,
    /// The number of its namespace.
    pub namespace: i64,
}

/// Options of the driver `rbd`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsRbd {
    /// The pool.
    pub pool: String,
    /// The namespace in the pool.
    pub namespace: Option<String>,
    /// The image.
    pub image: String,
    /// The configuration file.
    pub conf: Option<String>,
    /// The snapshot of the image.
    pub snapshot: Option<String>,
    /// How to decrypt the image.
    pub encrypt: Option<Box<RbdEncryptionOptions>>,
    /// As whom to log in.
    pub user: Option<String>,
    /// How to prove that.
    pub auth_client_required: Option<Vec<RbdAuthMode>>,
    /// The object with the key.
    pub key_secret: Option<String>,
    /// The servers.
    pub server: Option<Vec<InetSocketAddressBase>>,
}

/// How to decrypt an image of `rbd`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union RbdEncryptionOptions")]
pub struct RbdEncryptionOptions {
    /// What all formats have.
    pub base: RbdEncryptionBase,
    /// What the format adds.
    #[serde(rename = "format")]
    pub options: RbdEncryption,
}

/// What all formats of encryption of `rbd` have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RbdEncryptionBase {
    /// The format.
    pub format: RbdImageEncryptionFormat,
    /// How to decrypt the image's parent.
    pub parent: Option<Box<RbdEncryptionOptions>>,
}

/// The formats of encryption of `rbd`, with their options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RbdEncryption {
    /// LUKS.
    Luks(RbdSecret),
    /// LUKS2.
    Luks2(RbdSecret),
    /// Either.
    LuksAny(RbdSecret),
}

/// The object with a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RbdSecret {
    /// The object.
    pub key_secret: String,
}

qapi_enum! {
    /// The formats of encryption of `rbd`.
    pub enum RbdImageEncryptionFormat {
        Luks = "luks",
        Luks2 = "luks2",
        LuksAny = "luks-any",
    }
}

qapi_enum! {
    /// How to prove to `rbd` who one is.
    pub enum RbdAuthMode {
        Cephx = "cephx",
        None = "none",
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InetSocketAddressBase {
    /// The host.
    pub host: String,
    /// The port.
    pub port: String,
}

/// Options of the driver `ssh`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsSsh {
    /// The server.
    pub server: InetSocketAddress,
    /// The path on the server.
    pub path: String,
    /// As whom to log in.
    pub user: Option<String>,
    /// How to know the server.
    pub host_key_check: Option<SshHostKeyCheck>,
}

/// How to know a server of `ssh`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union SshHostKeyCheck")]
pub struct SshHostKeyCheck {
    /// What all ways have.
    pub base: SshHostKeyCheckBase,
    /// What this one adds.
    #[serde(rename = "mode")]
    pub options: SshHostKeyCheckOptions,
}

/// What all ways of knowing a server of `ssh` have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SshHostKeyCheckBase {
    /// Which it is.
    pub mode: SshHostKeyCheckMode,
}

qapi_enum! {
    /// The ways of knowing a server of `ssh`.
    pub enum SshHostKeyCheckMode {
        None = "none",
        Hash = "hash",
        KnownHosts = "known_hosts",
    }
}

/// The ways of knowing a server of `ssh`, with their options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SshHostKeyCheckOptions {
    /// Not at all.
    None,
    /// By a hash of its key.
    Hash(SshHostKeyHash),
    /// By the keys that the user knows.
    KnownHosts,
}

/// The hash of a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SshHostKeyHash {
    /// How it is computed.
    #[serde(rename = "type")]
    pub kind: SshHostKeyCheckHashType,
    /// The hash.
    pub hash: String,
}

qapi_enum! {
    /// How the hash of a key is computed.
    pub enum SshHostKeyCheckHashType {
        Md5 = "md5",
        Sha1 = "sha1",
        Sha256 = "sha256",
    }
}

/// Options of the driver `vvfat`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsVvfat {
    /// The directory.
    pub dir: String,
    /// How many bits there are for a cluster.
    pub fat_type: Option<i64>,
    /// Whether it is a floppy disk.
    pub floppy: Option<bool>,
    /// The name of the volume.
    pub label: Option<String>,
    /// Whether the directory is written.
    pub rw: Option<bool>,
}
