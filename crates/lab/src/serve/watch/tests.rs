use super::*;

fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("book/src")).unwrap();
    fs::create_dir_all(root.path().join("crates/shown/src")).unwrap();
    fs::create_dir_all(root.path().join("crates/other")).unwrap();
    fs::create_dir_all(root.path().join("exercises/a")).unwrap();
    fs::write(root.path().join("book.toml"), "[book]\nsrc = \"book/src\"\n").unwrap();
    let page = "# A page\n{{#include ../../crates/shown/src/lib.rs:part}}\n{{#include ../../crates/shown/src/a.rs}}\n";
    fs::write(root.path().join("book/src/page.md"), page).unwrap();
    root
}

/// What a look sees before and after a file is written.
fn is_seen(path: &str) -> bool {
    let root = root();
    let seen = || look(root.path(), &sources(root.path())).unwrap();
    let before = seen();
    fs::write(root.path().join(path), "text").unwrap();
    seen() != before
}

#[test]
fn what_the_book_is_made_from_is_seen_and_nothing_else() {
    for path in [
        "book/src/new.md",
        "book/new.toml",
        "book.toml",
        "Cargo.lock",
        "crates/shown/src/lib.rs",
        "crates/shown/src/new.rs",
    ] {
        assert!(is_seen(path), "{path}");
    }
    assert!(is_seen("exercises/a/start.rs") && is_seen("exercises/a/Cargo.toml"));
    for path in [
        "exercises/a/mine.rs",
        "exercises/a/guard.rs",
        "exercises/a/mine.rs.old-1",
        "exercises/a/mine.rs.new",
        "progress.toml",
    ] {
        assert!(!is_seen(path), "{path} is the reader's own");
    }
    for path in ["crates/other/lib.rs", "README.md", "book/src/.page.md.swp", "book/src/page.md~", "book/src/4913"] {
        assert!(!is_seen(path), "{path}");
    }
}

#[test]
fn an_older_file_in_the_place_of_a_newer_one_is_a_change() {
    let root = root();
    let page = root.path().join("book/src/page.md");
    let seen = || look(root.path(), &sources(root.path())).unwrap();
    let before = seen();
    fs::File::options().append(true).open(&page).unwrap().set_modified(UNIX_EPOCH).unwrap();
    assert_ne!(seen(), before);
}

#[test]
fn mdbook_watches_what_the_lab_watches() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let text = fs::read_to_string(root.join("book.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    let extra = config["build"]["extra-watch-dirs"].as_array().unwrap();
    let extra: BTreeSet<_> = extra.iter().map(|dir| PathBuf::from(dir.as_str().unwrap())).collect();
    // mdBook looks at its own file by itself. A folder that is not there ends `mdbook watch`, so all of `book` is one.
    let mut wanted: BTreeSet<_> = sources(root);
    wanted.remove(Path::new("book.toml"));
    for whole in ["scenarios", "exercises", "controls"] {
        wanted.retain(|path| !path.starts_with(whole) || path == Path::new(whole));
    }
    assert_eq!(extra, wanted, "extra-watch-dirs of book.toml");
}

async fn builder(root: &tempfile::TempDir) -> Builder {
    fs::write(root.path().join("book/src/SUMMARY.md"), "# Summary\n[A page](start.md)\n").unwrap();
    fs::write(root.path().join("book/src/start.md"), "# A page\n").unwrap();
    fs::create_dir_all(root.path().join("scenarios")).unwrap();
    Builder::new(&Arc::from(root.path()), For::Lab).await.unwrap()
}

/// Writes into a page ten times a second, of the tests' own clock.
async fn write_for(root: &Path, time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        let mut page = fs::File::options().append(true).open(root.join("book/src/start.md")).unwrap();
        io::Write::write_all(&mut page, b"more\n").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How long after the first change a build begins, when the tree changes for a while.
async fn begins_after(writing: Duration) -> Duration {
    let root = root();
    let builder = builder(&root).await;
    let begin = Instant::now();
    tokio::select! {
        () = builder.changed() => {}
        () = async { write_for(root.path(), writing).await; std::future::pending().await } => {}
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_tree_is_built_when_it_stands_still_and_one_that_never_does_is_built_too() {
    let seconds = Duration::from_secs;
    let after = begins_after(seconds(4)).await;
    assert!(after > seconds(4) && after < seconds(6), "{after:?}");
    let after = begins_after(seconds(60)).await;
    assert!(after > STILL_LIMIT && after < STILL_LIMIT + seconds(2), "{after:?}");
}

#[tokio::test]
async fn the_same_problem_is_told_once_and_so_is_its_end() {
    let root = root();
    let builder = builder(&root).await;
    let good = builder.site().borrow().clone();
    assert!(builder.complain("no such page") && !builder.complain("no such page"));
    assert!(builder.complain("another"));
    let site = builder.site().borrow().clone();
    assert_eq!((site.folder, site.build), (good.folder.clone(), good.build), "the last good one is served");
    assert!(builder.publish(good.folder.clone()) && !builder.publish(good.folder.clone()));
    assert!(builder.site().borrow().build >= good.build + 2, "a number for each build");
}
