use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, parse::Parser};

use super::{check, split, without_faults};

fn attributes(tokens: TokenStream) -> Vec<Attribute> {
    Attribute::parse_outer.parse2(tokens).unwrap()
}

fn text(attrs: &[Attribute]) -> String {
    attrs.iter().map(|attr| attr.to_token_stream().to_string().replace(' ', "")).collect()
}

/// Where each attribute goes: to the test, to the body.
fn goes(tokens: TokenStream) -> (String, String) {
    let (outer, inner) = split(&attributes(tokens));
    (text(&outer), text(&inner))
}

fn refused(tokens: TokenStream) -> String {
    let attrs = attributes(tokens);
    let error = check(&attrs).unwrap_err();
    assert_eq!(error.into_iter().count(), 1);
    check(&attrs).unwrap_err().to_string()
}

#[test]
fn the_test_has_the_compilers_attributes_and_wrappers_that_hold_until_the_verdict() {
    for attr in [
        quote!(#[ignore = "slow"]),
        quote!(#[should_panic(expected = "boom")]),
        quote!(#[cfg(unix)]),
        quote!(#[expect(clippy::unwrap_used, reason = "a test")]),
        quote!(#[deny(warnings)]),
        quote!(#[doc = "why"]),
        quote!(#[unsafe(no_mangle)]),
        quote!(#[rustfmt::skip]),
        quote!(#[clippy::cognitive_complexity = "9"]),
        quote!(#[serial]),
        quote!(#[serial_test::file_parallel(key)]),
        quote!(#[ntest::timeout(100)]),
        quote!(#[timeout(100)]),
    ] {
        let written = attr.to_string().replace(' ', "");
        assert_eq!(goes(attr), (written, String::new()));
    }
}

#[test]
fn the_body_has_every_other_attribute_in_the_order_written() {
    let (outer, inner) = goes(quote! {
        #[traced_test]
        #[ignore]
        #[tracing::instrument(skip_all)]
        #[my::ignore]
        #[cfg_mine]
    });
    assert_eq!(outer, "#[ignore]");
    assert_eq!(inner, "#[traced_test]#[tracing::instrument(skip_all)]#[my::ignore]#[cfg_mine]");
}

#[test]
fn what_depends_on_a_condition_goes_where_it_would_go_without() {
    let (outer, inner) = goes(quote!(#[cfg_attr(miri, ignore)]));
    assert_eq!((outer.as_str(), inner.as_str()), ("#[cfg_attr(miri,ignore)]", ""));
    let (outer, inner) = goes(quote!(#[cfg_attr(feature = "log", traced_test)]));
    assert_eq!((outer.as_str(), inner.as_str()), ("", r#"#[cfg_attr(feature="log",traced_test)]"#));
    let mixed = quote!(#[cfg_attr(all(unix, not(miri)), ignore = "slow", traced_test, serial(a, b),)]);
    let (outer, inner) = goes(mixed);
    assert_eq!(outer, r#"#[cfg_attr(all(unix,not(miri)),ignore="slow",serial(a,b))]"#);
    assert_eq!(inner, "#[cfg_attr(all(unix,not(miri)),traced_test)]");
    // Within another: the attribute inside decides, and rustc refuses what is not well formed.
    let (outer, inner) = goes(quote!(#[cfg_attr(unix, cfg_attr(miri, ignore))]));
    assert_eq!((outer.as_str(), inner.as_str()), ("#[cfg_attr(unix,cfg_attr(miri,ignore))]", ""));
    assert_eq!(goes(quote!(#[cfg_attr])), ("#[cfg_attr]".into(), String::new()));
}

#[test]
fn an_attribute_that_makes_tests_belongs_above() {
    for (attr, written) in [
        (quote!(#[rstest]), "rstest"),
        (quote!(#[test_case(1; "one")]), "test_case"),
        (quote!(#[test_case::test_matrix([1, 2])]), "test_case::test_matrix"),
        (quote!(#[test_context(Database)]), "test_context"),
        (quote!(#[gtest]), "gtest"),
        (quote!(#[googletest::test]), "googletest::test"),
        (quote!(#[rstest_reuse::apply(all)]), "rstest_reuse::apply"),
        (quote!(#[cfg_attr(unix, ignore, test_case(1))]), "test_case"),
    ] {
        let message = refused(quote!(#[traced_test] #attr #[ignore]));
        let expected = format!("put `#[{written}]` above `#[leakcheck::test]`: it makes tests of what is below it");
        assert_eq!(message, expected);
    }
    assert_eq!(
        refused(quote!(#[case(1)])),
        "put `#[case]` above `#[leakcheck::test]`: it belongs to an attribute that makes tests of this one, such as \
         `#[rstest]`"
    );
}

#[test]
fn a_second_test_attribute_is_answered_by_whose_it_is() {
    let nested = "remove `#[leakcheck::test]`, and run the body in \
                  `leakcheck::Checker::current_thread().assert(move || async move { … })`";
    let second = "a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already";
    for attr in [quote!(#[test]), quote!(#[tokio::test(flavor = "local")]), quote!(#[leakcheck::test])] {
        assert_eq!(refused(attr), second);
    }
    for (attr, message) in [
        (
            quote!(#[::core::prelude::v1::test]),
            "an attribute above has made a test of the function already: remove that attribute, or let it call this one, \
             as in `#[test_log::test(leakcheck::test)]`"
                .to_owned(),
        ),
        (quote!(#[test_log::test]), "write `#[test_log::test(leakcheck::test)]` instead of both".to_owned()),
        (
            quote!(#[actix_web::test]),
            "remove `#[actix_web::test]`, and write `#[leakcheck::test(flavor = \"local\")]`".to_owned(),
        ),
        (quote!(#[sqlx::test]), format!("`#[sqlx::test]` builds a runtime that cannot be checked: {nested}")),
        (
            quote!(#[property_test]),
            format!("`#[property_test]` runs the body many times, with values of its own: {nested}"),
        ),
        (quote!(#[tokio::main]), "`#[tokio::main]` builds a runtime of its own: remove it".to_owned()),
    ] {
        assert_eq!(refused(attr), message);
    }
}

#[test]
fn the_first_fault_is_told_and_none_is_left() {
    let attrs = quote!(#[ignore] #[rstest] #[case(1)] #[traced_test] #[test]);
    assert!(refused(attrs.clone()).starts_with("put `#[rstest]` above"));
    assert_eq!(text(&without_faults(attributes(attrs))), "#[ignore]#[traced_test]");
    assert!(check(&attributes(quote!(#[ignore] #[traced_test] #[serial]))).is_ok());
}
