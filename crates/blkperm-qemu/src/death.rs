//! How a daemon died.

use blkperm_qmp::transcript::Death;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The death that an exit status and what `program` wrote on standard error tell of.
pub(crate) fn death(status: ExitStatus, errors: &str, program: &str) -> Death {
    let signal = match status.signal() {
        Some(signal) => signal_name(signal),
        None => status.to_string(),
    };
    Death { signal, message: last_message(errors, program), origin: origin(errors) }
}

/// What `error_report` printed last, without the program's name before it, or else the last line.
fn last_message(errors: &str, program: &str) -> String {
    let prefix = format!("{program}: ");
    let lines = || errors.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let reported = lines().find_map(|line| line.strip_prefix(&prefix));
    reported.or_else(|| lines().next()).unwrap_or_default().to_owned()
}

/// The place in `Unexpected error in PLACE:` (`error_handle`, `util/error.c`).
fn origin(errors: &str) -> Option<String> {
    let place = |line: &str| {
        let place = line.strip_prefix("Unexpected error in ")?.strip_suffix(':')?;
        Some(place.to_owned())
    };
    errors.lines().rev().find_map(place)
}

/// The signals by which a program ends itself, or is ended.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "qemu-storage-daemon";

    #[test]
    fn an_abort_tells_its_message_and_origin() {
        let errors = "qemu-storage-daemon: warning: before\n\
                      Unexpected error in bdrv_a_allow_b() at block.c:2243:\n\
                      qemu-storage-daemon: Permission conflict on node 'base'.\n";
        let death = death(ExitStatus::from_raw(6), errors, PROGRAM);
        assert_eq!(death.signal, "SIGABRT");
        assert_eq!(death.message, "Permission conflict on node 'base'.");
        assert_eq!(death.origin.as_deref(), Some("bdrv_a_allow_b() at block.c:2243"));
    }

    #[test]
    fn an_exit_without_words_has_an_empty_message() {
        let death = death(ExitStatus::from_raw(1 << 8), "", PROGRAM);
        assert_eq!(death.signal, "exit status: 1");
        assert_eq!((death.message.as_str(), death.origin), ("", None));
    }

    #[test]
    fn foreign_last_words_are_kept() {
        let death = death(ExitStatus::from_raw(11), "**\nERROR:../x.c:1:f: code\n", PROGRAM);
        assert_eq!(
            (death.signal.as_str(), death.message.as_str()),
            ("SIGSEGV", "ERROR:../x.c:1:f: code")
        );
    }
}
