//! `blkperm cost`: what an edge put on and taken off costs QEMU and us, and how that grows.

mod error;
mod growth;
mod json;
mod measure;
mod plot;
mod shape;
mod subject;
mod table;
mod target;

use crate::machine::Machine;
use crate::output::{self, Format};
use blkperm_document as document;
use blkperm_qemu::Programs;
use clap::ValueEnum;
use error::Error;
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Series, Work};
use serde::Serialize;
use shape::Shape;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use subject::{Setup, SubjectName};

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

/// The part of a document that `--write` writes.
const PART: &str = "blkperm cost";

/// The arguments of `blkperm cost`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cost {
    /// What the edge is put on; everything by default
    #[arg(value_enum, value_name = "SHAPE")]
    shapes: Vec<Shape>,
    /// The time that building one graph may take, one answer, and measuring one size
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
    /// Rewrite the measured parts of FILE, and the drawing beside it, with .svg for its ending
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// All that was measured, and on what.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    /// The time that building one graph was allowed, and one answer, in seconds.
    bound: f64,
    /// What the protocol alone takes: two commands that do nothing.
    nothing: Vec<Series>,
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
        let shapes = self.shapes()?;
        self.require_files()?;
        let report = self.measure(&shapes, programs.as_ref())?;
        if let Some(file) = &self.svg {
            fs::write(file, plot::svg(&report)?).map_err(Error::file(file))?;
        }
        if let Some(file) = &self.write {
            let (text, drawing) = (table::markdown(&report), file.with_extension("svg"));
            document::rewrite(file, PART, &text).map_err(Error::file(file))?;
            fs::write(&drawing, plot::svg(&report)?).map_err(Error::file(&drawing))?;
        }
        let text = match self.format {
            Format::Text => table::text(&report, output::width()),
            Format::Json => json::text(&report)?,
        };
        writeln!(anstream::stdout(), "{text}")?;
        Ok(ExitCode::SUCCESS)
    }

    /// The shapes with the sizes at which they are measured.
    fn shapes(&self) -> Result<Vec<(Shape, Vec<usize>)>, Error> {
        let is_asked = |shape: &&Shape| self.shapes.is_empty() || self.shapes.contains(shape);
        let up_to = self.up_to.unwrap_or(usize::MAX);
        let sizes = |&shape: &Shape| {
            let sizes = shape.sizes().iter().copied();
            let within: Vec<usize> = sizes.clone().filter(|&size| size <= up_to).collect();
            let least = sizes.min().unwrap_or_default();
            let unit = shape.unit();
            let (name, empty) = (shape.name(), within.is_empty());
            if empty { Err(Error::NoSize { name, least, unit }) } else { Ok((shape, within)) }
        };
        Shape::value_variants().iter().filter(is_asked).map(sizes).collect()
    }

    /// Requires that what is to be written can be, before anything takes its time.
    fn require_files(&self) -> Result<(), Error> {
        let drawing = self.write.as_ref().map(|file| file.with_extension("svg"));
        let mut files = self.svg.iter().chain(&self.write).chain(&drawing);
        files.try_for_each(|file| document::require_writable(file).map_err(Error::file(file)))
    }

    fn measure(
        &self,
        shapes: &[(Shape, Vec<usize>)],
        programs: Option<&Programs>,
    ) -> Result<Report, Error> {
        let bound = Duration::from_secs_f64(self.bound);
        let mut setup = Setup { bound, programs, machine: Machine::here() };
        let subjects = SubjectName::all(programs.is_some());
        let points: usize = shapes.iter().map(|(_, sizes)| sizes.len()).sum();
        let progress = progress(points * subjects.len());
        let servers = SubjectName::servers(programs.is_some());
        let mut nothing: Vec<Series> = servers.into_iter().map(Series::new).collect();
        measure_point(&mut nothing, 0, bound, |name| setup.nothing(name))?;
        let mut reports = Vec::new();
        for (shape, sizes) in shapes {
            let mut series: Vec<Series> = subjects.iter().map(|&name| Series::new(name)).collect();
            for &size in sizes {
                measure_point(&mut series, size, bound, |name| {
                    progress.set_message(format!("{} {size}, {name}", shape.name()));
                    let work = setup.edge(name, *shape, size);
                    progress.inc(1);
                    work
                })?;
            }
            series.iter_mut().for_each(|series| series.fit(*shape));
            reports.push(ShapeReport { shape: *shape, sizes: sizes.clone(), series });
        }
        progress.finish_and_clear();
        Ok(Report { machine: setup.machine, bound: self.bound, nothing, shapes: reports })
    }
}

/// Prepares every subject at the size, measures all in turn, and adds what came of it to their
/// series.
fn measure_point(
    all: &mut [Series],
    size: usize,
    bound: Duration,
    mut prepare: impl FnMut(SubjectName) -> Result<Option<Box<dyn Work>>, Error>,
) -> Result<(), Error> {
    let works = all.iter().map(|series| match series.is_over_bound() {
        true => Ok(None),
        false => prepare(series.subject),
    });
    let outcomes = measure::in_turn(works.collect::<Result<_, _>>()?, bound)?;
    all.iter_mut().zip(outcomes).for_each(|(series, outcome)| series.add(size, outcome));
    Ok(())
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
