//! A guard and a `catch_unwind`. `tests/abort.rs` compiles it with both ways to panic.

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        println!("guard");
    }
}

fn main() {
    let work = || {
        let _guard = Guard;
        panic!("bug");
    };
    if std::panic::catch_unwind(work).is_err() {
        println!("caught");
    }
}
