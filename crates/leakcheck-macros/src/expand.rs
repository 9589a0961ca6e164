//! Turns the function into a test.

use std::time::Duration;

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    AttrStyle, Attribute, Error, FnArg, Result, ReturnType, Safety, Signature, Token, Type, Visibility,
    parse::{Parse, ParseStream},
    token::Brace,
};

use crate::{
    args::{Allowance, Args, Flavor},
    attrs,
};

pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_error(item, &error),
    };
    match function.check().and_then(|()| Args::parse(args)) {
        Ok(args) => function.into_test(&args),
        Err(error) => with_error(function.into_plain(), &error),
    }
}

/// The function that the attribute stands on. The body stays tokens, so that rustc reports the errors in it.
struct Function {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    body: Group,
}

impl Function {
    fn check(&self) -> Result<()> {
        let sig = &self.sig;
        // This check comes first, because an attribute such as `#[tokio::test]` above this one has removed the `async`, and
        // one such as `#[test_case]` below it would have made the parameters.
        attrs::check(&self.attrs)?;
        if sig.asyncness.is_none() {
            return Err(Error::new_spanned(
                sig.fn_token,
                "the function is not async: write `async fn`, or use `#[test]`",
            ));
        }
        let parameters = sig.inputs.to_token_stream().into_iter().chain(sig.variadic.to_token_stream());
        let parameters: TokenStream = parameters.collect();
        if !parameters.is_empty() {
            return Err(Error::new_spanned(parameters, self.why_no_parameters()));
        }
        self.check_qualifiers()
    }

    /// An attribute that gives values to parameters takes them away, so those that are seen here had none above.
    fn why_no_parameters(&self) -> String {
        let own = self.sig.inputs.iter().find_map(|input| match input {
            FnArg::Typed(parameter) => parameter.attrs.first(),
            FnArg::Receiver(_) => None,
        });
        let remedy = match (own, attrs::first_for_body(&self.attrs)) {
            (Some(own), _) => format!(
                "put the attribute that reads `#[{}]`, such as `#[rstest]`, above `#[leakcheck::test]`",
                attrs::written(own.path())
            ),
            (None, Some(below)) => {
                format!("make the values in its body, or put `#[{below}]` above `#[leakcheck::test]` if it makes them")
            }
            (None, None) => "make the values in its body".to_owned(),
        };
        format!("a test takes no parameters: {remedy}")
    }

    fn check_qualifiers(&self) -> Result<()> {
        let sig = &self.sig;
        if !sig.generics.params.is_empty() {
            return Err(Error::new_spanned(&sig.generics, "a test is not generic: write one test for each type"));
        }
        if let Some(clause) = &sig.generics.where_clause {
            return Err(Error::new_spanned(clause, "a test is not generic: remove the `where` clause"));
        }
        if let Safety::Unsafe(word) = &sig.safety {
            return Err(Error::new_spanned(
                word,
                "a test is called by nobody who could promise anything: remove `unsafe`",
            ));
        }
        if let Some(abi) = &sig.abi {
            return Err(Error::new_spanned(abi, "a test is called from Rust: remove `extern`"));
        }
        Ok(())
    }

