//! How times grow with the size, without what is the same at every size.

use super::shape::Shape;
use serde::Serialize;

/// How a time grows with the size `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Law {
    /// Not at all.
    Constant,
    /// With `n`.
    Linear,
    /// With the square of `n`.
    Quadratic,
    /// Twice as much for each more: with the number of paths down a ladder.
    Exponential,
}

impl Law {
    fn of(self, size: usize) -> f64 {
        let size = size as f64;
        match self {
            Law::Constant => 0.0,
            Law::Linear => size,
            Law::Quadratic => size * size,
            Law::Exponential => size.exp2(),
        }
    }

    /// The term of the law.
    pub(crate) fn term(self) -> &'static str {
        match self {
            Law::Constant => "",
            Law::Linear => "n",
            Law::Quadratic => "n²",
            Law::Exponential => "2ⁿ",
        }
    }
}

/// The law that fits best: so many nanoseconds, and so many more for each of the law's term.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Growth {
    /// The law.
    pub(crate) law: Law,
    /// What is the same at every size, in nanoseconds: over QMP mostly the protocol.
    pub(crate) constant: f64,
    /// What each of the law's term adds, in nanoseconds.
    pub(crate) each: f64,
}

/// How much smaller the errors of a law have to be than those of one that grows less.
const CLEARLY: f64 = 0.5;

/// Times that differ by less than this factor do not grow.
const NOISE: f64 = 1.3;

impl Growth {
    /// The law by which the times of these sizes grow; none for fewer than four sizes.
    ///
    /// The laws are fitted by least squares of the relative errors, as times differ by orders of
    /// magnitude.
    pub(crate) fn of(shape: Shape, times: &[(usize, f64)]) -> Option<Growth> {
        if times.len() < 4 {
            return None;
        }
        let laws = match shape {
            Shape::Chain | Shape::FanIn => [Law::Linear, Law::Quadratic],
            Shape::Ladder => [Law::Linear, Law::Exponential],
        };
        let by_time = |one: &&(usize, f64), other: &&(usize, f64)| one.1.total_cmp(&other.1);
        let (least, most) = (times.iter().min_by(by_time)?.1, times.iter().max_by(by_time)?.1);
        let mut best = Growth::fit(Law::Constant, times);
        for law in laws {
            let (growth, error) = Growth::fit(law, times);
            if growth.each > 0.0 && error < best.1 * CLEARLY && most > least * NOISE {
                best = (growth, error);
            }
        }
        Some(best.0)
    }

    /// The law with its best parameters, and the sum of the squared relative errors.
    fn fit(law: Law, times: &[(usize, f64)]) -> (Growth, f64) {
        let mut sums = [0.0; 5];
        for &(size, time) in times {
            let (x, weight) = (law.of(size), 1.0 / (time * time));
            let terms = [weight, weight * x, weight * x * x, weight * time, weight * x * time];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        let [w, wx, wxx, wt, wxt] = sums;
        let determinant = w * wxx - wx * wx;
        let each = if law == Law::Constant { 0.0 } else { (w * wxt - wx * wt) / determinant };
        let constant = (wt - each * wx) / w;
        let growth = Growth { law, constant, each };
        let error = |&(size, time): &(usize, f64)| (growth.at(size) / time - 1.0).powi(2);
        (growth, times.iter().map(error).sum())
    }

    /// The time at the size, by the law.
    fn at(self, size: usize) -> f64 {
        self.constant + self.each * self.law.of(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times by a law, with errors of three percent in turn.
    fn times(law: Law, sizes: &[usize], constant: f64, each: f64) -> Vec<(usize, f64)> {
        let error = |place: usize| if place.is_multiple_of(2) { 1.03 } else { 0.97 };
        let time = |(place, &size): (usize, &usize)| {
            (size, (constant + each * law.of(size)) * error(place))
        };
        sizes.iter().enumerate().map(time).collect()
    }

    #[track_caller]
    fn check(shape: Shape, law: Law, constant: f64, each: f64) {
        let growth = Growth::of(shape, &times(law, shape.sizes(), constant, each)).unwrap();
        assert_eq!(growth.law, law);
        assert!((growth.each - each).abs() <= each * 0.1, "{growth:?}");
        assert!((growth.constant - constant).abs() <= constant * 0.1, "{growth:?}");
    }

    #[test]
    fn the_law_is_found_behind_a_constant_and_noise() {
        check(Shape::Chain, Law::Linear, 100_000.0, 900.0);
        check(Shape::FanIn, Law::Quadratic, 300_000.0, 40.0);
        check(Shape::Ladder, Law::Exponential, 300_000.0, 40.0);
        check(Shape::FanIn, Law::Constant, 50_000.0, 0.0);
    }

    #[test]
    fn three_sizes_say_nothing() {
        assert_eq!(Growth::of(Shape::Chain, &[(1, 1.0), (2, 2.0), (4, 4.0)]), None);
    }
}
