//! The world around the sessions: a directory and an audit log on real sockets, customers, and clerks who walk away.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Device, Sessions, Token};

/// The directory and the audit log take this long for each question.
const PEER: Duration = Duration::from_millis(30);
/// Pages that a customer looks at before the logout.
const PAGES: usize = 3;
/// Time for a page.
const PAGE: Duration = Duration::from_millis(5);
/// A terminal sees the badge as often as this…
const BADGE: Duration = Duration::from_millis(200);
/// …this many times: for longer than the session of a terminal may be idle.
const BADGES: u32 = 3;
/// A clerk who walks away is logged out after this long, and not before.
const TERMINAL_IDLE: Duration = Duration::from_millis(500);
/// A machine that is busy may make a badge late: one that comes this close to the limit proves nothing.
const CLOSE: Duration = Duration::from_millis(150);
/// The end of a terminal's session is in the audit log this long after the last badge, at the latest.
const EXPIRY_MAX: Duration = Duration::from_secs(3);
/// Customers who have logged in, and look for their credit card.
const PATIENT: u64 = 8;
/// Who is back within this time is still logged in; later is close to the limit, and then nobody asks.
const BACK: Duration = Duration::from_secs(25);
/// Logins that are under way when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    sessions: Arc<Sessions>,
    ledger: Arc<Ledger>,
    log: Arc<Log>,
    patient: Vec<Patient>,
    _peers: [AbortOnDropHandle<()>; 2],
}

/// A customer who is logged in the whole time.
struct Patient {
    token: Token,
    user: String,
    last_seen: Mutex<Instant>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let ledger = Arc::<Ledger>::default();
        let log = Arc::new(Log { endings: Mutex::default(), ledger: ledger.clone() });
        let (directory, checks) = peer(check).await?;
        let noted = log.clone();
        let (audit, notes) = peer(move |record| noted.note(record)).await?;
        let sessions = Arc::new(Sessions::new(directory, audit));
        let mut patient = Vec::new();
        for n in 0..PATIENT {
            let user = format!("patient{n}");
            let token = sessions.login(&user, &password(&user), Device::Browser).await?;
            patient.push(Patient { token, user, last_seen: Mutex::new(Instant::now()) });
        }
        Ok(Self { sessions, ledger, log, patient, _peers: [checks, notes] })
    }

    /// A customer logs in, looks at some pages, and logs out. Every fourth time a clerk logs in, too, and walks away.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let user = format!("customer{n}");
        if n % 10 == 7 {
            let guess = self.sessions.login(&user, "guess", Device::Browser).await;
            ensure!(guess.is_err(), "{user} got in with a guess");
        }
        let token = self.login(&user, Device::Browser).await?;
        for _ in 0..PAGES {
            sleep(PAGE).await;
            self.request(token, &user)?;
        }
        if n.is_multiple_of(4) {
            self.clerk(n).await?;
        }
        if n % 20 == 19 {
            self.come_back(&self.patient[(n / 20 % PATIENT) as usize])?;
        }
        self.request(token, &user)?;
        match n % 4 {
            1 => self.sessions.logout_everywhere(&user).await?,
            _ => self.sessions.logout(token).await?,
        }
        ensure!(self.sessions.request(token).is_err(), "{user} has logged out, and is still in");
        ensure!(self.log.ending(token).is_some_and(|(ending, _)| ending == "LOGOUT"), "no record of {user}'s logout");
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        for patient in &self.patient {
            self.come_back(patient)?;
            self.ledger.accept(patient.token.0);
        }
        let last = (0..AT_THE_END).map(|n| async move {
            let user = format!("late{n}");
            // Let in or refused: both are an answer.
            let _ = self.login(&user, Device::Browser).await;
            Ok(())
        });
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // The directory thinks.
            sleep(PEER / 2).await;
            self.sessions.stop().await;
        });
        last?;
        let late = self.login("too-late", Device::Browser).await;
        ensure!(late.is_err(), "the service has ended, and somebody logs in");
        let left = self.patient.iter().filter(|patient| self.log.ending(patient.token).is_none()).count();
        ensure!(left == 0, "{left} open sessions were left to nobody");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("sessions", move || world.sessions.len() as u64);
    }
}

