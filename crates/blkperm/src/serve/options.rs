//! Options that are QAPI objects: JSON, or `key=value,…`.

use blkperm_qmp::CommandError;
use blkperm_qmp::json::{JsonError, Reader};
use blkperm_qmp::qapi::keyval::{self, KeyvalError};
use blkperm_qmp::qapi::{self, Syntax};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The argument of an option is not what the option takes.
#[derive(Debug, thiserror::Error)]
pub(super) enum OptionError {
    /// It is no JSON.
    #[error("{}", .0.desc)]
    Json(#[from] JsonError),
    /// There is more than one JSON value.
    #[error("Expecting at most one JSON value")]
    MoreThanOne,
    /// It is not in `key=value` syntax.
    #[error(transparent)]
    Keyval(#[from] KeyvalError),
    /// Its members are not those of the option.
    #[error(transparent)]
    Members(#[from] CommandError),
}

/// An object, as it was written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The members.
    pub(super) members: Map<String, Value>,
    syntax: Syntax,
}

impl Written {
    /// Takes JSON for JSON, and all else for `key=value,…`.
    ///
    /// Source: `qobject_input_visitor_new_str` in `qapi/qobject-input-visitor.c`, QEMU 10.0.
    pub(super) fn parse(text: &str, implied: Option<&str>) -> Result<Written, OptionError> {
        if !text.starts_with('{') {
            let members = keyval::parse(text, implied)?;
            return Ok(Written { members, syntax: Syntax::Keyval });
        }
        let mut reader = Reader::new();
        let mut items: Vec<_> = reader.feed(text.as_bytes()).collect();
        items.extend(reader.finish());
        let mut items = items.into_iter();
        match (items.next().transpose()?.map(|located| located.value), items.next()) {
            (Some(Value::Object(members)), None) => Ok(Written { members, syntax: Syntax::Json }),
            _ => Err(OptionError::MoreThanOne),
        }
    }

    /// The object as a QAPI type.
    pub(super) fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, OptionError> {
        Ok(qapi::from_object(&self.members, self.syntax)?)
    }
}

/// The options of `--monitor`.
///
/// Source: `MonitorOptions` in `qapi/control.json`, QEMU 10.0.
#[derive(Debug, Deserialize)]
pub(super) struct MonitorOptions {
    /// The name of the monitor, which nothing refers to.
    #[serde(rename = "id")]
    pub(super) _id: Option<String>,
    /// What is spoken.
    pub(super) mode: Option<MonitorMode>,
    /// Whether messages are laid out for people.
    pub(super) pretty: Option<bool>,
    /// The character device.
    pub(super) chardev: String,
}

/// What a monitor speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MonitorMode {
    /// Commands for people.
    Readline,
    /// QMP.
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_qmp::command::blockdev::BlockdevOptions;
    use serde_json::json;

    fn complaint(text: &str) -> String {
        let written = Written::parse(text, Some("driver"));
        let read = |written: Written| written.read::<BlockdevOptions>().map(|_| ());
        written.and_then(read).unwrap_err().to_string()
    }

    #[test]
    fn both_syntaxes_give_the_same_options() {
        let pairs = [
            (
                "null-co,node-name=a,size=0x1000,read-only=on",
                json!({"driver": "null-co", "node-name": "a", "size": 4096, "read-only": true}),
            ),
            (
                "driver=qcow2,node-name=a,file.driver=file,file.filename=a,,b,cache.direct=no,backing=x",
                json!({
                    "driver": "qcow2", "node-name": "a", "backing": "x",
                    "file": {"driver": "file", "filename": "a,b"}, "cache": {"direct": false},
                }),
            ),
            (
                "blkdebug,image=a,take-child-perms.0=write,take-child-perms.1=resize",
                json!({"driver": "blkdebug", "image": "a", "take-child-perms": ["write", "resize"]}),
            ),
        ];
        for (keyval, json) in pairs {
            let [left, right] = [keyval, &json.to_string()]
                .map(|text| Written::parse(text, Some("driver")).unwrap());
            assert_eq!(
                left.read::<BlockdevOptions>().unwrap(),
                right.read::<BlockdevOptions>().unwrap(),
                "{keyval}"
            );
        }
    }

    #[test]
    fn complaints_are_those_of_the_daemon() {
        let cases = [
            ("bogus", "Parameter 'driver' does not accept value 'bogus'"),
            ("null-co,bogus=1", "Parameter 'bogus' is unexpected"),
            ("null-co,size=1M", "Parameter 'size' expects integer"),
            ("null-co,latency-ns=1k", "Parameter 'latency-ns' expects integer"),
            ("null-co,cache.direct=maybe", "Parameter 'cache.direct' expects 'on' or 'off'"),
            ("null-co,cache=on", "Invalid parameter type for 'cache', expected: object"),
            ("null-co,read-only.x=1", "Parameters 'read-only.*' are unexpected"),
            ("driver.x=1", "Parameters 'driver.*' are unexpected"),
            ("raw,file.0=x", "Invalid parameter type for 'file', expected: BlockdevRef"),
            ("raw,file.bogus=x", "Parameter 'file.driver' is missing"),
            (
                "blkdebug,image=a,take-child-perms.0=bogus",
                "Parameter 'null' does not accept value 'bogus'",
            ),
            (
                "blkdebug,image=a,take-child-perms=write",
                "Invalid parameter type for 'take-child-perms', expected: array",
            ),
            (
                "blkdebug,image=a,inject-error.0.event=read_aio,inject-error.0.errno=x",
                "Parameter 'inject-error.0.errno' expects integer",
            ),
            ("{\"driver\":\"null-co\"", "JSON parse error, premature EOI"),
            ("{\"driver\":\"null-co\"}{}", "Expecting at most one JSON value"),
            ("{\"driver\":\"null-co\"} x", "Expecting at most one JSON value"),
            ("{\"driver\":%s}", "JSON parse error, stray '%'"),
            ("{\"driver\":null}", "Invalid parameter type for 'driver', expected: string"),
        ];
        for (text, expected) in cases {
            assert_eq!(complaint(text), expected, "{text}");
        }
    }
}
