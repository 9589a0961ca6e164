//! The attributes below `#[leakcheck::test]`: which are for the test, which are for its body, and which belong above.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Meta, MetaList, Path, Result, Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

/// The compiler's own attributes. They are about the item, and what is inside of it inherits what matters there.
const COMPILERS: [&str; 20] = [
    "allow",
    "cfg",
    "cfg_attr",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "ignore",
    "inline",
    "link_section",
    "must_use",
    "no_mangle",
    "should_panic",
    "track_caller",
    "unsafe",
    "warn",
];
/// What begins the path of an attribute that only a tool reads.
const TOOLS: [&str; 5] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];
/// Wrappers that hold from before the runtime is built until after the verdict: a lock that were given back at the end of the
/// body would let the next test begin among the tasks of this one.
const AROUND: [&str; 5] = ["serial", "parallel", "file_serial", "file_parallel", "timeout"];
/// Attributes that make tests of a function. They have to see `#[leakcheck::test]`, which is gone when it is above them.
const MAKERS: [&str; 9] =
    ["apply", "case", "gtest", "parameterized", "rstest", "test_case", "test_casing", "test_context", "test_matrix"];
/// What to write where another attribute has to build the test.
const NESTED: &str = "remove `#[leakcheck::test]`, and run the body in \
                      `leakcheck::Checker::current_thread().assert(move || async move { … })`";

/// The attributes of the test itself, and those of the `async fn` inside of it, in the order in which they were written.
pub(crate) fn split(attrs: &[Attribute]) -> (Vec<Attribute>, Vec<Attribute>) {
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    for attr in attrs {
        let (for_test, for_body) = halves(&attr.meta);
        outer.extend(for_test.map(|meta| Attribute { meta, ..attr.clone() }));
        inner.extend(for_body.map(|meta| Attribute { meta, ..attr.clone() }));
    }
    (outer, inner)
}

/// What of an attribute is for the test, and what is for the body. Only a `cfg_attr` can have both.
fn halves(meta: &Meta) -> (Option<Meta>, Option<Meta>) {
    let Some(Conditional { condition, metas }) = Conditional::read(meta) else {
        let whole = Some(meta.clone());
        return if is_for_test(meta.path()) { (whole, None) } else { (None, whole) };
    };
    let (for_test, for_body): (Vec<_>, Vec<_>) = metas.iter().map(halves).unzip();
    let rest = |metas: Vec<Option<Meta>>| {
        let metas: Vec<_> = metas.into_iter().flatten().collect();
        let Meta::List(list) = meta else { return None };
        let tokens = quote!(#condition, #(#metas),*);
        (!metas.is_empty()).then(|| Meta::List(MetaList { tokens, ..list.clone() }))
    };
    (rest(for_test), rest(for_body))
}

/// Whether a wrapper of the whole test is among its attributes. Such wrappers know no other value of a test than a `Result`.
pub(crate) fn has_wrapper(outer: &[Attribute]) -> bool {
    fn is_wrapper(meta: &Meta) -> bool {
        match Conditional::read(meta) {
            Some(Conditional { metas, .. }) => metas.iter().any(is_wrapper),
            None => meta.path().segments.last().is_some_and(|last| AROUND.iter().any(|name| last.ident == name)),
        }
    }
    outer.iter().any(|attr| is_wrapper(&attr.meta))
}

/// Refuses what cannot stand below `#[leakcheck::test]`, with what to write instead.
pub(crate) fn check(attrs: &[Attribute]) -> Result<()> {
    let fault = attrs.iter().find_map(|attr| Some(Error::new_spanned(attr, fault(&attr.meta)?)));
    fault.map_or(Ok(()), Err)
}

/// Without what [`check`] refuses, so that one error brings no others.
pub(crate) fn without_faults(attrs: Vec<Attribute>) -> Vec<Attribute> {
    attrs.into_iter().filter(|attr| fault(&attr.meta).is_none()).collect()
}

/// The first attribute that is for the body.
pub(crate) fn first_for_body(attrs: &[Attribute]) -> Option<String> {
    split(attrs).1.first().map(|attr| written(attr.path()))
}

fn fault(meta: &Meta) -> Option<String> {
    match Conditional::read(meta) {
        Some(Conditional { metas, .. }) => metas.iter().find_map(fault),
        None => fault_of(meta.path()),
    }
}

/// What is wrong with an attribute of this path below `#[leakcheck::test]`.
fn fault_of(path: &Path) -> Option<String> {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let written = written(path);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match names[..] {
        // What `#[tokio::test]`, `#[test_log::test]` and others leave for the attributes below them.
        ["core" | "std", "prelude", _, "test"] => Some(
            "an attribute above has made a test of the function already: remove that attribute, or let it call this one, \
             as in `#[test_log::test(leakcheck::test)]`"
                .into(),
        ),
        ["test_log", "test"] => Some("write `#[test_log::test(leakcheck::test)]` instead of both".into()),
        ["googletest", "test"] => Some(above(&written)),
        ["actix_rt" | "actix_web" | "actix", "test"] => {
            Some(format!("remove `#[{written}]`, and write `#[leakcheck::test(flavor = \"local\")]`"))
        }
        ["sqlx", "test"] => Some(format!("`#[sqlx::test]` builds a runtime that cannot be checked: {NESTED}")),
        [.., "property_test" | "proptest" | "quickcheck"] => {
            Some(format!("`#[{written}]` runs the body many times, with values of its own: {NESTED}"))
        }
        [.., "test"] => {
            Some("a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already".into())
        }
        [.., "main"] => Some(format!("`#[{written}]` builds a runtime of its own: remove it")),
        [.., last] if MAKERS.contains(&last) => Some(above(&written)),
        _ => None,
    }
}

fn above(written: &str) -> String {
    let what = match written.rsplit("::").next() {
        Some("case") => "it belongs to an attribute that makes tests of this one, such as `#[rstest]`",
        _ => "it makes tests of what is below it",
    };
    format!("put `#[{written}]` above `#[leakcheck::test]`: {what}")
}

fn is_for_test(path: &Path) -> bool {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    match &names[..] {
        [only] => COMPILERS.contains(&only.as_str()) || AROUND.contains(&only.as_str()),
        [first, .., last] => TOOLS.contains(&first.as_str()) || AROUND.contains(&last.as_str()),
        [] => true,
    }
}

/// A `cfg_attr`, taken apart.
struct Conditional {
    condition: TokenStream,
    metas: Vec<Meta>,
}

impl Conditional {
    /// `None` if this is another attribute, or one that rustc will refuse.
    fn read(meta: &Meta) -> Option<Self> {
        let list = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
        let read = |input: ParseStream<'_>| {
            // Not a `Meta`, for the condition may be `true` or `false`.
            let mut condition = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![,]) {
                condition.extend([input.parse::<TokenTree>()?]);
            }
            input.parse::<Option<Token![,]>>()?;
            let metas = Punctuated::<Meta, Token![,]>::parse_terminated(input)?;
            Ok(Self { condition, metas: metas.into_iter().collect() })
        };
        read.parse2(list.tokens.clone()).ok().filter(|read| !read.metas.is_empty())
    }
}

/// The path as it is written, without the blanks that tokens have between them.
pub(crate) fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

#[cfg(test)]
mod tests;
