//! The log of those who hear how a chapter ended.

use std::sync::Once;

use tokio::task::JoinError;

/// Says why there is no report; the first of many times, where a real service would have a log with a limit. False, because the
/// chapter was not printed.
pub(crate) fn failed(why: &JoinError) -> bool {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        eprintln!("no report: {why} (later ones are counted)")
    });
    false
}
