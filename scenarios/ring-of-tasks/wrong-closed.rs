//! Lets every task look whether its receiver is still there.
//!
//! A search crawls a site for each visitor who adds one.
//!
//! Run it: `cargo run --bin ring-of-tasks-wrong-closed`
//!
//! You will see three tasks more after every crawl: those of the ring have their receivers.

mod world;

use std::{collections::HashSet, process::ExitCode, sync::Arc};

use anyhow::{Context, Result};
use tokio::sync::{mpsc, watch};
use world::{Index, Page, Site, Web};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let search = Arc::new(Search::open()?);
        let indexed = search.index.subscribe();
        stage.gauge("indexed", move || {
            indexed.borrow().values().sum()
        });
        stage.load(async |n| search.visit(n).await).await;
        Ok(search)
    })
}

// ANCHOR: service
/// Links of a site; more than this one has. In a ring, a full
/// channel would be one more way to wait for each other.
const QUEUE: usize = 64;

/// What a visitor gets: the news of the service.
type News = mpsc::Receiver<String>;

impl Search {
    /// Three tasks crawl in a ring, and one brings news.
    fn crawl(&self, n: u64, site: Site) -> Result<News> {
        // Each has one sender, in the task before: its end closes.
        let (found, links) = mpsc::channel(QUEUE);
        let (urls, to_fetch) = mpsc::channel(QUEUE);
        let (pages, to_parse) = mpsc::channel(QUEUE);
        let (visitor, news) = mpsc::channel(1);
        // The first page is the only one that comes from outside.
        found.try_send(vec![1])?;
        // LEAK: in the ring, every receiver is still there.
        tokio::spawn(sort(links, urls));
        tokio::spawn(fetch(site, to_fetch, pages));
        tokio::spawn(parse(n, to_parse, found, self.index.clone()));
        tokio::spawn(announce(self.news.subscribe(), visitor));
        Ok(news)
    }
}

/// The next one, unless the receiver of the results is gone.
async fn next<T, U>(
    input: &mut mpsc::Receiver<T>,
    output: &mpsc::Sender<U>,
) -> Option<T> {
    tokio::select! {
        () = output.closed() => None,
        next = input.recv() => next,
    }
}

/// Passes on what is new. Ends with `parse`.
async fn sort(
    mut links: mpsc::Receiver<Vec<u32>>,
    urls: mpsc::Sender<u32>,
) -> Result<()> {
    let mut seen = HashSet::new();
    while let Some(links) = next(&mut links, &urls).await {
        for link in links {
            if seen.insert(link) {
                urls.send(link).await?;
            }
        }
    }
    Ok(())
}

/// Ends with `sort`.
async fn fetch(
    site: Site,
    mut urls: mpsc::Receiver<u32>,
    pages: mpsc::Sender<Page>,
) -> Result<()> {
    while let Some(url) = next(&mut urls, &pages).await {
        pages.send(site.get(url).await?).await?;
    }
    Ok(())
}

/// Sends the links of each page back in one piece. Ends with `fetch`.
async fn parse(
    n: u64,
    mut pages: mpsc::Receiver<Page>,
    found: mpsc::Sender<Vec<u32>>,
    index: watch::Sender<Index>,
) -> Result<()> {
    while let Some(page) = next(&mut pages, &found).await {
        index.send_modify(|index| *index.entry(n).or_default() += 1);
        found.send(page.links).await?;
    }
    Ok(())
}

/// Ends with the visitor.
async fn announce(
    mut news: watch::Receiver<String>,
    visitor: mpsc::Sender<String>,
) -> Result<()> {
    loop {
        let text = news.borrow_and_update().clone();
        visitor.send(text).await?;
        tokio::select! {
            () = visitor.closed() => return Ok(()),
            changed = news.changed() => changed?,
        }
    }
}
// ANCHOR_END: service

struct Search {
    index: watch::Sender<Index>,
    /// There is news once a month.
    news: watch::Sender<String>,
    web: Web,
}

impl Search {
    fn open() -> Result<Self> {
        let (index, news) = Default::default();
        Ok(Self { index, news, web: Web::open()? })
    }

    /// Waits until the first pages can be found, and leaves.
    async fn visit(&self, n: u64) -> Result<()> {
        let mut news = self.crawl(n, self.web.site(n))?;
        news.recv().await.context("no news")?;
        let mut index = self.index.subscribe();
        index.wait_for(|index| index.get(&n) >= Some(&4)).await?;
        drop(news);
        self.web.send_the_last_page(n);
        Ok(())
    }
}