    /// The function as it was written becomes a function inside the test. So `?`, `return`, inference and type errors are
    /// those of an `async fn`; in an `async` block they would differ. It keeps its name, by which `#[traced_test]`, say, finds
    /// the test's log.
    fn into_test(self, args: &Args) -> TokenStream {
        let Self { attrs, vis, sig, body } = self;
        let (outer, inner) = attrs::split(&attrs);
        let (fn_token, name) = (sig.fn_token, &sig.ident);
        let crate_path = args.crate_path.as_ref().map_or_else(|| quote!(::leakcheck), ToTokens::to_token_stream);
        let (run, output) = match &sig.output {
            ReturnType::Type(_, ty) if is_unit(ty) => (quote!(run_unit), quote!()),
            ReturnType::Type(..) if attrs::has_wrapper(&outer) => {
                let result = quote!(::core::result::Result<(), #crate_path::__private::Printed>);
                (quote!(run_wrapped), quote!(-> #result))
            }
            ReturnType::Type(..) => (quote!(run), quote!(-> ::std::process::ExitCode)),
            // libtest accepts only `()` from a test that should panic.
            ReturnType::Default => (quote!(run_unit), quote!()),
        };
        let checker = checker(args);
        // A failed test panics at the function's name. With a span of the macro's own, the panic would be at the
        // attribute's line.
        let call = quote_spanned!(name.span()=> __leakcheck::__private::#run(#checker, #name));
        quote! {
            #(#outer)*
            #[::core::prelude::v1::test]
            #vis #fn_token #name() #output {
                #(#inner)*
                #sig #body
                {
                    use #crate_path as __leakcheck;
                    #call
                }
            }
        }
    }

    /// The function without attributes that would make a test of it, so that one error of the attribute brings no others from
    /// rustc: imports stay used, and `.await` stays inside an `async fn`.
    fn into_plain(self) -> TokenStream {
        let Self { attrs, vis, mut sig, body } = self;
        let attrs = attrs::without_faults(attrs);
        sig.inputs.iter_mut().for_each(|input| match input {
            FnArg::Typed(parameter) => parameter.attrs.clear(),
            FnArg::Receiver(own) => own.attrs.clear(),
        });
        sig.asyncness.get_or_insert_with(<Token![async]>::default);
        quote!(#(#attrs)* #vis #sig #body)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let start = input.fork();
        let sig = input.parse().map_err(|_| start.error("only a function can be a test: write `async fn`"))?;
        if !input.peek(Brace) {
            return Err(input.error("a test needs a body: write `{ … }`"));
        }
        let content;
        let brace = syn::braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        // `#![ignore]` in the body is meant for the test, not for the function inside the test.
        attrs.extend(inner.into_iter().map(|attr| Attribute { style: AttrStyle::Outer, ..attr }));
        let mut body = Group::new(Delimiter::Brace, content.parse()?);
        body.set_span(brace.span.join());
        Ok(Self { attrs, vis, sig, body })
    }
}

/// The expression that builds the checker.
fn checker(args: &Args) -> TokenStream {
    let new = match args.flavor {
        Flavor::CurrentThread => quote!(__leakcheck::Checker::current_thread()),
        Flavor::Local => quote!(__leakcheck::Checker::local()),
        Flavor::MultiThread(Some(workers)) => quote!(__leakcheck::Checker::multi_thread(#workers)),
        Flavor::MultiThread(None) => quote!(__leakcheck::__private::multi_thread()),
    };
    let paused = args.start_paused.map(|paused| quote!(.start_paused(#paused)));
    let settle = args.settle.map(duration).map(|limit| quote!(.settle(#limit)));
    let horizon = args.horizon.map(duration).map(|limit| quote!(.horizon(#limit)));
    let deadline = args.deadline.map(duration).map(|limit| quote!(.deadline(#limit)));
    // With this span, an allowance that cannot be read panics at the line where it is written.
    let allow = args.allow.iter().map(|Allowance { text, at_most }| match at_most {
        None => quote_spanned!(text.span()=> .allow(#text)),
        Some(tasks) => quote_spanned!(text.span()=> .allow_at_most(#text, #tasks)),
    });
    let blocking = args.allow_blocking.map(|closures| quote!(.allow_blocking(#closures)));
    let await_lines = args.await_lines.map(|wanted| quote!(.await_lines(#wanted)));
    let panics = args.panics.map(|fails| quote!(.fail_on_panic(#fails)));
    let children = args.children.map(|fails| quote!(.fail_on_children(#fails)));
    quote!(#new #paused #settle #horizon #deadline #(#allow)* #blocking #await_lines #panics #children)
}

fn duration(duration: Duration) -> TokenStream {
    // Durations are read in milliseconds, and a day of them fits.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#millis))
}

fn with_error(mut tokens: TokenStream, error: &Error) -> TokenStream {
    tokens.extend(error.to_compile_error());
    tokens
}

fn is_unit(mut ty: &Type) -> bool {
    loop {
        match ty {
            Type::Tuple(tuple) => return tuple.elems.is_empty(),
            // A type from a `macro_rules` variable comes in a group that the compiler adds.
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
