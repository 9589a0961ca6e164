//! The book: builds it with mdBook, in process, and is the mdBook preprocessor that fills in what was recorded.
//!
//! mdBook alone ends with success where an include names no file, an anchor does not exist, or a key of `book.toml` is
//! unknown. Here each of these fails, and so does a directive whose recording is missing.

pub mod api;
mod ask;
mod beginning;
mod card;
mod claims;
mod code;
mod constant;
mod controls;
pub mod deck;
mod diff;
mod directive;
mod exercise;
mod figure;
pub mod glossary;
mod html;
mod include;
mod index;
mod issues;
pub mod kit;
mod lines;
pub mod links;
mod map;
mod parts;
mod proof;
pub mod questions;
pub mod quiz;
pub mod running;
mod source;
mod symptoms;
mod syntax;
mod tables;
mod telltale;
pub mod trainer;
mod value;
mod wording;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::{Context, bail, ensure};
use evidence::{
    catalogue::{self, Catalogue, Listed},
    made_by,
};
use mdbook_driver::{MDBook, config::Config};
use mdbook_preprocessor::{
    Preprocessor, PreprocessorContext,
    book::{Book, BookItem, Chapter},
};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer, prelude::*};

pub use self::source::For;

use self::{api::Api, glossary::Glossary, questions::Question, quiz::Quiz, source::Source};

/// Tells the page's script that the lab serves it, and the style that there will be buttons: it stands before the charts.
const SERVED: &str = "<div class=\"wb-served\" hidden></div>\n\n";
/// The same where nothing may be started: in the place of buttons the page says why there are none.
const READING: &str = "<div class=\"wb-served wb-reading\" hidden></div>\n\n";

/// Builds the book whose `book.toml` is in `root`, into `dest` or where `book.toml` says, and returns the folder with
/// `index.html`.
///
/// # Errors
///
/// When mdBook fails or logs a warning, a directive or an include cannot be filled in, an exhibit is missing or stale, or a link
/// leads nowhere.
pub fn build(root: &Path, dest: Option<&Path>, whom: For) -> anyhow::Result<PathBuf> {
    let problems = Problems::default();
    let subscriber = tracing_subscriber::registry().with(problems.clone());
    let (built, chapters) = tracing::subscriber::with_default(subscriber, || render(root, dest, whom))?;
    let problems = problems.0.lock().expect("no thread panics while it holds this lock");
    ensure!(problems.is_empty(), "the book has {} problem(s):\n{}", problems.len(), problems.join("\n"));
    check_links(root, &built, &chapters, whom)?;
    Ok(built)
}

/// A dead link is one that readers would find; whoever writes is told.
fn check_links(root: &Path, built: &Path, chapters: &Path, whom: For) -> anyhow::Result<()> {
    let said = links::problems(built, &made_by::all_locked(root)?)?.into_iter().map(|problem| problem.said(chapters));
    // A picture that leads to itself is loaded and linked.
    let dead: Vec<_> = said.collect::<BTreeSet<_>>().into_iter().collect();
    match whom {
        For::Readers => {
            ensure!(dead.is_empty(), "the book has {} dead or strange link(s):\n{}", dead.len(), dead.join("\n"))
        }
        For::Lab | For::Guests => dead.iter().for_each(|problem| eprintln!("warning: {problem}")),
    }
    Ok(())
}

/// The folder with the pages, and that with the chapters.
fn render(root: &Path, dest: Option<&Path>, whom: For) -> anyhow::Result<(PathBuf, PathBuf)> {
    let mut book = MDBook::load(root).context("cannot load the book")?;
    if let Some(dest) = dest {
        book.config.build.build_dir = std::path::absolute(dest)?;
    }
    let (out, src) = (root.join(&book.config.build.build_dir), book.source_dir());
    // The renderer empties its folder first. mdBook's default for it is where the sources of this book are.
    ensure!(!src.starts_with(&out), "build-dir {} would delete the sources in {}", out.display(), src.display());
    // The same name as in `book.toml`: takes the place of the external command.
    book.with_preprocessor(Lab { whom });
    book.build().map_err(|error| error.context("cannot build the book"))?;
    Ok((book.build_dir_for("html"), src))
}

/// The folders outside the book's own from which its pages include files, relative to `root`. What cannot be read is left out: the
/// build tells.
pub fn included(root: &Path) -> BTreeSet<PathBuf> {
    let Ok(config) = Config::from_disk(root.join("book.toml")) else { return BTreeSet::new() };
    let (src, mut chapters) = (config.book.src, Vec::new());
    for entry in root.join(&src).read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "md")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            chapters.push((src.join(entry.file_name()), text));
        }
    }
    include::folders(&src, &chapters)
}

/// mdBook's protocol for external preprocessors: `lab preprocess` and `lab preprocess supports RENDERER`, without the
/// first word. So plain `mdbook build` works too. False is the answer to a renderer that is not supported.
///
/// # Errors
///
/// When the input is not mdBook's, or the book cannot be filled in.
pub fn preprocess<A: AsRef<str>>(args: &[A]) -> anyhow::Result<bool> {
    let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
    match args.as_slice() {
        [] => preprocess_stream(std::io::stdin().lock(), std::io::stdout().lock()).map(|()| true),
        ["supports", renderer] => LAB.supports_renderer(renderer),
        other => bail!("mdBook calls `preprocess` or `preprocess supports RENDERER`, not `{}`", other.join(" ")),
    }
}

