//! Real peers. Replies of a real `redis-server` are parsed; `redis-cli` and `redis-benchmark` talk to the sides as they run.

mod process;
mod server;
mod side;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use process::{Running, start};
use redis_protocol::resp2::decode::decode as decode_theirs;
use resp::Frame;
use server::{Redis, bulk, simple};
use side::Side;

const LEAK: &str = env!("CARGO_BIN_EXE_redis-parser-leak");
const FIX: &str = env!("CARGO_BIN_EXE_redis-parser-fix");
const PORT: &str = env!("CARGO_BIN_EXE_redis-parser-port");
const SOCKET: &str = env!("CARGO_BIN_EXE_redis-parser-wrong-socket");
const CLOSED: &str = env!("CARGO_BIN_EXE_redis-parser-closed");

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
