//! How output is written: its format, its colours, its width.

use clap::ValueEnum;
use comfy_table::{
    Attribute, Cell, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
    presets,
};
use std::ffi::OsString;

/// The format of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// What `--color` says on a command line that may be wrong elsewhere: the messages about that
    /// are to follow it, too.
    pub(crate) fn glimpse(arguments: impl Iterator<Item = OsString>) -> Color {
        let words: Vec<String> =
            arguments.map(|word| word.to_string_lossy().into_owned()).collect();
        let behind = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| &*pair[1]);
        let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
        let value = behind.chain(joined).find_map(|value| Color::from_str(value, false).ok());
        value.unwrap_or_default()
    }

    /// What `clap` calls it.
    pub(crate) fn for_clap(self) -> clap::ColorChoice {
        match self {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }

    /// Holds for all of `anstream`'s streams from now on.
    pub(crate) fn apply(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Where there is no terminal: what fits into a README, and into a mail with its quote marks.
const WIDTH_WITHOUT_TERMINAL: u16 = 100;

/// The width to write for.
pub(crate) fn width() -> u16 {
    Table::new().width().unwrap_or(WIDTH_WITHOUT_TERMINAL)
}

/// No vertical lines: wrapped cells need the room.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// The space behind a column.
pub(crate) const GAP: u16 = 2;

/// How wide the columns of a table are at least, where there is room.
#[derive(Clone, Copy, Default)]
pub(crate) struct Widths {
    /// The first column.
    pub(crate) first: u16,
    /// Each of the others.
    pub(crate) others: u16,
}

/// A table that fits `width`, without line end.
///
/// It is always styled: `anstream` removes what a stream cannot show.
pub(crate) fn table(header: Vec<Cell>, rows: Vec<Vec<Cell>>, width: u16, least: Widths) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .enforce_styling()
        .style_text_only();
    let header = header.into_iter().map(|cell| cell.add_attribute(Attribute::Bold));
    table.set_header(header.collect::<Vec<_>>()).add_rows(rows);
    let others = (table.column_count() as u16).saturating_sub(1);
    let room = width.saturating_sub(others * least.others);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if room >= least.others {
            let least = if number == 0 { least.first.min(room) } else { least.others };
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    table.trim_fmt()
}

/// Lines of a mark and a text each, wrapped to `width` so that the texts stay below each other.
pub(crate) fn notes(width: u16, lines: impl IntoIterator<Item = (String, String)>) -> String {
    let mut notes = Table::new();
    notes
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .add_rows(lines.into_iter().map(|(mark, text)| [mark, text]));
    for column in notes.column_iter_mut() {
        column.set_padding((0, 1));
    }
    notes.trim_fmt()
}

/// A name of several words, cut behind hyphens into lines of at most `width` where that can be.
pub(crate) fn hyphenated(name: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for part in name.split_inclusive('-') {
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.len() + part.len() <= width => {
                line.push_str(part)
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines.join("\n")
}

/// A line that begins something new.
pub(crate) fn heading(text: &str) -> String {
    let bold = anstyle::Style::new().bold();
    format!("{bold}{text}{bold:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_for_colours_is_seen_on_any_command_line() {
        let cases = [
            ("blkperm compare --nope --color never", Color::Never),
            ("blkperm --color=always", Color::Always),
            ("blkperm --color", Color::Auto),
            ("blkperm --color perhaps", Color::Auto),
            ("blkperm run never", Color::Auto),
        ];
        for (line, expected) in cases {
            assert_eq!(Color::glimpse(line.split(' ').map(OsString::from)), expected, "{line}");
        }
    }

    #[test]
    fn a_name_is_cut_behind_hyphens() {
        let name = "active-commit-cancel";
        assert_eq!(hyphenated(name, 20), name);
        assert_eq!(hyphenated(name, 19), "active-commit-\ncancel");
        assert_eq!(hyphenated(name, 1), "active-\ncommit-\ncancel");
        assert_eq!(hyphenated("", 1), "");
    }

    #[test]
    fn nothing_is_wider_than_asked() {
        let least = Widths { first: 30, others: 12 };
        let long = || Cell::new("several words, and not all of them fit");
        for width in [60, 100, 140] {
            let shown = table(vec![long(), long()], vec![vec![long(), long()]; 3], width, least);
            let shown = anstream::adapter::strip_str(&shown).to_string();
            let notes = notes(width, [("-".to_owned(), "one two three ".repeat(20))]);
            for line in shown.lines().chain(notes.lines()) {
                assert!(line.chars().count() <= usize::from(width), "{line}");
            }
        }
    }
}
