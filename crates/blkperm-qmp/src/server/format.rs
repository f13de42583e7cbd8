//! Messages as bytes: JSON as the daemon writes it.
//!
//! Source: `qobject_to_json_pretty` in `qobject/qjson.c`, QEMU 10.0.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use crate::qapi::qdict_order;

/// How messages are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    #[default]
    Plain,
    /// On many lines, each as deep as it is nested.
    Pretty,
}

/// A message, with its line end; the members of an object come in QEMU's order.
///
/// It recurses as deep as the value is nested, which [`crate::json::MAX_NESTING`] bounds.
pub fn message(value: &Value, layout: Layout) -> String {
    let mut writer = Writer { text: String::new(), layout, depth: 0 };
    writer.value(value);
    writer.text.push_str("\r\n");
    writer.text
}

struct Writer {
    text: String,
    layout: Layout,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.string(text),
            Value::Array(elements) => self.list(elements),
            Value::Object(members) => self.object(members),
        }
    }

    fn number(&mut self, number: &Number) {
        match number.as_f64() {
            Some(float) if number.is_f64() => self.text.push_str(&shortest_17(float)),
            _ => self.text.push_str(&number.to_string()),
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                ' '..='~' => self.text.push(c),
                _ => self.escape(c),
            }
        }
        self.text.push('"');
    }

    fn escape(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "\\u{unit:04X}");
        }
    }

    fn list(&mut self, elements: &[Value]) {
        self.text.push('[');
        self.depth += 1;
        for (place, element) in elements.iter().enumerate() {
            self.separate(place);
            self.value(element);
        }
        self.close(']');
    }

    fn object(&mut self, members: &Map<String, Value>) {
        self.text.push('{');
        self.depth += 1;
        for (place, (name, value)) in qdict_order(members).into_iter().enumerate() {
            self.separate(place);
            self.string(name);
            self.text.push_str(": ");
            self.value(value);
        }
        self.close('}');
    }

    fn separate(&mut self, place: usize) {
        match self.layout {
            Layout::Plain if place > 0 => self.text.push_str(", "),
            Layout::Plain => {}
            Layout::Pretty => {
                if place > 0 {
                    self.text.push(',');
                }
                self.new_line();
            }
        }
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if self.layout == Layout::Pretty {
            self.new_line();
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("    ", self.depth));
    }
}

/// A number with up to 17 digits: C's `%.17g`.
fn shortest_17(float: f64) -> String {
    const DIGITS: i32 = 17;
    let scientific = format!("{float:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trim = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or_default();
        return trim(&format!("{float:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_those_of_the_daemon() {
        let value =
            json!({"return": [], "id": [1, "ä\u{1d11e}\u{7f}\"\n/\0", {"b": null, "a": {}}]});
        let expected = "{\"return\": [], \"id\": [1, \
                        \"\\u00E4\\uD834\\uDD1E\\u007F\\\"\\n/\\u0000\", {\"a\": {}, \"b\": null}]}\r\n";
        assert_eq!(message(&value, Layout::Plain), expected);
    }

    #[test]
    fn pretty_messages_break_even_empty_containers() {
        let value = json!({"return": {"list": [1, []]}});
        let expected = "{\n    \"return\": {\n        \"list\": [\n            1,\n            [\n\
                        \x20           ]\n        ]\n    }\n}\r\n";
        assert_eq!(message(&value, Layout::Pretty), expected);
    }

    #[test]
    fn floats_have_up_to_17_digits() {
        let written = [0.1, 1e5, 1e17, -0.0, 1.5, 1e-5, 0.0001, 1e16, 123e-20].map(shortest_17);
        let expected = [
            "0.10000000000000001",
            "100000",
            "1e+17",
            "-0",
            "1.5",
            "1.0000000000000001e-05",
            "0.0001",
            "10000000000000000",
            "1.23e-18",
        ];
        assert_eq!(written.each_ref().map(String::as_str), expected);
    }
}
