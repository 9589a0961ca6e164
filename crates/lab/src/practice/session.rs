//! A practice: on each save it checks, and says what is missing. One job runs at a time; dropping its future ends its programs, so a save in the
//! middle of a run begins anew.

mod actions;
mod face;
mod input;
mod screen;
mod state;

use std::{
    path::Path,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use evidence::{
    exercise::{Exercise, MINE},
    key::Key,
};

use super::{
    files::{Change, Files},
    guard::{self, Judged},
    progress::{self, Entry, Progress},
};
use crate::{
    check::{self, Event, Outcome, Verdict},
    today,
};
use face::Face;
use input::{Input, Press};
use state::{Checked, Doing, State};

/// How a practice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The reader goes on with the next exercise.
    Next,
    /// The reader is done, or there is no more input: how the last check ended, as an exit code.
    Quit(u8),
}

/// How to practise.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// One check, in plain lines.
    pub once: bool,
}

/// Practises one exercise until the reader ends it.
///
/// # Errors
/// When the progress cannot be noted, or the given service cannot be read.
pub async fn run(root: &Path, exercise: &Exercise, how: How) -> anyhow::Result<End> {
    let progress = Progress::read(root);
    let input = Input::of(how);
    let face = Face::of(&input);
    let session = Session {
        root,
        exercise,
        state: Mutex::new(State::new(exercise, progress.of(exercise.name()))),
        face: Mutex::new(face),
        key: Mutex::default(),
        asked: Mutex::default(),
    };
    if let Some(line) = progress.damaged {
        session.note(line);
    }
    session.run(input, how).await
}

/// One practice.
struct Session<'a> {
    root: &'a Path,
    exercise: &'a Exercise,
    state: Mutex<State<'a>>,
    face: Mutex<Face>,
    /// What a run of the given service told.
    key: Mutex<Option<Key>>,
    /// The key that waits for a second one.
    asked: Mutex<Option<char>>,
}

/// What a job comes to.
enum Done {
    Checked(anyhow::Result<Verdict>),
    Guarded(anyhow::Result<Judged>),
}

type Job<'s> = Pin<Box<dyn Future<Output = Done> + 's>>;

/// What happened.
enum Woken {
    Done(Done),
    Pressed(Press),
    Changed(Change),
}

/// What to do next.
enum Step {
    Wait,
    Check,
    Guard,
    /// What ran before a dialog runs anew.
    Again,
    End(End),
}

impl<'a> Session<'a> {
    async fn run(&self, mut input: Input, how: How) -> anyhow::Result<End> {
        let mut files = Files::of(self.exercise);
        let mut job = None;
        if files.is_mine_gone() {
            self.change(|state| state.mine_gone = true);
            if how.once {
                return Ok(End::Quit(2));
            }
        } else {
            job = Some(self.check());
        }
        loop {
            if job.is_none() && (how.once || input.is_over()) {
                return Ok(End::Quit(self.code()));
            }
            let woken = tokio::select! {
                biased;
                done = async { job.as_mut().expect("there is one").await }, if job.is_some() => Woken::Done(done),
                press = input.press() => Woken::Pressed(press),
                change = files.changed() => Woken::Changed(change),
            };
            let runs = job.is_some();
            let step = match woken {
                Woken::Done(done) => {
                    job = None;
                    // What was saved at the last moment is not what was checked.
                    match files.look() {
                        Some(change) => self.changed(change),
                        None => self.done(done)?,
                    }
                }
                Woken::Changed(change) => {
                    job = None;
                    self.changed(change)
                }
                Woken::Pressed(press) => {
                    // A dialog has the terminal and the processors for itself.
                    if actions::is_dialog(press) {
                        job = None;
                    }
                    self.pressed(press, &mut input).await?
                }
            };
            match step {
                Step::Wait => {}
                Step::Check => job = Some(self.check()),
                Step::Guard => job = Some(self.guard()),
                Step::Again if runs => job = Some(self.check()),
                Step::Again => self.change(|state| state.doing = Doing::Waiting),
                Step::End(end) => return Ok(end),
            }
        }
    }

