//! The report that a chapter shows under *Guard* is the one that the leak's own test gives, word for word, but for the tasks'
//! ages and the time that the check waited. `cargo lab record` writes the reports anew.

use evidence::{catalogue::Catalogue, exhibit, guard, root};
use lab::renew;

#[tokio::test]
async fn every_chapter_shows_the_report_that_its_leak_gives() {
    let root = root::find().expect("the tests run inside the workbook");
    let mut problems = Vec::new();
    for one in Catalogue::read(&root).unwrap().whole().unwrap() {
        let stored = std::fs::read_to_string(one.dir.join("guard.txt")).unwrap_or_default();
        match renew::guard_report(&root, one).await {
            Err(error) => problems.push(format!("{}: {error:#}", one.name)),
            Ok(report) if guard::without_times(&report) == guard::without_times(&stored) => {}
            Ok(report) => {
                let renew = exhibit::renew(&one.name);
                problems
                    .push(format!("scenarios/{}/guard.txt is not what its leak reports: {renew}\n{report}", one.name));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
