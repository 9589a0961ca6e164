//! Where a practice hears its reader: keys of a terminal, or lines.

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use super::{How, screen::Screen};
use crate::practice::keyboard::{self, Keyboard};

pub(crate) use keyboard::Press;

/// The reader's side.
pub(crate) enum Input {
    /// A terminal.
    Keys(Keyboard),
    /// None: the first letter of each line is a key.
    Lines(Lines<BufReader<Stdin>>),
    /// Nothing more comes.
    Over,
}

impl Input {
    pub(crate) fn of(how: How) -> Self {
        if how.once {
            return Self::Over;
        }
        match Some(()).filter(|()| Screen::fits()).and_then(|()| Keyboard::take()) {
            Some(keyboard) => Self::Keys(keyboard),
            None => Self::Lines(BufReader::new(tokio::io::stdin()).lines()),
        }
    }

    /// True when nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Waits for the next key. May be dropped at any moment and called again.
    pub(crate) async fn press(&mut self) -> Press {
        loop {
            match self {
                Self::Keys(keyboard) => return keyboard.press().await,
                Self::Lines(lines) => match lines.next_line().await {
                    Ok(Some(line)) => {
                        return line
                            .trim()
                            .chars()
                            .next()
                            .map_or(Press::Enter, |key| Press::Key(key.to_ascii_lowercase()));
                    }
                    Ok(None) | Err(_) => {
                        *self = Self::Over;
                        return Press::Resized;
                    }
                },
                Self::Over => std::future::pending().await,
            }
        }
    }
}
