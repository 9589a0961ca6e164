//! A small store: enough commands for redis-cli, redis-benchmark and the scenario's own clients.

use std::{collections::HashMap, sync::Mutex};

use crate::Frame;

/// No more keys. A real store would evict.
const KEYS_MAX: usize = 100_000;

/// Keys and values. The shortcut: `EXPIRE` is accepted, and nothing ever expires.
#[derive(Debug, Default)]
pub struct Store {
    values: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Store {
    /// Runs one command. What is wrong with it becomes an error reply; an empty line gets no reply.
    pub fn run(&self, command: &Frame) -> Option<Frame> {
        let Frame::Array(items) = command else {
            return Some(Frame::error("not a command"));
        };
        let words: Vec<&[u8]> = items
            .iter()
            .filter_map(|item| match item {
                Frame::Bulk(word) => Some(word.as_slice()),
                _ => None,
            })
            .collect();
        let (name, rest) = words.split_first()?;
        Some(match (name.to_ascii_uppercase().as_slice(), rest) {
            (b"PING", []) => Frame::Simple(b"PONG".to_vec()),
            (b"PING" | b"ECHO", [word]) => Frame::Bulk(word.to_vec()),
            (b"QUIT" | b"SELECT" | b"AUTH", _) => ok(),
            (b"COMMAND" | b"CONFIG", _) => Frame::Array(Vec::new()),
            (b"SET", [key, value]) => self.set(key, value),
            (b"GET", [key]) => self
                .values
                .lock()
                .unwrap()
                .get(*key)
                .cloned()
                .map_or(Frame::Null, Frame::Bulk),
            (b"DEL", [key]) => Frame::Integer(i64::from(
                self.values.lock().unwrap().remove(*key).is_some(),
            )),
            (b"EXPIRE", [key, _]) => Frame::Integer(i64::from(
                self.values.lock().unwrap().contains_key(*key),
            )),
            (b"INCR", [key]) => self.incr(key),
            (b"DBSIZE", []) => Frame::Integer(
                self.values.lock().unwrap().len() as i64,
            ),
            _ => Frame::error(
                "unknown command, or wrong number of arguments",
            ),
        })
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Frame {
        let mut values = self.values.lock().unwrap();
        if values.len() >= KEYS_MAX && !values.contains_key(key) {
            return Frame::error("too many keys");
        }
        values.insert(key.to_vec(), value.to_vec());
        ok()
    }

    fn incr(&self, key: &[u8]) -> Frame {
        let mut values = self.values.lock().unwrap();
        let text = values.get(key).map_or("0", |value| {
            std::str::from_utf8(value).unwrap_or("?")
        });
        let Some(next) = text
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_add(1))
        else {
            return Frame::error(
                "value is not an integer or out of range",
            );
        };
        if values.len() >= KEYS_MAX && !values.contains_key(key) {
            return Frame::error("too many keys");
        }
        values.insert(key.to_vec(), next.to_string().into_bytes());
        Frame::Integer(next)
    }
}

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}
