//! What the cost over QMP has to be at least, and is.

use super::Report;
use super::measure::Series;
use super::shape::Shape;
use super::subject::SubjectName;

/// QEMU and ours, command by command and pipelined.
const ONE_BY_ONE: [SubjectName; 2] = [SubjectName::QMP_QEMU, SubjectName::QMP_BASELINE];
const PIPELINED: [SubjectName; 2] = [SubjectName::PIPELINED_QEMU, SubjectName::PIPELINED_BASELINE];

/// How many times faster ours has to be than QEMU.
const TARGETS: [Target; 3] = [
    Target { shape: Shape::FanIn, size: 1600, at_least: 200 },
    Target { shape: Shape::Chain, size: 1600, at_least: 50 },
    Target { shape: Shape::Ladder, size: 22, at_least: 100 },
];

struct Target {
    shape: Shape,
    size: usize,
    at_least: u32,
}

/// What was to be reached and what was, as ratios of QEMU's time and ours.
pub(crate) struct Reached {
    /// The shape and its size, in words.
    pub(crate) what: String,
    /// How many times faster ours has to be.
    pub(crate) at_least: u32,
    /// How many times faster it is where each reply is waited for.
    pub(crate) one_by_one: Option<f64>,
    /// How many times faster it is where commands are pipelined.
    pub(crate) pipelined: Option<f64>,
    /// How many times more slowly ours grows, by the pipelined times: the protocol's constant drops
    /// out. None where either does not grow, or they grow by different laws.
    pub(crate) growth: Option<f64>,
}

/// The targets at sizes that were measured.
pub(crate) fn reached(report: &Report) -> Vec<Reached> {
    let of_target = |target: &Target| {
        let shape = report.shapes.iter().find(|report| report.shape == target.shape)?;
        let pair = |names| pair(&shape.series, names);
        let ratio = |names| ratio(pair(names)?, target.size);
        Some(Reached {
            what: format!("{} of {} {}", target.shape.name(), target.size, target.shape.unit()),
            at_least: target.at_least,
            one_by_one: Some(ratio(ONE_BY_ONE)?),
            pipelined: ratio(PIPELINED),
            growth: pair(PIPELINED).and_then(growth),
        })
    };
    TARGETS.iter().filter_map(of_target).collect()
}

fn pair(series: &[Series], names: [SubjectName; 2]) -> Option<[&Series; 2]> {
    let [qemu, ours] = names.map(|name| series.iter().find(|series| series.subject == name));
    Some([qemu?, ours?])
}

fn ratio([qemu, ours]: [&Series; 2], size: usize) -> Option<f64> {
    Some(qemu.at(size)? / ours.at(size)?)
}

fn growth([qemu, ours]: [&Series; 2]) -> Option<f64> {
    let (qemu, ours) = (qemu.growth?, ours.growth?);
    (qemu.law == ours.law && ours.each > 0.0).then(|| qemu.each / ours.each)
}
