//! Frames over anything that gives bytes: a socket, or a slice.

use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, Frame, Framer, Speaks};

/// Room for one read.
const READ: usize = 16 * 1024;

/// Reads frames in the caller's own task.
#[derive(Debug)]
pub struct Frames<R> {
    source: R,
    framer: Framer,
}

/// Why no frame follows.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// The peer is done, and left nothing half said.
    Closed,
    /// The peer is gone in the middle of a frame.
    Truncated,
    /// The peer does not speak the protocol.
    Protocol(Error),
    /// The source failed.
    Io(io::Error),
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads what a server says.
    pub fn replies(source: R) -> Self {
        Self { source, framer: Framer::new(Speaks::Replies) }
    }

    /// Reads what a client says.
    pub fn commands(source: R) -> Self {
        Self { source, framer: Framer::new(Speaks::Commands) }
    }

    /// The next frame. Cancel safe: what was read stays here.
    ///
    /// # Errors
    /// Says how the stream ended; there is no frame after that.
    pub async fn next(&mut self) -> Result<Frame, End> {
        loop {
            if let Some(frame) =
                self.framer.next_frame().map_err(End::Protocol)?
            {
                return Ok(frame);
            }
            let buffer = self.framer.buffer();
            buffer.reserve(READ);
            if self.source.read_buf(buffer).await.map_err(End::Io)?
                == 0
            {
                return Err(if self.framer.is_empty() {
                    End::Closed
                } else {
                    End::Truncated
                });
            }
        }
    }

    /// Whether all that came has been given out: time to send the replies.
    pub fn is_drained(&self) -> bool {
        self.framer.is_empty()
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the peer closed the connection"),
            Self::Truncated => f.write_str("the peer closed the connection in the middle of a frame"),
            Self::Protocol(error) => write!(f, "Protocol error: {error}"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for End {}
