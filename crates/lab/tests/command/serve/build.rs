//! The book is built again when it changes, in any number of open pages, and every mistake and every repair is told once.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use super::Site;
use crate::common::{Fixture, await_that};

/// More than the six connections that a browser opens, and than its tabs.
pub(super) const TABS: usize = 12;

#[test]
fn twelve_open_pages_load_hear_of_a_change_and_leave_room_for_the_next() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let load = |tab: &TcpStream| assert!(site.get_on(tab, "/index.html").1.contains("A little book"));
    let tabs: Vec<_> = (0..TABS).map(|_| site.connect()).inspect(load).collect();
    let told = |path: &str| tabs.iter().map(|tab| site.get_on(tab, path)).collect::<Vec<_>>();
    let first = told("/api/build");
    assert_eq!(site.get("/index.html").0, 200, "one page more");
    book.write("book/src/README.md", "# A little book\n\nA new sentence.\n");
    await_that("every page hears of it", || told("/api/build").iter().zip(&first).all(|(now, then)| now != then));
    assert!(told("/index.html").iter().all(|(_, page)| page.contains("A new sentence")));
}

#[test]
fn a_mistake_leaves_the_last_good_book_and_is_told_and_so_is_its_repair() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let (first, problem) = site.build();
    assert_eq!(problem, None);
    book.write("book/src/README.md", "# A little book\n\n{{#chart no-such-scenario}}\n");
    await_that("the mistake is told", || site.build().1.is_some_and(|problem| problem.contains("no-such-scenario")));
    assert_eq!(site.build().0, first);
    assert_eq!(site.get("/index.html").0, 200);
    book.write("book/src/README.md", "# A little book\n\nMended.\n");
    await_that("it builds again", || site.build().0 > first);
    assert_eq!(site.build().1, None);
    assert!(site.get("/index.html").1.contains("Mended."));
    let (_, words) = site.lab.end_by(Signal::TERM);
    assert_eq!(words.matches("the book does not build").count(), 1, "{words}");
    assert_eq!(words.matches("the book builds again").count(), 1, "{words}");
}

#[test]
fn a_file_that_a_page_includes_is_watched_wherever_it_is() {
    let book = Fixture::book();
    book.write("crates/shown/page/part.rs", "fn old() {}\n");
    book.write("book/src/README.md", "# A little book\n\n{{#include ../../crates/shown/page/part.rs}}\n");
    let site = Site::of(&book);
    assert!(site.get("/index.html").1.contains("old()"));
    book.write("crates/shown/page/part.rs", "fn renewed() {}\n");
    await_that("the page shows it", || site.get("/index.html").1.contains("renewed()"));
}

#[test]
fn a_book_that_was_removed_under_the_server_is_built_again() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let first = site.build().0;
    for folder in folders(&book) {
        fs::remove_dir_all(folder).unwrap();
    }
    await_that("it is built again", || site.build().0 > first && site.get("/index.html").0 == 200);
}

#[test]
fn what_a_killed_server_left_is_swept_by_the_next_and_a_living_one_keeps_its_own() {
    let book = Fixture::book();
    let alive = Site::of(&book);
    let of_alive = folders(&book);
    let killed = Site::of(&book);
    assert_eq!(folders(&book).len(), 2);
    let (code, _) = killed.lab.end_by(Signal::KILL);
    assert_eq!((code, folders(&book).len()), (-9, 2));
    let next = Site::of(&book);
    let now = folders(&book);
    assert!(now.len() == 2 && of_alive.iter().all(|own| now.contains(own)), "{of_alive:?} {now:?}");
    assert_eq!((alive.get("/index.html").0, next.get("/index.html").0), (200, 200));
    for site in [alive, next] {
        assert_eq!(site.lab.end_by(Signal::TERM).0, 143);
    }
    assert_eq!(folders(&book), [] as [PathBuf; 0]);
}

/// What servers of this book have built into.
fn folders(book: &Fixture) -> Vec<PathBuf> {
    let is_folder = |path: &Path| path.is_dir() && path.file_name().unwrap().to_string_lossy().starts_with("serve-");
    let entries = fs::read_dir(book.path("target")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| is_folder(path)).collect()
}
