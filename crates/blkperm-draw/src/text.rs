//! Texts that may say anything: cleaned, cut and measured.

use unicode_width::UnicodeWidthStr;

/// The most columns of a name that are shown; the whole of it is in the tooltip.
pub(crate) const MOST_COLUMNS: usize = 40;

/// The text without what would break a picture: control characters, which XML forbids, and marks
/// that turn the direction of all that follows.
pub(crate) fn cleaned(text: &str) -> String {
    let harmless = |c: char| match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// The text with its middle cut out where it is longer than [`MOST_COLUMNS`]: names differ at their
/// ends.
pub(crate) fn shortened(text: &str) -> String {
    let text = cleaned(text);
    if text.width() <= MOST_COLUMNS {
        return text;
    }
    let characters: Vec<char> = text.chars().collect();
    let half = (MOST_COLUMNS - 1) / 2;
    let head = fitting(characters.iter(), half);
    let mut tail: Vec<char> = fitting(characters.iter().rev(), half).chars().collect();
    tail.reverse();
    format!("{head}…{}", tail.into_iter().collect::<String>())
}

/// As many characters as fit into so many columns.
fn fitting<'a>(characters: impl Iterator<Item = &'a char>, columns: usize) -> String {
    let mut text = String::new();
    for character in characters {
        text.push(*character);
        if text.width() > columns || text.len() > 4 * columns {
            text.pop();
            break;
        }
    }
    text
}

/// How many columns of a terminal the text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text for XML and HTML, as content and as value of an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in cleaned(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_ends() {
        let name = format!("begin{}end", "x".repeat(100));
        let short = shortened(&name);
        assert!(short.starts_with("begin") && short.ends_with("end"), "{short}");
        assert!(columns(&short) <= MOST_COLUMNS, "{short}");
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn wide_and_combining_characters_are_cut_too() {
        for name in ["漢".repeat(100), "e\u{301}".repeat(100), "\u{301}".repeat(10_000)] {
            let short = shortened(&name);
            assert!(columns(&short) <= MOST_COLUMNS, "{short}");
            assert!(short.chars().count() < 10_000 || columns(&name) <= MOST_COLUMNS);
        }
    }

    #[test]
    fn what_breaks_a_picture_is_replaced() {
        assert_eq!(
            cleaned("a\0b\u{1b}[31m\u{202e}c\nd"),
            "a\u{fffd}b\u{fffd}[31m\u{fffd}c\u{fffd}d"
        );
        assert_eq!(escaped("<a b='\"'>&"), "&lt;a b=&#39;&quot;&#39;&gt;&amp;");
    }
}
