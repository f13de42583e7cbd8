//! The recording: its text form, and how it is made.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use blkperm_qmp::Phase;
use serde_json::Value;

/// The recording.
pub(crate) const RECORDED: &str = include_str!("recorded.txt");

/// Follows every entry: ends what the entry left open, and asks for an answer that is known.
///
/// 0xFF is a mistake wherever it stands, and where a search for a new beginning ends.
pub(crate) const SENTINEL: &[u8] = b"\n\xFF\n{\"execute\":\"query-version\",\"id\":\"sentinel\"}\n";

/// An answer, reduced to what the front end decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The command was carried out.
    Return,
    /// The whole answer.
    Error(Value),
}

/// Bytes that are sent, and all answers to them.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The bytes as the recording spells them.
    pub(crate) text: String,
    pub(crate) answers: Vec<Answer>,
}

impl Entry {
    /// The bytes with the sentinel behind them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = unescape(&self.text);
        bytes.extend_from_slice(SENTINEL);
        bytes
    }
}

/// Entries that follow one another in one session.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) phase: Phase,
    pub(crate) entries: Vec<Entry>,
}

/// Takes off the two answers to the sentinel.
pub(crate) fn strip_sentinel(answers: &mut Vec<Answer>) {
    answers.pop().expect("an answer to the sentinel");
    let Some(Answer::Error(stray)) = answers.pop() else { panic!("no answer to 0xFF") };
    assert_eq!(stray["error"]["desc"], "JSON parse error, stray '\u{FFFD}'");
}

pub(crate) fn parse(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        if let Some(phase) = line.strip_prefix("# phase: ") {
            let negotiated = phase.starts_with("commands");
            let phase =
                if negotiated { Phase::Commands { oob: false } } else { Phase::Negotiation };
            sections.push(Section { phase, entries: Vec::new() });
        } else if let Some(text) = line.strip_prefix("> ") {
            let entry = Entry { text: text.to_owned(), answers: Vec::new() };
            sections.last_mut().expect("a section").entries.push(entry);
        } else if let Some(answer) = line.strip_prefix("< ") {
            let entry = sections.last_mut().and_then(|section| section.entries.last_mut());
            entry.expect("an entry").answers.push(match answer {
                "return" => Answer::Return,
                error => Answer::Error(serde_json::from_str(error).expect("JSON")),
            });
        }
    }
    sections
}

/// Undoes what `u8::escape_ascii` does.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut unescaped = Vec::new();
    while let Some(byte) = bytes.next() {
        unescaped.push(match byte {
            b'\\' => match bytes.next().expect("an escape") {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'x' => {
                    let digits = [bytes.next().expect("a digit"), bytes.next().expect("a digit")];
                    let digits = String::from_utf8_lossy(&digits).into_owned();
                    u8::from_str_radix(&digits, 16).expect("a number")
                }
                other => other,
            },
            other => other,
        });
    }
    unescaped
}

/// A session with a real daemon.
struct Daemon {
    child: std::process::Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Daemon {
    fn start(phase: Phase) -> Self {
        let mut child = Command::new("qemu-storage-daemon")
            .args(["--chardev", "stdio,id=m", "--monitor", "chardev=m"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-storage-daemon in the path");
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        answers.next().expect("a greeting").expect("a greeting");
        let mut daemon = Self { child, answers };
        if phase != Phase::Negotiation {
            daemon.answers(b"{\"execute\":\"qmp_capabilities\"}\xFF{\"execute\":\"query-version\",\"id\":\"sentinel\"}\n");
        }
        daemon
    }

    /// Sends bytes that end with the sentinel, and takes all answers.
    fn answers(&mut self, bytes: &[u8]) -> Vec<Answer> {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(bytes).expect("a living daemon");
        let mut answers = Vec::new();
        loop {
            let line = self.answers.next().expect("an answer").expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            let last = answer["id"] == "sentinel";
            answers.push(if answer.get("error").is_some() {
                Answer::Error(answer)
            } else {
                Answer::Return
            });
            if last {
                strip_sentinel(&mut answers);
                return answers;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The daemon holds nothing; that it may be gone already is no mistake.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text with all answers asked for anew.
pub(crate) fn record(text: &str) -> String {
    let mut recorded = String::new();
    let mut sections = parse(text).into_iter();
    let mut daemon = None;
    for line in text.lines().filter(|line| !line.starts_with("< ")) {
        recorded += line;
        recorded += "\n";
        if line.starts_with("# phase: ") {
            daemon = sections.next().map(|section| Daemon::start(section.phase));
        }
        let Some(text) = line.strip_prefix("> ") else {
            continue;
        };
        let entry = Entry { text: text.to_owned(), answers: Vec::new() };
        for answer in daemon.as_mut().expect("a section").answers(&entry.bytes()) {
            recorded += &match answer {
                Answer::Return => "< return\n".to_owned(),
                Answer::Error(error) => format!("< {error}\n"),
            };
        }
    }
    recorded
}
