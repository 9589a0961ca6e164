//! `{{#exercise NAME}}` and `{{#exercises}}`: all of an exercise's page below its story, and the list of all exercises.
//!
//! Nothing that tells the answer stands outside a fold, and of a blind exercise nothing that hints at it: no hint, no page that it draws on, no
//! run of a solution.

mod list;
mod passes;
mod solved;

use evidence::{
    exercise::{Exercise, MINE, SOLUTION, START},
    key::{Key, Side},
    series::Recording,
    side::capital,
};

use super::{
    ask, figure, html, lines,
    source::{Source, Told},
};

pub(super) use list::list;

/// What the steps of the ladder are.
const STEPS: [&str; 3] = ["where to look", "what to think of", "what to do"];

/// All of an exercise's page below its story.
pub(super) fn page(source: &Source, id: &str, name: &str) -> anyhow::Result<String> {
    page_of(source, id, source.exercise(name)?)
}

fn page_of(source: &Source, id: &str, exercise: &Exercise) -> anyhow::Result<String> {
    let name = exercise.name();
    let recording = match source.recording_of(&exercise.scenario) {
        // A side that is new has no run yet, which is told, too.
        Ok(recording) => Some(recording).filter(|one| exercise.proven().all(|side| one.sides.contains_key(side))),
        // Told already; the page has a line in the place of each drawing and table.
        Err(error) if error.downcast_ref::<Told>().is_some() => None,
        Err(error) => return Err(error),
    };
    let recording = recording.as_deref();
    let start = source.exercise_file(exercise, "start.rs")?;
    let blocks = [
        facts(source, exercise),
        do_it(name),
        code(name, &start),
        diagnose(source, exercise, recording, &start)?,
        check(id, exercise, recording)?,
        if exercise.is_blind() { String::new() } else { format!("## Hints\n\n{}", hints(exercise)) },
        solutions(source, id, exercise, recording)?,
    ];
    Ok(blocks.join("\n\n") + "\n")
}

fn facts(source: &Source, exercise: &Exercise) -> String {
    let draws =
        if exercise.is_blind() { String::new() } else { format!(" · draws on {}", draws_on(source, exercise)) };
    format!(
        "<p class=\"wb-facts\">Level {} · about {} minutes{draws}</p>\n<p class=\"wb-reader\" data-exercise=\"{}\"></p>",
        exercise.level(),
        exercise.facts.minutes,
        html::text(exercise.name())
    )
}

fn draws_on(source: &Source, exercise: &Exercise) -> String {
    let link = |page: &String| format!("<a href=\"{}.html\">{}</a>", html::text(page), html::text(&source.title(page)));
    exercise.facts.chapters.iter().map(link).collect::<Vec<_>>().join(", ")
}

fn do_it(name: &str) -> String {
    format!(
        "## Do it\n\nYour copy of the service is `exercises/{name}/mine.rs`. Edit that file and no other: `start.rs` stays as it is given, and \
         `world.rs` holds the peers, the clients and what is checked.\n\n\
         ```sh\n\
         cargo lab practice {name}  # at each save: chart, verdict\n\
         cargo lab answer {name}    # first: your diagnosis, graded\n\
         cargo lab check {name}     # one full check of your copy\n\
         cargo lab guard {name}     # last: your guard, tried twice\n\
         ```"
    )
}

/// The recorded run, and in its place the live one where the lab serves the page.
fn check(id: &str, exercise: &Exercise, recording: Option<&Recording>) -> anyhow::Result<String> {
    let name = exercise.name();
    let sides: &[&str] = if exercise.is_blind() { &[START] } else { &[START, SOLUTION] };
    let beside = if exercise.is_blind() { "" } else { " beside a solution" };
    let live = format!(" data-exercise=\"{0}\" data-sides=\"{MINE} {SOLUTION}\"", html::text(name));
    let chart = match recording {
        Some(recording) => figure::practice(id, &live, exercise, recording, sides)?,
        None => html::not_recorded(name),
    };
    Ok(format!(
        "## Check mine\n\n`cargo lab check {name}` builds your copy, runs it beside a solution under the same load, and says what is missing. Where \
         `cargo lab` serves this page, the button below the drawing does the same. Recorded here is the service as it is given{beside}.\n\n\
         {chart}\n\nYour copy passes when all of this holds:\n\n{}",
        passes::list(exercise)
    ))
}

