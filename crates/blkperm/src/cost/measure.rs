//! Times: medians of many repetitions within a bound.

use super::error::Error;
use super::growth::Growth;
use super::shape::Shape;
use super::subject::SubjectName;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Something that is done again and again.
pub(crate) trait Work {
    /// Does it; returns false where the bound was too short for it.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be done.
    fn once(&mut self) -> Result<bool, Error>;

    /// How often it is done by [`Work::once`]: more than once only where it is done together.
    fn times(&self) -> usize {
        1
    }
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

/// How long one sample takes at least: long enough for caches to be warm again after the others had
/// their turn.
const SAMPLE: Duration = Duration::from_millis(5);

/// How many samples are thrown away at first.
const WARM_UPS: usize = 3;

/// How many samples are enough.
const SAMPLES: usize = 51;

/// How many there are at least, unless the bound is over.
const FEWEST: usize = 3;

/// The time after which fewer than [`SAMPLES`] are enough.
const ENOUGH: Duration = Duration::from_secs(4);

/// Measures works in turn, a sample of each in every round, so that what slows the machine down
/// slows all of them. None stands for one that the bound was too short for. Once the bound is over,
/// no further round begins after the first.
///
/// # Errors
///
/// Those of the works.
pub(crate) fn in_turn(
    works: Vec<Option<Box<dyn Work>>>,
    bound: Duration,
) -> Result<Vec<Outcome>, Error> {
    let start = Instant::now();
    let mut all = works.into_iter().map(Sampled::new).collect::<Result<Vec<_>, _>>()?;
    for round in 0..SAMPLES {
        let (is_enough, is_over) = (start.elapsed() >= ENOUGH, start.elapsed() >= bound);
        if round >= FEWEST && is_enough || round >= 1 && is_over {
            break;
        }
        all.iter_mut().try_for_each(Sampled::sample)?;
    }
    Ok(all.into_iter().map(Sampled::outcome).collect())
}

/// A work and how long it took each time; without a work, the bound was too short.
struct Sampled {
    work: Option<Box<dyn Work>>,
    repetitions: u32,
    /// In nanoseconds.
    samples: Vec<f64>,
}

impl Sampled {
    fn new(work: Option<Box<dyn Work>>) -> Result<Sampled, Error> {
        let mut sampled = Sampled { work, repetitions: 1, samples: Vec::with_capacity(SAMPLES) };
        // The first warms up; each tells better than the last how often the work is repeated.
        for _ in 0..WARM_UPS {
            sampled.sample()?;
            if let (Some(first), Some(work)) = (sampled.samples.pop(), &sampled.work) {
                let once = first * work.times() as f64;
                sampled.repetitions = (SAMPLE.as_nanos() as f64 / once).clamp(1.0, 1e6) as u32;
            }
        }
        Ok(sampled)
    }

    fn sample(&mut self) -> Result<(), Error> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let times = self.repetitions as usize * work.times();
        let start = Instant::now();
        for _ in 0..self.repetitions {
            if !work.once()? {
                self.work = None;
                return Ok(());
            }
        }
        self.samples.push(start.elapsed().as_nanos() as f64 / times as f64);
        Ok(())
    }

    fn outcome(mut self) -> Outcome {
        if self.work.is_none() {
            return Outcome::OverBound;
        }
        self.samples.sort_by(f64::total_cmp);
        let nanoseconds = self.samples[self.samples.len() / 2];
        Outcome::Measured { nanoseconds, samples: self.samples.len() }
    }
}
