//! What of a live view fits into a terminal. Pure.

/// The plot, when there is room for all else.
const PLOT_MAX: usize = 8;
/// Gauges are left out rather than the plot made lower than this…
const PLOT_GOOD: usize = 5;
/// …and sides rather than lower than this.
const PLOT_MIN: usize = 3;
/// A side's column is at least this wide: a name, a number and a gap.
const CELL_MIN: usize = 25;
/// Rows of a side besides its gauges: its name, and what it does.
const HEAD: usize = 2;

/// How a frame is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) plot: usize,
    /// Sides beside each other.
    pub(super) columns: usize,
    /// Rows of sides above each other.
    pub(super) bands: usize,
    /// Gauges shown of each side.
    pub(super) gauges: usize,
    /// Width of a side's column.
    pub(super) cell: usize,
    left_out: bool,
    /// Lines of text below the plot.
    notes: usize,
    /// Rows of a side besides its gauges.
    head: usize,
}

impl Layout {
    /// What fits best into `width` × `height`, of so many sides and gauges below `notes` lines of text. With a console, each side has
    /// its count, too.
    pub(super) fn fit(
        (width, height): (usize, usize),
        sides: usize,
        gauges: usize,
        notes: usize,
        console: bool,
    ) -> Self {
        let columns = sides.min(width / CELL_MIN).max(1);
        let all = sides.div_ceil(columns).max(1);
        let layout = |plot, bands: usize, shown| Self {
            plot,
            columns,
            bands,
            gauges: shown,
            cell: width / columns,
            left_out: bands < all || shown < gauges,
            notes,
            head: HEAD + usize::from(console),
        };
        let whole = (PLOT_GOOD..=PLOT_MAX).rev().map(|plot| layout(plot, all, gauges));
        let fewer_gauges = (1..=gauges).rev().map(|shown| layout(PLOT_GOOD, all, shown));
        let low_plot = (1..=gauges).rev().map(|shown| layout(PLOT_MIN, all, shown));
        let fewer_sides = (1..=all).rev().map(|bands| layout(PLOT_MIN, bands, gauges.min(1)));
        // The cursor stands below the frame.
        let fits = |layout: &Self| layout.rows() < height;
        whole.chain(fewer_gauges).chain(low_plot).chain(fewer_sides).find(fits).unwrap_or(layout(0, 1, 0))
    }

    /// The height of the frame.
    pub(super) fn rows(&self) -> usize {
        1 + self.plot + self.notes + self.bands * (self.head + self.gauges) + usize::from(self.left_out)
    }

    /// What is not shown, in words; none when all is.
    pub(super) fn left_out(&self, sides: usize, gauges: usize) -> Option<String> {
        let (sides, gauges) = (sides.saturating_sub(self.columns * self.bands), gauges - self.gauges);
        match (sides, gauges) {
            _ if !self.left_out => None,
            (0, _) => Some(format!("and {gauges} more gauges")),
            (_, 0) => Some(format!("and {sides} more sides")),
            _ => Some(format!("and {sides} more sides, {gauges} more gauges")),
        }
    }
}
