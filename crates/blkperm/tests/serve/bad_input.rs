//! Bad input: an error, never a panic, a hang or an overflow.

use crate::process::{CAPABILITIES, Client, Process, directory};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const LISTEN: [&str; 8] = [
    "--chardev",
    "socket,id=s,path=qmp,server=on,wait=off",
    "--monitor",
    "s",
    "--chardev",
    "socket,id=t,path=other,server=on,wait=off",
    "--monitor",
    "t",
];
const QUERY: &str = "{\"execute\": \"query-block\"}";

/// A process that still answers in the end.
fn check(act: impl FnOnce(&Path, &mut Client)) {
    let directory = directory();
    let mut process = Process::serve(directory.path(), &LISTEN);
    let mut client = Client::negotiate(&directory.path().join("qmp"));
    act(directory.path(), &mut client);
    let mut other = Client::negotiate(&directory.path().join("other"));
    assert_eq!(other.ask(QUERY), json!({"return": []}));
    assert_eq!(other.ask("{\"execute\": \"quit\"}"), json!({"return": {}}));
    assert!(process.end().success());
    assert_eq!(process.errors(), "");
}

/// Reads until an error, and says what it is.
fn error(client: &mut Client) -> String {
    loop {
        let message = client.hear();
        if let Some(desc) = message.pointer("/error/desc") {
            return desc.as_str().unwrap().to_owned();
        }
    }
}

#[test]
fn nesting_without_end() {
    check(|_, client| {
        client.say("[".repeat(100_000).as_bytes());
        assert_eq!(error(client), "JSON nesting depth limit exceeded");
    });
    check(|_, client| {
        let deep = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
        client.say(format!("{{\"execute\": \"query-block\", \"id\": {deep}}}").as_bytes());
        assert_eq!(client.line().unwrap().matches("{\"a\": ").count(), 1000);
        client.say(format!("{{\"execute\": \"blockdev-add\", \"arguments\": {deep}}}").as_bytes());
        assert_eq!(error(client), "Parameter 'driver' is missing");
    });
}

#[test]
fn a_line_of_100_megabytes() {
    check(|_, client| {
        let mut stream = client.stream().try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            stream.write_all(b"{\"execute\": \"").unwrap();
            let piece = vec![b'a'; 1 << 20];
            (0..100).for_each(|_| stream.write_all(&piece).unwrap());
            stream.write_all(b"\"}").unwrap();
        });
        assert_eq!(error(client), "JSON token size limit exceeded");
        writer.join().unwrap();
    });
}

#[test]
fn garbage_of_all_kinds() {
    let pieces: [&[u8]; 8] = [
        b"\0",
        b"\xff\xfe",
        b"{\"execute\": \"\xc0\xaf\"}",
        b"\"\0\"",
        b"}",
        b"{\"id\": 'x' y}",
        b"\x7f\x80",
        b"GET / HTTP/1.1",
    ];
    for piece in pieces {
        check(|_, client| {
            client.say(piece);
            client.say(b"\n]\n");
            assert!(error(client).starts_with("JSON parse error, "), "{piece:?}");
        });
    }
}

#[test]
fn images_that_are_none() {
    check(|directory, client| {
        fs::create_dir(directory.join("images")).unwrap();
        fs::write(directory.join("bad.qcow2"), b"QFI\xfb\0\0\0\x03short").unwrap();
        let long = "x".repeat(300);
        let too_long = format!("Could not open '{long}': File name too long");
        let cases = [
            (long.as_str(), too_long.as_str()),
            ("images", "Could not open 'images': Is a directory"),
            ("missing", "Could not open 'missing': No such file or directory"),
            ("qmp/x", "Could not open 'qmp/x': Not a directory"),
        ];
        for (filename, expected) in cases {
            let add = json!({"execute": "blockdev-add", "arguments": {
                "driver": "qcow2", "node-name": "n",
                "file": {"driver": "file", "filename": filename},
            }});
            client.say(add.to_string().as_bytes());
            assert_eq!(error(client), expected);
        }
        let add = json!({"execute": "blockdev-add", "arguments": {
            "driver": "qcow2", "node-name": "n",
            "file": {"driver": "file", "filename": "bad.qcow2"},
        }});
        client.say(add.to_string().as_bytes());
        error(client);
    });
}

#[test]
fn a_client_that_does_not_read() {
    /// More than any buffer on the way holds.
    const FLOOD: usize = 64 << 20;
    check(|_, client| {
        let commands = "{\"execute\": \"query-commands\"}".repeat(1000);
        let mut stream = client.stream();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut said = 0;
        // What is not read is not asked for without end.
        while stream.write_all(commands.as_bytes()).is_ok() {
            said += commands.len();
            assert!(said < FLOOD, "it takes commands whose replies nobody takes");
        }
    });
}

#[test]
fn clients_that_hang_up_at_once() {
    check(|directory, _| {
        for place in 0..200 {
            let mut client = Client::connect(&directory.join("other"));
            if place % 2 == 0 {
                client.say(format!("{CAPABILITIES}{QUERY}{{\"exec").as_bytes());
            }
        }
    });
}
