//! What the fuzz target has been told, told again.
//!
//! `fuzz/corpus/qmp` is a small selection of inputs that reaches all the code that long runs of
//! `cargo fuzz` have reached, and what once brought a server down, each by a name of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use blkperm_qmp::command::Command;
use blkperm_tests::session;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn no_bytes_bring_a_server_down() {
    let mut fatal = Vec::new();
    let inputs = files("fuzz/corpus/qmp");
    assert!(inputs.len() > 50, "the corpus is missing");
    for file in inputs {
        let bytes = fs::read(&file).unwrap();
        if catch_unwind(|| session::say(&bytes)).is_err() {
            fatal.push(file);
        }
    }
    assert!(fatal.is_empty(), "{fatal:?}");
}

#[test]
fn no_scenario_brings_a_server_down() {
    let folders = ["", "commands", "differ", "drivers", "jobs"];
    let scenarios = folders.map(|folder| files(&format!("tests/scenarios/{folder}"))).concat();
    let scenarios =
        scenarios.iter().filter(|file| file.extension().is_some_and(|end| end == "qmp"));
    for file in scenarios {
        session::say(&session::bytes_of(&fs::read_to_string(file).unwrap()));
    }
}

/// Without its name in the dictionary, a command is hardly ever met.
#[test]
fn the_dictionary_has_every_command() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/qmp.dict");
    let dictionary = fs::read_to_string(file).unwrap();
    for name in Command::NAMES {
        assert!(dictionary.contains(&format!("\"\\\"{name}\\\"\"\n")), "{name} is missing");
    }
}
