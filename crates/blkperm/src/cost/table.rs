//! What was measured, as tables for people and for a document.

use super::growth::{Growth, Law};
use super::measure::Series;
use super::shape::Shape;
use super::subject::SubjectName;
use super::target::Reached;
use super::{Report, ShapeReport, target};
use crate::output::{self, Widths};
use comfy_table::Cell;

/// What the tables show, above them.
const LEGEND: &str = "The time for an edge that is put on and taken off: a blkdebug node that takes \
                      consistent reads is opened above the target and removed again. 'QMP' is a \
                      server over a socket, each reply waited for before the next command is sent; \
                      'pipelined' the same with the commands of eight such edges sent at once; \
                      'monitor' ours within the process, JSON values in and out; 'graph' the graph \
                      alone. All columns of a row are measured in turn. The last line is what each \
                      more costs, fitted over all sizes, so that what is the same at every size \
                      drops out.";

/// The width of `ownership` and of a time, with the space behind it: narrower columns break words.
const COLUMN: u16 = 11;

/// A ratio of two columns: its head, the dividend, the divisor.
const RATIOS: [(&str, SubjectName, SubjectName); 3] = [
    ("QEMU\n÷ ours", SubjectName::QMP_QEMU, SubjectName::QMP_BASELINE),
    ("the same\npipelined", SubjectName::PIPELINED_QEMU, SubjectName::PIPELINED_BASELINE),
    ("owners.\n÷ base", SubjectName::GRAPH_OWNERSHIP, SubjectName::GRAPH_BASELINE),
];

/// A table without its looks: words in the first column, numbers in the others.
struct Plain {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Plain {
    fn of_nothing(report: &Report) -> Plain {
        let name = |series: &Series| series.subject.words().join("\n");
        let time = |series: &Series| series.at(0).map_or_else(dash, duration);
        let names = report.nothing.iter().map(name);
        Plain {
            title: "Two commands that do nothing, and their replies".to_owned(),
            header: ["".to_owned()].into_iter().chain(names).collect(),
            rows: vec![
                ["query-jobs".to_owned()]
                    .into_iter()
                    .chain(report.nothing.iter().map(time))
                    .collect(),
            ],
        }
    }

    fn of_targets(reached: Vec<Reached>) -> Plain {
        let header = ["", "target", "QMP", "pipelined", "growth"];
        let row = |reached: Reached| {
            let is = [reached.one_by_one, reached.pipelined, reached.growth];
            let mut row = vec![reached.what, format!("{} x", reached.at_least)];
            row.extend(is.map(|is| is.map_or_else(dash, ratio)));
            row
        };
        Plain {
            title: "How many times faster than QEMU".to_owned(),
            header: header.map(str::to_owned).into(),
            rows: reached.into_iter().map(row).collect(),
        }
    }

