//! The journal is read back after every way in which a write can end too early.

#[path = "../outbox.rs"]
mod outbox;

use std::fs;

use outbox::{Outbox, Replayed, crc32, journal_in, replay};

/// What an outbox writes: two batches, of which the second is pushed in part.
async fn journal(dir: &std::path::Path) -> Vec<u8> {
    let outbox = Outbox::open(dir).await.unwrap();
    outbox.accept(&[1, 2, 3]).await.unwrap();
    let batch = outbox.begin(2).await.unwrap().unwrap();
    assert_eq!(batch.ids, [1, 2]);
    outbox.commit(batch, 2).await.unwrap();
    outbox.accept(&[4, 5]).await.unwrap();
    let batch = outbox.begin(9).await.unwrap().unwrap();
    assert_eq!(batch.ids, [3, 4, 5]);
    outbox.commit(batch, 1).await.unwrap();
    fs::read(journal_in(dir)).unwrap()
}

#[leakcheck::test]
async fn what_is_not_pushed_waits_for_the_next_instance() {
    let dir = tempfile::tempdir().unwrap();
    let whole = journal(dir.path()).await;
    let said = replay(&whole).unwrap();
    let expected = Replayed {
        waiting: vec![4, 5],
        torn_batches: 0,
        torn_write: false,
    };
    assert_eq!(said, expected);
    let next = Outbox::open(dir.path()).await.unwrap();
    assert_eq!(next.torn, 0);
    let batch = next.begin(9).await.unwrap().unwrap();
    assert_eq!(batch.ids, [4, 5]);
    drop(batch);
    let after = Outbox::open(dir.path()).await.unwrap();
    assert_eq!(after.torn, 1, "a batch without its end");
    let batch = after.begin(9).await.unwrap().unwrap();
    assert_eq!(batch.ids, [4, 5], "is pushed again");
}

#[leakcheck::test]
async fn a_journal_cut_at_any_byte_is_read_up_to_its_last_whole_record()
 {
    let dir = tempfile::tempdir().unwrap();
    let whole = journal(dir.path()).await;
    for cut in 0..=whole.len() {
        let said = replay(&whole[..cut]).unwrap();
        let at_an_end = cut == 0 || whole[cut - 1] == b'\n';
        assert_eq!(said.torn_write, !at_an_end, "cut at byte {cut}");
        fs::write(journal_in(dir.path()), &whole[..cut]).unwrap();
        let next = Outbox::open(dir.path()).await.unwrap();
        assert_eq!(next.torn, said.torn_batches, "cut at byte {cut}");
        let left = fs::read(journal_in(dir.path())).unwrap();
        let again = replay(&left).unwrap();
        assert_eq!(again.waiting, said.waiting, "cut at byte {cut}");
        assert!(!again.torn_write, "the torn record is gone");
    }
}

#[leakcheck::test]
async fn a_changed_byte_is_an_error_that_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let whole = journal(dir.path()).await;
    let end = whole.len() - 1;
    for at in 0..end {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        let error = replay(&broken).unwrap_err().to_string();
        assert!(error.contains("at byte"), "byte {at}: {error}");
    }
    let mut broken = whole.clone();
    broken[end] ^= 1;
    assert!(replay(&broken).unwrap().torn_write);
}

#[leakcheck::test]
async fn a_full_outbox_accepts_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path()).await.unwrap();
    let ids: Vec<_> = (0..1_000).collect();
    outbox.accept(&ids).await.unwrap();
    let error = outbox.accept(&[1_000]).await.unwrap_err();
    assert!(error.to_string().starts_with("full"), "{error}");
}

#[test]
fn the_checksum_is_the_one_of_the_books() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
