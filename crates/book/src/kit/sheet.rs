//! The interviewer's sheet: one file, for paper. Pure.

mod fixes;
mod measured;

use std::fmt::Write as _;

use evidence::side::{Role, Side, capital};

use self::measured::Measured;
use super::{
    ingredients::{Files, Ingredients},
    manifest,
    nouns::Nouns,
    order::Order,
    service,
};
use crate::html;

/// More would not fit.
const QUESTIONS_MAX: usize = 6;
/// Lines to write on.
const NOTES: usize = 10;
/// The way and its points: 100 in all.
const POINTS: [u32; 6] = [10, 15, 20, 20, 20, 15];
/// What a level is expected to reach of them.
const LEVELS: [(&str, u32); 3] = [("Mid-level", 45), ("Senior", 70), ("Staff", 85)];

/// Minutes and what happens in them.
type Plan = [(&'static str, &'static str); 6];
const PLAN_45: Plan = [
    (
        "0–5",
        "Hand over the folder, built. Let them read the task and run it once; ask what they see before they read code.",
    ),
    ("5–13", "What stays, how much per unit of work, and which line starts it."),
    ("13–22", "What it waits for, and who holds the other end. Ask for the sentence, not for the word."),
    ("22–33", "The change, and a run. Ask what it costs before they start to type."),
    ("33–38", "A test that would have told, in code or in words."),
    ("38–45", "Questions below; theirs. Score at once, while you remember."),
];
const PLAN_20: Plan = [
    ("0–3", "Show the run and its report; let them say what they see."),
    ("3–7", "Which line starts what stays."),
    ("7–11", "What it waits for, and who holds the other end."),
    ("11–15", "The change: in words, then its lines. No need to run it."),
    ("15–17", "A test that would have told, in words."),
    ("17–20", "One or two questions below. Score at once."),
];

/// The whole file. `candidate` is what the candidate gets.
///
/// # Errors
/// When a side of the workbook lacks a module.
pub(super) fn html(of: &Ingredients, order: Order, nouns: &Nouns, candidate: &Files) -> anyhow::Result<String> {
    let sheet = Sheet { of, order, nouns, candidate, measured: Measured::of(of) };
    let title = html::text(of.scenario.title());
    let body = [
        sheet.head(),
        sheet.plan(),
        sheet.way(),
        sheet.levels(),
        sheet.turns()?,
        sheet.accepted()?,
        sheet.questions(),
        sheet.notes(),
    ];
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Interview kit: {title}</title>\n<style>\n{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        include_str!("sheet/style.css"),
        body.concat()
    ))
}

struct Sheet<'a> {
    of: &'a Ingredients,
    order: Order,
    nouns: &'a Nouns,
    candidate: &'a Files,
    measured: Measured<'a>,
}

