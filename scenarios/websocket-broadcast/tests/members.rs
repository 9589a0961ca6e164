//! The hub against real members: processes that are stopped with SIGSTOP, one that reads slowly, and those who only listen.
//! All of them are tokio-tungstenite's client, over TCP.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use rustix::process::{Pid, Signal, kill_process};
use stage::wire::{Gauges, Line};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::{TcpSocket, TcpStream},
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async, tungstenite::Message,
};

const LEAK: &str = env!("CARGO_BIN_EXE_websocket-broadcast-leak");
const FIX: &str = env!("CARGO_BIN_EXE_websocket-broadcast-fix");
/// No single step takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(60);

/// Processes that are stopped.
const STOPPED: usize = 200;
/// Processes that start at the same time.
const BATCH: usize = 20;
/// Members who stay, and measure. One of them speaks.
const LISTENERS: u64 = 20;
/// What the page states: who is silent for longer is out. It is twice the limit in the code, for machines that are busy.
const DEADLINE_MS: u64 = 6_000;
/// A hub that waits for one member before it serves the next
/// would be as late as the deadline of those who are stopped.
const DELIVERY_MAX: Duration = Duration::from_secs(1);
/// What the page shows of it.
const TABLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/delivery.md");
/// Messages in each of the three measures, and the time between two.
const MESSAGES: usize = 60;
const MESSAGE_EVERY: Duration = Duration::from_millis(100);

/// Messages to a slow member, and their size.
const MANY: usize = 200;
const LARGE: usize = 64 * 1024;
/// The slow one reads one message in so many.
const SLOW: usize = 8;

#[leakcheck::test(
    flavor = "multi_thread",
    worker_threads = 2,
    deadline = "4m"
)]
async fn stopped_processes_are_put_out_in_time_and_others_hear_as_before()
 {
    let mut hub = Hub::start(FIX).await;
    let mut room = Room::open(&hub).await;
    hub.when(|now| now["members"] == LISTENERS).await;
    let none = room.p99().await;

    let mut phones = Vec::new();
    while phones.len() < STOPPED {
        // Not too many at once: who is here must get a turn.
        phones
            .extend((0..BATCH).map(|_| Phone::start(FIX, hub.addr)));
        let all = LISTENERS + phones.len() as u64;
        hub.when(|now| now["members"] == all).await;
    }
    let live = room.p99().await;
    let before = hub.when(|_| true).await;
    let all = LISTENERS + STOPPED as u64;
    assert_eq!((before["members"], before["silence_ms"]), (all, 0));

    phones.iter().for_each(|phone| phone.send(Signal::STOP));
    let stopped = room.p99().await;
    // Their tasks and sockets are gone with them.
    let sockets = before["sockets"] - STOPPED as u64;
    let is_over = |now: &Gauges| {
        (now["members"], now["tasks"], now["sockets"])
            == (LISTENERS, LISTENERS + 1, sockets)
    };
    let after = hub.when(is_over).await;
    let silence = after["silence_ms"];
    println!("out after {silence} ms without a sign of life");
    assert!((1_000..=DEADLINE_MS).contains(&silence), "{silence}");
    hold_table(&[
        ("nobody", none),
        ("200 that listen", live),
        ("200 that are stopped", stopped),
    ]);
    // They wake up, and find that the hub has hung up.
    phones.iter().for_each(|phone| phone.send(Signal::CONT));
    for phone in phones {
        assert!(!phone.end().await);
    }
}

