//! Lines in a terminal: two series in Braille dots, two columns and four rows of dots to a character. Pure.

/// The first Braille character; its low eight bits are the dots.
const BRAILLE: u32 = 0x2800;
/// The bit of each dot, by row and column.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// A plot's characters, and for each the index of the series that drew there last.
pub struct Plot {
    width: usize,
    cells: Vec<(u32, Option<usize>)>,
}

impl Plot {
    /// An empty plot of `width` × `height` characters.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, cells: vec![(0, None); width * height] }
    }

    /// Draws one series of points; `x_max` and `y_max` are the ends of the axes. A flat series lies on the bottom.
    pub fn line(&mut self, series: usize, points: &[(f64, f64)], x_max: f64, y_max: f64) {
        let (columns, rows) = (self.width * 2, self.cells.len() / self.width.max(1) * 4);
        if columns == 0 || rows == 0 {
            return;
        }
        let spot = |&(x, y): &(f64, f64)| {
            let column = (x / x_max.max(f64::MIN_POSITIVE) * (columns - 1) as f64).round() as usize;
            let row = (y / y_max.max(f64::MIN_POSITIVE) * (rows - 1) as f64).round() as usize;
            (column.min(columns - 1), rows - 1 - row.min(rows - 1))
        };
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (spot(&pair[0]), spot(&pair[1]));
            let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
            for step in 0..=steps {
                let along = |from: usize, to: usize| {
                    (from as f64 + (to as f64 - from as f64) * step as f64 / steps as f64).round() as usize
                };
                self.dot(series, along(x0, x1), along(y0, y1));
            }
        }
    }

    fn dot(&mut self, series: usize, column: usize, row: usize) {
        let cell = &mut self.cells[row / 4 * self.width + column / 2];
        *cell = (cell.0 | DOTS[row % 4][column % 2], Some(series));
    }

    /// The rows from the top; neighbouring characters of one series are one piece.
    pub fn rows(&self) -> impl Iterator<Item = Vec<(Option<usize>, String)>> + '_ {
        self.cells.chunks(self.width.max(1)).map(|row| {
            let mut pieces: Vec<(Option<usize>, String)> = Vec::new();
            for &(dots, series) in row {
                let character = if dots == 0 { ' ' } else { char::from_u32(BRAILLE | dots).unwrap_or(' ') };
                match pieces.last_mut() {
                    Some((last, text)) if *last == series => text.push(character),
                    _ => pieces.push((series, character.to_string())),
                }
            }
            pieces
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(points: &[(f64, f64)], expected: &[&str]) {
        let mut plot = Plot::new(4, 2);
        plot.line(0, points, 3.0, 3.0);
        let rows: Vec<String> = plot.rows().map(|row| row.into_iter().map(|(_, text)| text).collect()).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn nothing_and_one_point_draw_nothing() {
        check(&[], &["    ", "    "]);
        check(&[(1.0, 1.0)], &["    ", "    "]);
    }

    #[test]
    fn a_flat_line_lies_on_the_bottom_and_a_climb_reaches_the_top() {
        check(&[(0.0, 0.0), (3.0, 0.0)], &["    ", "⣀⣀⣀⣀"]);
        check(&[(0.0, 0.0), (3.0, 3.0)], &["  ⡠⠊", "⡠⠊  "]);
    }

    #[test]
    fn points_beyond_the_axes_stay_inside() {
        check(&[(0.0, 9.0), (9.0, 9.0)], &["⠉⠉⠉⠉", "    "]);
    }
}
