//! Times: medians of many repetitions within a bound.

use super::error::Error;
use super::growth::Growth;
use super::shape::Shape;
use super::subject::SubjectName;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Something that is done again and again.
pub(crate) trait Work {
    /// Does it once; returns false where the bound was too short for it.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be done.
    fn once(&mut self) -> Result<bool, Error>;
}

/// What came of one point.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// An edge was put on and taken off in so many nanoseconds, the median of so many samples.
    Measured {
        /// The median, in nanoseconds.
        nanoseconds: f64,
        /// How many samples there are.
        samples: usize,
    },
    /// The bound was too short to build the graph and measure once.
    OverBound,
}

impl Outcome {
    /// The median in nanoseconds.
    pub(crate) fn nanoseconds(self) -> Option<f64> {
        match self {
            Outcome::Measured { nanoseconds, .. } => Some(nanoseconds),
            Outcome::OverBound => None,
        }
    }
}

/// All points of one subject on one shape.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    /// Who did the work.
    pub(crate) subject: SubjectName,
    /// What came of it, by size.
    pub(crate) points: Vec<(usize, Outcome)>,
    /// How the times grow, where enough of them are known.
    pub(crate) growth: Option<Growth>,
}

impl Series {
    /// A series without points.
    pub(crate) fn new(subject: SubjectName) -> Series {
        Series { subject, points: Vec::new(), growth: None }
    }

    /// Adds the next larger size.
    pub(crate) fn add(&mut self, size: usize, outcome: Outcome) {
        self.points.push((size, outcome));
    }

    /// Whether a smaller size took too long already.
    pub(crate) fn is_over_bound(&self) -> bool {
        self.points.iter().any(|(_, outcome)| *outcome == Outcome::OverBound)
    }

    /// Finds out how the times grow.
    pub(crate) fn fit(&mut self, shape: Shape) {
        let known = self.points.iter();
        let known = known.filter_map(|&(size, outcome)| Some((size, outcome.nanoseconds()?)));
        self.growth = Growth::of(shape, &known.collect::<Vec<_>>());
    }
}

/// How long one sample takes at least: much longer than reading the clock.
const SAMPLE: Duration = Duration::from_micros(200);

/// How many samples are enough.
const SAMPLES: usize = 101;

/// The time after which fewer are enough.
const ENOUGH: Duration = Duration::from_secs(2);

/// Measures the work until there are enough samples, or the deadline is over.
///
/// # Errors
///
/// Those of the work.
pub(crate) fn within(deadline: Instant, work: &mut impl Work) -> Result<Outcome, Error> {
    let start = Instant::now();
    let enough = deadline.min(start + ENOUGH);
    let mut samples = Vec::with_capacity(SAMPLES);
    // The first time warms up, and tells how often the work is repeated for one sample.
    if start >= deadline || !work.once()? {
        return Ok(Outcome::OverBound);
    }
    let first = start.elapsed();
    let repetitions = (SAMPLE.as_nanos() / first.as_nanos().max(1)).clamp(1, 10_000) as u32;
    while samples.len() < SAMPLES && (samples.is_empty() || Instant::now() < enough) {
        let start = Instant::now();
        for _ in 0..repetitions {
            if !work.once()? {
                return Ok(Outcome::OverBound);
            }
        }
        samples.push(start.elapsed().as_nanos() as f64 / f64::from(repetitions));
    }
    samples.sort_by(f64::total_cmp);
    let nanoseconds = samples[samples.len() / 2];
    Ok(Outcome::Measured { nanoseconds, samples: samples.len() })
}
