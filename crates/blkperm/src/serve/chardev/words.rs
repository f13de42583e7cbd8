//! The older syntax of options, which `--chardev` has: `key=value,…`, where a key without a value is
//! a switch.
//!
//! Source: `opts_do_parse` in `util/qemu-option.c`, QEMU 10.0.

use super::super::error::OptionFault;
use blkperm_jobs::is_wellformed;

/// What the value of a key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Switch,
    Number,
}

/// The keys there are.
///
/// Source: `qemu_chardev_opts` in `chardev/char.c`, QEMU 10.0.
const KEYS: [(&str, Kind); 34] = [
    ("backend", Kind::Text),
    ("path", Kind::Text),
    ("input-path", Kind::Text),
    ("host", Kind::Text),
    ("port", Kind::Text),
    ("fd", Kind::Text),
    ("localaddr", Kind::Text),
    ("localport", Kind::Text),
    ("to", Kind::Number),
    ("ipv4", Kind::Switch),
    ("ipv6", Kind::Switch),
    ("wait", Kind::Switch),
    ("server", Kind::Switch),
    ("delay", Kind::Switch),
    ("nodelay", Kind::Switch),
    ("reconnect", Kind::Number),
    ("reconnect-ms", Kind::Number),
    ("telnet", Kind::Switch),
    ("tn3270", Kind::Switch),
    ("tls-creds", Kind::Text),
    ("tls-authz", Kind::Text),
    ("websocket", Kind::Switch),
    ("width", Kind::Number),
    ("height", Kind::Number),
    ("cols", Kind::Number),
    ("rows", Kind::Number),
    ("mux", Kind::Switch),
    ("signal", Kind::Switch),
    ("name", Kind::Text),
    ("chardev", Kind::Text),
    ("append", Kind::Switch),
    ("logfile", Kind::Text),
    ("logappend", Kind::Switch),
    ("abstract", Kind::Switch),
];

/// Keys and values of `--chardev`; of a key that is given twice, the last counts.
#[derive(Debug)]
pub(super) struct Words {
    /// The id, if there is one.
    pub(super) id: Option<String>,
    pairs: Vec<(String, String)>,
}

impl Words {
    /// Reads them; `warn` is told what is better written otherwise.
    pub(super) fn parse(text: &str, warn: &mut dyn FnMut(String)) -> Result<Words, OptionFault> {
        let pairs = split(text);
        let id = pairs.iter().find(|pair| pair.key == "id").map(|pair| pair.value.clone());
        if id.as_ref().is_some_and(|id| !is_wellformed(id)) {
            return Err(OptionFault::NoIdentifier);
        }
        for pair in &pairs {
            if let Some(flag) = &pair.flag {
                let (key, value) = (&pair.key, &pair.value);
                warn(format!(
                    "warning: short-form boolean option '{flag}' deprecated\n\
                     Please use {key}={value} instead"
                ));
            }
            check(pair)?;
        }
        let pairs = pairs.into_iter().map(|pair| (pair.key, pair.value)).collect();
        Ok(Words { id, pairs })
    }

    /// The value of a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().rev().find(|(other, _)| other == key);
        pair.map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on; none if it is not given.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        self.text(key).map(|value| value == "on")
    }

    /// Refuses a key unless its value is as if it had not been given.
    pub(super) fn refuse(&self, key: &str) -> Result<(), OptionFault> {
        match self.text(key) {
            None | Some("off" | "0") => Ok(()),
            Some(_) => Err(OptionFault::Unsupported {
                what: format!("'{key}'"),
                remedy: "leave it out, or use a plain socket",
            }),
        }
    }
}

/// One `key=value`.
struct Pair {
    key: String,
    value: String,
    /// What was written for it, where that is deprecated.
    flag: Option<String>,
}

/// Takes the text apart; the first value may lack its key.
fn split(text: &str) -> Vec<Pair> {
    let (mut pairs, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let word = &rest[..end];
        if rest[end..].starts_with('=') {
            let (value, after) = value(&rest[end + 1..]);
            pairs.push(Pair { key: word.to_owned(), value, flag: None });
            rest = after;
        } else if pairs.is_empty() {
            let (value, after) = value(rest);
            pairs.push(Pair { key: "backend".to_owned(), value, flag: None });
            rest = after;
        } else {
            let (key, value) = word.strip_prefix("no").map_or((word, "on"), |key| (key, "off"));
            let (key, value) = (key.to_owned(), value.to_owned());
            pairs.push(Pair { key, value, flag: Some(word.to_owned()) });
            rest = rest[end..].strip_prefix(',').unwrap_or_default();
        }
    }
    pairs
}

/// A value up to a comma that is not doubled, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let end = (0..text.len()).find(|&place| {
        let commas_before = text[..place].bytes().rev().take_while(|&byte| byte == b',').count();
        let next_is_comma = text[place + 1..].starts_with(',');
        text.as_bytes()[place] == b',' && commas_before % 2 == 0 && !next_is_comma
    });
    let (value, rest) = end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]));
    (value.replace(",,", ","), rest)
}

fn check(pair: &Pair) -> Result<(), OptionFault> {
    let Pair { key, value, .. } = pair;
    if key == "id" {
        return Ok(());
    }
    let known = KEYS.iter().find(|(known, _)| known == key);
    let Some((_, kind)) = known else {
        return Err(OptionFault::other(format!("Invalid parameter '{key}'")));
    };
    match kind {
        Kind::Switch if !matches!(value.as_str(), "on" | "off") => {
            Err(OptionFault::other(format!("Parameter '{key}' expects 'on' or 'off'")))
        }
        Kind::Number if value.parse::<i64>().is_err() => {
            Err(OptionFault::other(format!("Parameter '{key}' expects a number")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Result<Words, String>, Vec<String>) {
        let mut warnings = Vec::new();
        let words = Words::parse(text, &mut |warning| warnings.push(warning));
        (words.map_err(|fault| fault.to_string()), warnings)
    }

    #[test]
    fn words_are_pairs_switches_and_a_backend() {
        let (words, warnings) = parse("socket,id=m,path=a,,b,server,nowait,path=c,,,,d,");
        let words = words.unwrap();
        assert_eq!((words.id.as_deref(), words.text("backend")), (Some("m"), Some("socket")));
        assert_eq!(words.text("path"), Some("c,,d"));
        assert_eq!((words.switch("server"), words.switch("wait")), (Some(true), Some(false)));
        assert_eq!(words.switch("delay"), None);
        let expected = "warning: short-form boolean option 'nowait' deprecated\n\
                        Please use wait=off instead";
        assert_eq!(warnings[1], expected);
    }

    #[test]
    fn complaints_are_those_of_the_daemon() {
        let identifier = "Parameter 'id' expects an identifier\n\
                          Identifiers consist of letters, digits, '-', '.', '_', starting with a \
                          letter.";
        let cases = [
            ("stdio,id=1x", identifier),
            ("stdio,id=m,bogus=1", "Invalid parameter 'bogus'"),
            ("null,id=m,=x", "Invalid parameter ''"),
            ("null,id=m,server=maybe", "Parameter 'server' expects 'on' or 'off'"),
            ("null,id=m,reconnect=x", "Parameter 'reconnect' expects a number"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).0.unwrap_err(), expected, "{text}");
        }
    }
}