impl World {
    /// Whoever was let in has a session whose end must come into the audit log, once.
    async fn login(&self, user: &str, device: Device) -> anyhow::Result<Token> {
        let token = self.sessions.login(user, &password(user), device).await?;
        self.ledger.accept(token.0);
        Ok(token)
    }

    fn request(&self, token: Token, user: &str) -> anyhow::Result<()> {
        let whose = self.sessions.request(token).with_context(|| format!("{user} was thrown out"))?;
        ensure!(whose == user, "the session of {user} is that of {whose}");
        Ok(())
    }

    /// A customer who has been idle for a while is still there.
    fn come_back(&self, patient: &Patient) -> anyhow::Result<()> {
        let mut last_seen = patient.last_seen.lock().unwrap();
        if last_seen.elapsed() < BACK {
            self.request(patient.token, &patient.user)?;
            *last_seen = Instant::now();
        }
        Ok(())
    }

    /// A clerk stands at a terminal for a while, and walks away.
    async fn clerk(&self, n: u64) -> anyhow::Result<()> {
        let user = format!("clerk{n}");
        let mut seen = Instant::now();
        let token = self.login(&user, Device::Terminal).await?;
        for _ in 0..BADGES {
            sleep(BADGE).await;
            if seen.elapsed() > TERMINAL_IDLE - CLOSE {
                break;
            }
            seen = Instant::now();
            self.request(token, &user)?;
        }
        let (ending, at) = timeout(EXPIRY_MAX, self.log.awaited(token))
            .await
            .with_context(|| format!("{user} has walked away, and the audit log says nothing"))?;
        ensure!(ending == "EXPIRED", "{user} has walked away, and the audit log says {ending}");
        ensure!(at - seen >= TERMINAL_IDLE, "{user} was thrown out after {:?}", at - seen);
        ensure!(self.sessions.request(token).is_err(), "{user} has walked away, and is still in");
        Ok(())
    }
}

fn password(user: &str) -> String {
    format!("secret-of-{user}")
}

/// The directory: `CHECK user password`.
fn check(question: &str) -> &'static str {
    match question.split(' ').collect::<Vec<_>>()[..] {
        ["CHECK", user, given] if given == password(user) => "OK",
        _ => "NO",
    }
}

/// The audit log: how each session ended, and when it heard of it.
struct Log {
    endings: Mutex<HashMap<u64, (String, Instant)>>,
    ledger: Arc<Ledger>,
}

impl Log {
    fn note(&self, record: &str) -> &'static str {
        let [ending, token, _user] = record.split(' ').collect::<Vec<_>>()[..] else { return "WHAT" };
        let Ok(token) = token.parse() else { return "WHO" };
        self.endings.lock().unwrap().insert(token, (ending.to_owned(), Instant::now()));
        self.ledger.finish(token);
        "NOTED"
    }

    fn ending(&self, token: Token) -> Option<(String, Instant)> {
        self.endings.lock().unwrap().get(&token.0).cloned()
    }

    async fn awaited(&self, token: Token) -> (String, Instant) {
        loop {
            if let Some(ending) = self.ending(token) {
                return ending;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A peer that answers one question per connection. It is one task, so that the tasks which are counted are the service's.
async fn peer(
    answer: impl Fn(&str) -> &'static str + Send + Sync + 'static,
) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let serve = async move {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => connections.push(one(stream, &answer)),
                // A client that has gone is no concern of a peer.
                Some(_) = connections.next(), if !connections.is_empty() => {}
            }
        }
    };
    Ok((addr, AbortOnDropHandle::new(tokio::spawn(serve))))
}

async fn one(stream: TcpStream, answer: impl Fn(&str) -> &'static str) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    sleep(PEER).await;
    let answer = answer(question.trim_end());
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}
