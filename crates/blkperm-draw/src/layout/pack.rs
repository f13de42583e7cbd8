//! Pieces beside and below each other.

use super::Point;

/// Between pieces.
const GAP: f64 = 40.0;
/// How much wider than high a picture of many pieces is to be: as screens are.
const ASPECT: f64 = 1.6;
/// How much room pieces have beside each other at least.
const LEAST_ROOM: f64 = 1100.0;

/// The upper left corners of boxes of these sizes, in rows, and the size of it all.
pub(super) fn pack(sizes: &[(f64, f64)]) -> (Vec<Point>, f64, f64) {
    let area: f64 = sizes.iter().map(|(width, height)| (width + GAP) * (height + GAP)).sum();
    let widest = sizes.iter().fold(0.0, |most: f64, (width, _)| most.max(*width));
    let room = widest.max((area * ASPECT).sqrt()).max(LEAST_ROOM);
    let mut corners = Vec::with_capacity(sizes.len());
    let (mut corner, mut row_height, mut most) = (Point::default(), 0.0_f64, 0.0_f64);
    for &(width, height) in sizes {
        if corner.x > 0.0 && corner.x + width > room {
            corner = Point { x: 0.0, y: corner.y + row_height + GAP };
            row_height = 0.0;
        }
        corners.push(corner);
        most = most.max(corner.x + width);
        row_height = row_height.max(height);
        corner.x += width + GAP;
    }
    (corners, most, corner.y + row_height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_do_not_overlap_and_fill_a_screen() {
        let sizes: Vec<(f64, f64)> =
            (0..60).map(|number| (80.0 + f64::from(number % 7) * 30.0, 100.0)).collect();
        let (corners, width, height) = pack(&sizes);
        for (one, (corner, size)) in corners.iter().zip(&sizes).enumerate() {
            assert!(corner.x + size.0 <= width && corner.y + size.1 <= height);
            for (other, other_size) in corners.iter().zip(&sizes).skip(one + 1) {
                let apart = |a: f64, b: f64, c: f64, d: f64| a + b <= c || c + d <= a;
                assert!(
                    apart(corner.x, size.0, other.x, other_size.0)
                        || apart(corner.y, size.1, other.y, other_size.1)
                );
            }
        }
        assert!((1.0..2.5).contains(&(width / height)), "{width} x {height}");
        assert_eq!(pack(&[]), (vec![], 0.0, 0.0));
    }
}
