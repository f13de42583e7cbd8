//! Records what the installed QEMU answers to scenarios, beside each: `record FILE.qmp...`.

use blkperm_qemu::{Daemon, Programs, Recording};
use blkperm_qmp::{play, scenario::Scenario};
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let programs = Programs::find()?;
    for file in std::env::args_os().skip(1).map(PathBuf::from) {
        let scenario = Scenario::load(&file)?;
        let mut daemon = Daemon::start(&programs)?;
        let transcript = play::play(&mut daemon, &scenario)?;
        let recording = Recording { version: daemon.version().clone(), transcript };
        let written = recording.save(&Recording::path(&file))?;
        println!("{} {}", if written { "wrote" } else { "kept " }, scenario.name);
    }
    Ok(())
}
