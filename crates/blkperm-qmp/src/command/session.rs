//! What a client has negotiated.

use serde::Deserialize;

use super::enums::qapi_enum;

qapi_enum! {
    /// What a client may enable.
    pub enum QmpCapability {
        Oob = "oob",
    }
}

/// The arguments of `qmp_capabilities`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct QmpCapabilities {
    /// The capabilities to enable.
    pub enable: Option<Vec<QmpCapability>>,
}

/// Which commands a client may give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Only `qmp_capabilities`.
    #[default]
    Negotiation,
    /// All others.
    Commands {
        /// Whether `exec-oob` may be used.
        oob: bool,
    },
}

impl Phase {
    /// The phase after `qmp_capabilities` with these arguments.
    pub fn negotiated(capabilities: &QmpCapabilities) -> Self {
        let enabled = capabilities.enable.as_deref().unwrap_or_default();
        Self::Commands { oob: enabled.contains(&QmpCapability::Oob) }
    }
}
