//! Sizes as `qemu-img` reads them.

/// The size in bytes that a text like `1M` names; none when `qemu-img` would refuse it.
///
/// A decimal number with a suffix `B`, `K`, `M`, `G`, `T`, `P` or `E` of either case, with which it
/// may have a fraction; or a hexadecimal number without a suffix (`do_strtosz`, `util/cutils.c`,
/// QEMU 10.0). At most `i64::MAX`.
pub(super) fn parse(text: &str) -> Option<u64> {
    let bytes = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with(|first: char| first.is_ascii_hexdigit()) => {
            u128::from_str_radix(digits, 16).ok()?
        }
        Some(_) => return None,
        None => decimal(text)?,
    };
    u64::try_from(bytes).ok().filter(|bytes| *bytes <= i64::MAX as u64)
}

fn decimal(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let scale = scale(suffix)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if scale > 1 => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let whole: u128 =
        if fraction.is_empty() { whole.parse().ok()? } else { format!("0{whole}").parse().ok()? };
    let bytes = whole.checked_mul(scale)?;
    if fraction.is_empty() {
        return Some(bytes);
    }
    // More digits than these cannot change a byte, and would overflow.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts = scale.checked_mul(fraction.parse().ok()?)?;
    bytes.checked_add(parts / 10_u128.pow(fraction.len() as u32))
}

fn scale(suffix: &str) -> Option<u128> {
    const SUFFIXES: &str = "BKMGTPE";
    let mut letters = suffix.chars();
    let power = match letters.next() {
        None => 0,
        Some(letter) => SUFFIXES.find(letter.to_ascii_uppercase())?,
    };
    letters.next().is_none().then(|| 1 << (10 * power))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_those_of_qemu_img() {
        let cases = [
            ("0", 0),
            ("512", 512),
            ("1k", 1024),
            ("1K", 1024),
            ("1b", 1),
            ("1.5M", 3 << 19),
            (".5M", 1 << 19),
            ("5.M", 5 << 20),
            ("3.3k", 3379),
            ("0x200", 512),
            ("1E", 1 << 60),
            ("7.5E", 15 << 59),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_size() {
        for text in ["", "-1", "1M5", "1 M", "1.5", "1.5B", "M", ".", "0x", "0x1K", "8E", "1MM"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
