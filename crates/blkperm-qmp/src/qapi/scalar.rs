//! Scalars that are written as text, in `key=value`.

/// A switch.
///
/// Source: `qapi_bool_parse` in `qapi/qapi-util.c`, QEMU 10.0.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// An integer as C writes them.
///
/// Source: `qemu_strtoi64` in `util/cutils.c`, QEMU 10.0.
pub(super) fn signed(text: &str) -> Option<i64> {
    let (negative, magnitude) = integer(text)?;
    let magnitude = i128::from(magnitude);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// An unsigned integer as C reads them: a negative one is taken modulo 2^64.
///
/// Source: `qemu_strtou64` in `util/cutils.c`, QEMU 10.0.
pub(super) fn unsigned(text: &str) -> Option<u64> {
    let (negative, magnitude) = integer(text)?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// Sign and magnitude: blanks, a sign, `0x` or `0` or nothing, and digits to the end.
fn integer(text: &str) -> Option<(bool, u64)> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let text = text.trim_start_matches(blank);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // Rust would accept a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (&digits[2..], 16),
        _ if digits.starts_with('0') => (digits, 8),
        _ => (digits, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    Some((negative, u64::from_str_radix(digits, radix).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_c() {
        let read = ["0x1000", "010", " 12", "+7", "-1", "0", "-0x10"].map(signed);
        assert_eq!(read, [4096, 8, 12, 7, -1, 0, -16].map(Some));
        for bad in ["", "1M", "0x", "0x+1", "08", "--1", "+-1", "1 ", "9223372036854775808"] {
            assert_eq!(signed(bad), None, "{bad:?}");
        }
        assert_eq!(unsigned("-1"), Some(u64::MAX));
        assert_eq!(unsigned("18446744073709551616"), None);
    }
}
