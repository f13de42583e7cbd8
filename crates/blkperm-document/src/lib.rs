//! Documents with parts that commands write: each stands between two comments with its name.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Writes `text` as the part of that name: in the place of the one that is there, or at the end. A
/// file that is not there is begun. All else stays.
///
/// # Errors
///
/// Fails when the file cannot be read or written.
pub fn rewrite(file: &Path, name: &str, text: &str) -> io::Result<()> {
    let old = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read?,
    };
    fs::write(file, replaced(&old, name, text))
}

/// Requires that the file can be read and written, and leaves it as it is.
///
/// # Errors
///
/// Fails when it cannot.
pub fn require_writable(file: &Path) -> io::Result<()> {
    let is_new = !file.exists();
    OpenOptions::new().create(true).read(true).append(true).open(file)?;
    if is_new { fs::remove_file(file) } else { Ok(()) }
}

/// The document with its part of that name exchanged or added.
fn replaced(old: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let part = format!("{begin}\n\n{}\n\n{end}", text.trim());
    let around = old.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    match around {
        Some((before, after)) => format!("{before}{part}{after}"),
        None => format!("{old}\n{part}\n").trim_start().to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_added_once_and_exchanged_after_that() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("results.md");
        rewrite(&file, "one", "first\n").unwrap();
        rewrite(&file, "two", "second\n").unwrap();
        let both = fs::read_to_string(&file).unwrap();
        assert!(both.contains("first") && both.contains("second"), "{both}");
        rewrite(&file, "one", "first").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), both);
        rewrite(&file, "one", "third\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), both.replace("first", "third"));
    }

    #[test]
    fn what_stands_around_a_part_stays() {
        let old = "# One\n\n<!-- begin a -->\nold\n<!-- end a -->\n\ntwo\n";
        let new = "# One\n\n<!-- begin a -->\n\nnew\n\n<!-- end a -->\n\ntwo\n";
        assert_eq!(replaced(old, "a", "new\n"), new);
        assert_eq!(replaced(new, "a", "new"), new);
    }

    #[test]
    fn a_file_that_can_be_written_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new.md");
        require_writable(&file).unwrap();
        assert!(!file.exists());
        fs::write(&file, "kept").unwrap();
        require_writable(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        assert!(require_writable(directory.path()).is_err());
    }
}
