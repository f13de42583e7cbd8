//! On what was measured.

use serde::Serialize;
use std::{env, fs, thread};

/// The machine, and the versions of the programs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// The processor's name, as the kernel has it.
    pub(crate) processor: String,
    /// How many threads it runs at once.
    pub(crate) threads: usize,
    /// The kernel.
    pub(crate) kernel: String,
    /// Our version.
    pub(crate) blkperm: &'static str,
    /// QEMU's version, where it was measured.
    pub(crate) qemu: Option<String>,
}

impl Machine {
    /// This machine, QEMU not yet asked.
    pub(crate) fn here() -> Machine {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let information = file("/proc/cpuinfo");
        let model = information.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        Machine {
            processor: model.unwrap_or_else(|| env::consts::ARCH.to_owned()),
            threads: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{} {}", env::consts::OS, file("/proc/sys/kernel/osrelease").trim()),
            blkperm: env!("CARGO_PKG_VERSION"),
            qemu: None,
        }
    }

    /// The machine alone, without the programs.
    pub(crate) fn name(&self) -> String {
        let Machine { processor, threads, kernel, .. } = self;
        format!("{processor}, {threads} threads, {kernel}")
    }

    /// The machine with the programs, in one line.
    pub(crate) fn line(&self) -> String {
        let Machine { blkperm, qemu, .. } = self;
        let qemu = qemu.as_ref().map_or("no QEMU".to_owned(), |version| format!("QEMU {version}"));
        format!("{}; {qemu}; blkperm {blkperm}", self.name())
    }
}
