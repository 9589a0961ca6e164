//! How long tasks may take to end after what is checked.

use std::time::Duration;

/// When the check looks for the first time at what may still end the tasks.
pub(crate) const FIRST_LOOK: Duration = Duration::from_millis(200);

/// How long tasks may take to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of wall time, in any case.
    pub(crate) wall: Duration,
    /// Of wall time, while threads work or a timer is pending that the clock cannot be moved to.
    pub(crate) active: Duration,
    /// Of wall time, while something outside of the runtime may still act. A limit of five seconds, which many clients have,
    /// comes to its end.
    pub(crate) outside: Duration,
    /// Of virtual time, where it may pass.
    pub(crate) horizon: Option<Duration>,
    /// Of wall time, before any virtual time, to see whether tasks replace each other.
    pub(crate) renewal: Duration,
}

/// A body that took this long has been waiting for its runtime's timers, or for work.
const LONG_BODY: Duration = Duration::from_secs(1);

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: FIRST_LOOK,
            active: Duration::from_millis(2_500),
            outside: Duration::from_secs(6),
            horizon: None,
            renewal: Duration::ZERO,
        }
    }
}

impl Limits {
    /// For the end of a test, after which nobody reads the runtime's clock any more.
    pub(crate) fn at_the_end() -> Self {
        Self { horizon: Some(Duration::from_secs(10)), ..Self::default() }
    }

    /// After a body that took this much wall time. Where it took long, tasks that replace each other have shown how they do,
    /// and virtual time, in which all of them end together, would hide it. The look takes no longer than the body did.
    pub(crate) fn after(self, body: Duration) -> Self {
        let renewal = if body >= LONG_BODY { body.min(self.active) } else { Duration::ZERO };
        Self { renewal, ..self }
    }

    /// One limit of wall time, whatever may still act. What may pass in wall time may pass in virtual time too.
    pub(crate) fn settle(self, limit: Duration) -> Self {
        let horizon = self.horizon.map(|horizon| horizon.max(limit));
        Self { wall: limit, active: limit, outside: limit, horizon, ..self }
    }

    /// The longest of the limits of wall time.
    pub(crate) fn most(&self) -> Duration {
        self.wall.max(self.active).max(self.outside)
    }
}
