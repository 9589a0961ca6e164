//! One message of the console, opened part by part. Pure: bytes in, parts out.

use anyhow::bail;
use console_api::{async_ops, register_metadata::NewMetadata, resources, tasks};
use prost::{Message as _, bytes::Bytes, decode_length_delimiter};

/// What a message says, piece by piece.
pub(super) enum Part {
    /// The names of the fields that later parts have.
    Metadata(NewMetadata),
    Task(tasks::Task),
    TaskStats(u64, tasks::Stats),
    Resource(resources::Resource),
    ResourceStats(u64, resources::Stats),
    Op(async_ops::AsyncOp),
    OpStats(u64, async_ops::Stats),
    /// Events that the server lost.
    Lost(u64),
    /// Of no interest here.
    Other,
}

/// What is left of a message.
pub(super) struct Message {
    /// The last one is taken first.
    sections: Vec<(Section, Fields)>,
}

/// The parts of `console.instrument.Update`, in the opposite order of their turn. Metadata are the last field of the
/// message and must be read first: the others refer to them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Ops,
    Resources,
    Tasks,
    Metadata,
}

impl Message {
    pub(super) fn open(bytes: Bytes) -> anyhow::Result<Self> {
        let (mut fields, mut sections) = (Fields(bytes), Vec::new());
        while let Some(field) = fields.next()? {
            let section = match field.number {
                2 => Section::Tasks,
                3 => Section::Resources,
                4 => Section::Ops,
                5 => Section::Metadata,
                _ => continue,
            };
            sections.push((section, Fields(field.bytes)));
        }
        sections.sort_by_key(|(section, _)| *section);
        Ok(Self { sections })
    }

    /// The next part; none at the end.
    pub(super) fn next_part(&mut self) -> anyhow::Result<Option<Part>> {
        while let Some((section, fields)) = self.sections.last_mut() {
            if let Some(field) = fields.next()? {
                return section.part(field).map(Some);
            }
            self.sections.pop();
        }
        Ok(None)
    }
}

impl Section {
    fn part(self, field: Field) -> anyhow::Result<Part> {
        Ok(match (self, field.number) {
            (Self::Metadata, 1) => Part::Metadata(NewMetadata::decode(field.bytes)?),
            (Self::Tasks, 1) => Part::Task(tasks::Task::decode(field.bytes)?),
            (Self::Tasks, 3) => field.entry(Part::TaskStats)?,
            (Self::Tasks | Self::Resources, 4) | (Self::Ops, 3) => Part::Lost(field.value),
            (Self::Resources, 1) => Part::Resource(resources::Resource::decode(field.bytes)?),
            (Self::Resources, 2) => field.entry(Part::ResourceStats)?,
            (Self::Ops, 1) => Part::Op(async_ops::AsyncOp::decode(field.bytes)?),
            (Self::Ops, 2) => field.entry(Part::OpStats)?,
            // Above all the poll operations: often the largest part of a message, and nothing is told of them.
            _ => Part::Other,
        })
    }
}

/// The fields of one protobuf message, in the order in which they were sent.
struct Fields(Bytes);

/// One field: a number, or bytes that are a message or a text.
struct Field {
    number: usize,
    value: u64,
    bytes: Bytes,
}

impl Fields {
    fn next(&mut self) -> anyhow::Result<Option<Field>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = decode_length_delimiter(&mut self.0)?;
        let mut field = Field { number: key >> 3, value: 0, bytes: Bytes::new() };
        match key & 7 {
            0 => field.value = decode_length_delimiter(&mut self.0)? as u64,
            1 => field.bytes = self.take(8)?,
            2 => {
                let len = decode_length_delimiter(&mut self.0)?;
                field.bytes = self.take(len)?;
            }
            5 => field.bytes = self.take(4)?,
            other => bail!("a field of the unknown type {other}"),
        }
        Ok(Some(field))
    }

    fn take(&mut self, len: usize) -> anyhow::Result<Bytes> {
        if len > self.0.len() {
            bail!("a message that is cut off");
        }
        Ok(self.0.split_to(len))
    }
}

impl Field {
    /// An entry of a map from numbers to messages.
    fn entry<M: prost::Message + Default>(self, part: fn(u64, M) -> Part) -> anyhow::Result<Part> {
        let (mut fields, mut key, mut value) = (Fields(self.bytes), 0, Bytes::new());
        while let Some(field) = fields.next()? {
            match field.number {
                1 => key = field.value,
                2 => value = field.bytes,
                _ => {}
            }
        }
        Ok(part(key, M::decode(value)?))
    }
}

#[cfg(test)]
mod tests {
    use console_api::instrument::Update;

    use super::*;

    fn parts(bytes: Vec<u8>) -> anyhow::Result<usize> {
        let (mut message, mut count) = (Message::open(bytes.into())?, 0);
        while message.next_part()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error_wherever_it_is_cut() {
        let tasks = tasks::TaskUpdate { new_tasks: vec![tasks::Task::default(); 3], ..tasks::TaskUpdate::default() };
        let whole = Update { task_update: Some(tasks), ..Update::default() }.encode_to_vec();
        assert_eq!(parts(whole.clone()).unwrap(), 3);
        for len in 1..whole.len() {
            assert!(parts(whole[..len].to_vec()).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error() {
        assert!(parts(vec![0xff; 40]).is_err());
        assert!(parts(vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "a length beyond the end");
    }

    #[test]
    fn metadata_come_first_though_they_are_sent_last() {
        let update = Update {
            task_update: Some(tasks::TaskUpdate {
                new_tasks: vec![tasks::Task::default()],
                ..tasks::TaskUpdate::default()
            }),
            new_metadata: Some(console_api::RegisterMetadata { metadata: vec![NewMetadata::default()] }),
            ..Update::default()
        };
        let mut message = Message::open(update.encode_to_vec().into()).unwrap();
        assert!(matches!(message.next_part().unwrap(), Some(Part::Metadata(_))));
        assert!(matches!(message.next_part().unwrap(), Some(Part::Task(_))));
    }
}