/// Everybody is served in time, and the page's table says so of the same cases. Where `SHOWN` names a folder, it
/// is written there: that is how `cargo lab record websocket-broadcast` renews it.
fn hold_table(rows: &[(&str, Duration)]) {
    let head = "| beside the 20 who measure | 99 of 100 messages heard within |\n|:--|--:|\n";
    let row = |(who, p99): &(&str, Duration)| {
        assert!(*p99 < DELIVERY_MAX, "{who}: {p99:?}");
        format!("| {who} | {} ms |\n", p99.as_millis())
    };
    let table = rows.iter().map(row).collect::<String>();
    println!("{head}{table}");
    if let Some(folder) = std::env::var_os("SHOWN") {
        let file = std::path::Path::new(&folder).join("delivery.md");
        return std::fs::write(file, head.to_owned() + &table)
            .unwrap();
    }
    let kept = std::fs::read_to_string(TABLE).unwrap();
    let kept = kept.strip_prefix(head).expect("another head");
    assert_eq!(kept.lines().count(), rows.len());
    for (line, (who, _)) in kept.lines().zip(rows) {
        let ms = line.strip_prefix(&format!("| {who} | "));
        let ms = ms.and_then(|rest| rest.strip_suffix(" ms |"));
        let ms: u64 = ms.expect("another row").parse().unwrap();
        assert!(Duration::from_millis(ms) < DELIVERY_MAX, "{line}");
    }
}

#[leakcheck::test(deadline = "2m")]
async fn a_slow_member_is_put_out_and_the_other_hears_everything() {
    let mut hub = Hub::start(FIX).await;
    let (put_out, heard) = speak_to_a_slow_one(&mut hub).await;
    assert!(put_out && heard == MANY, "{put_out}, {heard}");
    hub.when(|now| now["members"] == 1 && now["queued"] == 0).await;
}

#[leakcheck::test(deadline = "2m")]
async fn on_the_leak_messages_for_a_slow_member_pile_up() {
    let mut hub = Hub::start(LEAK).await;
    let (put_out, heard) = speak_to_a_slow_one(&mut hub).await;
    assert!(!put_out && heard == MANY, "{put_out}, {heard}");
    let least = (MANY / 2) as u64;
    hub.when(|now| now["queued"] > least && now["tasks"] > least)
        .await;
}

/// Whether the slow one was put out, and how much the speaker heard of itself. The slow one stays to the end.
async fn speak_to_a_slow_one(hub: &mut Hub) -> (bool, usize) {
    let (mut speaker, mut ear) = hub.join().await.split();
    let mut slow = hub.join().await;
    hub.when(|now| now["members"] == 2).await;
    // The reader sends its count, the speaker receives; it closes when the hub hangs up.
    let (heard, mut count) = watch::channel(0);
    hub.stay.spawn(async move {
        while let Some(Ok(said)) = ear.next().await {
            heard
                .send_modify(|n| *n += usize::from(said.is_binary()));
        }
    });
    for n in 0..MANY {
        let large = Message::binary(vec![0; LARGE]);
        speaker.send(large).await.unwrap();
        let heard = count.wait_for(|heard| *heard > n);
        timeout(LIMIT, heard).await.unwrap().unwrap();
        if n % SLOW == 0 {
            let _ = timeout(LIMIT, slow.next()).await.unwrap();
        }
    }
    let end =
        hub.when(|now| now["members"] == 1 || now["queued"] > 100);
    let is_out = end.await["members"] == 1;
    hub.stay.spawn(async move {
        let _both = (slow, speaker);
        std::future::pending().await
    });
    (is_out, *count.borrow())
}

type Socket = WebSocketStream<TcpStream>;

/// Listeners who note when they heard what. All of them read at any time, and so answer pings.
struct Room {
    speaker: SplitSink<Socket, Message>,
    /// When each message was said. The speaker sends it, listeners compare; it closes with the room.
    said: watch::Sender<Vec<Instant>>,
    /// Listeners send, the speaker receives; it closes when the last listener is out.
    delays: mpsc::Receiver<Duration>,
    _listeners: JoinSet<()>,
}

