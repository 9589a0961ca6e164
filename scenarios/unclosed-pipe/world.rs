//! The outside world: the customers' files, and the database that takes a row in two milliseconds.

use std::time::Duration;

use tokio::time::sleep;

/// Workers that an import starts.
pub(crate) const WORKERS: usize = 4;

/// Rows of a customer's file.
pub(crate) const FILE_ROWS: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) number: usize,
}

/// The rows of one file. A real service would parse them as the upload arrives.
pub(crate) fn file() -> Vec<Row> {
    (0..FILE_ROWS).map(|number| Row { number }).collect()
}

/// The row a customer had forgotten.
pub(crate) fn forgotten() -> Row {
    Row { number: FILE_ROWS }
}

/// Writes one row. A real service would send it to a database, with a deadline.
pub(crate) async fn store(row: Row) -> anyhow::Result<()> {
    anyhow::ensure!(row.number <= FILE_ROWS, "no such row");
    sleep(Duration::from_millis(2)).await;
    Ok(())
}
