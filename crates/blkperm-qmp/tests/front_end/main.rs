//! The front end against recorded answers of `qemu-storage-daemon`.

mod recording;

use blkperm_qmp::json::Reader;
use blkperm_qmp::{Command, CommandError, Phase, QmpError, Request};
use recording::{Answer, Entry, RECORDED, SENTINEL};
use serde_json::{Value, json};

/// What the daemon can do and the front end cannot, so that it cannot know the answer.
const UNIMPLEMENTED: &str = "is known to QEMU, but not to blkperm";

/// A client's session with the front end alone.
struct Session {
    reader: Reader,
    phase: Phase,
}

impl Session {
    fn new(phase: Phase) -> Self {
        Self { reader: Reader::new(), phase }
    }

    /// All answers to `bytes`.
    fn answers(&mut self, bytes: &[u8]) -> Vec<Answer> {
        let Self { reader, phase } = self;
        reader
            .feed(bytes)
            .map(|item| match item {
                Err(error) => refusal(None, error.into()),
                Ok(located) => {
                    let request = Request::parse(&located.value, *phase);
                    match request.command {
                        Ok(command) => accept(phase, &command),
                        Err(error) => refusal(request.id, CommandError::into_qmp(error)),
                    }
                }
            })
            .collect()
    }
}

fn accept(phase: &mut Phase, command: &Command) -> Answer {
    if let Command::QmpCapabilities(capabilities) = command {
        *phase = Phase::negotiated(capabilities);
    }
    Answer::Return
}

fn refusal(id: Option<Value>, error: QmpError) -> Answer {
    let mut answer = json!({ "error": error });
    if let Some(id) = id {
        answer["id"] = id;
    }
    Answer::Error(answer)
}

/// What the front end says to an entry, as the recorder would have written it down.
fn play(session: &mut Session, entry: &Entry) -> Vec<Answer> {
    let mut answers = session.answers(&entry.bytes());
    recording::strip_sentinel(&mut answers);
    answers
}

#[test]
fn answers_are_those_of_the_daemon() {
    let sections = recording::parse(RECORDED);
    let mut checked = 0;
    let mut differences = Vec::new();
    for section in &sections {
        let mut session = Session::new(section.phase);
        for entry in &section.entries {
            let answers = play(&mut session, entry);
            checked += 1;
            if answers != entry.answers {
                differences.push(format!("{entry:?}\nanswered instead: {answers:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(checked >= 150, "only {checked} entries");
}

/// One byte at a time and all at once are the same.
#[test]
fn pieces_make_no_difference() {
    for section in recording::parse(RECORDED) {
        for entry in &section.entries {
            let bytes = entry.bytes();
            let whole = Session::new(section.phase).answers(&bytes);
            let mut session = Session::new(section.phase);
            let pieces: Vec<_> = bytes.iter().flat_map(|byte| session.answers(&[*byte])).collect();
            assert_eq!(whole, pieces, "{entry:?}");
        }
    }
}

#[test]
fn nothing_recorded_is_unimplemented() {
    for section in recording::parse(RECORDED) {
        let mut session = Session::new(section.phase);
        for entry in &section.entries {
            let answers = format!("{:?}", play(&mut session, entry));
            assert!(!answers.contains(UNIMPLEMENTED), "{entry:?}");
        }
    }
}

/// A recording in which one answer is wrong must not pass.
#[test]
fn a_wrong_answer_is_noticed() {
    let mut sections = recording::parse(RECORDED);
    let section = sections.iter_mut().rfind(|section| !section.entries.is_empty()).unwrap();
    let mut entry = section.entries.remove(0);
    entry.answers = vec![Answer::Return];
    assert_ne!(play(&mut Session::new(section.phase), &entry), entry.answers);
}

#[test]
fn the_sentinel_is_answered_in_every_phase() {
    for phase in [Phase::Negotiation, Phase::Commands { oob: false }, Phase::Commands { oob: true }]
    {
        assert_eq!(Session::new(phase).answers(SENTINEL).len(), 2);
    }
}

/// Rewrites the recording from a real daemon, which must be in the path.
#[test]
#[ignore = "needs qemu-storage-daemon"]
fn record() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/front_end/recorded.txt");
    let recorded = recording::record(&std::fs::read_to_string(&path).unwrap());
    std::fs::write(path, recorded).unwrap();
}