impl Room {
    async fn open(hub: &Hub) -> Self {
        let said = watch::Sender::new(Vec::<Instant>::new());
        let (heard, delays) = mpsc::channel(64);
        let mut listeners = JoinSet::new();
        let mut speaker = None;
        for _ in 0..LISTENERS {
            let (line, mut ear) = hub.join().await.split();
            speaker = Some(line);
            let (said, heard) = (said.subscribe(), heard.clone());
            listeners.spawn(async move {
                while let Some(Ok(message)) = ear.next().await {
                    let Message::Text(n) = message else { continue };
                    let n: usize = n.parse().unwrap();
                    let delay = said.borrow()[n].elapsed();
                    let _ = heard.send(delay).await;
                }
            });
        }
        let speaker = speaker.unwrap();
        Self { speaker, said, delays, _listeners: listeners }
    }

    /// Says something for a while; 99 of 100 times it was heard within this time.
    async fn p99(&mut self) -> Duration {
        let (mut pace, mut delays) =
            (interval(MESSAGE_EVERY), Vec::new());
        for _ in 0..MESSAGES {
            pace.tick().await;
            let n = self.said.borrow().len();
            self.said.send_modify(|said| said.push(Instant::now()));
            let n = Message::text(n.to_string());
            self.speaker.send(n).await.unwrap();
            for _ in 0..LISTENERS {
                let delay = timeout(LIMIT, self.delays.recv()).await;
                delays.push(delay.unwrap().expect("all are out"));
            }
        }
        delays.sort();
        delays[delays.len() * 99 / 100]
    }
}

/// One side, waiting for real members. It ends with the test.
struct Hub {
    _child: Child,
    addr: SocketAddr,
    lines: Lines<BufReader<ChildStdout>>,
    _complaints: BufReader<ChildStderr>,
    started: Instant,
    stay: JoinSet<()>,
}

impl Hub {
    async fn start(bin: &str) -> Self {
        let started = Instant::now();
        let mut child = Command::new(bin)
            .args(["--json", "--no-console", "--units", "1"])
            .env("WEBSOCKET_BROADCAST_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut complaints =
            BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        let read = complaints.read_line(&mut first);
        timeout(LIMIT, read).await.unwrap().unwrap();
        let addr = first
            .split('#')
            .nth(1)
            .and_then(|rest| rest.split(' ').next()?.parse().ok());
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self {
            _child: child,
            addr: addr.unwrap_or_else(|| panic!("{bin}: {first}")),
            lines: lines.lines(),
            _complaints: complaints,
            started,
            stay: JoinSet::new(),
        }
    }

    /// A member of the one room there is, who keeps little for later.
    async fn join(&self) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let socket = socket.connect(self.addr).await.unwrap();
        let line = client_async("ws://hub/", socket);
        let (mut line, _) =
            timeout(LIMIT, line).await.unwrap().unwrap();
        line.send(Message::text("hall")).await.unwrap();
        line
    }

    /// The first gauges from now on that are so.
    async fn when(
        &mut self,
        holds: impl Fn(&Gauges) -> bool,
    ) -> Gauges {
        // Samples that were taken before wait in the pipe.
        let now = self.started.elapsed().as_millis() as u64;
        let mut last = None;
        let find = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.expect("the hub ended");
                let Line::Sample(sample) =
                    serde_json::from_str(&line).unwrap()
                else {
                    continue;
                };
                if sample.elapsed_ms > now && holds(&sample.gauges) {
                    return sample.gauges;
                }
                last = Some(sample.gauges);
            }
        };
        let found = timeout(LIMIT, find).await;
        found.unwrap_or_else(|_| panic!("never so; at last {last:?}"))
    }
}

/// The program itself, as a member in a process of its own.
struct Phone(Child);

impl Phone {
    fn start(bin: &str, hub: SocketAddr) -> Self {
        let child = Command::new(bin)
            .args(["phone", &hub.to_string(), "hall"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.unwrap())
    }

    fn send(&self, signal: Signal) {
        let pid = self.0.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Whether it ended well.
    async fn end(mut self) -> bool {
        let end = timeout(LIMIT, self.0.wait()).await;
        end.expect("it runs on").unwrap().success()
    }
}
