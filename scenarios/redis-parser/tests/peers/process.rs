//! Programs that end with the test, and waiting for what they do.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

/// No single event takes longer, on a busy machine.
pub(crate) const EVENT_MAX: Duration = Duration::from_secs(60);

/// A program that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn start(command: &mut Command) -> Child {
    let name = command.get_program().to_string_lossy().into_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("{name} does not start ({error}): run `sudo apt install redis-server redis-tools`")
    })
}

/// Asks until there is an answer.
pub(crate) fn until<T>(
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            started.elapsed() < EVENT_MAX,
            "{what} did not come in {EVENT_MAX:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