fn code(name: &str, start: &str) -> String {
    let all: String = start.lines().map(|text| lines::line("span", text)).collect();
    let summary = format!("The whole service, {}", lines::count(start.lines().count()));
    format!(
        "## The service\n\n<figure class=\"wb-listing wb-numbered\"><figcaption><code>exercises/{}/start.rs</code></figcaption>{}</figure>",
        html::text(name),
        html::fold("wb-more", &summary, &lines::block("All lines of start.rs", &all))
    )
}

/// A ladder: each step is folded into the one before.
fn hints(exercise: &Exercise) -> String {
    let steps = exercise.facts.hints.iter().zip(STEPS).enumerate().rev();
    steps.fold(String::new(), |deeper, (at, (hint, step))| {
        let summary = format!("Hint {}: {step}", at + 1);
        html::fold("wb-hint", &summary, &format!("<p>{}</p>{deeper}", html::prose(hint)))
    })
}

fn diagnose(
    source: &Source,
    exercise: &Exercise,
    recording: Option<&Recording>,
    start: &str,
) -> anyhow::Result<String> {
    let name = exercise.name();
    let unit = html::inline(&exercise.scenario.statement.unit);
    let healthy = if exercise.is_blind() { " That nothing stays for good is an answer, too." } else { "" };
    let answer = match recording {
        Some(recording) => {
            let solution = source.exercise_file(exercise, "solution.rs")?;
            let [start, solution] = [(START, start), (SOLUTION, solution.as_str())]
                .map(|(side, source)| recording.run(side).map(|run| Side { report: &run.report, source }));
            format!("<p>{}</p>", from_the_run(&Key::of(exercise, start?, solution?)?))
        }
        None => html::not_recorded(name).trim_end().to_owned(),
    };
    Ok(format!(
        "## Diagnose\n\nAnswer before you change a line; `cargo lab answer {name}` asks the same and grades you.{healthy}\n\n\
         **1.** Which line of `start.rs` adds what stays?\n\n\
         {}\
         **4.** How many are left for each {unit}?\n\n{}",
        ask::of_exercise(source, name, true, 2)?,
        html::fold("wb-answer", "Answer to 1 and 4, from the recorded run", &answer)
    ))
}

/// What the recorded runs tell: where what stays was added, and how many are left.
fn from_the_run(key: &Key) -> String {
    let lines: Vec<_> = key.line_numbers().iter().map(|line| format!("<code>start.rs:{line}</code>")).collect();
    let lines = if lines.is_empty() { "None".to_owned() } else { lines.join(" and ") };
    format!("<strong>1.</strong> {lines}. <strong>4.</strong> {}.", html::text(&capital(&key.seen)))
}

/// Hints of a blind exercise, solutions and traps, in one fold.
fn solutions(source: &Source, id: &str, exercise: &Exercise, recording: Option<&Recording>) -> anyhow::Result<String> {
    let name = exercise.name();
    let mut content = String::from(
        "\n\n<p class=\"wb-warning\">What stands here is worth more after you have tried. Read on when your copy passes, or when you have had \
         enough of it.</p>\n\n",
    );
    if exercise.is_blind() {
        content += &format!("<p>It draws on {}.</p>\n\n{}\n\n", draws_on(source, exercise), hints(exercise));
        if let Some(recording) = recording {
            content += &figure::practice(&format!("{id}-solved"), "", exercise, recording, &[START, SOLUTION])?;
            content += "\n\n";
        }
    }
    content += &solved::compared(source, exercise)?;
    match recording {
        Some(recording) => content += &solved::measured(exercise, recording)?,
        None => content += &html::not_recorded(name),
    }
    content += &format!("\n\n{}\n\n", solved::traps(source, exercise)?);
    let others = ask::of_exercise(source, name, false, 1)?;
    if !others.is_empty() {
        content += &format!("\n\n**To talk about**\n{others}");
    }
    Ok(format!(
        "## Solutions\n\n{}",
        html::fold("wb-solutions", "Solutions, and what does not pass", &(content + "\n"))
    ))
}

#[cfg(test)]
mod tests;