impl Sheet<'_> {
    /// Prose in the kit's nouns.
    fn prose(&self, text: &str) -> String {
        emphasis(&emphasis(&html::prose(&self.nouns.apply(text)), "**", "b"), "*", "i")
    }

    fn head(&self) -> String {
        let (of, order) = (self.of, self.order);
        let statement = &of.scenario.statement;
        let load = order.load(statement.units, statement.rate);
        let name = html::text(&of.scenario.name);
        let seed = if order.seed == 0 { "without a seed".to_owned() } else { format!("seed {}", order.seed) };
        let pairs = self.nouns.pairs().iter().map(|(old, new)| format!("{old} → <b>{new}</b>"));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        let pairs = if pairs.is_empty() { String::new() } else { format!(" Nouns of this kit: {pairs}.") };
        format!(
            "<h1>{}</h1>\n<p class=\"head\">Interview kit <code>{name}</code> · {} minutes · {seed} · {} {} at {} a second · for the interviewer only</p>\n\
             <p><b>They are told:</b> {}</p>\n\
             <p>Give them the folder <code>candidate</code>, the day before or built. Judge what comes back with \
             <code>cargo lab kit {name} --verify DIR</code>: exit code 0 is passed.{}</p>\n",
            html::text(of.scenario.title()),
            order.minutes,
            load.units,
            self.prose(&statement.units_name()),
            load.rate,
            self.prose(&of.facts.task),
            pairs
        )
    }

    fn plan(&self) -> String {
        let plan = if self.order.minutes < 45 { PLAN_20 } else { PLAN_45 };
        let rows: String = plan
            .iter()
            .map(|(when, what)| format!("<tr><td class=\"minutes\">{when}</td><td>{what}</td></tr>"))
            .collect();
        format!(
            "<h2>Time plan</h2>\n<table>{rows}</table>\n<h2>What they will see</h2>\n{}\n{}",
            self.measured.figure(),
            self.first_run()
        )
    }

    /// The end of the candidate's first run.
    fn first_run(&self) -> String {
        let statement = &self.of.scenario.statement;
        let load = self.order.load(statement.units, statement.rate);
        let symptom =
            self.measured.symptom(load, &self.nouns.apply(&statement.unit), &self.nouns.apply(&statement.units_name()));
        symptom.map_or_else(String::new, |said| {
            format!("<p>With the load of this kit: {}</p>\n", html::text(&capital(&said)))
        })
    }

    /// From the symptom to the guard.
    fn way(&self) -> String {
        let facts = &self.of.facts;
        let (healthy, fix) = (self.is_healthy(), self.fix_in_words());
        let symptom = if healthy {
            "Says what grows, that it stops growing, at which count, and that this count does not follow the load."
        } else {
            "Says what grows, by how much per unit of work, and that it does not come back when the load is over."
        };
        let steps = [
            ("Symptom", symptom.to_owned()),
            ("Spawn line", self.spawn_line()),
            ("Waits for", self.prose(&facts.waits)),
            ("Other end", format!("{} What would end it: {}", self.prose(&facts.holder), self.prose(&facts.ends))),
            (if healthy { "Verdict" } else { "Fix" }, fix),
            ("Guard", self.guard()),
        ];
        let row = |((step, what), points): ((&str, String), u32)| {
            format!("<tr><td class=\"step\">{step}</td><td>{what}</td><td class=\"points\">__ / {points}</td></tr>")
        };
        let rows: String = steps.into_iter().zip(POINTS).map(row).collect();
        format!(
            "<h2>The way, and its points</h2>\n<table><tr><th>step</th><th>what to hear</th><th class=\"points\">of 100</th></tr>{rows}</table>\n\
             <p>Half the points where it took a hint. A guess that turns out right is worth half of a reason.{}</p>\n",
            self.hints()
        )
    }

    fn is_healthy(&self) -> bool {
        self.of.exercise.as_ref().is_some_and(|exercise| exercise.is_healthy())
    }

    fn spawn_line(&self) -> String {
        let recorded = self.measured.spawn();
        let stated = || {
            let exercise = self.of.exercise.as_ref()?;
            let file = format!("{}.rs", self.of.given());
            Some((file.clone(), exercise.stated_line(self.of.package.get(&file)?).ok()??))
        };
        let found = stated().or(recorded).and_then(|(file, line)| {
            let main = format!("{}.rs", self.of.given());
            let path = if file == main { service::MAIN.to_owned() } else { format!("src/{file}") };
            let (at, said) =
                fixes::line_in_kit(self.of.package.get(&file)?, line, self.candidate.get(&path)?, self.nouns)?;
            Some(format!("Names the line: <code>{path}:{at}</code>, <code>{}</code>", html::text(&said)))
        });
        found.unwrap_or_else(|| "Names the line that starts what stays; the report of a run says it.".to_owned())
    }

    fn fix_in_words(&self) -> String {
        if let Some(exercise) = &self.of.exercise {
            return exercise.facts.hints.last().map_or_else(String::new, |hint| self.prose(hint));
        }
        let side = self.of.scenario.side(self.of.goal());
        let said =
            side.and_then(|side| side.marked.as_ref().map(|(_, said)| capital(said)).or_else(|| side.sentence.clone()));
        said.map_or_else(String::new, |said| self.prose(&said))
    }

    /// What the workbook's own guard holds.
    fn guard(&self) -> String {
        let named = || self.of.scenario.side(self.of.given())?.guard.clone();
        let of_exercise = || test_name(self.of.package.get("guard-solution.rs")?);
        let said = named().or_else(of_exercise);
        let said = said.map_or_else(String::new, |said| format!(": <i>{}</i>", self.prose(&said)));
        if self.is_healthy() {
            return format!(
                "A test that holds the limit: it passes on what they were given, and fails where nothing limits{said}"
            );
        }
        format!("A test that fails on what they were given and passes on theirs, while the owner still lives{said}")
    }

    fn hints(&self) -> String {
        let Some(exercise) = &self.of.exercise else { return String::new() };
        let hints: Vec<_> = exercise.facts.hints.iter().map(|hint| self.prose(hint)).collect();
        let [first, second, ..] = hints.as_slice() else { return String::new() };
        format!(" <b>Hints:</b> {first} — {second}")
    }

    fn levels(&self) -> String {
        let facts = &self.of.facts;
        let column = |((name, points), said): ((&str, u32), &Vec<String>)| {
            let items: String = said.iter().map(|one| format!("<li>{}</li>", self.prose(one))).collect();
            format!("<div><h3>{name}: {points} points</h3><ul>{items}</ul></div>")
        };
        let columns: String = LEVELS.into_iter().zip([&facts.mid, &facts.senior, &facts.staff]).map(column).collect();
        format!("<h2>What to expect</h2>\n<div class=\"columns\">{columns}</div>\n")
    }

    /// What many try, and what it was measured to leave.
    fn turns(&self) -> anyhow::Result<String> {
        let mut rows = String::new();
        for side in self.of.scenario.sides.iter().filter(|side| side.role == Role::Wrong) {
            let (name, said) = (html::text(&side.name), self.prose(&self.sentence(side)?));
            let measured = self.measured.of_side(&side.name);
            let _ =
                write!(rows, "<tr><td class=\"step\"><code>{name}</code></td><td>{said}</td><td>{measured}</td></tr>");
        }
        Ok(match rows.as_str() {
            "" => rows,
            rows => format!(
                "<h2>Wrong turns</h2>\n<table><tr><th>side</th><th>what it does</th><th>measured</th></tr>{rows}</table>\n"
            ),
        })
    }

    /// What a side does. The head of an exercise's side says what the service is: there its change speaks.
    fn sentence(&self, side: &Side) -> anyhow::Result<String> {
        let own = if self.of.exercise.is_some() { None } else { side.sentence.clone() };
        let said = own.map_or_else(|| fixes::first_change(self.of, self.nouns, &side.name), |said| Ok(Some(said)))?;
        Ok(said.unwrap_or_default())
    }

    fn accepted(&self) -> anyhow::Result<String> {
        let title = if self.is_healthy() { "Accepted fixes: none is needed" } else { "Accepted fixes" };
        let mut out = format!("<h2>{title}</h2>\n");
        for (side, hunk) in fixes::hunks(self.of, self.nouns)? {
            let about = self.of.scenario.side(&side);
            let said = self.prose(&about.map_or_else(|| Ok(String::new()), |side| self.sentence(side))?);
            let (measured, misses) = (self.measured.of_side(&side), self.measured.misses(&side));
            let price = match misses.as_slice() {
                [] => String::new(),
                misses => {
                    format!(" <b>Not what this kit asks for</b> ({}): talk about it.", html::text(&misses.join("; ")))
                }
            };
            let _ =
                writeln!(out, "<p><code>{}</code> {said} <i>Measured: {measured}.</i>{price}</p>", html::text(&side));
            out += &match hunk {
                Some(lines) => format!("<pre>{lines}</pre>\n"),
                None => format!("<p>Its lines: <code>{}</code></p>\n", html::text(&fixes::file(self.of, &side))),
            };
        }
        Ok(out)
    }

    fn questions(&self) -> String {
        let one = |ask: &super::ingredients::Ask| {
            format!(
                "<dt>{}</dt><dd><b>{}</b> {}</dd>",
                self.prose(&ask.ask),
                self.prose(&ask.answer),
                self.prose(&ask.reason)
            )
        };
        let all: String = self.of.questions.iter().take(QUESTIONS_MAX).map(one).collect();
        if all.is_empty() { String::new() } else { format!("<h2>To ask afterwards</h2>\n<dl>{all}</dl>\n") }
    }

    fn notes(&self) -> String {
        let lines = "<i></i>".repeat(NOTES);
        let id = manifest::id(&self.of.scenario.name);
        format!(
            "<section class=\"notes\"><h2>Notes</h2>\n<div class=\"score\"><span>candidate</span><span>date</span><span>points of 100</span>\
             <span>verified: yes / no</span><span>level</span></div>{lines}</section>\n<!-- kit {id} -->\n"
        )
    }
}

