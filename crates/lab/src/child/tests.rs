use stage::wire::Line;

use super::*;

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(Stdio::piped());
    command
}

fn is_running(pid: &str) -> bool {
    // A zombie has ended; who reaps it is not the lab's business.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn first_line(group: &mut Group) -> String {
    let line = Lines::of(group.take_stdout().unwrap()).next_line().await;
    let Ok(Some(line)) = line else { panic!("no first line") };
    String::from_utf8(line).unwrap()
}

#[leakcheck::test]
async fn a_dropped_group_takes_its_grandchildren_along() {
    let mut group = Group::spawn(sh("sleep 300 & echo $!; wait")).unwrap();
    let grandchild = first_line(&mut group).await;
    assert!(is_running(&grandchild), "the test needs a grandchild that runs");
    drop(group);
    gone(&grandchild).await;
}

#[leakcheck::test]
async fn a_group_that_ignores_the_request_is_killed() {
    let mut group = Group::spawn(sh("trap '' TERM; echo ready; while :; do sleep 0.1; done")).unwrap();
    first_line(&mut group).await;
    let status = group.stop().await.unwrap();
    assert_eq!(describe(status), "was killed by signal 9");
}

/// Waits until a process has ended.
async fn gone(pid: &str) {
    let gone = async {
        while is_running(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap_or_else(|_| panic!("{pid} still runs"));
}

#[leakcheck::test]
async fn what_a_program_leaves_in_its_group_ends_with_it() {
    let mut group = Group::spawn(sh("sleep 300 & echo $!; exit 7")).unwrap();
    let left = first_line(&mut group).await;
    assert_eq!(group.wait().await.unwrap().code(), Some(7));
    gone(&left).await;
    let mut group = Group::spawn(sh("trap '' TERM; sleep 300 & trap 'exit 0' TERM; echo $!; wait")).unwrap();
    let deaf = first_line(&mut group).await;
    assert!(is_running(&deaf), "the test needs a child that ignores the request");
    assert_eq!(group.stop().await.unwrap().code(), Some(0));
    gone(&deaf).await;
}

/// A program that is a script of the shell.
fn program(name: &str, script: &str) -> (tempfile::TempDir, Program) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = Program::start(name, &path, &[]).unwrap();
    (folder, program)
}

async fn error_of(name: &str, script: &str) -> anyhow::Error {
    let (_folder, mut program) = program(name, script);
    program.next::<Line>().await.unwrap_err()
}

#[leakcheck::test]
async fn a_program_that_dies_is_told_with_what_it_said() {
    let error = error_of("dies", "echo 'thread main panicked' >&2; exit 101").await;
    assert_eq!(error.to_string(), "dies ended with exit code 101 before its report:\nthread main panicked");
    assert!(!error.is::<NotStarted>());
}

#[leakcheck::test]
async fn a_program_that_refuses_its_arguments_did_not_start() {
    let error = error_of("picky", "echo 'error: no such flag' >&2; exit 2").await;
    assert_eq!(error.to_string(), "picky did not start:\nerror: no such flag");
    assert!(error.is::<NotStarted>());
}

#[leakcheck::test]
async fn what_is_no_line_of_json_is_quoted_and_cut() {
    let error = error_of("chatty", "echo 'hello from the service'; sleep 300").await.to_string();
    assert_eq!(error, "chatty wrote `hello from the service` to standard output, which is for --json: use eprintln!");
    let error = error_of("endless", "cat /dev/zero").await.to_string();
    assert!(error.starts_with("endless wrote a line of more than 1048576 bytes to standard output"), "{error}");
    assert!(error.len() < 2_000, "{} bytes", error.len());
}

#[leakcheck::test]
async fn much_error_output_does_not_stop_a_program_that_speaks() {
    let script = r#"head -c 1000000 /dev/zero >&2; echo '{"type":"hello","bin":"b","pid":1,"console":null,"units":1}'; sleep 300"#;
    let (_folder, mut program) = program("noisy", script);
    assert!(matches!(program.next::<Line>().await.unwrap(), Line::Hello(_)));
    let said = program.stop().await.unwrap();
    assert_eq!(said.len(), 1);
}

#[leakcheck::test]
async fn a_silent_program_is_noticed_however_often_it_is_asked() {
    let (_folder, mut program) = program("stuck", "sleep 300");
    tokio::time::pause();
    let started = Instant::now();
    let error = loop {
        // The console has news four times a second.
        tokio::select! {
            line = program.next::<Line>() => break line.unwrap_err().to_string(),
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
        assert!(started.elapsed() < 2 * SILENCE_MAX, "the silence is not noticed");
    };
    assert_eq!(error, "stuck said nothing for 20 s");
}
