//! Real peers. Replies of a real `redis-server` are parsed; `redis-cli` and `redis-benchmark` talk to the sides as they run.

use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use redis_protocol::resp2::decode::decode as decode_theirs;
use resp::{Frame, Framer, Speaks};
use stage::wire::{Gauges, Line, Sample};

/// No single event takes longer, on a busy machine.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Child {
    let name = command.get_program().to_string_lossy().into_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("{name} does not start ({error}): run `sudo apt install redis-server redis-tools`")
    })
}

/// Asks until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
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

// A real server.

struct Redis {
    _server: Running,
    _folder: tempfile::TempDir,
    socket: TcpStream,
    framer: Framer,
}

impl Redis {
    /// Starts a server that keeps nothing, and connects. Between the choice of a port and its use somebody else may take it:
    /// then the server ends, and another port is tried.
    fn start() -> Self {
        (0..5)
            .find_map(|_| Self::try_start())
            .expect("redis-server found no port in five attempts")
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = port.to_string();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &text,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ]);
        let mut server = Running(start(
            command
                .arg(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        ));
        let socket =
            until("redis-server", || {
                match TcpStream::connect(("127.0.0.1", port)) {
                    Ok(socket) => Some(Some(socket)),
                    Err(_) => {
                        server.0.try_wait().unwrap().map(|_| None)
                    }
                }
            })?;
        // Somebody else's server must not be taken for ours.
        server.0.try_wait().unwrap().is_none().then_some(())?;
        socket.set_read_timeout(Some(EVENT_MAX)).unwrap();
        Some(Self {
            _server: server,
            _folder: folder,
            socket,
            framer: Framer::new(Speaks::Replies),
        })
    }

    /// Sends commands in one write, and returns their replies with the bytes they came as.
    fn ask(&mut self, commands: &[&[&str]]) -> (Vec<Frame>, Vec<u8>) {
        let mut bytes = Vec::new();
        commands
            .iter()
            .for_each(|words| command(words).encode(&mut bytes));
        self.socket.write_all(&bytes).unwrap();
        let (mut replies, mut raw, mut piece) =
            (Vec::new(), Vec::new(), [0; 1000]);
        while replies.len() < commands.len() {
            if let Some(reply) = self
                .framer
                .next_frame()
                .expect("redis-server speaks RESP2")
            {
                replies.push(reply);
                continue;
            }
            let length = self
                .socket
                .read(&mut piece)
                .expect("redis-server answers");
            assert!(length > 0, "redis-server closed the connection");
            raw.extend_from_slice(&piece[..length]);
            self.framer.push(&piece[..length]);
        }
        assert!(self.framer.is_empty(), "more replies than commands");
        (replies, raw)
    }

    fn one(&mut self, words: &[&str]) -> Frame {
        self.ask(&[words]).0.remove(0)
    }
}

fn command(words: &[&str]) -> Frame {
    Frame::Array(words.iter().map(|word| bulk(word)).collect())
}

fn bulk(text: &str) -> Frame {
    Frame::Bulk(text.as_bytes().to_vec())
}

fn simple(text: &str) -> Frame {
    Frame::Simple(text.as_bytes().to_vec())
}

#[test]
fn every_kind_of_reply_of_a_real_server_is_parsed() {
    let mut redis = Redis::start();
    assert_eq!(redis.one(&["PING"]), simple("PONG"));
    assert_eq!(redis.one(&["SET", "key", "a\r\nb"]), simple("OK"));
    assert_eq!(redis.one(&["GET", "key"]), bulk("a\r\nb"));
    assert_eq!(redis.one(&["GET", "no such key"]), Frame::Null);
    assert_eq!(redis.one(&["SET", "empty", ""]), simple("OK"));
    assert_eq!(redis.one(&["GET", "empty"]), bulk(""));
    assert_eq!(
        redis.one(&["DECRBY", "number", "42"]),
        Frame::Integer(-42)
    );
    assert_eq!(
        redis.one(&["KEYS", "nothing*"]),
        Frame::Array(Vec::new())
    );
    assert_eq!(
        redis.one(&["BLPOP", "no such list", "0.01"]),
        Frame::Null,
        "a null array"
    );
    let Frame::Error(wrong) = redis.one(&["INCR", "key"]) else {
        panic!("no error")
    };
    assert!(
        wrong.starts_with(b"ERR value is not an integer"),
        "{}",
        wrong.escape_ascii()
    );
    let script =
        "return {1, {'two', {ok='three'}}, {err='ERR four'}, false}";
    let nested = Frame::Array(vec![bulk("two"), simple("three")]);
    let expected = vec![
        Frame::Integer(1),
        nested,
        Frame::Error(b"ERR four".to_vec()),
        Frame::Null,
    ];
    assert_eq!(
        redis.one(&["EVAL", script, "0"]),
        Frame::Array(expected)
    );
    let (replies, _) = redis.ask(&[
        &["MULTI"],
        &["INCR", "n"],
        &["GET", "n"],
        &["EXEC"],
    ]);
    let executed = Frame::Array(vec![Frame::Integer(1), bulk("1")]);
    assert_eq!(
        replies,
        [simple("OK"), simple("QUEUED"), simple("QUEUED"), executed]
    );
}

