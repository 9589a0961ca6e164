//! The other process: this test binary once more, told by a variable to serve.
//!
//! It is no child of the tests, for a child would be outside of every cell: a process between the two starts it and ends.
//! It ends when the tests do, because they hold its standard input.
//!
//! A connection says one line, and has its answer:
//!
//! | line | what the peer does |
//! |---|---|
//! | `answer 600` | waits 600 ms, then sends a byte; again with the next line |
//! | `silent` | sends nothing, and keeps the connection |
//! | `fifo /path` | makes a named pipe, then sends a byte |
//! | `write 600 /path` | waits 600 ms, then opens the pipe, writes into it and closes it |

use std::{
    env,
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{self, ChildStdin, Command, ExitCode, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

const ROLE: &str = "LEAKCHECK_OUTSIDE_PEER";

/// Whether this process is to be the peer, or the one that starts it.
pub(crate) fn is_asked_for() -> bool {
    env::var_os(ROLE).is_some()
}

/// What such a process does.
pub(crate) fn run() -> ExitCode {
    if env::var_os(ROLE).is_some_and(|role| role == "start") {
        #[expect(clippy::zombie_processes, reason = "this process ends at once, so that the peer has another parent")]
        Command::new(own()).env(ROLE, "serve").spawn().expect("the system starts the peer");
        return ExitCode::SUCCESS;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        // The tests have ended.
        process::exit(0)
    });
    for connection in listener.incoming().flatten() {
        // A test that has its verdict hangs up, and may do so in the middle of an answer.
        thread::spawn(move || drop(serve(connection)));
    }
    ExitCode::SUCCESS
}

fn own() -> std::path::PathBuf {
    env::current_exe().expect("the system knows this program")
}

fn serve(mut connection: TcpStream) -> io::Result<()> {
    for line in BufReader::new(connection.try_clone()?).lines() {
        let line = line?;
        let words: Vec<_> = line.splitn(3, ' ').collect();
        match *words {
            ["answer", ms] => {
                pause(ms);
                connection.write_all(b"y")?;
            }
            ["silent"] => {}
            ["fifo", path] => {
                let made = Command::new("mkfifo").arg(path).status()?;
                assert!(made.success(), "no named pipe at {path}");
                connection.write_all(b"y")?;
            }
            ["write", ms, path] => {
                pause(ms);
                OpenOptions::new().write(true).open(path)?.write_all(b"y")?;
            }
            _ => panic!("the peer does not know {line:?}"),
        }
    }
    Ok(())
}

fn pause(ms: &str) {
    thread::sleep(Duration::from_millis(ms.parse().expect("a number of milliseconds")));
}

/// Where the peer listens. The first call starts it.
pub(crate) fn address() -> SocketAddr {
    static PEER: OnceLock<(SocketAddr, ChildStdin)> = OnceLock::new();
    let start = || {
        let mut starter = Command::new(own());
        let mut starter =
            starter.env(ROLE, "start").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let input = starter.stdin.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(starter.stdout.take().expect("it is piped")).read_line(&mut line).expect("the peer's address");
        starter.wait().expect("it has ended");
        (line.trim().parse().expect("an address"), input)
    };
    PEER.get_or_init(start).0
}

/// Connects and says a line, in real time and with the calling thread.
pub(crate) fn tell(line: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address()).expect("the peer listens");
    writeln!(connection, "{line}").expect("the peer reads");
    connection
}

/// Has the peer make a named pipe.
pub(crate) fn make_fifo(path: &Path) {
    let mut connection = tell(&format!("fifo {}", path.display()));
    connection.read_exact(&mut [0]).expect("the peer makes it");
}

/// Has the peer write into a named pipe after a while.
pub(crate) fn write_into(path: &Path, after: Duration) {
    drop(tell(&format!("write {} {}", after.as_millis(), path.display())));
}

/// The line that asks for an answer after a while, or for none.
pub(crate) fn line(after: Option<Duration>) -> String {
    after.map_or("silent".to_owned(), |after| format!("answer {}", after.as_millis()))
}
