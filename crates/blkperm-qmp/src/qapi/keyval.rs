//! Objects that are written as `key=value,…` on a command line.
//!
//! A comma within a value is doubled; a dotted key names a member of a member; a key that ends in a
//! number names an element of a list. All scalars are texts: what they mean depends on the type that
//! is read from them, with [`Syntax::Keyval`](super::Syntax::Keyval).
//!
//! Source: `util/keyval.c`, QEMU 10.0.
//!
//! ```
//! # use blkperm_qmp::qapi::keyval;
//! let members = keyval::parse("raw,node-name=a,file.driver=null-co", Some("driver")).unwrap();
//! let expected = serde_json::json!({
//!     "driver": "raw", "node-name": "a", "file": {"driver": "null-co"}
//! });
//! assert_eq!(serde_json::Value::Object(members), expected);
//! ```

use serde_json::{Map, Value};

use super::MAX_DEPTH;

/// The longest part of a key.
const MAX_FRAGMENT: usize = 127;

/// A text is no object in `key=value` syntax.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyvalError {
    /// A key, or what should be one, is not the name of anything.
    #[error("Invalid parameter '{0}'")]
    InvalidKey(String),
    /// A part of a key is too long.
    #[error("Parameter{} '{name}' is too long", if *.is_part { " fragment" } else { "" })]
    TooLong {
        /// The key, or the part of it.
        name: String,
        /// Whether it is a part.
        is_part: bool,
    },
    /// A key has more parts than objects may be nested: a limit of our own.
    #[error("Parameter '{0}' has more than {MAX_DEPTH} parts; nest less deeply")]
    TooDeep(String),
    /// A key has no value.
    #[error("Expected '=' after parameter '{0}'")]
    NoValue(String),
    /// A key stands for two of a scalar, an object and a list.
    #[error("Parameters '{0}.*' used inconsistently")]
    Inconsistent(String),
    /// An element of a list is not there, though a later one is.
    #[error("Parameter '{0}' missing")]
    MissingElement(String),
    /// Help was asked for.
    #[error("Help is not available for this option")]
    Help,
}

/// Reads an object; `implied` is the key of a first value that has none.
///
/// # Errors
///
/// QEMU's first complaint.
pub fn parse(text: &str, implied: Option<&str>) -> Result<Map<String, Value>, KeyvalError> {
    let mut members = Map::new();
    let (mut rest, mut implied, mut help) = (text, implied, false);
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let has_value = rest[end..].starts_with('=');
        if end > 0 && !has_value && matches!(&rest[..end], "help" | "?") {
            help = true;
            rest = after_comma(&rest[end..]);
        } else if let (Some(key), true) = (implied, end > 0 && !has_value) {
            put(&mut members, key, rest[..end].to_owned())?;
            rest = after_comma(&rest[end..]);
        } else {
            check_key(&rest[..end])?;
            if !has_value {
                return Err(KeyvalError::NoValue(rest[..end].to_owned()));
            }
            let (value, after) = value(&rest[end + 1..]);
            put(&mut members, &rest[..end], value)?;
            rest = after;
        }
        implied = None;
    }
    let members = members
        .into_iter()
        .map(|(key, value)| Ok((key.clone(), lists(value, &key)?)))
        .collect::<Result<_, _>>()?;
    if help { Err(KeyvalError::Help) } else { Ok(members) }
}

fn after_comma(text: &str) -> &str {
    text.strip_prefix(',').unwrap_or(text)
}

/// A value up to a comma that is not doubled, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let Some((head, tail)) = rest.split_once(',') else {
            value.push_str(rest);
            return (value, "");
        };
        value.push_str(head);
        match tail.strip_prefix(',') {
            Some(tail) => rest = tail,
            None => return (value, tail),
        }
        value.push(',');
    }
}

fn check_key(key: &str) -> Result<(), KeyvalError> {
    if key.split('.').nth(MAX_DEPTH).is_some() {
        return Err(KeyvalError::TooDeep(key.to_owned()));
    }
    for (place, part) in key.split('.').enumerate() {
        let is_index = place > 0 && index(part).is_some();
        if !is_index && !is_name(part) {
            return Err(KeyvalError::InvalidKey(key.to_owned()));
        }
        if part.len() > MAX_FRAGMENT {
            let is_part = part.len() < key.len();
            return Err(KeyvalError::TooLong { name: part.to_owned(), is_part });
        }
    }
    Ok(())
}

/// Source: `parse_qapi_name` in `qapi/qapi-util.c`, QEMU 10.0, but for names of other vendors, of
/// which there are none here.
fn is_name(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The place in a list that a part of a key names; beyond all bounds it is the last one.
fn index(part: &str) -> Option<usize> {
    let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| part.parse().unwrap_or(usize::MAX))
}

