//! `blkperm cost`: what an edge put on and taken off costs QEMU and us, and how that grows.

mod document;
mod error;
mod growth;
mod json;
pub(crate) mod machine;
mod measure;
mod plot;
mod shape;
mod subject;
mod table;

use crate::output::{self, Format};
use blkperm_qemu::Programs;
use clap::ValueEnum;
use error::Error;
use indicatif::{ProgressBar, ProgressStyle};
use machine::Machine;
use measure::{Outcome, Series};
use serde::Serialize;
use shape::Shape;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use subject::SubjectName;

const EXAMPLES: &str = "\
Examples:
  blkperm cost chain --up-to 100 --bound 2
          A first look: what an edge costs on chains of up to 100 nodes
  blkperm cost --without-qemu --svg cost.svg
          Every shape, without a daemon, and a drawing of it
  blkperm cost --format json > cost.json
          For programs

Exit status:
  0  measured
  2  bad input, QEMU cannot be used, or a file cannot be written";

/// The arguments of `blkperm cost`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cost {
    /// What the edge is put on; everything by default
    #[arg(value_enum, value_name = "SHAPE")]
    shapes: Vec<Shape>,
    /// The time that one point may take, building the graph included
    #[arg(long, default_value_t = 20.0, value_name = "SECONDS", value_parser = seconds)]
    bound: f64,
    /// The largest size
    #[arg(long, value_name = "SIZE")]
    up_to: Option<usize>,
    /// Leave QEMU out
    #[arg(long)]
    without_qemu: bool,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Draw the times into FILE, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Rewrite the measured parts of FILE, and the drawing FILE.svg beside it
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// All that was measured, and on what.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    /// The time that one point was allowed, in seconds.
    bound: f64,
    shapes: Vec<ShapeReport>,
}

/// What was measured on one shape.
#[derive(Debug, Serialize)]
struct ShapeReport {
    shape: Shape,
    sizes: Vec<usize>,
    series: Vec<Series>,
}

impl Cost {
    /// Measures, and shows what it has measured.
    ///
    /// # Errors
    ///
    /// Fails when QEMU or a server of ours cannot be used, or a file cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let programs = match self.without_qemu {
            true => None,
            false => Some(Programs::find().map_err(Error::NoQemu)?),
        };
        let shapes = match self.shapes.is_empty() {
            true => Shape::value_variants(),
            false => &self.shapes,
        };
        let report = self.measure(shapes, programs.as_ref())?;
        if let Some(file) = &self.svg {
            document::write(file, &plot::svg(&report)?)?;
        }
        if let Some(file) = &self.write {
            document::rewrite(file, &table::markdown(&report))?;
            document::write(&file.with_extension("svg"), &plot::svg(&report)?)?;
        }
        let text = match self.format {
            Format::Text => table::text(&report, output::width()),
            Format::Json => json::text(&report)?,
        };
        writeln!(anstream::stdout(), "{text}")?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, shapes: &[Shape], programs: Option<&Programs>) -> Result<Report, Error> {
        let bound = Duration::from_secs_f64(self.bound);
        let subjects = SubjectName::all(programs.is_some());
        let sizes = |shape: Shape| {
            let up_to = self.up_to.unwrap_or(usize::MAX);
            shape.sizes().iter().copied().filter(move |&size| size <= up_to).collect::<Vec<_>>()
        };
        let points: usize = shapes.iter().map(|&shape| sizes(shape).len()).sum();
        let progress = progress(points * subjects.len());
        let mut reports = Vec::new();
        let mut machine = Machine::here();
        for &shape in shapes {
            let sizes = sizes(shape);
            let mut all: Vec<Series> = subjects.iter().map(|&name| Series::new(name)).collect();
            for &size in &sizes {
                for series in &mut all {
                    progress.set_message(format!("{} {size}, {}", shape.name(), series.subject));
                    let outcome = if series.is_over_bound() {
                        Outcome::OverBound
                    } else {
                        let subject = series.subject;
                        subject::point(subject, shape, size, bound, programs, &mut machine)?
                    };
                    series.add(size, outcome);
                    progress.inc(1);
                }
            }
            all.iter_mut().for_each(|series| series.fit(shape));
            reports.push(ShapeReport { shape, sizes, series: all });
        }
        progress.finish_and_clear();
        Ok(Report { machine, bound: self.bound, shapes: reports })
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if seconds.is_finite() && (0.01..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("not between 0.01 and 86400".to_owned())
    }
}

fn progress(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed}]");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
