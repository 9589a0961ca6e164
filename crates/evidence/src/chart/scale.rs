//! Axes with round steps, and what of a line can be left out: the same for a page and for a terminal.

/// About this many steps on an axis.
const STEPS: f64 = 5.0;
/// A point closer than this to the line between its neighbours is not drawn.
const TOLERANCE: f64 = 0.5;
/// More points than this are thinned before they are looked at one by one: a run of fifteen minutes has 3,600.
const POINTS_MAX: usize = 512;

/// An axis from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Where it ends.
    pub max: f64,
    /// From one number to the next.
    pub step: f64,
}

impl Scale {
    /// For counts up to `highest`: it ends at a round number, and its steps are whole, for half a task is no task.
    pub fn up_to(highest: f64) -> Self {
        let step = round_step(highest / STEPS).max(1.0);
        Self { max: (highest / step).ceil() * step, step }
    }

    /// For times up to `longest`, where it ends.
    pub fn exactly(longest: f64) -> Self {
        Self { max: longest, step: round_step(longest / STEPS) }
    }

    /// The numbers on it.
    pub fn steps(self) -> impl Iterator<Item = f64> {
        (0..=(self.max / self.step + 0.001) as u32).map(move |i| f64::from(i) * self.step)
    }
}

/// The next 1, 2 or 5 times a power of ten.
pub(super) fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power)
}

/// Leaves out the points that nobody would see.
pub(super) fn simplify(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS_MAX { straighten(points) } else { straighten(&thin(points)) }
}

/// The lowest and the highest point of each stretch, in their order, with both ends.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(POINTS_MAX / 2);
    let mut kept = vec![points[0]];
    for stretch in points.chunks(stretch) {
        let indexed = || stretch.iter().enumerate();
        let low = indexed().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(0, |low| low.0);
        let high = indexed().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(0, |high| high.0);
        kept.extend([stretch[low.min(high)], stretch[low.max(high)]]);
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// Leaves out the points that lie on the line between others (Ramer, Douglas, Peucker).
fn straighten(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [first, inner @ .., last] = points else { return points.to_vec() };
    let off_line = |point: &(f64, f64)| {
        let (dx, dy) = (last.0 - first.0, last.1 - first.1);
        ((point.0 - first.0) * dy - (point.1 - first.1) * dx).abs() / dx.hypot(dy).max(f64::MIN_POSITIVE)
    };
    let farthest = inner.iter().map(off_line).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    match farthest {
        Some((i, distance)) if distance > TOLERANCE => {
            let mut left = straighten(&points[..=i + 1]);
            left.pop();
            left.extend(straighten(&points[i + 1..]));
            left
        }
        _ => vec![*first, *last],
    }
}

/// Moves labels apart, upwards, so that none covers another; the order of heights stays.
pub(super) fn spread(heights: Vec<f64>, apart: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..heights.len()).collect();
    // Ties: the first given is the higher one.
    order.sort_by(|a, b| heights[*b].total_cmp(&heights[*a]).then(b.cmp(a)));
    let mut spread = heights;
    for pair in order.windows(2) {
        spread[pair[1]] = spread[pair[1]].min(spread[pair[0]] - apart);
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_steps_are_round() {
        assert_eq!([0.02, 0.3, 1.0, 2.2, 240.0, 900.0].map(round_step), [0.02, 0.5, 1.0, 5.0, 500.0, 1000.0]);
        assert_eq!(Scale { max: 0.3, step: 0.1 }.steps().count(), 4);
        assert_eq!(Scale::up_to(3.0), Scale { max: 3.0, step: 1.0 });
        assert_eq!(Scale::up_to(1200.0), Scale { max: 1500.0, step: 500.0 });
    }

    #[test]
    fn end_labels_do_not_cover_each_other() {
        assert_eq!(spread(vec![100.0, 200.0], 18.0), [100.0, 200.0]);
        assert_eq!(spread(vec![200.0, 200.0], 18.0), [182.0, 200.0]);
        assert_eq!(spread(vec![199.0, 200.0, 190.0], 18.0), [182.0, 200.0, 164.0]);
    }

    #[test]
    fn only_points_on_the_line_between_others_are_left_out() {
        assert_eq!(simplify(&[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]), [(0.0, 0.0), (2.0, 2.0)]);
        assert_eq!(simplify(&[(0.0, 0.0), (1.0, 9.0), (2.0, 2.0)]).len(), 3);
        assert_eq!(simplify(&[]), []);
    }

    #[test]
    fn many_points_are_thinned_and_the_peak_and_both_ends_stay() {
        let mut points: Vec<_> = (0..10_000_u32).map(|i| (f64::from(i), f64::from(i * 37 % 100))).collect();
        points[5_000].1 = 1_000.0;
        let kept = simplify(&points);
        assert!(kept.len() <= POINTS_MAX + 4, "{}", kept.len());
        assert!(kept.contains(&(5_000.0, 1_000.0)));
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[9_999]));
    }
}
