//! Commands as people type them: JSON, or `name key=value` as `qmp-shell` takes it.

use blkperm_qmp::json;
use serde_json::{Map, Value};

/// How deep members may be nested.
const MAX_DEPTH: usize = 64;

/// A text is no command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandSyntaxError {
    /// It is empty.
    #[error("there is no command")]
    Empty,
    /// The JSON is broken, or is no object with a command.
    #[error("{0}")]
    Json(String),
    /// An argument has no value.
    #[error("'{0}' is not of the form key=value")]
    NoValue(String),
    /// A key stands for two things.
    #[error("'{0}' is given twice")]
    Twice(String),
    /// A key has more parts than objects may be nested.
    #[error("a key has more than {MAX_DEPTH} parts")]
    TooDeep,
    /// A quotation or a bracket is not closed.
    #[error("{0} is not closed")]
    Open(char),
}

/// The command in a text: `{"execute": ...}`, or a name with arguments `key=value`, where a dotted
/// key is a member of a member, and a value is a number, `true`, `false`, `null`, JSON in brackets,
/// or else a text.
///
/// # Errors
///
/// [`CommandSyntaxError`].
pub fn parse_command(text: &str) -> Result<Value, CommandSyntaxError> {
    let text = text.trim();
    if text.starts_with('{') {
        let mut values = json::read_all(text.as_bytes())
            .map_err(|error| CommandSyntaxError::Json(error.to_string()))?
            .into_iter();
        return match (values.next(), values.next()) {
            (Some(one), None) if one.value.get("execute").is_some_and(Value::is_string) => {
                Ok(one.value)
            }
            _ => Err(CommandSyntaxError::Json("give one object with 'execute'".to_owned())),
        };
    }
    let mut words = words(text)?.into_iter();
    let name = words.next().ok_or(CommandSyntaxError::Empty)?;
    let mut arguments = Map::new();
    for word in words {
        let (key, text) =
            word.split_once('=').ok_or_else(|| CommandSyntaxError::NoValue(word.clone()))?;
        insert(&mut arguments, key, value(text)?)?;
    }
    let mut command = Map::new();
    command.insert("execute".to_owned(), Value::String(name));
    if !arguments.is_empty() {
        command.insert("arguments".to_owned(), Value::Object(arguments));
    }
    Ok(Value::Object(command))
}

/// Puts a value at a dotted key.
fn insert(
    members: &mut Map<String, Value>,
    key: &str,
    value: Value,
) -> Result<(), CommandSyntaxError> {
    let twice = || CommandSyntaxError::Twice(key.to_owned());
    if key.split('.').count() > MAX_DEPTH {
        return Err(CommandSyntaxError::TooDeep);
    }
    let mut members = members;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return match members.insert(part.to_owned(), value) {
                None => Ok(()),
                Some(_) => Err(twice()),
            };
        }
        let below = members.entry(part).or_insert_with(|| Value::Object(Map::new()));
        members = below.as_object_mut().ok_or_else(twice)?;
    }
    Ok(())
}

fn value(text: &str) -> Result<Value, CommandSyntaxError> {
    let is_json = text.starts_with(['{', '[']) || matches!(text, "true" | "false" | "null");
    if is_json || text.parse::<i64>().is_ok() {
        let values = json::read_all(text.as_bytes());
        let mut values = values.map_err(|error| CommandSyntaxError::Json(error.to_string()))?;
        if values.len() == 1 {
            return Ok(values.remove(0).value);
        }
    }
    Ok(Value::String(text.to_owned()))
}

/// The words of a text; quotation marks and brackets keep what is in them together, and quotation
/// marks outside of brackets are dropped.
fn words(text: &str) -> Result<Vec<String>, CommandSyntaxError> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut begun) = (String::new(), false);
    let mut quote: Option<char> = None;
    let mut brackets: Vec<char> = Vec::new();
    for c in text.chars() {
        match (c, quote) {
            (_, Some(mark)) => {
                let ends = c == mark;
                if ends {
                    quote = None;
                }
                if !ends || !brackets.is_empty() {
                    word.push(c);
                }
            }
            ('"' | '\'', None) => {
                quote = Some(c);
                begun = true;
                if !brackets.is_empty() {
                    word.push(c);
                }
            }
            (c, None) if c.is_whitespace() && brackets.is_empty() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (c, None) => {
                match c {
                    '{' | '[' => brackets.push(c),
                    '}' | ']' => drop(brackets.pop()),
                    _ => {}
                }
                begun = true;
                word.push(c);
            }
        }
    }
    if let Some(open) = quote.or(brackets.pop()) {
        return Err(CommandSyntaxError::Open(open));
    }
    if begun {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_is_json_or_what_qmp_shell_takes() {
        let add = json!({"execute": "blockdev-add", "arguments": {
            "driver": "qcow2", "node-name": "a b", "read-only": true,
            "file": {"driver": "file", "filename": "x.qcow2"}, "size": 7,
            "perms": ["write"],
        }});
        let short = "blockdev-add driver=qcow2 node-name=\"a b\" read-only=true file.driver=file \
                     file.filename=x.qcow2 size=7 perms=[\"write\"]";
        assert_eq!(parse_command(short), Ok(add.clone()));
        assert_eq!(parse_command(&add.to_string()), Ok(add));
        assert_eq!(parse_command(" quit "), Ok(json!({"execute": "quit"})));
    }

    #[test]
    fn what_is_no_command_is_said() {
        let cases = [
            ("", "no command"),
            ("job-cancel j0", "'j0' is not of the form"),
            ("a b=1 b=2", "twice"),
            ("a b=1 b.c=2", "twice"),
            ("a b='", "not closed"),
            ("a b=[1", "not closed"),
            ("{\"execute\": 1}", "'execute'"),
            ("{\"execute\": ", "JSON"),
        ];
        for (text, expected) in cases {
            let error = parse_command(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
