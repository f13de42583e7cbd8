//! Counts, memory and times within the process, as tables: `report` writes them to standard output,
//! `report FILE` between their lines in the file, and has `blkperm cost` write there what it measures
//! over QMP.

mod memory;
mod table;
mod targets;
mod work;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BEGIN: &str = "<!-- begin report -->";
const END: &str = "<!-- end report -->";

/// The time that `blkperm cost` gives QEMU for building a graph: enough for all of them.
const BOUND: &str = "30";

fn main() -> io::Result<()> {
    let Some(file) = env::args_os().nth(1) else {
        println!("{}", report());
        return Ok(());
    };
    let file = Path::new(&file);
    // Before anything takes its time.
    around(file)?;
    measure_over_qmp(file)?;
    let report = report();
    let [before, after] = around(file)?;
    fs::write(file, format!("{before}{BEGIN}\n\n{report}\n\n{END}{after}"))
}

fn report() -> String {
    [targets::report(), work::report(), memory::report()].join("\n\n")
}

/// What stands in the file before and behind the measured part.
fn around(file: &Path) -> io::Result<[String; 2]> {
    let text = fs::read_to_string(file)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some([before.to_owned(), after.to_owned()])
    });
    let missing =
        || io::Error::other(format!("{}: no lines '{BEGIN}' and '{END}'", file.display()));
    parts.ok_or_else(missing)
}

fn measure_over_qmp(file: &Path) -> io::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "-p", "blkperm", "--", "cost", "--bound", BOUND, "--write"]);
    let status = command.arg(file).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
