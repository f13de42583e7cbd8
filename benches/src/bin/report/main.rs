//! Counts, memory and times within the process, as tables: `report` writes them to standard output,
//! `report FILE` between their lines in the file.

mod memory;
mod table;
mod targets;
mod work;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::{env, fs, io};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BEGIN: &str = "<!-- measured by `report`: begin -->";
const END: &str = "<!-- measured by `report`: end -->";

fn main() -> io::Result<()> {
    let report = [targets::report(), work::report(), memory::report()].join("\n\n");
    let Some(file) = env::args_os().nth(1) else {
        println!("{report}");
        return Ok(());
    };
    let old = fs::read_to_string(&file)?;
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return Err(io::Error::other(format!("no lines '{BEGIN}' and '{END}'")));
    };
    fs::write(file, format!("{before}{BEGIN}\n\n{report}\n\n{END}{after}"))
}
