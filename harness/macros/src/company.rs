//! Attributes of other crates on the function of a test.
//!
//! rustc expands the attributes of a function from the first to the last. An attribute that makes
//! tests, such as `#[rstest]`, copies those below it onto each test that it makes; most of these
//! attributes add no `#[test]` where one of them has the name `test`. So ours has to come last,
//! wherever the user has put it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, FnArg, ItemFn, Meta, Result, parse_quote};

/// Names of attributes that make tests.
pub(crate) const MAKERS: [&str; 11] = [
    "apply",
    "case",
    "gtest",
    "parameterized",
    "property_test",
    "proptest",
    "rstest",
    "test",
    "test_case",
    "test_log",
    "test_matrix",
];

/// Names of attributes that the compiler itself knows.
pub(crate) const BUILT_IN: [&str; 16] = [
    "allow",
    "automatically_derived",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "should_panic",
    "track_caller",
    "warn",
];

/// Treatment of the function below our attribute.
pub(crate) enum Arranged {
    /// The function is a test.
    Test(Box<ItemFn>),
    /// Attributes of other crates have to be expanded first.
    Later(TokenStream),
}

/// Puts our attribute with these `options` behind those that make tests of the function, unless
/// the attribute `is_last` already.
///
/// # Errors
/// Our attribute stands there twice, or a property is a method.
pub(crate) fn arrange(
    options: &TokenStream,
    is_last: bool,
    mut function: ItemFn,
) -> Result<Arranged> {
    // Ours stands in for it.
    function.attrs.retain(|attribute| !is_plain_test(attribute));
    if let Some(at) = function.attrs.iter().position(is_ours) {
        // This happens where `use snowglobe::test;` makes ours of the `#[test]` that a macro has
        // added.
        let second = function.attrs.remove(at);
        return merge(options, &second, &function).map(Arranged::Later);
    }
    if let Some(at) = function
        .attrs
        .iter()
        .position(|a| is_named(a, &["quickcheck"]))
    {
        function.attrs.remove(at);
        return quickcheck(function).map(|it| Arranged::Test(Box::new(it)));
    }
    let has_arguments = !function.sig.inputs.is_empty() || !function.sig.generics.params.is_empty();
    let is_foreign = |attribute: &Attribute| {
        is_named(attribute, &MAKERS) || (has_arguments && !is_built_in(attribute))
    };
    if is_last || !function.attrs.iter().any(is_foreign) {
        return Ok(Arranged::Test(Box::new(function)));
    }
    let place = if makes_cases(&function) && function.sig.asyncness.is_none() {
        // test_case puts `#[test]` before our attribute, unless the function is `async`; and where
        // `#[test]` comes first and there is no standard harness, rustc drops the test and with it
        // our attribute.
        function.sig.asyncness = Some(parse_quote!(async));
        quote!(__last_and_polled_once)
    } else {
        quote!(__last)
    };
    let attributes = std::mem::take(&mut function.attrs);
    Ok(Arranged::Later(
        quote!(#(#attributes)* #[::snowglobe::test(#place, #options)] #function),
    ))
}

/// Makes one attribute of two of ours.
fn merge(options: &TokenStream, second: &Attribute, function: &ItemFn) -> Result<TokenStream> {
    let more = match &second.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    };
    if !options.is_empty() && !more.is_empty() {
        let message = "#[snowglobe::test] stands here twice: give one of them all options";
        return Err(Error::new_spanned(second, message));
    }
    let mut function = function.clone();
    let attributes = std::mem::take(&mut function.attrs);
    Ok(quote!(#(#attributes)* #[::snowglobe::test(#options #more)] #function))
}

/// Returns whether test_case makes cases of the function.
fn makes_cases(function: &ItemFn) -> bool {
    let is_rstest = |attribute: &Attribute| is_named(attribute, &["rstest", "apply"]);
    let is_case = |attribute: &Attribute| {
        let segments = &attribute.path().segments;
        let is_of_crate = segments
            .first()
            .is_some_and(|segment| segment.ident == "test_case");
        // ntest too has a `test_case`, which is another.
        (is_of_crate && segments.len() > 1)
            || (segments.len() == 1 && is_named(attribute, &["test_case", "test_matrix"]))
    };
    function.attrs.iter().any(is_case) && !function.attrs.iter().any(is_rstest)
}

/// Makes of a property the function that has quickcheck check it.
fn quickcheck(mut property: ItemFn) -> Result<ItemFn> {
    let mut types = Vec::new();
    for input in &property.sig.inputs {
        match input {
            FnArg::Typed(input) => types.push(&input.ty),
            FnArg::Receiver(receiver) => {
                let message = "a property is no method";
                return Err(Error::new_spanned(receiver, message));
            }
        }
    }
    let attributes = std::mem::take(&mut property.attrs);
    let name = &property.sig.ident;
    let output = &property.sig.output;
    let types = types.iter();
    Ok(parse_quote! {
        #(#attributes)*
        fn #name() {
            #property
            ::quickcheck::quickcheck(#name as fn(#(#types),*) #output)
        }
    })
}

/// Returns whether the attribute is std's `#[test]`.
pub(crate) fn is_plain_test(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    let is_in_prelude = segments.len() > 2
        && (segments[0].ident == "core" || segments[0].ident == "std")
        && segments[1].ident == "prelude";
    matches!(attribute.meta, Meta::Path(_))
        && is_named(attribute, &["test"])
        && (segments.len() == 1 || is_in_prelude)
}

/// Returns whether the attribute is ours.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    is_named(attribute, &["test"])
        && segments.len() > 1
        && segments
            .first()
            .is_some_and(|segment| segment.ident == "snowglobe")
}

/// Returns whether the last part of the attribute's path is among `names`.
pub(crate) fn is_named(attribute: &Attribute, names: &[&str]) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// Returns whether the compiler itself knows the attribute, which then makes no test.
fn is_built_in(attribute: &Attribute) -> bool {
    let name = attribute.path().get_ident();
    name.is_some_and(|name| BUILT_IN.iter().any(|known| name == known))
}
