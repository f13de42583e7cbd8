//! Clients that come, go and come again.

use crate::process::{CAPABILITIES, Client, Process, directory};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixListener;

const LISTEN: [&str; 4] =
    ["--chardev", "socket,id=s,path=qmp,server=on,wait=off", "--monitor", "s"];
const QUERY: &str = "{\"execute\": \"query-block\"}";

#[test]
fn each_client_negotiates_anew() {
    let directory = directory();
    let _process = Process::serve(directory.path(), &LISTEN);
    let path = directory.path().join("qmp");
    for _ in 0..3 {
        let mut client = Client::connect(&path);
        assert!(client.hear()["QMP"]["version"].is_object());
        assert_eq!(client.ask(QUERY)["error"]["class"], "CommandNotFound");
        assert_eq!(client.ask(CAPABILITIES), json!({"return": {}}));
        assert_eq!(client.ask(QUERY), json!({"return": []}));
        assert_eq!(client.ask(CAPABILITIES)["error"]["class"], "CommandNotFound");
    }
}

#[test]
fn a_hang_up_in_mid_command_leaves_nothing_behind() {
    let directory = directory();
    let _process = Process::serve(directory.path(), &LISTEN);
    let path = directory.path().join("qmp");
    for half in ["{\"execute\": \"query-bl", "[[[", "{'a", "\"\\", "12"] {
        let mut client = Client::negotiate(&path);
        client.say(half.as_bytes());
    }
    let mut client = Client::connect(&path);
    client.hear();
    assert_eq!(client.ask("}")["error"]["desc"], "JSON parse error, expecting value");
    assert_eq!(client.ask(CAPABILITIES), json!({"return": {}}));
}

#[test]
fn what_was_said_before_a_hang_up_is_carried_out() {
    let directory = directory();
    let _process = Process::serve(directory.path(), &LISTEN);
    let path = directory.path().join("qmp");
    let mut client = Client::connect(&path);
    client.say(CAPABILITIES.as_bytes());
    client.say(
        br#"{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "n"}}"#,
    );
    client.stream().shutdown(Shutdown::Write).unwrap();
    let said = client.rest();
    assert!(said.ends_with("{\"return\": {}}\r\n{\"return\": {}}\r\n"), "{said}");

    let mut client = Client::negotiate(&path);
    let nodes = client.ask("{\"execute\": \"query-named-block-nodes\"}");
    assert_eq!(nodes["return"][0]["node-name"], "n");
}

#[test]
fn the_next_client_waits_until_the_one_before_hangs_up() {
    let directory = directory();
    let _process = Process::serve(directory.path(), &LISTEN);
    let path = directory.path().join("qmp");
    let first = Client::negotiate(&path);
    let mut second = Client::connect(&path);
    second.say(CAPABILITIES.as_bytes());
    drop(first);
    assert!(second.hear()["QMP"].is_object());
    assert_eq!(second.hear(), json!({"return": {}}));
}

#[test]
fn events_go_to_all_and_a_silent_client_disturbs_nobody() {
    let directory = directory();
    let others = [
        "--chardev",
        "socket,id=t,path=other,server=on,wait=off",
        "--monitor",
        "t",
        "--chardev",
        "socket,id=u,path=silent,server=on,wait=off",
        "--monitor",
        "u,pretty=on",
        "--blockdev",
        "null-co,node-name=a",
        "--nbd-server",
        "addr.type=unix,addr.path=nbd",
        "--export",
        "nbd,id=e,node-name=a",
    ];
    let mut process = Process::serve(directory.path(), &[&LISTEN[..], &others].concat());
    let mut silent = Client::connect(&directory.path().join("silent"));
    let mut client = Client::negotiate(&directory.path().join("qmp"));
    let mut other = Client::negotiate(&directory.path().join("other"));
    client.say(br#"{"execute": "block-export-del", "arguments": {"id": "e"}}"#);
    for client in [&mut client, &mut other] {
        let event = client.hear();
        assert_eq!(
            (&event["event"], &event["data"]),
            (&json!("BLOCK_EXPORT_DELETED"), &json!({"id": "e"}))
        );
        assert!(
            event["timestamp"]["seconds"].is_u64() && event["timestamp"]["microseconds"].is_u64()
        );
    }
    assert_eq!(client.hear(), json!({"return": {}}));
    assert_eq!(other.ask("{\"execute\": \"quit\", \"id\": 7}"), json!({"return": {}, "id": 7}));
    assert!(process.end().success());
    let said = silent.rest();
    assert!(said.starts_with("{\n    \"QMP\": {\n") && said.ends_with("\n}\r\n"), "{said}");
    assert!(!said.contains("event"), "{said}");
}

#[test]
fn a_server_that_waits_follows_the_other_options_when_a_client_is_there() {
    let directory = directory();
    let arguments =
        ["--chardev", "socket,id=s,path=qmp,server=on", "--monitor", "s", "--pidfile", "pid"];
    let mut process = Process::serve(directory.path(), &arguments);
    let path = directory.path().join("qmp");
    let mut client = Client::connect(&path);
    assert!(client.hear()["QMP"].is_object());
    let expected = "blkperm: --chardev socket,id=s,path=qmp,server=on: info: QEMU waiting for \
                    connection on: disconnected:unix:qmp,server=on\n";
    assert_eq!(process.errors(), expected);
    drop(client);
    assert_eq!(Client::negotiate(&path).ask("{\"execute\": \"quit\"}"), json!({"return": {}}));
    assert!(process.end().success());
}

#[test]
fn it_can_be_a_client_itself() {
    let directory = directory();
    let unix = UnixListener::bind(directory.path().join("listening")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let inet = format!("socket,id=t,host=127.0.0.1,port={}", tcp.local_addr().unwrap().port());
    let arguments = [
        "--chardev",
        "socket,id=s,path=listening",
        "--monitor",
        "s",
        "--chardev",
        &inet,
        "--monitor",
        "t",
    ];
    let mut process = Process::serve(directory.path(), &arguments);
    let mut greeting = String::new();
    BufReader::new(unix.accept().unwrap().0).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("{\"QMP\""), "{greeting}");
    let (mut stream, _) = tcp.accept().unwrap();
    let commands = format!("{CAPABILITIES}{{\"execute\": \"quit\"}}");
    std::io::Write::write_all(&mut stream, commands.as_bytes()).unwrap();
    assert!(process.end().success(), "the other one hung up, which ends nothing");
}
