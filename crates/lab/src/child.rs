//! Owns running programs: a process group each, killed when its owner is dropped. Nothing the lab starts outlives it.

use std::{
    path::Path,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use stage::wire::Line;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A program that was asked to end gets this long before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// A program that says nothing for this long is stuck: it samples four times a second.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// What a program said on its error output is kept up to here.
const STDERR_MAX: usize = 8 * 1024;

/// A process and all that it starts. Dropping it kills them; tokio reaps the process afterwards.
pub struct Group(Child);

/// A scenario's program, watched over `--json`.
pub struct Program {
    name: String,
    group: Group,
    /// Kept open while the program may run: with `--hold` it ends when this closes, however the lab ends.
    leash: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: Option<ChildStderr>,
    last_words: Vec<u8>,
}

impl Group {
    /// Starts `command` in a process group of its own, so that Ctrl-C in the terminal reaches the lab alone.
    pub fn spawn(mut command: Command) -> std::io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true).spawn().map(Self)
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    pub(crate) fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// Waits for the process to end.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Runs `command` to its end, and returns what it said on outputs that are piped.
    pub async fn output(command: Command) -> std::io::Result<Output> {
        async fn all(source: Option<impl AsyncReadExt + Unpin>) -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            if let Some(mut source) = source {
                source.read_to_end(&mut bytes).await?;
            }
            Ok(bytes)
        }
        let mut group = Self::spawn(command)?;
        let (stdout, stderr) = (group.take_stdout(), group.take_stderr());
        let (stdout, stderr) = tokio::try_join!(all(stdout), all(stderr))?;
        Ok(Output { status: group.wait().await?, stdout, stderr })
    }

    /// Asks the group to end, and kills what is left after a grace period.
    pub async fn stop(&mut self) -> std::io::Result<ExitStatus> {
        self.signal(Signal::Term);
        match timeout(GRACE, self.0.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.signal(Signal::Kill);
                self.0.wait().await
            }
        }
    }

    /// Only while the process is not reaped: afterwards its number may belong to another.
    fn signal(&self, signal: Signal) {
        #[cfg(unix)]
        if let Some(group) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let signal = match signal {
                Signal::Term => rustix::process::Signal::TERM,
                Signal::Kill => rustix::process::Signal::KILL,
            };
            // The group may be gone already, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
        #[cfg(not(unix))]
        let _ = signal;
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
    }
}

impl Program {
    /// Starts a scenario's binary so that it waits for a console, speaks JSON, and stays up after its report.
    ///
    /// # Errors
    /// When the file cannot be run.
    pub fn start(name: &str, executable: &Path, args: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(executable);
        command
            .args(["--json", "--hold", "--await-console", "--console", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut group = Group::spawn(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            leash: group.0.stdin.take(),
            lines: BufReader::new(group.take_stdout().context("no standard output")?).lines(),
            stderr: group.take_stderr(),
            last_words: Vec::new(),
            group,
        })
    }

    /// The process's number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.group.0.id()
    }

    /// The program's next line.
    ///
    /// # Errors
    /// When it ended, was killed, went silent or said something that is no line of `--json`; with what it said last.
    pub async fn next_line(&mut self) -> anyhow::Result<Line> {
        let line = match timeout(SILENCE_MAX, self.read_line()).await {
            Ok(line) => line.with_context(|| format!("cannot read from {}", self.name))?,
            Err(_) => bail!("{} said nothing for {} s", self.name, SILENCE_MAX.as_secs()),
        };
        match line {
            Some(line) => serde_json::from_str(&line).with_context(|| format!("{} said `{line}`", self.name)),
            None => bail!("{}", self.obituary().await),
        }
    }

    /// Ends the program. How it ends is of no interest any more: 100,000 tasks take longer to drop than anybody waits.
    ///
    /// # Errors
    /// When the system does not say that it ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.leash.take());
        self.group.stop().await.map(drop).with_context(|| format!("cannot end {}", self.name))
    }

    async fn obituary(&mut self) -> String {
        let status = timeout(GRACE, self.group.wait()).await;
        let ending = match status {
            Ok(Ok(status)) => describe(status),
            _ => "closed its output".to_owned(),
        };
        let words = self.last_words().await;
        let said = if words.is_empty() { String::new() } else { format!(":\n{words}") };
        format!("{} {ending} before its report{said}", self.name)
    }

    /// The next line of standard output. Meanwhile error output is read too: a full pipe would stop the program.
    async fn read_line(&mut self) -> std::io::Result<Option<String>> {
        loop {
            tokio::select! {
                line = self.lines.next_line() => return line,
                more = read_some(&mut self.stderr, &mut self.last_words) => if !more { self.stderr = None },
            }
        }
    }

    async fn last_words(&mut self) -> String {
        let rest = async { while read_some(&mut self.stderr, &mut self.last_words).await {} };
        let _ = timeout(GRACE, rest).await;
        String::from_utf8_lossy(&self.last_words).trim().to_owned()
    }
}

/// Reads once; false at the end. Of what is said only the beginning is kept: the first panic is the cause.
async fn read_some(stderr: &mut Option<ChildStderr>, kept: &mut Vec<u8>) -> bool {
    let Some(stderr) = stderr else { return std::future::pending().await };
    let mut chunk = [0; 1024];
    let n = stderr.read(&mut chunk).await.unwrap_or(0);
    let room = STDERR_MAX.saturating_sub(kept.len()).min(n);
    kept.extend_from_slice(&chunk[..room]);
    n > 0
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended".to_owned(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
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
        BufReader::new(group.take_stdout().unwrap()).lines().next_line().await.unwrap().unwrap()
    }

    #[leakcheck::test]
    async fn a_dropped_group_takes_its_grandchildren_along() {
        let mut group = Group::spawn(sh("sleep 300 & echo $!; wait")).unwrap();
        let grandchild = first_line(&mut group).await;
        assert!(is_running(&grandchild), "the test needs a grandchild that runs");
        drop(group);
        let gone = async {
            while is_running(&grandchild) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.expect("the grandchild still runs");
    }

    #[leakcheck::test]
    async fn a_group_that_ignores_the_request_is_killed() {
        let mut group = Group::spawn(sh("trap '' TERM; echo ready; while :; do sleep 0.1; done")).unwrap();
        first_line(&mut group).await;
        let status = group.stop().await.unwrap();
        assert_eq!(describe(status), "was killed by signal 9");
    }

    #[leakcheck::test]
    async fn a_program_that_dies_leaves_its_last_words() {
        let script = std::env::temp_dir().join(format!("lab-dies-{}", std::process::id()));
        std::fs::write(&script, "#!/bin/sh\necho 'thread main panicked' >&2\nexit 101\n").unwrap();
        let mut permissions = std::fs::metadata(&script).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(&script, permissions).unwrap();
        let mut program = Program::start("dies", &script, &[]).unwrap();
        let error = program.next_line().await.unwrap_err().to_string();
        std::fs::remove_file(&script).unwrap();
        assert_eq!(error, "dies ended with exit code 101 before its report:\nthread main panicked");
    }
}