    fn of(report: &ShapeReport, bound: f64) -> Plain {
        let shape = report.shape;
        let name = |series: &Series| series.subject.words().join("\n");
        let mut header = vec![shape.unit().to_owned()];
        header.extend(report.series.iter().map(name));
        let ratios = RATIOS.map(|(head, dividend, divisor)| {
            Some((head, report.series_of(dividend)?, report.series_of(divisor)?))
        });
        let ratios: Vec<_> = ratios.into_iter().flatten().collect();
        header.extend(ratios.iter().map(|(head, ..)| (*head).to_owned()));
        let time = |series: &Series, size| {
            series.at(size).map_or_else(|| format!("> {bound} s"), duration)
        };
        let rows = report.sizes.iter().map(|&size| {
            let mut row = vec![size.to_string()];
            row.extend(report.series.iter().map(|series| time(series, size)));
            row.extend(ratios.iter().map(|(_, one, other)| match (one.at(size), other.at(size)) {
                (Some(one), Some(other)) => ratio(one / other),
                _ => "-".to_owned(),
            }));
            row
        });
        let mut growth = vec!["each".to_owned()];
        growth.extend(report.series.iter().map(|series| series.growth.map_or_else(dash, each)));
        growth.extend(ratios.iter().map(|_| dash()));
        Plain { title: title(shape), header, rows: rows.chain([growth]).collect() }
    }
}

/// All tables of the report.
fn tables(report: &Report) -> Vec<Plain> {
    let mut tables = vec![Plain::of_nothing(report)];
    let reached = target::reached(report);
    tables.extend((!reached.is_empty()).then(|| Plain::of_targets(reached)));
    tables.extend(report.shapes.iter().map(|shape| Plain::of(shape, report.bound)));
    tables
}

impl ShapeReport {
    fn series_of(&self, subject: SubjectName) -> Option<&Series> {
        self.series.iter().find(|series| series.subject == subject)
    }
}

impl Series {
    /// The median at the size, in nanoseconds; none where it took too long.
    pub(super) fn at(&self, size: usize) -> Option<f64> {
        let point = self.points.iter().find(|point| point.0 == size);
        point.and_then(|(_, outcome)| outcome.nanoseconds())
    }
}

/// The report for a terminal of the width; no line end.
pub(crate) fn text(report: &Report, width: u16) -> String {
    let mut parts = vec![output::notes(width, [(String::new(), LEGEND.to_owned())])];
    for Plain { title, header, rows } in tables(report) {
        let cells = |row: Vec<String>| row.into_iter().map(Cell::new).collect::<Vec<_>>();
        let rows = rows.into_iter().map(cells).collect();
        let widths = Widths { first: 9, others: COLUMN };
        let table = output::table(cells(header), rows, width.max(9 + 11 * COLUMN), widths);
        parts.push(format!("{}\n{table}", output::heading(&title)));
    }
    parts.push(report.machine.line());
    parts.join("\n\n")
}

/// The report for a document, with the drawing that lies beside it.
pub(crate) fn markdown(report: &Report) -> String {
    let mut parts = vec![LEGEND.to_owned(), format!("Measured on {}.", report.machine.line())];
    for Plain { title, header, rows } in tables(report) {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rule = vec!["--:".to_owned(); header.len()];
        let header: Vec<_> = header.iter().map(|head| head.replace('\n', " ")).collect();
        let mut lines = vec![line(&header), line(&rule)];
        lines.extend(rows.iter().map(|row| line(row)));
        parts.push(format!("### {title}\n\n{}", lines.join("\n")));
    }
    parts.join("\n\n")
}

fn title(shape: Shape) -> String {
    match shape {
        Shape::Chain => "The top of a chain of so many nodes".to_owned(),
        Shape::FanIn => "A node with so many parents".to_owned(),
        Shape::Ladder => "The top of so many diamonds, four edges each".to_owned(),
    }
}

fn dash() -> String {
    "-".to_owned()
}

fn each(growth: Growth) -> String {
    match growth.law {
        Law::Constant => "nothing".to_owned(),
        law => format!("{} {}", duration(growth.each), law.term()),
    }
}

/// A time with three digits.
pub(crate) fn duration(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let unit = units.into_iter().find(|(size, _)| nanoseconds >= 0.9995 * size);
    let (size, name) = unit.unwrap_or((1.0, "ns"));
    format!("{} {name}", digits(nanoseconds / size))
}

fn ratio(value: f64) -> String {
    format!("{} x", digits(value))
}

fn digits(value: f64) -> String {
    let places = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_and_the_unit_that_fits() {
        let cases = [
            (0.123, "0.12 ns"),
            (54.31, "54.3 ns"),
            (999.4, "999 ns"),
            (999.9, "1.00 µs"),
            (123_456.0, "123 µs"),
            (9_996_000.0, "10.0 ms"),
            (2e9, "2.00 s"),
        ];
        for (nanoseconds, expected) in cases {
            assert_eq!(duration(nanoseconds), expected);
        }
    }
}
