//! The text of a string token.

/// What is wrong in a string token, and which of its bytes.
#[derive(Debug)]
pub(super) struct TextError {
    pub(super) desc: String,
    pub(super) range: std::ops::Range<usize>,
}

/// The string that a token, quotes included, stands for.
pub(super) fn decode(token: &[u8]) -> Result<String, TextError> {
    let end = token.len() - 1;
    let mut text = String::with_capacity(end - 1);
    let mut at = 1;
    while at < end {
        let (character, next) = match token[at] {
            b'\\' if token[at + 1] == b'u' => code_point(token, at)?,
            b'\\' => (escape(token[at + 1]).ok_or_else(|| invalid_escape(at))?, at + 2),
            ascii @ 0..0x80 => (char::from(ascii), at + 1),
            _ => character(&token[at..end])
                .map(|(c, length)| (c, at + length))
                .ok_or_else(|| invalid_utf8(at))?,
        };
        text.push(character);
        at = next;
    }
    Ok(text)
}

/// What QEMU's writer makes of the bytes of a C string: characters, and U+FFFD for each sequence
/// that is none.
pub(super) fn decode_lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    while let Some(&first) = rest.first() {
        let (c, length) = match first {
            0..0x80 => (char::from(first), 1),
            _ => character(rest).unwrap_or((char::REPLACEMENT_CHARACTER, broken_sequence(rest))),
        };
        text.push(c);
        rest = &rest[length..];
    }
    text
}

/// How many bytes at the head of `bytes` a decoder takes for one broken character: as many as the
/// first announces, and as look like its continuation.
fn broken_sequence(bytes: &[u8]) -> usize {
    let announced = match bytes[0].leading_ones() as usize {
        length @ 2..=6 => length - 1,
        _ => 0,
    };
    let continuation = bytes[1..].iter().take(announced);
    1 + continuation.take_while(|&byte| byte & 0xC0 == 0x80).count()
}

fn invalid_escape(at: usize) -> TextError {
    TextError { desc: "invalid escape sequence in string".into(), range: at..at + 2 }
}

fn invalid_utf8(at: usize) -> TextError {
    TextError { desc: "invalid UTF-8 sequence in string".into(), range: at..at + 1 }
}

fn escape(letter: u8) -> Option<char> {
    Some(match letter {
        b'"' | b'\'' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// The character of the `\u` escape at `at`, or of the pair of surrogates that begins there.
fn code_point(token: &[u8], at: usize) -> Result<(char, usize), TextError> {
    let mut next = (at + 6).min(token.len());
    let unit = hexadecimal(token, at + 2);
    let mut code = unit;
    if let Some(high @ 0xD800..0xDC00) = unit
        && token[next..].starts_with(b"\\u")
        && let Some(low @ 0xDC00..0xE000) = hexadecimal(token, next + 2)
    {
        code = Some(0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF));
        next += 6;
    }
    match code.and_then(char::from_u32).filter(|&c| !is_noncharacter(c)) {
        Some(c) => Ok((c, next)),
        None => {
            let written = decode_lossy(&token[at..next]);
            let desc = format!("{written} is not a valid Unicode character");
            Err(TextError { desc, range: at..next })
        }
    }
}

fn hexadecimal(token: &[u8], at: usize) -> Option<u32> {
    let digits = token.get(at..at + 4)?;
    digits.iter().try_fold(0, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
}

/// The character at the head of `bytes` and its length, in UTF-8 with NUL written as two bytes.
fn character(bytes: &[u8]) -> Option<(char, usize)> {
    let length = match bytes.first()? {
        0xC0 => return bytes.starts_with(&[0xC0, 0x80]).then_some(('\0', 2)),
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return None,
    };
    let c = str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    (!is_noncharacter(c)).then_some((c, length))
}

/// Whether Unicode will never assign the code point, and QEMU refuses it.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xFDD0..0xFDF0).contains(&code) || code & 0xFFFE == 0xFFFE
}
