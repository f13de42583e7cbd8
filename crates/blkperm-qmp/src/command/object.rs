//! Arguments of the commands for objects.

mod throttle;

pub use throttle::*;

use serde::{Deserialize, Serialize};

use super::enums::qapi_enum;

/// The arguments of `object-add`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union ObjectOptions")]
pub struct ObjectOptions {
    /// What all objects have.
    pub base: ObjectBase,
    /// What the type of the object adds.
    #[serde(rename = "qom-type")]
    pub properties: ObjectProperties,
}

/// What all objects have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectBase {
    /// The type.
    pub qom_type: ObjectType,
    /// The name of the object.
    pub id: String,
}

qapi_enum! {
    /// All types of the schema, those that are not implemented included.
    pub enum ObjectType {
        AcpiGenericInitiator = "acpi-generic-initiator",
        AcpiGenericPort = "acpi-generic-port",
        AuthzList = "authz-list",
        AuthzListfile = "authz-listfile",
        AuthzPam = "authz-pam",
        AuthzSimple = "authz-simple",
        CanBus = "can-bus",
        CanHostSocketcan = "can-host-socketcan",
        ColoCompare = "colo-compare",
        CryptodevBackend = "cryptodev-backend",
        CryptodevBackendBuiltin = "cryptodev-backend-builtin",
        CryptodevBackendLkcf = "cryptodev-backend-lkcf",
        CryptodevVhostUser = "cryptodev-vhost-user",
        DbusVmstate = "dbus-vmstate",
        FilterBuffer = "filter-buffer",
        FilterDump = "filter-dump",
        FilterMirror = "filter-mirror",
        FilterRedirector = "filter-redirector",
        FilterReplay = "filter-replay",
        FilterRewriter = "filter-rewriter",
        InputBarrier = "input-barrier",
        InputLinux = "input-linux",
        Iommufd = "iommufd",
        Iothread = "iothread",
        MainLoop = "main-loop",
        MemoryBackendEpc = "memory-backend-epc",
        MemoryBackendFile = "memory-backend-file",
        MemoryBackendMemfd = "memory-backend-memfd",
        MemoryBackendRam = "memory-backend-ram",
        MemoryBackendShm = "memory-backend-shm",
        PefGuest = "pef-guest",
        PrManagerHelper = "pr-manager-helper",
        Qtest = "qtest",
        RngBuiltin = "rng-builtin",
        RngEgd = "rng-egd",
        RngRandom = "rng-random",
        Secret = "secret",
        SecretKeyring = "secret_keyring",
        SevGuest = "sev-guest",
        SevSnpGuest = "sev-snp-guest",
        ThreadContext = "thread-context",
        S390PvGuest = "s390-pv-guest",
        ThrottleGroup = "throttle-group",
        TlsCredsAnon = "tls-creds-anon",
        TlsCredsPsk = "tls-creds-psk",
        TlsCredsX509 = "tls-creds-x509",
        TlsCipherSuites = "tls-cipher-suites",
        XRemoteObject = "x-remote-object",
        XVfioUserServer = "x-vfio-user-server",
    }
}

/// The types that are implemented, with their properties.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectProperties {
    /// A thread.
    Iothread(IothreadProperties),
    /// A passphrase or a key.
    Secret(SecretProperties),
    /// Limits of rates, which nodes share.
    ThrottleGroup(Box<ThrottleGroupProperties>),
}

/// The properties of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct IothreadProperties {
    /// Requests that may be submitted at once, 0 for the default.
    pub aio_max_batch: Option<i64>,
    /// The least number of worker threads.
    pub thread_pool_min: Option<i64>,
    /// The greatest number of worker threads.
    pub thread_pool_max: Option<i64>,
    /// How long to poll at most, in nanoseconds.
    pub poll_max_ns: Option<i64>,
    /// By what the time of polling grows.
    pub poll_grow: Option<i64>,
    /// By what the time of polling shrinks.
    pub poll_shrink: Option<i64>,
}

/// The properties of a passphrase or a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SecretProperties {
    /// How the data are written.
    pub format: Option<QCryptoSecretFormat>,
    /// The secret that the data are encrypted with.
    pub keyid: Option<String>,
    /// The initialisation vector.
    pub iv: Option<String>,
    /// The data.
    pub data: Option<String>,
    /// The file with the data.
    pub file: Option<String>,
}

qapi_enum! {
    /// How a secret is written.
    pub enum QCryptoSecretFormat {
        Raw = "raw",
        Base64 = "base64",
    }
}

/// The arguments of `object-del`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ObjectDel {
    /// The object.
    pub id: String,
}
