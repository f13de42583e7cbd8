//! `--object`: objects that other options refer to, none of which has an edge in the graph.

use super::error::OptionFault;
use super::options::Written;
use blkperm_jobs::is_wellformed;

/// The types of objects that the daemon makes.
const TYPES: [&str; 13] = [
    "authz-list",
    "authz-list-file",
    "authz-simple",
    "iothread",
    "main-loop",
    "pr-manager-helper",
    "secret",
    "secret_keyring",
    "thread-context",
    "throttle-group",
    "tls-creds-anon",
    "tls-creds-psk",
    "tls-creds-x509",
];

/// Those of them that nodes refer to, so that their properties matter.
const MODELLED: [&str; 3] = ["iothread", "secret", "throttle-group"];

/// An object that may be made.
pub(super) struct Object {
    pub(super) id: String,
    /// Whether its properties are to be looked at.
    pub(super) is_modelled: bool,
}

impl Object {
    /// The object that an option asks for, beside those with the ids `others`.
    pub(super) fn of(written: &Written, others: &[String]) -> Result<Object, OptionFault> {
        let text = |name: &str| {
            let value = written.members.get(name).and_then(|value| value.as_str());
            value.ok_or_else(|| OptionFault::other(format!("Parameter '{name}' is missing")))
        };
        let kind = text("qom-type")?;
        if !TYPES.contains(&kind) {
            let fault = format!("Parameter 'qom-type' does not accept value '{kind}'");
            return Err(OptionFault::other(fault));
        }
        let id = text("id")?;
        if !is_wellformed(id) {
            return Err(OptionFault::NoIdentifier);
        }
        if others.iter().any(|other| other == id) {
            return Err(OptionFault::Duplicate(id.to_owned()));
        }
        Ok(Object { id: id.to_owned(), is_modelled: MODELLED.contains(&kind) })
    }
}
