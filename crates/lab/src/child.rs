//! Owns running programs: a process group each, ended when its owner is dropped. Nothing the lab starts outlives it.

mod output;

use std::{
    fmt,
    path::Path,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout, timeout_at},
};

use output::{ErrorOutput, Lines, Unread, quote};

/// A program that was asked to end gets this long before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// A program that says nothing for this long is stuck: it samples four times a second.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// What is left in a pipe after its writer has ended is there at once.
const REST_LIMIT: Duration = Duration::from_millis(500);
/// The exit code of a program that could not start: wrong arguments, a taken port.
const NOT_STARTED: i32 = 2;

/// A process and all that it starts. Dropping it kills them; tokio reaps the process afterwards.
pub struct Group(Child);

/// A scenario's program, watched over `--json`.
pub struct Program {
    name: String,
    group: Group,
    /// Kept open while the program may run: with `--hold` it ends when this closes, however the lab ends.
    stdin: Option<ChildStdin>,
    stdout: Lines<ChildStdout>,
    stderr: ErrorOutput<ChildStderr>,
    /// When it last said something. Kept here, so that the limit holds also for who asks again and again.
    heard: Instant,
    spoke: bool,
}

/// A program did not start: its arguments are wrong, or what it needs is missing. Not a failed run.
#[derive(Debug)]
pub struct NotStarted {
    name: String,
    said: String,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not start:\n{}", self.name, self.said)
    }
}

impl std::error::Error for NotStarted {}

/// A program wrote something to standard output that is no line of `--json`.
#[derive(Debug)]
pub struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// How a program ended that was asked to.
pub struct Ended {
    /// Lines of its error output that tell why a run failed, wherever they stand in it.
    pub telling: Vec<String>,
    /// The first lines of its error output.
    pub said: Vec<String>,
    /// Processes that it started and left behind; they were killed. Linux only, else 0.
    pub children: usize,
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

