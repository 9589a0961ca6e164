//! Keys as they are pressed, and lines as they are typed. The terminal keeps its own output and its signals: Ctrl-C stays Ctrl-C.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// How often a key is looked for. Nobody feels this.
const LOOK: Duration = Duration::from_millis(40);
/// Answers are short.
const LINE_MAX: usize = 200;

/// What came from the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A letter, in lower case, or another sign.
    Key(char),
    /// Enter.
    Enter,
    /// Backspace.
    Back,
    /// Escape, or the end of input.
    End,
    /// The window has another size.
    Resized,
}

/// The keyboard, without echo and without waiting for Enter; as it was when this is dropped.
pub struct Keyboard {
    before: Termios,
}

impl Keyboard {
    /// Takes the keyboard; none where standard input or output is no terminal.
    pub fn take() -> Option<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut now = before.clone();
        now.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &now).ok()?;
        Some(Self { before })
    }

    /// Waits for the next key. May be dropped at any moment and called again.
    pub async fn press(&self) -> Press {
        self.next(false).await
    }

    /// Asks for a line; none when the reader gave up.
    pub async fn line(&self, prompt: &str) -> Option<String> {
        let mut line = String::new();
        show(prompt);
        loop {
            match self.next(true).await {
                Press::Key(sign) if line.chars().count() < LINE_MAX => {
                    line.push(sign);
                    show(&sign.to_string());
                }
                Press::Back if line.pop().is_some() => show("\u{8} \u{8}"),
                Press::Enter => {
                    show("\n");
                    return Some(line);
                }
                Press::End => {
                    show("\n");
                    return None;
                }
                Press::Key(_) | Press::Back | Press::Resized => {}
            }
        }
    }

    async fn next(&self, as_typed: bool) -> Press {
        loop {
            // Asked and not waited for: a thread that waits could not be ended.
            match event::poll(Duration::ZERO).map(|there| there.then(event::read)) {
                Ok(Some(Ok(event))) => {
                    if let Some(press) = press(&event, as_typed) {
                        return press;
                    }
                }
                Ok(Some(Err(_))) | Err(_) => return Press::End,
                Ok(None) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

/// A terminal that went away is no reason to fail: its end comes as a signal.
fn show(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// A key that counts; none for all others, such as arrows.
fn press(event: &Event, as_typed: bool) -> Option<Press> {
    let key = match event {
        Event::Resize(..) => return Some(Press::Resized),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('d') if with_control => Some(Press::End),
        KeyCode::Char('j' | 'm') if with_control => Some(Press::Enter),
        KeyCode::Char('h') if with_control => Some(Press::Back),
        KeyCode::Char(_) if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => None,
        KeyCode::Char(sign) if as_typed => Some(Press::Key(sign)),
        KeyCode::Char(sign) => Some(Press::Key(sign.to_ascii_lowercase())),
        KeyCode::Enter => Some(Press::Enter),
        KeyCode::Backspace => Some(Press::Back),
        KeyCode::Esc => Some(Press::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn letters_count_and_arrows_do_not() {
        let check = |code, modifiers, as_typed, expected| {
            assert_eq!(press(&Event::Key(KeyEvent::new(code, modifiers)), as_typed), expected, "{code:?}");
        };
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('H'), KeyModifiers::SHIFT, false, Some(Press::Key('h')));
        check(KeyCode::Char('H'), KeyModifiers::SHIFT, true, Some(Press::Key('H')));
        check(KeyCode::Enter, none, false, Some(Press::Enter));
        check(KeyCode::Up, none, false, None);
        check(KeyCode::Char('a'), KeyModifiers::ALT, false, None);
        check(KeyCode::Char('d'), KeyModifiers::CONTROL, true, Some(Press::End));
        assert_eq!(press(&Event::Resize(80, 24), false), Some(Press::Resized));
    }
}
