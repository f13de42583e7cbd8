//! Tables of a document.

/// A table under a heading and a sentence, its numbers to the right.
pub(crate) fn table(
    heading: &str,
    sentence: &str,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut rule = vec!["--:".to_owned(); header.len()];
    rule[0] = "---".to_owned();
    let mut lines = vec![line(header.iter().map(|&cell| cell.to_owned()).collect()), line(rule)];
    lines.extend(rows.into_iter().map(line));
    format!("### {heading}\n\n{sentence}\n\n{}", lines.join("\n"))
}
