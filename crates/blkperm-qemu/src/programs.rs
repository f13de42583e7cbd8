//! Where QEMU's programs are, and which version they have.

use crate::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fmt};

/// The programs that a [`Daemon`](crate::Daemon) needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Programs {
    /// `qemu-storage-daemon`.
    pub daemon: PathBuf,
    /// `qemu-img`.
    pub img: PathBuf,
}

impl Programs {
    /// Finds both in `PATH`.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::NotInstalled`] when one is missing.
    pub fn find() -> Result<Programs, Error> {
        Ok(Programs { daemon: find("qemu-storage-daemon")?, img: find("qemu-img")? })
    }
}

fn find(program: &'static str) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).map(|directory| directory.join(program));
    candidates.find(|file| is_executable(file)).ok_or(Error::NotInstalled { program })
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// QEMU's version, as the greeting of QMP has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version {
    /// For example `10.0.2`.
    pub qemu: String,
    /// The distribution's package; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub package: String,
}

impl Version {
    /// The version in a greeting; none in any other message.
    pub(crate) fn from_greeting(message: &Value) -> Option<Version> {
        let version = message.get("QMP")?.get("version")?;
        let part = |key: &str| version.get("qemu")?.get(key)?.as_u64();
        let qemu = format!("{}.{}.{}", part("major")?, part("minor")?, part("micro")?);
        Some(Version { qemu, package: version.get("package")?.as_str()?.to_owned() })
    }
}

/// Writes `10.0.2 (package)`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.qemu)?;
        if self.package.is_empty() { Ok(()) } else { write!(f, " ({})", self.package) }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;
    use serde_json::json;

    #[test]
    fn the_greeting_tells_the_version() {
        let numbers = json!({"micro": 2, "minor": 0, "major": 10});
        let greeting = json!({"QMP": {
            "version": {"qemu": numbers, "package": "Debian 1:10.0.2+ds-2"},
            "capabilities": ["oob"],
        }});
        let version = Version::from_greeting(&greeting).unwrap();
        assert_eq!(version.to_string(), "10.0.2 (Debian 1:10.0.2+ds-2)");
        assert_eq!(Version::from_greeting(&json!({"return": {}})), None);
    }
}
