//! Attributes of other crates on the function of a test.
//!
//! rustc expands the attributes of a function from the first to the last. An attribute that makes
//! tests, such as `#[rstest]`, copies those below it onto each test that it makes; most of these
//! attributes add no `#[test]` where one of them has the name `test`. So ours has to come last,
//! wherever the user has put it.

use proc_macro::TokenStream;

use crate::function::{Attribute, AttributeMeta, Function, all_tokens, type_of};
use crate::rustc::{OWN_NAME, Rustc};
use crate::tokens::{Result, SourceError, comma, fill};

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
    Test(Box<Function>),
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
    mut function: Function,
) -> Result<Arranged> {
    // Ours stands in for it.
    function
        .attributes
        .retain(|attribute| !is_plain_test(attribute));
    if let Some(at) = function.attributes.iter().position(is_ours) {
        // This happens where `use snowglobe::test;` makes ours of the `#[test]` that a macro has
        // added.
        let second = function.attributes.remove(at);
        return merge(options, &second, &function).map(Arranged::Later);
    }
    if let Some(at) = function
        .attributes
        .iter()
        .position(|a| is_named(a, &["quickcheck"]))
    {
        function.attributes.remove(at);
        return quickcheck(function).map(|it| Arranged::Test(Box::new(it)));
    }
    let has_arguments = !function.arguments().is_empty() || function.type_parameters().is_some();
    let is_foreign = |attribute: &Attribute| {
        is_named(attribute, &MAKERS) || (has_arguments && !is_built_in(attribute))
    };
    if is_last || !function.attributes.iter().any(is_foreign) {
        return Ok(Arranged::Test(Box::new(function)));
    }
    let place = if makes_cases(&function) && !function.is_async() {
        // test_case puts `#[test]` before our attribute, unless the function is `async`; and where
        // `#[test]` comes first and there is no standard harness, rustc drops the test and with it
        // our attribute.
        function.make_async();
        "__last_and_polled_once"
    } else {
        "__last"
    };
    let attributes = std::mem::take(&mut function.attributes);
    Ok(Arranged::Later(fill(
        &format!("__attributes #[::snowglobe::test({place}, __options)] __function"),
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__options", options),
            ("__function", &function.tokens()),
        ],
    )))
}

/// Makes one attribute of two of ours.
fn merge(options: &TokenStream, second: &Attribute, function: &Function) -> Result<TokenStream> {
    let more = second.list();
    if !options.is_empty() && !more.is_empty() {
        let message = "#[snowglobe::test] stands here twice: give one of them all options";
        return Err(SourceError::over(second.tokens(), message));
    }
    let mut function = function.clone();
    let attributes = std::mem::take(&mut function.attributes);
    let options = [options.clone(), more].into_iter().collect();
    Ok(fill(
        "__attributes #[::snowglobe::test(__options)] __function",
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__options", &options),
            ("__function", &function.tokens()),
        ],
    ))
}

/// Returns whether test_case makes cases of the function.
fn makes_cases(function: &Function) -> bool {
    let is_rstest = |attribute: &Attribute| is_named(attribute, &["rstest", "apply"]);
    let is_case = |attribute: &Attribute| {
        let path = &attribute.path;
        let is_of_crate = path.first().is_some_and(|part| part == "test_case");
        // ntest too has a `test_case`, which is another.
        (is_of_crate && path.len() > 1)
            || (path.len() == 1 && is_named(attribute, &["test_case", "test_matrix"]))
    };
    function.attributes.iter().any(is_case) && !function.attributes.iter().any(is_rstest)
}

/// Makes of a property the function that has quickcheck check it.
fn quickcheck(mut property: Function) -> Result<Function> {
    let mut types = TokenStream::new();
    for argument in property.arguments() {
        let Some(of) = type_of(&argument) else {
            let message = "a property is no method";
            return Err(SourceError::over(argument, message));
        };
        types.extend(of);
        types.extend([comma()]);
    }
    let attributes = std::mem::take(&mut property.attributes);
    let ident = proc_macro::TokenTree::from(property.ident.clone()).into();
    Function::parse(fill(
        "__attributes
        fn __name() {
            __property
            ::quickcheck::quickcheck(__name as fn(__types) __output)
        }",
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__name", &ident),
            ("__property", &property.tokens()),
            ("__types", &types),
            ("__output", &property.output),
        ],
    ))
}

/// Returns whether the attribute is std's `#[test]`.
pub(crate) fn is_plain_test(attribute: &Attribute) -> bool {
    let path = &attribute.path;
    let is_in_prelude =
        path.len() > 2 && (path[0] == "core" || path[0] == "std") && path[1] == "prelude";
    matches!(attribute.meta, AttributeMeta::Path)
        && is_named(attribute, &["test"])
        && (path.len() == 1 || is_in_prelude)
}

/// Returns whether the attribute is ours.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    let path = &attribute.path;
    let is_crate = |name: &String| name == OWN_NAME || name == Rustc::name_of_snowglobe();
    is_named(attribute, &["test"]) && path.len() > 1 && is_crate(&path[0])
}

/// Returns whether the last part of the attribute's path is among `names`.
pub(crate) fn is_named(attribute: &Attribute, names: &[&str]) -> bool {
    let last = attribute.path.last();
    last.is_some_and(|part| names.iter().any(|name| part == name))
}

/// Returns whether the compiler itself knows the attribute, which then makes no test.
fn is_built_in(attribute: &Attribute) -> bool {
    let name = attribute.ident();
    name.is_some_and(|name| BUILT_IN.contains(&name))
}