#[test]
fn large_replies_of_a_real_server_are_written_back_byte_for_byte_and_read_by_the_other_crate()
 {
    let mut redis = Redis::start();
    let large = "x".repeat(1_000_000);
    redis.one(&["SET", "large", &large]);
    let words: Vec<String> =
        (0..5_000).map(|number| number.to_string()).collect();
    let push: Vec<&str> = ["RPUSH", "list"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    assert_eq!(redis.one(&push), Frame::Integer(5_000));
    let asked: [&[&str]; 5] = [
        &["COMMAND"],
        &["COMMAND", "DOCS"],
        &["LRANGE", "list", "0", "-1"],
        &["GET", "large"],
        &["INFO"],
    ];
    let (replies, raw) = redis.ask(&asked);
    let mut again = Vec::new();
    replies.iter().for_each(|reply| reply.encode(&mut again));
    // The other crate judges both, in case the server has a null array in its documentation.
    let (mut rest, mut written) = (raw.as_slice(), again.as_slice());
    for _ in asked {
        let (theirs, length) =
            decode_theirs(rest).unwrap().expect("a whole reply");
        let (ours, length_written) =
            decode_theirs(written).unwrap().expect("a whole reply");
        assert!(
            theirs == ours,
            "the two crates read different replies"
        );
        (rest, written) =
            (&rest[length..], &written[length_written..]);
    }
    assert!(rest.is_empty() && written.is_empty());
    assert_eq!(again.len(), raw.len());
}

#[test]
fn a_pipeline_of_thousands_gets_its_replies_in_order() {
    let mut redis = Redis::start();
    let commands = vec![["INCR", "n"].as_slice(); 5_000];
    let (replies, _) = redis.ask(&commands);
    assert!(
        replies.iter().enumerate().all(|(number, reply)| *reply
            == Frame::Integer(number as i64 + 1))
    );
}

// A side of the scenario, as it runs.

struct Side {
    program: Running,
    started: Instant,
    lines: Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Side {
    /// Starts a side whose own load is one client, at once; then it is there for others.
    fn start(program: &str) -> Self {
        let started = Instant::now();
        let mut command = Command::new(program);
        command.args([
            "--no-console",
            "--json",
            "--hold",
            "--rate",
            "0.001",
        ]);
        let mut child = start(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        let mut side = Self {
            program: Running(child),
            started,
            lines,
            port: String::new(),
        };
        // Its listener is there before the load begins.
        until("the side's own client", || {
            (side.sample().units_done == 1).then_some(())
        });
        side.port = listening(side.program.0.id()).to_string();
        side
    }

    /// The gauges as soon as they are as asked, from now on.
    fn gauges(&mut self, fits: impl Fn(&Gauges) -> bool) -> Gauges {
        // Older samples lie in the pipe. The program began after `started`, so these are new for certain.
        let now = self.started.elapsed().as_millis() as u64;
        let mut last = Gauges::new();
        until("the counts that the side states", || {
            let sample = self.sample();
            if sample.gauges != last {
                eprintln!("{:?}", sample.gauges);
            }
            last = sample.gauges;
            (sample.elapsed_ms >= now && fits(&last))
                .then(|| last.clone())
        })
    }

    fn sample(&mut self) -> Sample {
        loop {
            let line = self
                .lines
                .next()
                .expect("the side runs on")
                .expect("its output is text");
            if let Ok(Line::Sample(sample)) =
                serde_json::from_str(&line)
            {
                return sample;
            }
        }
    }

    fn tool(&self, name: &str, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(name);
        command
            .args(["-h", "127.0.0.1", "-p", &self.port])
            .args(args);
        let mut child = start(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{name} {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    fn cli(&self, args: &[&str]) -> String {
        String::from_utf8(self.tool("redis-cli", args, "").stdout)
            .unwrap()
    }

    fn benchmark(&self, pipeline: &str) -> String {
        let args = [
            "-t",
            "ping,set,get,incr",
            "-n",
            "4000",
            "-c",
            "20",
            "-P",
            pipeline,
            "--csv",
        ];
        String::from_utf8(
            self.tool("redis-benchmark", &args, "").stdout,
        )
        .unwrap()
    }
}

/// The one port on which a process listens, as Linux tells it.
fn listening(pid: u32) -> u16 {
    let sockets: Vec<String> =
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .filter_map(|entry| {
                std::fs::read_link(entry.unwrap().path()).ok()
            })
            .filter_map(|link| {
                Some(
                    link.to_str()?
                        .strip_prefix("socket:[")?
                        .strip_suffix(']')?
                        .to_owned(),
                )
            })
            .collect();
    let table =
        std::fs::read_to_string(format!("/proc/{pid}/net/tcp"))
            .unwrap();
    let mut ports = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let is_ours = columns[3] == "0A"
            && sockets.iter().any(|socket| socket == columns[9]);
        is_ours.then(|| {
            u16::from_str_radix(
                columns[1].split_once(':').unwrap().1,
                16,
            )
            .unwrap()
        })
    });
    ports.next().expect("the side listens")
}

const LEAK: &str = env!("CARGO_BIN_EXE_redis-parser-leak");
const FIX: &str = env!("CARGO_BIN_EXE_redis-parser-fix");
const PORT: &str = env!("CARGO_BIN_EXE_redis-parser-port");
const SOCKET: &str = env!("CARGO_BIN_EXE_redis-parser-wrong-socket");
const CLOSED: &str = env!("CARGO_BIN_EXE_redis-parser-closed");

#[test]
fn redis_cli_is_served_by_the_leak_the_fix_and_the_port() {
    for program in [LEAK, FIX, PORT] {
        let side = Side::start(program);
        assert_eq!(side.cli(&["PING"]), "PONG\n");
        assert_eq!(
            side.cli(&["SET", "greeting", "good morning"]),
            "OK\n"
        );
        assert_eq!(side.cli(&["GET", "greeting"]), "good morning\n");
        assert_eq!(side.cli(&["GET", "nothing"]), "\n");
        assert_eq!(side.cli(&["INCR", "n"]), "1\n");
        assert_eq!(
            side.cli(&["NONSENSE"]),
            "ERR unknown command, or wrong number of arguments\n\n"
        );
        let piped = side.tool(
            "redis-cli",
            &["--pipe"],
            "SET a 1\r\nSET b 2\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
        );
        let said =
            String::from_utf8_lossy(&piped.stdout).into_owned();
        assert!(said.contains("errors: 0, replies: 3"), "{said}");
    }
}

#[test]
fn one_command_at_a_time_hides_the_leak_and_a_pipeline_shows_it() {
    let mut leak = Side::start(LEAK);
    // The server, and the parser of the side's own client.
    leak.gauges(|gauges| {
        (gauges["known"], gauges["tasks"]) == (1, 2)
    });
    for number in 0..5 {
        leak.cli(&["ECHO", &number.to_string()]);
    }
    leak.gauges(|gauges| {
        (gauges["known"], gauges["tasks"]) == (6, 2)
    });
    let said = leak.benchmark("16");
    assert!(
        said.contains("\"SET\"") && said.contains("\"INCR\""),
        "{said}"
    );
    // Five tests of twenty clients, and perhaps one that asks for the configuration. All of them pipeline.
    let after = leak.gauges(|gauges| {
        gauges["known"] >= 106
            && gauges["tasks"] - 2 == gauges["known"] - 6
    });
    assert!(after["known"] < 120, "{after:?}");
}

#[test]
fn redis_benchmark_leaves_no_task_in_the_fix_and_the_port() {
    for program in [FIX, PORT] {
        let mut side = Side::start(program);
        let before = side.gauges(|gauges| gauges["tasks"] == 1);
        for pipeline in ["1", "16", "70"] {
            let said = side.benchmark(pipeline);
            assert!(said.contains("\"GET\""), "{said}");
        }
        side.gauges(|gauges| {
            gauges["tasks"] == 1
                && gauges["sockets"] == before["sockets"]
        });
        assert!(
            side.program.0.try_wait().unwrap().is_none(),
            "{program} ended"
        );
    }
}

#[test]
fn an_idle_redis_cli_keeps_the_parser_that_nobody_tells_and_not_the_one_that_waits_for_its_readers_end()
 {
    // The server, and in the first side the parser of the side's own client.
    for (program, before, with_cli) in
        [(SOCKET, 2, 3), (CLOSED, 1, 1)]
    {
        let mut side = Side::start(program);
        side.gauges(|gauges| gauges["tasks"] == before);
        let mut command = Command::new("redis-cli");
        command
            .args(["-h", "127.0.0.1", "-p", &side.port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut cli = Running(start(&mut command));
        let mut words = cli.0.stdin.take().unwrap();
        words.write_all(b"PING\n").unwrap();
        let mut reply = String::new();
        BufReader::new(cli.0.stdout.take().unwrap())
            .read_line(&mut reply)
            .unwrap();
        assert_eq!(reply, "PONG\n");
        // The side lets its client go after a second; the client notices nothing, and says no more.
        side.gauges(|gauges| gauges["tasks"] == with_cli);
        assert!(
            cli.0.try_wait().unwrap().is_none(),
            "redis-cli is still there"
        );
        drop((words, cli));
        side.gauges(|gauges| gauges["tasks"] == before);
    }
}
