//! The outside world: a site of five pages, whose last page comes late.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{Notify, oneshot},
    time::timeout,
};

/// By number: the pages that a page links to.
const PAGES: [&str; 6] = ["", "2 3", "1 4", "2 4", "1 5", "1"];
/// No page takes longer.
const FETCH_MAX: Duration = Duration::from_secs(10);

/// By crawl: how many pages can be found.
pub(crate) type Index = HashMap<u64, u64>;

/// A page, as far as a search needs it.
pub(crate) struct Page {
    pub(crate) links: Vec<u32>,
}

/// A site on a thread of its own: its tasks are none of the service's. Each crawl sees a copy of it, with its own number.
pub(crate) struct Web {
    addr: SocketAddr,
    late: Late,
    /// Its end ends the thread.
    _open: oneshot::Sender<()>,
}

/// By crawl: tells the site that the last page may be sent; the visitor calls, one answer waits.
type Late = Arc<Mutex<HashMap<u64, Arc<Notify>>>>;

#[derive(Clone, Copy)]
pub(crate) struct Site {
    addr: SocketAddr,
    crawl: u64,
}

impl Web {
    pub(crate) fn open() -> Result<Self> {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (open, closed) = oneshot::channel();
        let late = Late::default();
        let web = Self {
            addr: listener.local_addr()?,
            late: late.clone(),
            _open: open,
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener, late) => served.expect("accepts"),
                    _ = closed => {}
                }
            });
        });
        Ok(web)
    }

    pub(crate) fn site(&self, crawl: u64) -> Site {
        Site { addr: self.addr, crawl }
    }

    /// From now on, the last page is answered, too.
    pub(crate) fn send_the_last_page(&self, crawl: u64) {
        gate(&self.late, crawl).notify_one();
    }
}

impl Site {
    /// Fetches a page. A real crawler would also bound its size.
    pub(crate) async fn get(self, page: u32) -> Result<Page> {
        timeout(FETCH_MAX, self.fetched(page)).await?
    }

    async fn fetched(self, page: u32) -> Result<Page> {
        let stream = TcpStream::connect(self.addr).await?;
        let mut stream = BufReader::new(stream);
        let question = format!("{} {page}\n", self.crawl);
        stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        let bytes = stream.read_line(&mut answer).await?;
        ensure!(bytes > 0, "the site hung up");
        let links = answer.split_whitespace().map(str::parse);
        Ok(Page { links: links.collect::<Result<_, _>>()? })
    }
}

async fn serve(
    listener: std::net::TcpListener,
    late: Late,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (peer, _) = listener.accept().await?;
        tokio::spawn(answer(peer, late.clone()));
    }
}

async fn answer(mut peer: TcpStream, late: Late) -> Result<()> {
    let (from, mut to) = peer.split();
    let mut question = String::new();
    BufReader::new(from).read_line(&mut question).await?;
    let mut numbers = question.split_whitespace();
    let (Some(crawl), Some(page)) = (numbers.next(), numbers.next())
    else {
        return Ok(());
    };
    let (crawl, page): (u64, usize) = (crawl.parse()?, page.parse()?);
    if page == PAGES.len() - 1 {
        gate(&late, crawl).notified().await;
        late.lock().unwrap().remove(&crawl);
    }
    to.write_all(format!("{}\n", PAGES[page]).as_bytes()).await?;
    Ok(())
}

fn gate(late: &Late, crawl: u64) -> Arc<Notify> {
    late.lock().unwrap().entry(crawl).or_default().clone()
}
