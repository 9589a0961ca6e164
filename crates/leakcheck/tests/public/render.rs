//! Signatures as somebody would write them.

use quote::ToTokens;
use syn::{FnArg, Generics, Pat, ReturnType, Signature};

/// The tokens with the spaces that rustfmt would leave.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :", ":"),
        (" ;", ";"),
        ("& ", "&"),
        ("( ", "("),
        (" )", ")"),
        (" (", "("),
        ("->(", "-> ("),
        (":(", ": ("),
        (",(", ", ("),
        ("=(", "= ("),
        ("+(", "+ ("),
        (",)", ")"),
        (",>", ">"),
        ("impl<", "impl <"),
    ] {
        text = text.replace(from, to);
    }
    text.trim_end_matches(',').to_owned()
}

/// The function with a path for its name. What its body does with the arguments, `mut`, is no part of it.
pub(crate) fn signature(path: &str, sig: &Signature) -> String {
    let mut inputs = sig.inputs.clone();
    for input in &mut inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.mutability = None,
            FnArg::Typed(typed) => {
                if let Pat::Ident(name) = &mut *typed.pat {
                    name.mutability = None;
                }
            }
        }
    }
    let words = [text(&sig.constness), text(&sig.asyncness), text(&sig.safety)];
    let words: String = words.iter().filter(|word| !word.is_empty()).map(|word| format!("{word} ")).collect();
    let inputs: Vec<_> = inputs.iter().map(text).collect();
    let output = match &sig.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", text(ty)),
    };
    format!("{words}fn {path}{}({}){output}{}", generics(&sig.generics), inputs.join(", "), bounds(&sig.generics))
}

/// `<T: Bound>`, or nothing.
pub(crate) fn generics(generics: &Generics) -> String {
    let params: Vec<_> = generics.params.iter().map(text).collect();
    if params.is_empty() { String::new() } else { format!("<{}>", params.join(", ")) }
}

/// ` where …`, or nothing.
pub(crate) fn bounds(generics: &Generics) -> String {
    let Some(clause) = &generics.where_clause else { return String::new() };
    let predicates: Vec<_> = clause.predicates.iter().map(text).collect();
    format!(" where {}", predicates.join(", "))
}

#[test]
fn a_signature_reads_as_it_was_written() {
    for written in [
        "fn a()",
        "fn a(self, limit: Duration) -> Self",
        "const fn a(&mut self)",
        "async fn a<'l, T: Into<String> + 'l>(of: &'l T) -> impl Future<Output = ()> + 'l",
        "fn a<F, T>(self, body: impl FnOnce() -> F + Send + 'static) -> Result<T, std::io::Error> where F: Future<Output = T>, T: Send",
        "fn a(few: (u64, f64), hook: Box<dyn Fn(&TaskMeta<'_>) + Send>) -> (u64, [u8; 4])",
        "fn a(&self, of: &[u8], more: &'static str)",
    ] {
        let parsed: Signature = syn::parse_str(written).unwrap();
        assert_eq!(signature("a", &parsed), written);
    }
    let parsed: Signature = syn::parse_str("fn a(mut self, mut other: u8,)").unwrap();
    assert_eq!(signature("a", &parsed), "fn a(self, other: u8)");
}