/// Puts a value where its key says; a value that is there already is replaced.
fn put(members: &mut Map<String, Value>, key: &str, value: String) -> Result<(), KeyvalError> {
    let mut members = members;
    let mut start = 0;
    while let Some(length) = key[start..].find('.') {
        let end = start + length;
        let member = members.entry(&key[start..end]).or_insert_with(|| Map::new().into());
        let Value::Object(inner) = member else {
            return Err(KeyvalError::Inconsistent(key[..end].to_owned()));
        };
        (members, start) = (inner, end + 1);
    }
    match members.get_mut(&key[start..]) {
        Some(Value::Object(_)) => return Err(KeyvalError::Inconsistent(key.to_owned())),
        Some(old) => *old = value.into(),
        None => {
            members.insert(key[start..].to_owned(), value.into());
        }
    }
    Ok(())
}

/// Makes lists of all objects whose keys are numbers; `name` is the object's own key.
///
/// It recurses as deep as a key has parts, which is not more than [`MAX_DEPTH`].
fn lists(value: Value, name: &str) -> Result<Value, KeyvalError> {
    let Value::Object(members) = value else {
        return Ok(value);
    };
    let mut elements: Vec<(usize, Value)> = Vec::new();
    let mut others = Map::new();
    for (key, value) in members {
        let value = lists(value, &format!("{name}.{key}"))?;
        match index(&key) {
            Some(index) => elements.push((index, value)),
            None => {
                others.insert(key, value);
            }
        }
    }
    if elements.is_empty() {
        return Ok(Value::Object(others));
    }
    if !others.is_empty() {
        return Err(KeyvalError::Inconsistent(name.to_owned()));
    }
    elements.sort_by_key(|(index, _)| *index);
    elements.dedup_by_key(|(index, _)| *index);
    let is_gap = |(place, (index, _)): (usize, &(usize, Value))| (place != *index).then_some(place);
    match elements.iter().enumerate().find_map(is_gap) {
        Some(place) => Err(KeyvalError::MissingElement(format!("{name}.{place}"))),
        None => Ok(elements.into_iter().map(|(_, value)| value).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaint(text: &str) -> String {
        parse(text, Some("driver")).unwrap_err().to_string()
    }

    #[test]
    fn values_may_hold_doubled_commas_and_be_given_again() {
        let members = parse("file,filename=a,,b=c,x=1,x=2,", Some("driver")).unwrap();
        assert_eq!(
            Value::Object(members),
            json!({"driver": "file", "filename": "a,b=c", "x": "2"})
        );
    }

    #[test]
    fn numbered_keys_are_lists() {
        let members = parse("a.1.x=2,a.00=1,b.c.d=3", None).unwrap();
        assert_eq!(Value::Object(members), json!({"a": ["1", {"x": "2"}], "b": {"c": {"d": "3"}}}));
    }

    #[test]
    fn complaints_are_those_of_the_daemon() {
        let long = "x".repeat(130);
        let cases = [
            ("null-co,read-only", "Expected '=' after parameter 'read-only'"),
            (",", "Invalid parameter ''"),
            ("null-co,,x", "Invalid parameter ''"),
            ("a,1x=x", "Invalid parameter '1x'"),
            ("a,a..b=x", "Invalid parameter 'a..b'"),
            ("a,b.=x", "Invalid parameter 'b.'"),
            ("a,p.0x=x", "Invalid parameter 'p.0x'"),
            ("a,file.driver=x,file=y", "Parameters 'file.*' used inconsistently"),
            ("a,file=y,file.driver=x", "Parameters 'file.*' used inconsistently"),
            ("a,p.0=y,p.x=x", "Parameters 'p.*' used inconsistently"),
            ("a,p.0=y,p.2=x", "Parameter 'p.1' missing"),
            ("a,p.99999999999999999999=x", "Parameter 'p.0' missing"),
            ("help", "Help is not available for this option"),
            (&format!("a,{long}=1"), &format!("Parameter '{long}' is too long")),
            (&format!("a,y.{long}=1"), &format!("Parameter fragment '{long}' is too long")),
        ];
        for (text, expected) in cases {
            assert_eq!(complaint(text), expected, "{text}");
        }
        let deep = complaint(&format!("a,{}b=1", "a.".repeat(50_000)));
        assert!(deep.ends_with("has more than 64 parts; nest less deeply"));
        assert_eq!(parse("x", None).unwrap_err(), KeyvalError::NoValue("x".to_owned()));
    }
}
