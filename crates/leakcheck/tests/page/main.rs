//! What the page `leak-test.md` shows, compiled and run.

mod fix;
mod leak;
mod outside;
mod running;
mod stays;

/// Where `SHOWN` names a folder, what the page shows is written there anew, and not compared.
fn is_written(file: &str, report: &str) -> bool {
    let Some(folder) = std::env::var_os("SHOWN") else { return false };
    std::fs::write(std::path::Path::new(&folder).join(file), report).expect("it can be written");
    true
}