/// Reads the book from mdBook and writes it back filled in.
///
/// # Errors
///
/// When the input is not mdBook's, or the book cannot be filled in.
pub fn preprocess_stream(input: impl Read, output: impl Write) -> anyhow::Result<()> {
    let (ctx, book) = mdbook_preprocessor::parse_input(input)?;
    let book = LAB.run(&ctx, book)?;
    serde_json::to_writer(output, &book).context("cannot write the book to mdBook")
}

/// The preprocessor `lab`.
#[derive(Clone, Copy, Debug)]
struct Lab {
    whom: For,
}

/// As mdBook calls it.
const LAB: Lab = Lab { whom: For::Readers };

impl Preprocessor for Lab {
    fn name(&self) -> &str {
        "lab"
    }

    fn supports_renderer(&self, renderer: &str) -> anyhow::Result<bool> {
        Ok(renderer != "not-supported")
    }

    fn run(&self, ctx: &PreprocessorContext, mut book: Book) -> anyhow::Result<Book> {
        let listed = listed(&book);
        let catalogue = Catalogue::read_in_order(&ctx.root, &listed)?;
        let quiz =
            Quiz::read(&ctx.root, &listed.into_iter().map(|(page, _)| page).collect::<Vec<_>>(), seed(&ctx.config)?);
        let (mut problems, linked) = (quiz.faults().to_vec(), Linked::read(&ctx.root)?);
        problems.extend(beginning::in_questions(&ctx.root)?);
        let source = Source::new(&ctx.root, &ctx.config.book.src, catalogue, parts::of(&book)).asking(quiz);
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item {
                problems.extend(fill_in(&source, &linked, chapter));
                match self.whom {
                    For::Readers => {}
                    For::Lab => chapter.content.insert_str(0, SERVED),
                    For::Guests => chapter.content.insert_str(0, READING),
                }
            }
        });
        match self.whom {
            For::Readers => problems.extend(source.told()),
            For::Lab | For::Guests => source.told().iter().for_each(|problem| eprintln!("warning: {problem}")),
        }
        // All at once: a writer mends several at a time.
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(book)
    }
}

/// What the options of all questions are shuffled with: `seed` in `[preprocessor.lab]` of `book.toml`.
fn seed(config: &Config) -> anyhow::Result<u64> {
    let seed = config.get("preprocessor.lab.seed").context("`seed` of [preprocessor.lab] in book.toml is no number")?;
    Ok(seed.unwrap_or(deck::SEED))
}

/// The questions of a page, their options in the order in which the book shows them. A page that the book does not list yet is dealt by itself.
///
/// # Errors
/// When the book cannot be read, or the page's questions are not what they must be, in one line.
pub fn questions_of(root: &Path, page: &str) -> anyhow::Result<Vec<Question>> {
    let book = MDBook::load(root).context("cannot load the book")?;
    let mut pages: Vec<_> = listed(&book.book).into_iter().map(|(page, _)| page).collect();
    if !pages.iter().any(|listed| listed == page) {
        pages = vec![page.to_owned()];
    }
    let quiz = Quiz::read(root, &pages, seed(&book.config)?);
    let file = questions::place(root, page);
    let fault = quiz.faults().iter().find(|fault| fault.starts_with(&file)).cloned();
    let questions = quiz.of(page).map(<[Question]>::to_vec);
    questions.with_context(|| fault.unwrap_or_else(|| format!("{file} is missing")))
}

/// The chapters as mdBook has them, so that order and titles are those of the book that is built.
fn listed(book: &Book) -> Vec<Listed> {
    let chapters = book.iter().filter_map(|item| match item {
        BookItem::Chapter(chapter) => Some((catalogue::page(chapter.source_path.as_deref()?)?, chapter.name.clone())),
        _ => None,
    });
    chapters.collect()
}

/// What becomes a link by itself at its first use on a page.
struct Linked {
    terms: Glossary,
    names: Api,
}

impl Linked {
    fn read(root: &Path) -> anyhow::Result<Self> {
        Ok(Self { terms: Glossary::read(root)?, names: Api::read(root)? })
    }

    fn link(&self, chapter: &Path, text: &str) -> String {
        let page = chapter.with_extension("").display().to_string().replace('\\', "/");
        self.names.link(&page, &self.terms.link(&page, &issues::link(text)))
    }
}

/// Fills in one chapter and returns what is wrong with it.
fn fill_in(source: &Source, linked: &Linked, chapter: &mut Chapter) -> Vec<String> {
    let Some(path) = chapter.source_path.clone() else { return Vec::new() };
    let file = path.display().to_string();
    // mdBook has expanded the includes by now, and what it could not expand is gone: look at the file.
    let text = match fs::read_to_string(source.book_src.join(&path)) {
        Ok(text) => text,
        Err(error) => return vec![format!("chapter `{}` ({file}): cannot read it: {error}", chapter.name)],
    };
    let mut problems = include::problems(source, &path, &text);
    problems.extend(syntax::broken(&text));
    problems.extend(beginning::problems(&text));
    let (content, unfilled) = directive::fill_in(source, &path, &chapter.content);
    chapter.content = linked.link(&path, &content);
    problems.extend(unfilled);
    problems.into_iter().map(|problem| problem.said(&chapter.name, &file, &text)).collect()
}

/// Everything that was logged as a warning or an error: mdBook exits with success after these.
#[derive(Clone, Default)]
struct Problems(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Problems {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut message = Message(String::new());
            event.record(&mut message);
            self.0.lock().expect("no thread panics while it holds this lock").push(message.0);
        }
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
