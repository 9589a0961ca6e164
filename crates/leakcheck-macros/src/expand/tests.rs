use proc_macro2::TokenStream;
use quote::quote;
use syn::{File, Item, ItemFn, Stmt};

use super::test;

/// The expansion, which has to be one function.
fn expanded(args: TokenStream, item: TokenStream) -> ItemFn {
    let file: File = syn::parse2(test(args, item)).unwrap();
    let [Item::Fn(function)] = &file.items[..] else { panic!("{} items", file.items.len()) };
    function.clone()
}

fn text(tokens: impl quote::ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

/// The statements of the function: what was written, and the call.
fn parts(function: &ItemFn) -> (ItemFn, String) {
    let [Stmt::Item(Item::Fn(body)), call] = &function.block.stmts[..] else { panic!("{}", text(function)) };
    (body.clone(), text(call))
}

/// The tokens that a refused function expands to, without the error, and the error's text.
fn refused(args: TokenStream, item: TokenStream) -> (String, String) {
    let mut file: File = syn::parse2(test(args, item)).unwrap();
    let errors: Vec<_> = file.items.extract_if(.., |item| matches!(item, Item::Macro(_))).collect();
    let [Item::Macro(error)] = &errors[..] else { panic!("{} errors", errors.len()) };
    assert_eq!(text(&error.mac.path).replace(' ', ""), "::core::compile_error");
    let message: syn::LitStr = error.mac.parse_body().unwrap();
    (text(file), message.value())
}

#[test]
fn a_function_without_a_return_type_becomes_a_test_without_one() {
    let function = expanded(
        quote!(),
        quote!(
            async fn name() {
                work().await;
            }
        ),
    );
    assert_eq!(text(&function.sig), text(quote!(fn name())));
    let (body, call) = parts(&function);
    assert_eq!(
        text(body),
        text(quote!(
            async fn name() {
                work().await;
            }
        ))
    );
    let run = quote! {{
        use ::leakcheck as __leakcheck;
        __leakcheck::__private::run_unit(__leakcheck::Checker::current_thread(), name)
    }};
    assert_eq!(call, text(run));
}

#[test]
fn unit_written_out_is_no_return_type() {
    let group = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!(()));
    for unit in [quote!(()), quote!((())), quote!(#group)] {
        let function = expanded(quote!(), quote!(async fn name() -> #unit {}));
        assert_eq!(text(&function.sig), text(quote!(fn name())), "{unit}");
    }
}

#[test]
fn the_return_type_is_kept_where_the_body_is() {
    let function = expanded(
        quote!(),
        quote!(
            async fn name() -> Result<(), Error> {
                Ok(())
            }
        ),
    );
    assert_eq!(text(&function.sig), text(quote!(fn name() -> ::std::process::ExitCode)));
    let (body, call) = parts(&function);
    assert_eq!(
        text(body),
        text(quote!(
            async fn name() -> Result<(), Error> {
                Ok(())
            }
        ))
    );
    assert!(call.contains("__private :: run ("), "{call}");
}

#[test]
fn a_wrapper_of_the_test_is_given_a_result() {
    for wrapper in [quote!(#[serial(key)]), quote!(#[cfg_attr(unix, ntest::timeout(1))])] {
        let function = expanded(quote!(), quote!(#wrapper async fn name() -> Result<(), Error> {}));
        let sig = quote!(fn name() -> ::core::result::Result<(), ::leakcheck::__private::Printed>);
        assert_eq!(text(&function.sig), text(sig));
        assert!(parts(&function).1.contains("__private :: run_wrapped ("));
        let function = expanded(quote!(), quote!(#wrapper async fn name() {}));
        assert_eq!(text(&function.sig), text(quote!(fn name())));
    }
}

#[test]
fn a_tuple_is_not_unit() {
    let function = expanded(
        quote!(),
        quote!(
            async fn name() -> (u8,) {
                (1,)
            }
        ),
    );
    assert_eq!(text(&function.sig), text(quote!(fn name() -> ::std::process::ExitCode)));
}

#[test]
fn attributes_docs_and_visibility_are_kept_and_the_test_comes_last() {
    let function = expanded(
        quote!(),
        quote! {
            /// Why.
            #[ignore = "slow"]
            #[should_panic(expected = "boom")]
            #[cfg(unix)]
            pub(crate) async fn name() {}
        },
    );
    let attrs = quote! {
        #[doc = " Why."]
        #[ignore = "slow"]
        #[should_panic(expected = "boom")]
        #[cfg(unix)]
        #[::core::prelude::v1::test]
    };
    let kept = &function.attrs;
    assert_eq!(text(quote!(#(#kept)*)).replace("r\" Why.\"", "\" Why.\""), text(attrs));
    assert_eq!(text(&function.vis), text(quote!(pub(crate))));
    assert!(parts(&function).0.attrs.is_empty());
}

#[test]
fn an_attribute_of_the_body_stays_on_a_function_of_the_tests_name() {
    let function = expanded(
        quote!(),
        quote! {
            #[traced_test]
            #[ignore]
            async fn name() -> Result<(), Error> {}
        },
    );
    let attrs = &function.attrs;
    assert_eq!(text(quote!(#(#attrs)*)), text(quote!(#[ignore] #[::core::prelude::v1::test])));
    let body = quote! {
        #[traced_test]
        async fn name() -> Result<(), Error> {}
    };
    assert_eq!(text(parts(&function).0), text(body));
}

#[test]
fn an_attribute_inside_the_body_is_moved_to_the_test() {
    let function = expanded(
        quote!(),
        quote!(
            async fn name() {
                #![ignore]
                work().await;
            }
        ),
    );
    let attrs = &function.attrs;
    assert_eq!(text(quote!(#(#attrs)*)), text(quote!(#[ignore] #[::core::prelude::v1::test])));
    assert_eq!(
        text(parts(&function).0),
        text(quote!(
            async fn name() {
                work().await;
            }
        ))
    );
}

#[test]
fn the_arguments_become_calls_of_the_checker() {
    let args = quote! {
        crate = "renamed", start_paused = true, settle = "200ms", horizon = "31s", deadline = "1m",
        allow = ["src/a.rs", ("b", at_most = 2)], allow_blocking = 1, await_lines = true, panics = "fail", children = "note"
    };
    let (_, call) = parts(&expanded(
        args,
        quote!(
            async fn name() {}
        ),
    ));
    let expected = quote! {{
        use renamed as __leakcheck;
        __leakcheck::__private::run_unit(
            __leakcheck::Checker::current_thread()
                .start_paused(true)
                .settle(::core::time::Duration::from_millis(200u64))
                .horizon(::core::time::Duration::from_millis(31000u64))
                .deadline(::core::time::Duration::from_millis(60000u64))
                .allow("src/a.rs")
                .allow_at_most("b", 2usize)
                .allow_blocking(1usize).await_lines(true).fail_on_panic(true).fail_on_children(false),
            name
        )
    }};
    assert_eq!(call, text(expected));
}

#[test]
fn each_flavor_has_its_checker_and_multi_thread_the_workers_asked_for_or_tokios_number() {
    let cases = [
        (quote!(flavor = "local"), quote!(__leakcheck::Checker::local())),
        (quote!(flavor = "multi_thread"), quote!(__leakcheck::__private::multi_thread())),
        (quote!(flavor = "multi_thread", worker_threads = 2), quote!(__leakcheck::Checker::multi_thread(2usize))),
    ];
    for (args, checker) in cases {
        let (_, call) = parts(&expanded(
            args,
            quote!(
                async fn name() {}
            ),
        ));
        assert!(call.contains(&format!("({checker} , name)")), "{call}");
    }
}

/// Each function must be refused with its message.
fn check_refused(cases: impl IntoIterator<Item = (proc_macro2::TokenStream, &'static str)>) {
    for (item, message) in cases {
        assert_eq!(refused(quote!(), item.clone()).1, message, "{item}");
    }
}

#[test]
fn a_function_without_async_or_with_parameters_is_answered_with_what_to_write() {
    check_refused([
        (quote! { fn name() {} }, "the function is not async: write `async fn`, or use `#[test]`"),
        (quote! { async fn name(x: u32) {} }, "a test takes no parameters: make the values in its body"),
        (
            quote! { async fn name(#[case] x: u32, #[values(1, 2)] y: u32) {} },
            "a test takes no parameters: put the attribute that reads `#[case]`, such as `#[rstest]`, above \
             `#[leakcheck::test]`",
        ),
        (
            quote!(
                #[ignore]
                #[my::fixtures]
                async fn name(x: u32) {}
            ),
            "a test takes no parameters: make the values in its body, or put `#[my::fixtures]` above \
             `#[leakcheck::test]` if it makes them",
        ),
        (quote! { async fn name(&self) {} }, "a test takes no parameters: make the values in its body"),
    ]);
}

#[test]
fn a_kind_of_function_that_cannot_be_a_test_is_answered_with_what_to_write() {
    check_refused([
        (quote! { async fn name<T>() {} }, "a test is not generic: write one test for each type"),
        (
            quote!(
                async fn name()
                where
                    u8: Copy,
                {
                }
            ),
            "a test is not generic: remove the `where` clause",
        ),
        (
            quote! { async unsafe fn name() {} },
            "a test is called by nobody who could promise anything: remove `unsafe`",
        ),
        (quote! { async extern "C" fn name() {} }, "a test is called from Rust: remove `extern`"),
        (quote! { struct Name; }, "only a function can be a test: write `async fn`"),
    ]);
}

/// This is what a `#[tokio::test]` above this attribute leaves.
#[test]
fn a_test_attribute_above_is_told_before_the_async_that_it_took_away() {
    check_refused([(
        quote!(
            #[::core::prelude::v1::test]
            fn name() {}
        ),
        "an attribute above has made a test of the function already: remove that attribute, or let it call this one, \
         as in `#[test_log::test(leakcheck::test)]`",
    )]);
}

#[test]
fn a_function_without_a_body_is_refused() {
    let tokens = text(test(
        quote!(),
        quote!(
            async fn name();
        ),
    ));
    assert!(tokens.contains("a test needs a body: write `{ … }`"), "{tokens}");
}

#[test]
fn a_refused_argument_leaves_the_function_as_it_was_written() {
    let item = quote! {
        #[ignore]
        pub async fn name() -> Result<(), Error> { work().await }
    };
    let (rest, message) = refused(quote!(worker_threads = 2), item.clone());
    assert_eq!(rest, text(item));
    assert!(message.starts_with("`worker_threads` needs"), "{message}");
}

#[test]
fn a_refused_function_is_no_test_and_is_async() {
    let (rest, _) = refused(
        quote!(),
        quote!(
            #[tokio::test]
            #[ignore]
            fn name() {
                work().await
            }
        ),
    );
    assert_eq!(
        rest,
        text(quote!(
            #[ignore]
            async fn name() {
                work().await
            }
        ))
    );
}

#[test]
fn a_refused_function_keeps_nothing_that_makes_tests_of_it() {
    let (rest, message) = refused(
        quote!(),
        quote!(
            #[rstest]
            #[case(1)]
            #[traced_test]
            async fn name(#[case] x: u32) {}
        ),
    );
    let kept = quote!(
        #[traced_test]
        async fn name(x: u32) {}
    );
    assert_eq!(rest, text(kept));
    assert!(message.starts_with("put `#[rstest]` above"), "{message}");
}

#[test]
fn one_thing_is_wrong_at_a_time() {
    let (_, message) = refused(
        quote!(settle = "x", nonsense),
        quote!(
            #[test]
            fn name(x: u32) {}
        ),
    );
    assert!(message.starts_with("a second test attribute"), "{message}");
}
