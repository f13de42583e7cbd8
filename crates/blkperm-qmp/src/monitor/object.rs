//! Objects that nodes refer to: passphrases, and limits of rates.
//!
//! None of them has an edge in the graph.

mod throttle;

use blkperm_graph::Rule;
use blkperm_jobs::is_wellformed;
use serde_json::{Value, json};

use super::{Failed, Monitor, done};
use crate::command::object::{
    IothreadProperties, ObjectOptions, ObjectProperties, QCryptoSecretFormat, SecretProperties,
};

/// The objects, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects(Vec<(String, Object)>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Object {
    Secret(Vec<u8>),
    ThrottleGroup,
    Iothread,
}

impl Objects {
    fn get(&self, id: &str) -> Option<&Object> {
        self.0.iter().find(|(other, _)| other == id).map(|(_, object)| object)
    }

    pub(super) fn has_throttle_group(&self, id: &str) -> bool {
        self.get(id) == Some(&Object::ThrottleGroup)
    }

    pub(super) fn has_iothread(&self, id: &str) -> bool {
        self.get(id) == Some(&Object::Iothread)
    }

    /// The passphrase of that name.
    ///
    /// Source: `qcrypto_secret_lookup` in `crypto/secret_common.c`, QEMU 10.0.
    pub(super) fn secret(&self, id: &str) -> Result<&[u8], Failed> {
        match self.get(id) {
            Some(Object::Secret(data)) => Ok(data),
            Some(_) => Err(Failed::generic(format!("Object with id '{id}' is not a secret"))),
            None => Err(Failed::generic(format!("No secret with id '{id}'"))),
        }
    }
}

impl<R: Rule> Monitor<R> {
    /// Source: `user_creatable_add_qapi` in `qom/object_interfaces.c`, QEMU 10.0.
    pub(super) fn object_add(&mut self, options: &ObjectOptions) -> Result<Value, Failed> {
        let id = &options.base.id;
        if !is_wellformed(id) {
            return Err(Failed::generic("Parameter 'id' expects an identifier"));
        }
        check_properties(&options.properties)?;
        if self.objects.get(id).is_some() {
            let desc =
                format!("attempt to add duplicate property '{id}' to object (type 'container')");
            return Err(Failed::generic(desc));
        }
        let object = self.complete(&options.properties)?;
        self.objects.0.push((id.clone(), object));
        done()
    }

    /// Source: `user_creatable_del` in `qom/object_interfaces.c`, QEMU 10.0.
    pub(super) fn object_del(&mut self, id: &str) -> Result<Value, Failed> {
        let Some(place) = self.objects.0.iter().position(|(other, _)| other == id) else {
            return Err(Failed::generic(format!("object '{id}' not found")));
        };
        let is_group = self.objects.has_throttle_group(id);
        if is_group && self.nodes.any_has_option("throttle-group", &json!(id)) {
            return Err(Failed::generic(format!("object '{id}' is in use, can not be deleted")));
        }
        self.objects.0.remove(place);
        done()
    }
}

/// The checks of each property by itself.
fn check_properties(properties: &ObjectProperties) -> Result<(), Failed> {
    match properties {
        ObjectProperties::Secret(_) => Ok(()),
        ObjectProperties::ThrottleGroup(limits) => throttle::check_properties(limits),
        ObjectProperties::Iothread(thread) => check_thread(thread),
    }
}

/// Source: `iothread_set_param`, `event_loop_base_set_param` in `iothread.c` and
/// `event-loop-base.c`, QEMU 10.0.
fn check_thread(thread: &IothreadProperties) -> Result<(), Failed> {
    let properties = [
        ("aio-max-batch", thread.aio_max_batch),
        ("thread-pool-min", thread.thread_pool_min),
        ("thread-pool-max", thread.thread_pool_max),
        ("poll-max-ns", thread.poll_max_ns),
        ("poll-grow", thread.poll_grow),
        ("poll-shrink", thread.poll_shrink),
    ];
    match properties.iter().find(|(_, value)| value.is_some_and(|value| value < 0)) {
        Some((name, _)) => {
            let desc = format!("{name} value must be in range [0, {}]", i64::MAX);
            Err(Failed::generic(desc))
        }
        None => Ok(()),
    }
}

impl<R: Rule> Monitor<R> {
    /// The checks of all properties together, and what the object is.
    fn complete(&self, properties: &ObjectProperties) -> Result<Object, Failed> {
        match properties {
            ObjectProperties::Secret(secret) => Ok(Object::Secret(self.secret_data(secret)?)),
            ObjectProperties::ThrottleGroup(limits) => {
                throttle::check(limits)?;
                Ok(Object::ThrottleGroup)
            }
            ObjectProperties::Iothread(thread) => {
                let most = thread.thread_pool_max.unwrap_or(64);
                if thread.thread_pool_min.unwrap_or(0) > most {
                    return Err(Failed::generic("bad thread-pool-min/thread-pool-max values"));
                }
                Ok(Object::Iothread)
            }
        }
    }

    /// Source: `qcrypto_secret_load_data` in `crypto/secret.c`, `qcrypto_secret_complete` in
    /// `crypto/secret_common.c`, QEMU 10.0.
    fn secret_data(&self, secret: &SecretProperties) -> Result<Vec<u8>, Failed> {
        let data = match (&secret.file, &secret.data) {
            (Some(_), Some(_)) => {
                return Err(Failed::generic("'file' and 'data' are mutually exclusive"));
            }
            (None, None) => {
                return Err(Failed::generic("Either 'file' or 'data' must be provided"));
            }
            (Some(file), None) => self.images.read_passphrase(file).map_err(|error| {
                Failed::generic(format!(
                    "Unable to read {file}: Failed to open file “{file}”: {error}"
                ))
            })?,
            (None, Some(data)) => data.clone().into_bytes(),
        };
        if let Some(key) = &secret.keyid {
            // The key is of AES-256.
            if self.objects.secret(key)?.len() != 32 {
                return Err(Failed::generic("Key should be 32 bytes in length"));
            }
            return Err(Failed::unimplemented("keyid", key));
        }
        match secret.format {
            Some(QCryptoSecretFormat::Base64) => from_base64(&data),
            Some(QCryptoSecretFormat::Raw) | None => Ok(data),
        }
    }
}

/// Data in Base64, where line feeds mean nothing, and what is missing at the end is missing.
///
/// Source: `qbase64_decode` in `util/base64.c`, QEMU 10.0.
fn from_base64(text: &[u8]) -> Result<Vec<u8>, Failed> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    if !text.iter().all(|&byte| digit(byte).is_some() || matches!(byte, b'=' | b'\n')) {
        return Err(Failed::generic("Base64 data contains invalid characters"));
    }
    let digits: Vec<u8> = text.iter().copied().filter_map(digit).collect();
    let mut data = Vec::new();
    for quantum in digits.chunks(4) {
        let bits = quantum.iter().fold(0, |bits, &digit| bits << 6 | u32::from(digit));
        let bits = bits << (6 * (4 - quantum.len()) + 8);
        data.extend(&bits.to_be_bytes()[..quantum.len() - 1]);
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::from_base64;

    #[test]
    fn base64_may_lack_its_padding() {
        let cases =
            [("YWJj", "abc"), ("YWI=\n", "ab"), ("YQ", "a"), ("", ""), ("YWJjZA==", "abcd")];
        for (text, data) in cases {
            assert_eq!(from_base64(text.as_bytes()).unwrap(), data.as_bytes(), "{text:?}");
        }
        assert!(from_base64(b"YW Jj").is_err());
    }
}