    /// Waits for the process to end, and kills what it leaves in its group.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.ended().await?;
        self.signal(Signal::Kill);
        self.0.wait().await
    }

    /// Runs `command` to its end, and returns what it said on its outputs, which are piped.
    pub async fn output(command: Command) -> std::io::Result<Output> {
        let (mut group, mut stdout, mut stderr) = (Self::spawn(command)?, Vec::new(), Vec::new());
        let no_pipe = || std::io::Error::other("its outputs are not piped");
        let mut out = group.take_stdout().ok_or_else(no_pipe)?;
        let mut err = group.take_stderr().ok_or_else(no_pipe)?;
        tokio::try_join!(out.read_to_end(&mut stdout), err.read_to_end(&mut stderr))?;
        Ok(Output { status: group.wait().await?, stdout, stderr })
    }

    /// Asks the group to end, and kills what is left when its leader has ended or after a grace period.
    pub async fn stop(&mut self) -> std::io::Result<ExitStatus> {
        self.signal(Signal::Term);
        let _ = timeout(GRACE, self.ended()).await;
        self.signal(Signal::Kill);
        self.0.wait().await
    }

    /// Waits until the process has ended, and does not reap it: as long as it is a zombie, its number, which is the
    /// group's, is not given to another.
    #[cfg(unix)]
    async fn ended(&self) -> std::io::Result<()> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        use tokio::signal::unix::{SignalKind, signal};
        // Listened to before the first look, so that an end in between is not missed.
        let mut children = signal(SignalKind::child())?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Some(pid) = self.pid()
            && waitid(WaitId::Pid(pid), options)?.is_none()
        {
            children.recv().await;
        }
        Ok(())
    }

    #[cfg(not(unix))]
    async fn ended(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// The number of the process and of its group; none once it is reaped: then it may belong to another.
    #[cfg(unix)]
    fn pid(&self) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(self.0.id()?.cast_signed())
    }

    /// Asks the leader to end, and nobody else.
    fn signal_leader(&self) {
        #[cfg(unix)]
        if let Some(leader) = self.pid() {
            // It may be gone already, which is what is wanted.
            let _ = rustix::process::kill_process(leader, rustix::process::Signal::TERM);
        }
    }

    /// How many processes of the group run, besides its leader.
    #[cfg(target_os = "linux")]
    fn others(&self) -> usize {
        let Some(group) = self.pid() else { return 0 };
        let leader = group.as_raw_nonzero().get().to_string();
        let is_other = |entry: &std::fs::DirEntry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // `12 (its name) S 1 12 …`: state, parent, group. A zombie has ended.
            let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
            let (state, group) = (fields.next(), fields.nth(1));
            group == Some(leader.as_str()) && state != Some("Z") && entry.file_name() != *leader
        };
        std::fs::read_dir("/proc").map_or(0, |entries| entries.flatten().filter(is_other).count())
    }

    #[cfg(not(target_os = "linux"))]
    fn others(&self) -> usize {
        0
    }

    fn signal(&self, signal: Signal) {
        #[cfg(unix)]
        if let Some(group) = self.pid() {
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
    /// Starts a scenario's binary so that it speaks JSON, and stays up after its report.
    ///
    /// # Errors
    /// When the file cannot be run.
    pub fn start(name: &str, executable: &Path, args: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(executable);
        command
            .args(["--json", "--hold"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut group = Group::spawn(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            stdin: group.0.stdin.take(),
            stdout: Lines::of(group.take_stdout().context("no standard output")?),
            stderr: ErrorOutput::of(group.take_stderr().context("no error output")?),
            heard: Instant::now(),
            spoke: false,
            group,
        })
    }

    /// The program's next line, as what its reader takes for a line. May be dropped at any moment and called again.
    ///
    /// # Errors
    /// When it ended, was killed, went silent or said something that is no line of `--json`; with what it said last.
    pub async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let read = read(&mut self.stdout, &mut self.stderr);
        let Ok(read) = timeout_at(self.heard + SILENCE_MAX, read).await else {
            bail!("{} said nothing for {} s", self.name, SILENCE_MAX.as_secs());
        };
        let misuse = |what: String, begin: String| {
            Misuse(format!("{} wrote {what} to standard output, which is for --json: use eprintln!{begin}", self.name))
        };
        let line = match read {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.why_it_ended().await),
            Err(Unread::TooLong { limit, start }) => {
                let begin = format!(" (it begins `{start}`)");
                return Err(misuse(format!("a line of more than {limit} bytes"), begin).into());
            }
            Err(Unread::Failed(error)) => return Err(error).with_context(|| format!("cannot read from {}", self.name)),
        };
        self.heard = Instant::now();
        let Ok(line) = serde_json::from_slice(&line) else {
            return Err(misuse(format!("`{}`", quote(&line)), String::new()).into());
        };
        self.spoke = true;
        Ok(line)
    }

    /// Reads what the program says on its error output, for ever: a full pipe would stop it.
    pub async fn attend(&mut self) {
        self.stderr.read_for_ever().await;
    }

    /// Ends the program, and returns the first lines of what it said on its error output. It is not asked to tidy up:
    /// to drop 100,000 tasks takes longer than anybody waits.
    ///
    /// # Errors
    /// When the system does not say that it ended.
    pub async fn stop(mut self) -> anyhow::Result<Vec<String>> {
        self.stop_and_say().await
    }

    async fn stop_and_say(&mut self) -> anyhow::Result<Vec<String>> {
        drop(self.stdin.take());
        let status = tokio::select! {
            status = self.group.stop() => status,
            () = self.stderr.read_for_ever() => unreachable!("it never ends"),
        };
        status.with_context(|| format!("cannot end {}", self.name))?;
        Ok(self.said().await)
    }

    /// Asks the program to end as a supervisor does that knows one process: what it started is its own to end.
    pub fn ask_to_end(&self) {
        self.group.signal_leader();
    }

    /// Waits for a program that was asked to end, kills what is left, and says how it went. It gets a grace period.
    ///
    /// # Errors
    /// When the system does not say that it ended.
    pub async fn end(mut self) -> anyhow::Result<Ended> {
        let ended = tokio::select! {
            ended = timeout(GRACE, self.group.ended()) => ended,
            () = self.stderr.read_for_ever() => unreachable!("it never ends"),
        };
        let children = if ended.is_ok() { self.group.others() } else { 0 };
        let said = self.stop_and_say().await?;
        Ok(Ended { telling: self.stderr.telling().to_vec(), said, children })
    }

    /// The program has closed its output: with which exit code, and what it said before.
    async fn why_it_ended(&mut self) -> anyhow::Error {
        let status = timeout(GRACE, self.group.wait()).await;
        let said = self.said().await.join("\n");
        let ending = match status {
            Ok(Ok(status)) if !self.spoke && status.code() == Some(NOT_STARTED) => {
                return NotStarted { name: self.name.clone(), said }.into();
            }
            Ok(Ok(status)) => describe(status),
            _ => "closed its output".to_owned(),
        };
        let said = if said.is_empty() { said } else { format!(":\n{said}") };
        anyhow::anyhow!("{} {ending} before its report{said}", self.name)
    }

    async fn said(&mut self) -> Vec<String> {
        let _ = timeout(REST_LIMIT, self.stderr.read_to_end()).await;
        self.stderr.said()
    }
}

/// The next line of standard output. Meanwhile error output is read too: a full pipe would stop the program.
async fn read(
    stdout: &mut Lines<ChildStdout>,
    stderr: &mut ErrorOutput<ChildStderr>,
) -> Result<Option<Vec<u8>>, Unread> {
    tokio::select! {
        line = stdout.next_line() => line,
        () = stderr.read_for_ever() => unreachable!("it never ends"),
    }
}

pub(crate) fn describe(status: ExitStatus) -> String {
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
mod tests;
