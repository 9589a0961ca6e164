//! A real server.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use resp::{Frame, Framer, Speaks};

use crate::process::{EVENT_MAX, Running, start, until};

/// A real `redis-server` and a connection to it.
pub(crate) struct Redis {
    _server: Running,
    _folder: tempfile::TempDir,
    socket: TcpStream,
    framer: Framer,
}

impl Redis {
    /// Starts a server that keeps nothing, and connects. Between the choice of a port and its use somebody else may take it:
    /// then the server ends, and another port is tried.
    pub(crate) fn start() -> Self {
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
    pub(crate) fn ask(
        &mut self,
        commands: &[&[&str]],
    ) -> (Vec<Frame>, Vec<u8>) {
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

    pub(crate) fn one(&mut self, words: &[&str]) -> Frame {
        self.ask(&[words]).0.remove(0)
    }
}

fn command(words: &[&str]) -> Frame {
    Frame::Array(words.iter().map(|word| bulk(word)).collect())
}

pub(crate) fn bulk(text: &str) -> Frame {
    Frame::Bulk(text.as_bytes().to_vec())
}

pub(crate) fn simple(text: &str) -> Frame {
    Frame::Simple(text.as_bytes().to_vec())
}