/// `**x**` and `*x*` as elements, in text that is HTML already; what is not closed stays, and so does what is code.
fn emphasis(text: &str, mark: &str, element: &str) -> String {
    let parts: Vec<_> = text.split(mark).collect();
    if parts.len().is_multiple_of(2)
        || parts.iter().skip(1).step_by(2).any(|stressed| stressed.is_empty())
        || parts.iter().any(|part| part.matches("<code>").count() != part.matches("</code>").count())
    {
        return text.to_owned();
    }
    let piece = |(at, part): (usize, &&str)| {
        if at % 2 == 1 { format!("<{element}>{part}</{element}>") } else { (*part).to_owned() }
    };
    parts.iter().enumerate().map(piece).collect()
}

/// The name of the first leak test in a file, as a sentence.
fn test_name(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("#[leakcheck::test")?;
    let (name, _) = rest.split_once("fn ")?.1.split_once('(')?;
    Some(capital(&name.replace('_', " ")) + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_worth_a_hundred_points_and_plans_end_where_they_say() {
        assert_eq!(POINTS.iter().sum::<u32>(), 100);
        assert!(PLAN_45[5].0.ends_with("45") && PLAN_20[5].0.ends_with("20"));
        assert!(LEVELS.is_sorted_by_key(|(_, points)| points));
    }

    #[test]
    fn what_is_stressed_is_an_element_and_what_is_not_closed_stays() {
        let both = |text: &str| emphasis(&emphasis(text, "**", "b"), "*", "i");
        assert_eq!(both("a **b** *c* d"), "a <b>b</b> <i>c</i> d");
        assert_eq!(both("a ** c"), "a ** c");
        assert_eq!(both("<code>*a</code> and <code>*b</code>"), "<code>*a</code> and <code>*b</code>");
    }
}
