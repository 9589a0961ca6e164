//! Reads the arguments of the attribute. Each error names what to write instead.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// The arguments, each with an example for the error messages.
const ARGUMENTS: [(&str, &str); 12] = [
    ("flavor", r#"flavor = "multi_thread""#),
    ("worker_threads", "worker_threads = 2"),
    ("start_paused", "start_paused = true"),
    ("settle", r#"settle = "2s""#),
    ("horizon", r#"horizon = "31s""#),
    ("deadline", r#"deadline = "30s""#),
    ("allow", r#"allow = "src/metrics.rs""#),
    ("allow_blocking", "allow_blocking = 1"),
    ("await_lines", "await_lines = true"),
    ("panics", r#"panics = "fail""#),
    ("children", r#"children = "fail""#),
    ("crate", r#"crate = "renamed""#),
];
/// A sum of this and any point in time does not overflow.
const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The arguments of the attribute. `None` stands for the checker's default.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) flavor: Flavor,
    pub(crate) start_paused: Option<bool>,
    pub(crate) settle: Option<Duration>,
    pub(crate) horizon: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) allow: Vec<Allowance>,
    pub(crate) allow_blocking: Option<usize>,
    pub(crate) await_lines: Option<bool>,
    /// Whether a task's panic, or a child process left, fails the test.
    pub(crate) panics: Option<bool>,
    pub(crate) children: Option<bool>,
    /// The path of leakcheck where it is not `::leakcheck`.
    pub(crate) crate_path: Option<Path>,
}

/// `"hyper-util"`, or `("hyper-util", at_most = 1)`.
pub(crate) struct Allowance {
    pub(crate) text: LitStr,
    pub(crate) at_most: Option<usize>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Flavor {
    #[default]
    CurrentThread,
    /// On which `spawn_local` needs no `LocalSet`.
    Local,
    /// With this many workers, or one for each core.
    MultiThread(Option<usize>),
}

struct Argument {
    name: Ident,
    value: Expr,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let arguments = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(tokens)?;
        refuse_duplicates(&arguments)?;
        let (mut args, mut workers, mut paused, mut horizon) = (Self::default(), None, None, None);
        for argument in &arguments {
            match argument.name.to_string().as_str() {
                "flavor" => args.flavor = argument.flavor()?,
                "worker_threads" => workers = Some((argument.workers()?, argument.name.span())),
                "start_paused" => paused = Some((argument.boolean()?, argument.name.span())),
                "settle" => args.settle = Some(argument.duration()?),
                "horizon" => horizon = Some((argument.duration()?, argument.name.span())),
                "deadline" => args.deadline = Some(argument.deadline()?),
                "allow" => args.allow = argument.allowances()?,
                "allow_blocking" => args.allow_blocking = Some(argument.count()?),
                "await_lines" => args.await_lines = Some(argument.boolean()?),
                "panics" => args.panics = Some(argument.fails()?),
                "children" => args.children = Some(argument.fails()?),
                "crate" => args.crate_path = Some(argument.path()?),
                _ => return Err(unknown(&argument.name)),
            }
        }
        args.start_paused = paused.map(|(paused, _)| paused);
        args.horizon = horizon.map(|(horizon, _)| horizon);
        args.for_flavor(workers, paused.map(|(_, at)| at), horizon.map(|(_, at)| at))
    }

    /// Refuses the arguments that fit another flavor only; `workers`, `paused` and `horizon` say where they stand.
    fn for_flavor(
        mut self,
        workers: Option<(usize, Span)>,
        paused: Option<Span>,
        horizon: Option<Span>,
    ) -> Result<Self> {
        let one_thread = |flavor, (_, at)| {
            let why =
                format!("`worker_threads` needs `flavor = \"multi_thread\"`: a `{flavor}` runtime has one thread");
            Err(Error::new(at, why))
        };
        let own_clock = |name, at| {
            let why = format!(
                "`{name}` needs `flavor = \"current_thread\"`: \
                 tokio cannot pause the clock of a `multi_thread` runtime"
            );
            Err(Error::new(at, why))
        };
        match (&mut self.flavor, workers) {
            (Flavor::CurrentThread, Some(workers)) => one_thread("current_thread", workers),
            (Flavor::Local, Some(workers)) => one_thread("local", workers),
            (Flavor::CurrentThread | Flavor::Local, None) => Ok(self),
            (Flavor::MultiThread(count), workers) => {
                *count = workers.map(|(workers, _)| workers);
                match (paused, horizon) {
                    (Some(at), _) => own_clock("start_paused", at),
                    (None, Some(at)) => own_clock("horizon", at),
                    (None, None) => Ok(self),
                }
            }
        }
    }
}

impl Argument {
    fn flavor(&self) -> Result<Flavor> {
        let text = self.string()?;
        let why = match text.value().as_str() {
            "current_thread" => return Ok(Flavor::CurrentThread),
            "local" => return Ok(Flavor::Local),
            "multi_thread" => return Ok(Flavor::MultiThread(None)),
            "single_thread" | "basic_scheduler" => "this flavor is called `current_thread`".to_owned(),
            "threaded_scheduler" => "this flavor is called `multi_thread`".to_owned(),
            other => {
                format!("no flavor is called `{other}`: write `\"current_thread\"`, `\"multi_thread\"` or `\"local\"`")
            }
        };
        Err(Error::new_spanned(text, why))
    }

    fn workers(&self) -> Result<usize> {
        match self.count()? {
            0 => Err(Error::new_spanned(&self.value, "`worker_threads` cannot be 0: write 1 or more")),
            count => Ok(count),
        }
    }

    fn count(&self) -> Result<usize> {
        let Some(Lit::Int(number)) = literal(&self.value) else {
            return Err(self.expected("a whole number"));
        };
        number.base10_parse().map_err(|_| self.expected("a whole number"))
    }

    fn boolean(&self) -> Result<bool> {
        match literal(&self.value) {
            Some(Lit::Bool(answer)) => Ok(answer.value),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    fn fails(&self) -> Result<bool> {
        match self.string()?.value().as_str() {
            "fail" => Ok(true),
            "note" => Ok(false),
            _ => Err(self.expected("`\"fail\"` or `\"note\"`")),
        }
    }

    fn string(&self) -> Result<LitStr> {
        string(&self.value).ok_or_else(|| self.expected("a string"))
    }

    /// One allowance, or an array of them.
    fn allowances(&self) -> Result<Vec<Allowance>> {
        let Expr::Array(array) = ungrouped(&self.value) else {
            let one = allowance(&self.value)?;
            return Ok(vec![one.ok_or_else(|| self.expected("a string or an array of strings"))?]);
        };
        let wrong = |element| Error::new_spanned(element, "an allowance is a string: write `\"src/metrics.rs\"`");
        array.elems.iter().map(|element| allowance(element)?.ok_or_else(|| wrong(element))).collect()
    }

    fn duration(&self) -> Result<Duration> {
        let text = self.string()?;
        let duration = duration(&text.value()).ok_or_else(|| {
            let why =
                format!("`{}` is no duration: write a whole number and `ms`, `s` or `m`, as in `2s`", text.value());
            Error::new_spanned(&text, why)
        })?;
        if duration > DURATION_MAX {
            return Err(Error::new_spanned(text, format!("`{}` is too long: write a day or less", self.name)));
        }
        Ok(duration)
    }

    fn deadline(&self) -> Result<Duration> {
        match self.duration()? {
            Duration::ZERO => {
                Err(Error::new_spanned(&self.value, "a `deadline` of 0 fails every test: write `\"1s\"` or more"))
            }
            deadline => Ok(deadline),
        }
    }

    fn path(&self) -> Result<Path> {
        let text = self.string()?;
        text.parse_with(Path::parse_mod_style).map_err(|_| self.expected("a path in a string"))
    }

    fn expected(&self, what: &str) -> Error {
        Error::new_spanned(&self.value, format!("`{}` takes {what}: write `{}`", self.name, example(&self.name)))
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("an argument has a name and a value: write `{}`", ARGUMENTS[0].1)));
        }
        let name = input.call(Ident::parse_any)?;
        if ARGUMENTS.iter().all(|(known, _)| name != known) {
            return Err(unknown(&name));
        }
        let equals = input.parse::<Option<Token![=]>>()?;
        if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(name.span(), format!("`{name}` needs a value: write `{}`", example(&name))));
        }
        Ok(Self { name, value: input.parse()? })
    }
}

fn refuse_duplicates(arguments: &Punctuated<Argument, Token![,]>) -> Result<()> {
    let again = arguments.iter().enumerate().find(|(index, argument)| {
        let mut earlier = arguments.iter().take(*index);
        earlier.any(|other| other.name == argument.name)
    });
    match again {
        None => Ok(()),
        Some((_, Argument { name, .. })) if name == "allow" => {
            Err(Error::new(name.span(), "`allow` is given twice: write `allow = [\"…\", \"…\"]`"))
        }
        Some((_, Argument { name, .. })) => Err(Error::new(name.span(), format!("`{name}` is given twice: keep one"))),
    }
}

fn unknown(name: &Ident) -> Error {
    let why = match name.to_string().as_str() {
        "multi_thread" | "threaded_scheduler" => {
            "the flavor needs its name: write `flavor = \"multi_thread\"`".to_owned()
        }
        "current_thread" | "basic_scheduler" | "single_thread" | "single_threaded" => {
            "the flavor needs its name: write `flavor = \"current_thread\"`".to_owned()
        }
        "core_threads" => "`core_threads` is called `worker_threads`".to_owned(),
        foreign @ ("name" | "unhandled_panic") => format!(
            "`{foreign}` is an argument of `#[tokio::test]` only: remove it, or build the runtime yourself with \
             `leakcheck::attach`"
        ),
        other => {
            let known: Vec<_> = ARGUMENTS.iter().map(|(known, _)| format!("`{known}`")).collect();
            format!("unknown argument `{other}`: write one of {}", known.join(", "))
        }
    };
    Error::new(name.span(), why)
}

fn example(name: &Ident) -> &'static str {
    ARGUMENTS.iter().find(|(known, _)| name == known).map_or("", |(_, example)| example)
}

/// Reads a whole number and a unit. Anything else, such as `1.5s` or `2 s`, would be a guess, and is refused.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let millis = match &text[unit..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    // A product that does not fit is longer than a day, and the caller refuses it as too long.
    Some(Duration::from_millis(number.saturating_mul(millis)))
}

/// A string, or a string and a number in parentheses; `None` for anything else.
fn allowance(value: &Expr) -> Result<Option<Allowance>> {
    let Expr::Tuple(tuple) = ungrouped(value) else {
        return Ok(string(value).map(|text| Allowance { text, at_most: None }));
    };
    let wrong = || Error::new_spanned(tuple, "an allowance with a number is written `(\"hyper-util\", at_most = 1)`");
    let mut parts = tuple.elems.iter();
    let (Some(text), Some(Expr::Assign(number)), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let named = matches!(&*number.left, Expr::Path(path) if path.path.is_ident("at_most"));
    match (string(text), literal(&number.right)) {
        (Some(text), Some(Lit::Int(at_most))) if named => match at_most.base10_parse() {
            Ok(at_most) if at_most > 0 => Ok(Some(Allowance { text, at_most: Some(at_most) })),
            _ => Err(Error::new_spanned(at_most, "`at_most` is a whole number from 1: write `at_most = 1`")),
        },
        _ => Err(wrong()),
    }
}

fn literal(value: &Expr) -> Option<&Lit> {
    match ungrouped(value) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    }
}

fn string(value: &Expr) -> Option<LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Some(text.clone()),
        _ => None,
    }
}

/// The value without its groups: the compiler adds a group around a value from a `macro_rules` variable.
fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}

#[cfg(test)]
mod tests;
