//! Counts, memory and times within the process, as tables: `report` writes them to standard output,
//! `report FILE` as a part of the file, and has `blkperm cost` write there what it measures over QMP.

mod memory;
mod table;
mod targets;
mod work;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::path::Path;
use std::process::Command;
use std::{env, io};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The part of a document that `report FILE` writes.
const PART: &str = "report";

/// The time that `blkperm cost` gives QEMU for building a graph: enough for all of them.
const BOUND: &str = "30";

fn main() -> io::Result<()> {
    let Some(file) = env::args_os().nth(1) else {
        println!("{}", report());
        return Ok(());
    };
    let file = Path::new(&file);
    // Before anything takes its time.
    blkperm_document::require_writable(file)?;
    measure_over_qmp(file)?;
    blkperm_document::rewrite(file, PART, &report())
}

fn report() -> String {
    [targets::report(), work::report(), memory::report()].join("\n\n")
}

fn measure_over_qmp(file: &Path) -> io::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "-p", "blkperm", "--", "cost", "--bound", BOUND, "--write"]);
    let status = command.arg(file).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
