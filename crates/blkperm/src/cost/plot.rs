//! What was measured, as a drawing.

use super::error::Error;
use super::measure::Series;
use super::subject::{Engine, Place, SubjectName};
use super::{Report, ShapeReport};
use crate::registry::RuleName;
use plotters::prelude::*;
use std::fmt::Display;

const PANEL: (u32, u32) = (440, 420);

/// The report as one SVG with a panel for each shape, both axes logarithmic.
///
/// # Errors
///
/// Fails when it cannot be drawn.
pub(crate) fn svg(report: &Report) -> Result<String, Error> {
    let mut text = String::new();
    let size = (PANEL.0 * report.shapes.len().max(1) as u32, PANEL.1);
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let times = report.shapes.iter().flat_map(|shape| &shape.series).flat_map(times);
    let (least, most) = bounds(times.map(|(_, time)| time));
    let panels = area.split_evenly((1, report.shapes.len().max(1)));
    for (shape, panel) in report.shapes.iter().zip(&panels) {
        draw(shape, panel, least / 2.0..most * 2.0).map_err(failed)?;
    }
    area.present().map_err(failed)?;
    drop(panels);
    drop(area);
    Ok(text)
}

fn failed(error: impl Display) -> Error {
    Error::Drawing(error.to_string())
}

type Panel<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type DrawingResult = Result<(), Box<dyn std::error::Error>>;

/// Draws the times of one shape, in nanoseconds, on an axis that all panels have alike.
fn draw(report: &ShapeReport, panel: &Panel<'_>, times: std::ops::Range<f64>) -> DrawingResult {
    let (smallest, largest) = bounds(report.sizes.iter().map(|&size| size as f64));
    let mut chart = ChartBuilder::on(panel)
        .caption(report.shape.name(), ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((smallest * 0.9..largest * 1.1).log_scale(), times.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(report.shape.unit())
        .y_label_formatter(&|time| super::table::duration(*time))
        .draw()?;
    for series in &report.series {
        let (colour, radius) = style(series.subject);
        let line = LineSeries::new(series_points(series), colour.stroke_width(2));
        let key = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(series.subject.to_string()).legend(key);
        let dots = series_points(series).map(|point| Circle::new(point, radius, colour.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

fn times(series: &Series) -> impl Iterator<Item = (usize, f64)> + '_ {
    let points = series.points.iter();
    points.filter_map(|&(size, outcome)| Some((size, outcome.nanoseconds()?)))
}

fn series_points(series: &Series) -> impl Iterator<Item = (f64, f64)> + '_ {
    times(series).map(|(size, time)| (size as f64, time))
}

/// A colour for each place, lighter for what is second there, whose dots are smaller.
fn style(subject: SubjectName) -> (RGBColor, i32) {
    match (subject.place, subject.engine) {
        (Place::Qmp, Engine::Qemu) => (RGBColor(200, 30, 30), 4),
        (_, Engine::Qemu) => (RGBColor(240, 140, 140), 3),
        (Place::Qmp, Engine::Ours(RuleName::Baseline)) => (RGBColor(20, 60, 160), 4),
        (Place::Qmp, _) => (RGBColor(110, 160, 240), 3),
        (Place::Pipelined, _) => (RGBColor(120, 60, 170), 4),
        (Place::Monitor, _) => (RGBColor(20, 110, 50), 4),
        (Place::Graph, Engine::Ours(RuleName::Baseline)) => (RGBColor(150, 90, 0), 4),
        (Place::Graph, _) => (RGBColor(240, 180, 70), 3),
    }
}

/// The least and the greatest; where there is none, a range that can be drawn.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let around = |bounds: Option<(f64, f64)>, value: f64| {
        let (least, most) = bounds.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    };
    values.fold(None, around).unwrap_or((1.0, 10.0))
}
