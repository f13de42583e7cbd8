//! Asks a real daemon for its schema.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

const SESSION: &[u8] =
    b"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-qmp-schema\"}{\"execute\":\"quit\"}";

/// The reduced schema, with one entity on a line.
pub(crate) fn record() -> String {
    let entities = ask();
    let find =
        |name: &str| entities.iter().find(|entity| entity["name"] == name).expect("an entity");
    let mut wanted: Vec<&str> = blkperm_qmp::Command::NAMES.to_vec();
    let mut names = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if names.insert(name) {
            references(find(name), &mut wanted);
        }
    }
    let kept = entities
        .iter()
        .filter(|entity| names.contains(entity["name"].as_str().unwrap_or_default()));
    let lines: Vec<_> = kept.map(|entity| reduce(entity).to_string()).collect();
    let commands = entities.iter().filter(|entity| entity["meta-type"] == "command");
    let commands: Vec<_> = commands.map(|entity| &entity["name"]).collect();
    format!("{{\"commands\":{},\n\"entities\":[\n{}\n]}}\n", json!(commands), lines.join(",\n"))
}

fn ask() -> Vec<Value> {
    let mut child = Command::new("qemu-storage-daemon")
        .args(["--chardev", "stdio,id=m", "--monitor", "chardev=m"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-storage-daemon in the path");
    // The end of the input would end the session before its answers, so that the pipe stays open
    // until `quit`.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(SESSION).expect("a living daemon");
    let output = child.wait_with_output().expect("output");
    drop(stdin);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let schema = answers.filter_map(|answer| answer["return"].as_array().cloned()).next();
    schema.expect("an answer")
}

/// The types that an entity needs; what a command returns is not among them.
fn references<'e>(entity: &'e Value, wanted: &mut Vec<&'e str>) {
    for key in ["arg-type", "element-type"] {
        wanted.extend(entity[key].as_str());
    }
    for key in ["members", "variants"] {
        let list = entity[key].as_array().into_iter().flatten();
        wanted.extend(list.filter_map(|item| item["type"].as_str()));
    }
}

/// An entity without what the test does not need.
fn reduce(entity: &Value) -> Value {
    let mut reduced: Map<String, Value> = entity.as_object().expect("an object").clone();
    for key in ["ret-type", "features", "values"] {
        reduced.shift_remove(key);
    }
    for key in ["members", "variants"] {
        for item in reduced.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            item.as_object_mut().expect("an object").shift_remove("features");
        }
    }
    Value::Object(reduced)
}
