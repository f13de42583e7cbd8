//! The measured parts of a document.

use super::error::Error;
use std::fs::{self, OpenOptions};
use std::path::Path;

/// The line before the part that is rewritten.
const BEGIN: &str = "<!-- measured by `blkperm cost --write`: begin -->";

/// The line behind it.
const END: &str = "<!-- measured by `blkperm cost --write`: end -->";

/// Puts `text` between the two lines of the file; all else stays.
///
/// # Errors
///
/// Fails when the file cannot be read or written, or has no such lines.
pub(crate) fn rewrite(file: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { file: file.to_owned(), source };
    let old = fs::read_to_string(file).map_err(failed)?;
    let new = replaced(&old, text);
    let new = new.ok_or(Error::NoPlace { file: file.to_owned(), begin: BEGIN, end: END })?;
    write(file, &new)
}

/// Writes the file anew.
///
/// # Errors
///
/// Fails when it cannot be written.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(|source| Error::File { file: file.to_owned(), source })
}

/// Requires that the file can be written and has the lines.
///
/// # Errors
///
/// Fails when it cannot, or has not.
pub(crate) fn require_place(file: &Path) -> Result<(), Error> {
    let old = fs::read_to_string(file);
    let old = old.map_err(|source| Error::File { file: file.to_owned(), source })?;
    replaced(&old, "").ok_or(Error::NoPlace { file: file.to_owned(), begin: BEGIN, end: END })?;
    require_writable(file)
}

/// Requires that the file can be written, and leaves it as it is.
///
/// # Errors
///
/// Fails when it cannot.
pub(crate) fn require_writable(file: &Path) -> Result<(), Error> {
    let is_new = !file.exists();
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let checked = opened.and_then(|_| if is_new { fs::remove_file(file) } else { Ok(()) });
    checked.map_err(|source| Error::File { file: file.to_owned(), source })
}

fn replaced(old: &str, text: &str) -> Option<String> {
    let (before, rest) = old.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_lines_is_replaced() {
        let old = format!("one\n{BEGIN}\n\nold\n\n{END}\ntwo\n");
        let new = replaced(&old, "new\n").unwrap();
        assert_eq!(new, format!("one\n{BEGIN}\n\nnew\n\n{END}\ntwo\n"));
        assert_eq!(replaced(&new, "new").unwrap(), new);
    }

    #[test]
    fn a_file_without_the_lines_is_left_alone() {
        assert_eq!(replaced(END, "new"), None);
        assert_eq!(replaced(BEGIN, "new"), None);
    }
}
