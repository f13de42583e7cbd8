//! QEMU's dialect of JSON, read as a stream.
//!
//! It differs from RFC 8259: strings may stand in single quotes, a key may not occur twice,
//! top-level values need nothing between them, and after an error reading goes on at the next
//! structural character, control character or impossible byte. [`Reader`] takes bytes as they come,
//! in pieces of any size, and yields values and errors.
//!
//! Memory is bounded by [`MAX_BYTES`], [`MAX_TOKENS`] and [`MAX_NESTING`] whatever comes in;
//! nothing here recurses; the work per byte is constant. Every text and limit is checked against
//! recorded answers of `qemu-storage-daemon` 10.0.2 in `tests/front_end`.

mod assembler;
mod lexer;
mod position;
mod text;

#[cfg(test)]
mod tests;

pub use position::{Position, Span};

use serde_json::Value;

use crate::QmpError;
use assembler::Assembler;
use lexer::Lexer;

/// Bytes in the tokens of one top-level value that are refused: "JSON token size limit exceeded".
pub const MAX_BYTES: usize = 64 << 20;

/// Tokens that one top-level value may have: "JSON token count limit exceeded".
pub const MAX_TOKENS: usize = 2 << 20;

/// Open brackets and braces that one top-level value may have: "JSON nesting depth limit exceeded".
pub const MAX_NESTING: i64 = 1024;

/// A top-level value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The value; members keep the order in which they were written.
    pub value: Value,
    /// From its first byte to behind its last.
    pub span: Span,
}

/// A mistake in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{desc} (line {}, column {})", span.start.line, span.start.column)]
pub struct JsonError {
    /// QEMU's wording, beginning with "JSON".
    pub desc: String,
    /// The token, or the part of a string, that is wrong.
    pub span: Span,
}

impl JsonError {
    fn new(desc: &str, span: Span) -> Self {
        let desc = format!("JSON {desc}");
        Self { desc, span }
    }

    fn parse(desc: impl std::fmt::Display, span: Span) -> Self {
        let desc = format!("JSON parse error, {desc}");
        Self { desc, span }
    }
}

impl From<JsonError> for QmpError {
    fn from(error: JsonError) -> Self {
        Self::generic(error.desc)
    }
}

/// What the reader yields: a value, or an error after which it goes on.
pub type Item = Result<Located, JsonError>;

/// A streaming reader: feed it bytes, take what is complete.
///
/// ```
/// # use blkperm_qmp::json::Reader;
/// let mut reader = Reader::new();
/// assert_eq!(reader.feed(b"{'execute': 'query").count(), 0);
/// let items: Vec<_> = reader.feed(b"-jobs'} nul ").collect();
/// assert_eq!(items[0].as_ref().unwrap().value["execute"], "query-jobs");
/// assert_eq!(items[1].as_ref().unwrap_err().desc, "JSON parse error, invalid keyword 'nul'");
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    lexer: Lexer,
    assembler: Assembler,
}

impl Reader {
    /// A reader at the beginning of its text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `bytes` while the returned iterator is being drained; what is left when it is dropped
    /// is lost.
    ///
    /// A number or keyword at the top level is complete only when a byte follows it.
    pub fn feed<'a>(&'a mut self, bytes: &'a [u8]) -> Feed<'a> {
        Feed { reader: self, rest: bytes }
    }

    /// Ends the text: completes a number or keyword, or reports a value that lacks its end.
    ///
    /// The reader may then be fed again, as if separated by a line break.
    pub fn finish(&mut self) -> Option<Item> {
        let item = self.lexer.finish().and_then(|token| self.assembler.token(token));
        item.or_else(|| self.assembler.finish(self.lexer.position()))
    }
}

/// The items of one piece of text, read on demand.
#[derive(Debug)]
#[must_use = "nothing is read until the iterator is drained"]
pub struct Feed<'a> {
    reader: &'a mut Reader,
    rest: &'a [u8],
}

impl Iterator for Feed<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let Reader { lexer, assembler } = &mut *self.reader;
        while let Some(token) = lexer.next(&mut self.rest) {
            let item = assembler.token(token);
            if item.is_some() {
                return item;
            }
        }
        None
    }
}

/// Reads a whole text.
///
/// # Errors
///
/// The first mistake in it.
pub fn read_all(text: &[u8]) -> Result<Vec<Located>, JsonError> {
    let mut reader = Reader::new();
    let mut values = reader.feed(text).collect::<Result<Vec<_>, _>>()?;
    values.extend(reader.finish().transpose()?);
    Ok(values)
}
