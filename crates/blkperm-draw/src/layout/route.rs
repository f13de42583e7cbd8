//! The ways of lines.
//!
//! Boxes and labels stand in ranks. Inside a rank a line goes straight down, in a place of its own;
//! it turns only between ranks. So no line crosses a box or a label.

use std::collections::BTreeMap;

use super::{Area, Point};

/// How far a line goes straight on before it turns.
const LEAD: f64 = 8.0;

/// The ranks: how high each is, by where its middle is, in tenths of a pixel.
#[derive(Debug, Default)]
pub(super) struct Ranks(BTreeMap<i64, f64>);

impl Ranks {
    /// Where these boxes and labels stand.
    pub(super) fn of<'a>(areas: impl Iterator<Item = &'a Area>) -> Ranks {
        let mut ranks = Ranks::default();
        for area in areas {
            let height = ranks.0.entry(middle(area.centre.y)).or_default();
            *height = height.max(area.height);
        }
        ranks
    }

    /// Half the height of the rank whose middle is at `y`.
    fn half(&self, y: f64) -> f64 {
        self.0.get(&middle(y)).map_or(0.0, |height| height / 2.0)
    }

    /// The way from a parent's box to a child's, through the places of the ranks between them.
    pub(super) fn way(
        &self,
        from: (&Area, f64),
        through: &[Point],
        to: (&Area, f64),
    ) -> Vec<Point> {
        let ((parent, start), (child, end)) = (from, to);
        let down = parent.centre.y <= child.centre.y;
        let sign = if down { 1.0 } else { -1.0 };
        let edge = |area: &Area, sign: f64| area.centre.y + sign * area.height / 2.0;
        let rank = |y: f64, sign: f64| y + sign * (self.half(y) + LEAD);
        let mut points = vec![
            Point { x: start, y: edge(parent, sign) },
            Point { x: start, y: rank(parent.centre.y, sign) },
        ];
        for point in through {
            points.push(Point { x: point.x, y: rank(point.y, -sign) });
            points.push(Point { x: point.x, y: rank(point.y, sign) });
        }
        points.push(Point { x: end, y: rank(child.centre.y, -sign) });
        points.push(Point { x: end, y: edge(child, -sign) });
        straightened(points)
    }
}

fn middle(y: f64) -> i64 {
    (y * 10.0).round() as i64
}

/// The points without those that lie on a straight line between others.
fn straightened(points: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for point in points {
        let near = |one: &Point| (one.x - point.x).abs() < 0.05 && (one.y - point.y).abs() < 0.05;
        if kept.last().is_some_and(near) {
            continue;
        }
        if let [.., before, last] = kept.as_slice() {
            let (a, b) = (last.x - before.x, last.y - before.y);
            let (c, d) = (point.x - last.x, point.y - last.y);
            if (a * d - b * c).abs() < 0.05 && a * c + b * d > 0.0 {
                kept.pop();
            }
        }
        kept.push(point);
    }
    kept
}

/// Where lines meet the upper or the lower side of a box: each as near as can be to where it wants
/// to be, in the order of these wishes, and apart from each other.
pub(super) fn spread(area: &Area, wishes: &[f64]) -> Vec<f64> {
    const CORNER: f64 = 12.0;
    const APART: f64 = 14.0;
    let reach = (area.width / 2.0 - CORNER).max(0.0);
    let (low, high) = (area.centre.x - reach, area.centre.x + reach);
    let gaps = wishes.len().saturating_sub(1).max(1) as f64;
    let apart = APART.min((high - low) / gaps);
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|&one, &other| wishes[one].total_cmp(&wishes[other]));
    let mut places = vec![0.0; wishes.len()];
    let mut least = low;
    for &wish in &order {
        places[wish] = wishes[wish].clamp(least.min(high), high);
        least = places[wish] + apart;
    }
    let mut most = high;
    for &wish in order.iter().rev() {
        places[wish] = places[wish].min(most);
        most = places[wish] - apart;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Area = Area { centre: Point { x: 100.0, y: 0.0 }, width: 100.0, height: 40.0 };

    #[test]
    fn lines_meet_a_box_where_they_come_from_but_apart() {
        assert_eq!(spread(&BOX, &[90.0]), [90.0]);
        assert_eq!(spread(&BOX, &[500.0]), [138.0]);
        assert_eq!(spread(&BOX, &[500.0, 500.0, -500.0]), [124.0, 138.0, 62.0]);
        assert_eq!(spread(&BOX, &[]), [0.0; 0]);
        let many = spread(&BOX, &[0.0; 39]);
        assert!(many.windows(2).all(|pair| (pair[1] - pair[0] - 2.0).abs() < 0.001), "{many:?}");
    }

    #[test]
    fn a_line_turns_only_between_ranks() {
        let child = Area { centre: Point { x: 0.0, y: 200.0 }, width: 40.0, height: 20.0 };
        let label = Area { centre: Point { x: 50.0, y: 100.0 }, width: 40.0, height: 30.0 };
        let tall = Area { centre: Point { x: 300.0, y: 100.0 }, width: 40.0, height: 50.0 };
        let ranks = Ranks::of([BOX, child, label, tall].iter());
        let way = ranks.way((&BOX, 100.0), &[label.centre], (&child, 0.0));
        let expected =
            [(100.0, 20.0), (100.0, 28.0), (50.0, 67.0), (50.0, 133.0), (0.0, 182.0), (0.0, 190.0)];
        let expected = expected.map(|(x, y)| Point { x, y });
        assert_eq!(way, expected);
    }
}
