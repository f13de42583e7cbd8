//! Builds the scenarios of the seed into the command, with what QEMU answered to them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const SEED: &str = "../../tests/scenarios";

fn main() -> io::Result<()> {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join(SEED).canonicalize()?;
    println!("cargo::rerun-if-changed={SEED}");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&seed)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let scenarios = files.iter().filter(|file| file.extension().is_some_and(|it| it == "qmp"));
    let entries: String = scenarios.map(|file| entry(file)).collect();
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("seed.rs"), format!("&[\n{entries}]\n"))
}

/// A `BuiltIn` of the crate's `source` module.
fn entry(file: &Path) -> String {
    let name = file.file_stem().unwrap_or_default();
    let recording = file.with_extension("qemu.json");
    let recording = match recording.exists() {
        true => format!("Some(include_str!({recording:?}))"),
        false => "None".to_owned(),
    };
    format!("BuiltIn {{ name: {name:?}, text: include_str!({file:?}), recording: {recording} }},\n")
}
