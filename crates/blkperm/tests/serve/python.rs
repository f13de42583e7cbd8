//! QEMU's own Python library as the client, and its own daemon beside us.
//!
//! The library, `qemu.qmp`, is installed from PyPI into a virtual environment below `target`. Where
//! that cannot be, the test is skipped with a note, unless `BLKPERM_PYTHON` says `required`.

use crate::process::{GUARD, Process, directory};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

const LIBRARY: &str = "qemu.qmp==0.0.6";
const LISTEN: [&str; 4] =
    ["--chardev", "socket,id=s,path=qmp,server=on,wait=off", "--monitor", "s"];

/// A Python that has the library, or why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("qemu-qmp");
    let python = folder.join("bin/python");
    let has_library = || succeeds(Command::new(&python).args(["-c", "import qemu.qmp"]));
    if has_library().is_err() {
        succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", LIBRARY];
        succeeds(Command::new(&python).args(install))?;
        has_library()?;
    }
    Ok(python)
}

fn succeeds(command: &mut Command) -> Result<String, String> {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match command.output() {
        Ok(Output { status, stdout, .. }) if status.success() => Ok(said(&stdout)),
        Ok(Output { stdout, stderr, .. }) => {
            Err(format!("{command:?}: {}{}", said(&stdout), said(&stderr)))
        }
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// What the client prints of a program that listens.
fn told(python: &Path, program: &OsStr, arguments: &[&str]) -> String {
    let directory = directory();
    let socket = directory.path().join("qmp");
    let mut process = Process::start(program, directory.path(), &[arguments, &LISTEN].concat());
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < GUARD, "it does not listen; {}", process.errors());
        thread::sleep(Duration::from_millis(1));
    }
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/client.py");
    let told = succeeds(Command::new(python).arg(client).arg(&socket));
    let told = told.unwrap_or_else(|error| panic!("{error}; {}", process.errors()));
    assert!(process.end().success());
    told
}

#[test]
fn qemus_own_python_library_is_served_as_by_qemu() {
    let python = match python() {
        Ok(python) => python,
        Err(error) if env::var("BLKPERM_PYTHON").is_ok_and(|value| value == "required") => {
            panic!("{error}")
        }
        Err(error) => return println!("skipped: {error}"),
    };
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/client.txt");
    let expected = fs::read_to_string(expected).unwrap();
    let serve = ["serve", "--rule", "baseline", "--completion", "stepwise"];
    assert_eq!(told(&python, env!("CARGO_BIN_EXE_blkperm").as_ref(), &serve), expected);
    // The proposal says the same where nothing goes wrong.
    let serve = ["serve", "--rule", "ownership", "--completion", "atomic"];
    assert_eq!(told(&python, env!("CARGO_BIN_EXE_blkperm").as_ref(), &serve), expected);
    if Command::new("qemu-storage-daemon").arg("--version").output().is_ok() {
        assert_eq!(told(&python, "qemu-storage-daemon".as_ref(), &[]), expected);
    } else {
        println!("skipped: there is no qemu-storage-daemon to be asked the same");
    }
}
