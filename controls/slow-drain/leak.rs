//! Lets a mail that is refused wait for its address.
//!
//! A mail relay takes one letter after the other, and more come in.
//!
//! Run it: `cargo run --bin slow-drain-leak`
//!
//! You will see the tasks rise as fast as in the control, and one of four stay.

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, Semaphore},
    time::sleep,
};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let post = Post::open();
        stage.load(async |n| post.mail(n)).await;
        Ok(post)
    })
}

// ANCHOR: service
/// The relay takes so long for a mail, and one at a time.
const MAIL: Duration = Duration::from_millis(20);

struct Post {
    relay: Semaphore,
    address_is_back: Notify,
}

impl Post {
    fn send(self: &Arc<Self>, mail: u64) {
        tokio::spawn(self.clone().deliver(mail));
    }

    async fn deliver(self: Arc<Self>, mail: u64) {
        let relay = self.relay.acquire().await.expect("never closed");
        sleep(MAIL).await;
        drop(relay);
        if is_refused(mail) {
            // LEAK: nobody ever says that a refused address is back.
            self.address_is_back.notified().await;
        }
    }
}

/// One address in four is not there any more.
fn is_refused(mail: u64) -> bool {
    mail % 4 == 3
}
// ANCHOR_END: service

impl Post {
    fn open() -> Arc<Self> {
        let relay = Semaphore::new(1);
        Arc::new(Self { relay, address_is_back: Notify::new() })
    }

    fn mail(self: &Arc<Self>, number: u64) -> anyhow::Result<()> {
        self.send(number);
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const BURST: u64 = 12;
    const LEAKS: bool = true;

    /// A post after so many mails.
    async fn after(mails: u64) -> Arc<Post> {
        let post = Post::open();
        (0..mails).for_each(|number| post.mail(number).unwrap());
        post
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn a_burst_drains() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let report =
                checker.clone().find(|| after(4 * BURST)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(BURST).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
