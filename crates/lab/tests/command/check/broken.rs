//! Copies that are no service any more.

use super::scratch::{START, TASK, UNIT, scratch};
use crate::common::await_gone;

#[test]
fn what_is_given_fails_for_its_reason_and_says_what_to_do_next() {
    let said = scratch().check();
    assert_eq!(said.code, 1, "{said:?}");
    let fault = said.fault("tasks");
    assert!(fault.contains("20 more than before after 40 uploads, 80 more after 160"), "{fault}");
    assert!(fault.contains("80 at exercises/upload-scan/mine.rs:"), "{fault}");
    assert!(
        said.stdout.ends_with("next: change exercises/upload-scan/mine.rs, then `cargo lab check upload-scan`\n"),
        "{said:?}"
    );
}

#[test]
fn a_copy_that_is_right_passes() {
    let scratch = scratch();
    scratch.write("mine", &std::fs::read_to_string(scratch.path("solution")).unwrap());
    let said = scratch.check();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("upload-scan-mine passes"), "{said:?}");
}

#[test]
fn one_that_does_not_compile_is_said_in_a_line_and_then_in_the_compilers_words() {
    let scratch = scratch();
    scratch.write_with("mine", UNIT, "let rows: u32 = \"none\"; ");
    let said = scratch.check();
    assert_eq!(said.code, 1, "{said:?}");
    let fault = said.fault("build");
    assert!(
        fault.contains("did not compile: error[E0308]: mismatched types at exercises/upload-scan/mine.rs:"),
        "{fault}"
    );
    assert!(said.stdout.contains("expected `u32`, found `&str`"), "{said:?}");
}

#[test]
fn one_that_panics_is_said_with_the_panic() {
    let said = scratch().checks(&[
        (START, "panic!(\"no engine\"); #[expect(unreachable_code)] "),
        (UNIT, "assert!(upload != 7, \"no upload 7\"); "),
        (TASK, "assert!(upload != 7, \"no task 7\"); "),
    ]);
    for (said, message) in said.iter().zip(["no engine", "no upload 7"]) {
        assert_eq!(said.code, 1, "{said:?}");
        let fault = said.fault("panics");
        assert!(fault.contains("ended with exit code 101 before its report: thread 'main'"), "{fault}");
        assert!(fault.contains("panicked at exercises/upload-scan/") && fault.ends_with(message), "{fault}");
    }
    assert_eq!(said[2].code, 1, "{said:?}");
    let fault = said[2].fault("panics");
    assert!(fault.contains("4 panics, where there should be none") && fault.contains("no task 7"), "{fault}");
}

#[test]
fn one_that_hangs_is_ended_and_said() {
    let said = scratch().checks(&[
        (TASK, "while upload == 7 { std::hint::spin_loop(); } "),
        (TASK, "if upload == 7 { std::thread::sleep(Duration::from_secs(300)); } "),
        ("audits.by_upload.insert(", "let _again = self.audits.lock(); "),
        (UNIT, "if upload >= 100 { std::future::pending::<()>().await; } "),
    ]);
    // A loop without an end, a thread that sleeps, a lock that is taken twice.
    for said in &said[..3] {
        assert_eq!(said.code, 1, "{said:?}");
        let fault = said.fault("load");
        assert!(fault.contains("no upload ended for 10 s") && fault.contains("never gives its thread back"), "{fault}");
    }
    // One that waits for good answers when it is told to end, and says how far it came.
    assert_eq!(said[3].code, 1, "{said:?}");
    let fault = said[3].fault("load");
    assert!(fault.contains("60 uploads got no answer at all, 100 did: none had ended for 10 s"), "{fault}");
}

#[test]
fn one_that_writes_to_standard_output_is_quoted() {
    let scratch = scratch();
    scratch.write_with("mine", UNIT, "println!(\"scanning {upload}\"); ");
    let said = scratch.check();
    assert_eq!(said.code, 1, "{said:?}");
    let fault = said.fault("stdout");
    assert!(fault.contains("wrote `scanning 0` to standard output, which is for --json: use eprintln!"), "{fault}");
}

#[test]
fn one_that_leaves_a_child_process_is_told_and_the_child_is_killed() {
    let scratch = scratch();
    let pid = scratch.root().join("pid");
    let start = format!(
        "std::fs::write({pid:?}, std::process::Command::new(\"sleep\").arg(\"300\").spawn().unwrap().id().to_string()).unwrap(); "
    );
    scratch.write_with("mine", START, &start);
    let said = scratch.check();
    assert_eq!(said.code, 1, "{said:?}");
    let fault = said.fault("children");
    assert!(fault.contains("started a process and ended without it"), "{fault}");
    await_gone(&[std::fs::read_to_string(pid).unwrap().parse().unwrap()]);
}