    fn check(&self) -> Job<'_> {
        let since = Instant::now();
        self.change(|state| {
            state.doing = Doing::Building("building your copy".to_owned());
            state.series.clear();
            state.guard = None;
        });
        Box::pin(async move {
            let on = |event: Event| self.on(event);
            let checked = check::check(self.root, self.exercise, MINE, &on).await;
            self.quietly(|state| state.took = since.elapsed());
            Done::Checked(checked)
        })
    }

    fn guard(&self) -> Job<'_> {
        self.change(|state| state.doing = Doing::Guarding);
        Box::pin(async move {
            let on = |event: Event| {
                if let Event::Build { text, done, total } = event {
                    self.building(&text, done, total);
                } else {
                    self.quietly(|state| state.doing = Doing::Guarding);
                }
            };
            Done::Guarded(guard::try_on_both(self.root, self.exercise, &self.key, &on).await)
        })
    }

    fn changed(&self, change: Change) -> Step {
        match change {
            Change::Mine => {
                self.quietly(|state| state.mine_gone = false);
                Step::Check
            }
            Change::MineGone => {
                self.change(|state| {
                    state.mine_gone = true;
                    state.doing = Doing::Waiting;
                    state.checked = None;
                });
                Step::Wait
            }
            Change::Guard => Step::Guard,
        }
    }

    /// A job has ended: what it came to is shown and noted.
    fn done(&self, done: Done) -> anyhow::Result<Step> {
        match done {
            Done::Checked(Ok(verdict)) => {
                let passed = verdict.outcome == Outcome::Passed;
                if passed {
                    let day = today::day()?;
                    self.remember(|entry| {
                        entry.passed.get_or_insert(day);
                    })?;
                }
                self.change(|state| {
                    state.doing = Doing::Waiting;
                    state.checked = Some(Checked::Judged(Box::new(verdict)));
                });
                let is_next = passed && lock(&self.state).entry.guarded.is_none() && guard::has_test(self.exercise);
                Ok(if is_next { Step::Guard } else { Step::Wait })
            }
            Done::Checked(Err(error)) => {
                self.change(|state| {
                    state.doing = Doing::Waiting;
                    state.checked = Some(Checked::Failed(format!("{error:#}")));
                });
                Ok(Step::Wait)
            }
            Done::Guarded(Ok(judged)) => {
                if judged.worth == guard::Worth::Guards {
                    let day = today::day()?;
                    self.remember(|entry| {
                        entry.guarded.get_or_insert(day);
                    })?;
                }
                self.change(|state| {
                    state.doing = Doing::Waiting;
                    state.guard = Some(judged);
                });
                Ok(Step::Wait)
            }
            Done::Guarded(Err(error)) => {
                self.change(|state| state.doing = Doing::Waiting);
                self.note(format!("{error:#}"));
                Ok(Step::Wait)
            }
        }
    }

    /// The exit code of the last check.
    fn code(&self) -> u8 {
        let state = lock(&self.state);
        match &state.checked {
            Some(Checked::Judged(verdict)) => match verdict.outcome {
                Outcome::Passed => 0,
                Outcome::Failed => 1,
                Outcome::TooBusy => 3,
            },
            Some(Checked::Failed(_)) => 2,
            None => u8::from(state.mine_gone) * 2,
        }
    }

    /// Shows an event of a check.
    fn on(&self, event: Event) {
        match event {
            Event::Build { text, done, total } => self.building(&text, done, total),
            Event::Again { attempt } => {
                self.change(|state| {
                    state.series.clear();
                    state.doing = Doing::Again(attempt);
                });
            }
            Event::Started { .. } => self.change(|state| {
                if !matches!(state.doing, Doing::Again(_)) {
                    state.doing = Doing::Running;
                }
            }),
            Event::Sample { side, sample } => {
                self.quietly(|state| state.sample(side, sample));
                self.show();
            }
            Event::Verdict(_) | Event::Error { .. } => {}
        }
    }

    fn building(&self, text: &str, done: u32, total: u32) {
        let text = evidence::words::building(text, done, total);
        self.change(|state| state.doing = Doing::Building(text));
    }

    /// Notes something in the reader's progress. What there is to say of a damaged file is shown with the next picture.
    fn remember(&self, change: impl FnOnce(&mut Entry)) -> anyhow::Result<()> {
        let (entry, said) = progress::note(self.root, self.exercise.name(), change)?;
        self.quietly(|state| {
            state.entry = entry;
            state.note.extend(said);
        });
        Ok(())
    }

    /// Says something below all else, until the next key.
    fn note(&self, line: impl AsRef<str>) {
        self.change(|state| {
            if !state.note.is_empty() {
                state.note.push(' ');
            }
            state.note += line.as_ref();
        });
    }

    fn change(&self, change: impl FnOnce(&mut State<'a>)) {
        self.quietly(change);
        self.show();
    }

    fn quietly(&self, change: impl FnOnce(&mut State<'a>)) {
        change(&mut lock(&self.state));
    }

    fn show(&self) {
        lock(&self.face).show(&lock(&self.state));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
