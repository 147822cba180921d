//! Attributes of other crates on the function of a test.
//!
//! rustc expands the attributes of a function from the first to the last. An attribute that makes
//! tests, such as `#[rstest]`, copies those below it onto each test that it makes; most of these
//! attributes add no `#[test]` where one of them has the name `test`. So ours has to come last,
//! wherever the user has put it.

use proc_macro::TokenStream;

use crate::function::{Attribute, AttributeMeta, Function, all_tokens, type_of};
use crate::literal::Text;
use crate::options::TestOptions;
use crate::runtime;
use crate::rustc::{OWN_NAME, Rustc};
use crate::tokens::{Cursor, Result, SourceError, comma, fill, is_word, string};

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

/// Options by which our attribute knows that this crate has put it behind all others.
const PLACES: [&str; 2] = ["__last", "__last_and_polled_once"];

/// Documentation of the function that a trial calls.
const MARK: &str = "Called by a trial of snowglobe.";

const TWICE: &str = "#[snowglobe::test] stands here twice: give one of them all options";

/// Treatment of the function below our attribute.
pub(crate) enum Arranged {
    /// The function is a test.
    Test(Box<Function>),
    /// Attributes of other crates have to be expanded first.
    Later(TokenStream),
}

/// Puts our attribute, with the options that are `given` and have been read, behind those that make
/// tests of the function. An attribute that is last was put there before.
///
/// # Errors
/// Our attribute stands there twice, or a property is a method.
pub(crate) fn arrange(
    given: &TokenStream,
    read: &TestOptions,
    mut function: Function,
) -> Result<Arranged> {
    let (options, is_last) = (given, read.is_last);
    if let Some(at) = function.attributes.iter().position(is_mark) {
        // The attribute has another name in this file, so that the one above did not know it.
        if !options.is_empty() {
            return Err(SourceError::new(proc_macro::Span::call_site(), TWICE));
        }
        function.attributes.remove(at);
        return Ok(Arranged::Later(function.tokens()));
    }
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
    let runtime = runtime::take(&mut function);
    let has_arguments = !function.arguments().is_empty() || function.type_parameters().is_some();
    let is_foreign = |attribute: &Attribute| {
        is_named(attribute, &MAKERS) || (has_arguments && !is_last && !is_built_in(attribute))
    };
    if !function.attributes.iter().any(is_foreign) {
        let function = match runtime.as_ref().or(read.runtime.as_ref()) {
            Some(runtime) => runtime::call_on(runtime, function)?,
            None => function,
        };
        return Ok(Arranged::Test(Box::new(function)));
    }
    // The option goes the same way as ours: test_case changes the order of attributes.
    let options = &match &runtime {
        Some(runtime) => runtime::with_option(runtime, options),
        None => options.clone(),
    };
    if let Some(named) = names_its_tests_by(&function) {
        return Ok(Arranged::Later(name_ours_by(named, options, function)));
    }
    let place = if is_last {
        // An attribute above has put another one behind ours: `#[crate::test]` of axum 0.8 adds
        // `#[tokio::test]` there. The options have our place already.
        ""
    } else if makes_cases(&function) && !function.is_async() {
        // test_case puts `#[test]` before our attribute, unless the function is `async`; and where
        // `#[test]` comes first and there is no standard harness, rustc drops the test and with it
        // our attribute.
        function.make_async();
        "__last_and_polled_once,"
    } else {
        "__last,"
    };
    let attributes = std::mem::take(&mut function.attributes);
    Ok(Arranged::Later(fill(
        &format!("__attributes #[::snowglobe::test({place} __options)] __function"),
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__options", options),
            ("__function", &function.tokens()),
        ],
    )))
}

/// Returns the attribute by which a `#[parameterized(…)]` on the function is told what makes a test
/// of each of its cases. It puts `#[test]` before all other attributes otherwise, and where there
/// is no standard harness, rustc then drops the test and with it our attribute.
///
/// Two crates have an attribute of that name: that of yare has names of cases in front,
/// `one = { 1, 2 }`, and that of the crate parameterized has names of arguments, `a = { 1, 3 }`.
fn names_its_tests_by(function: &Function) -> Option<&'static str> {
    let attributes = &function.attributes;
    let maker = attributes
        .iter()
        .find(|it| is_named(it, &["parameterized"]))?;
    let first = maker.list().into_iter().next()?.to_string();
    let is_argument = |argument: TokenStream| {
        let mut words = argument.into_iter().map(|token| token.to_string());
        words.find(|word| word != "mut") == Some(first.clone())
    };
    let named = match function.arguments().into_iter().any(is_argument) {
        true => "parameterized_macro",
        false => "test_macro",
    };
    let is_told_already = attributes.iter().any(|it| is_named(it, &[named]));
    (!is_told_already).then_some(named)
}

/// Names our attribute in an attribute of this name, behind all others.
fn name_ours_by(named: &str, options: &TokenStream, mut function: Function) -> TokenStream {
    let attributes = std::mem::take(&mut function.attributes);
    fill(
        &format!("__attributes #[{named}(::snowglobe::test(__last, __options))] __function"),
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__options", options),
            ("__function", &function.tokens()),
        ],
    )
}

/// Makes one attribute of two of ours.
fn merge(options: &TokenStream, second: &Attribute, function: &Function) -> Result<TokenStream> {
    // The user has not given the option by which this crate has put the second one last.
    let (place, more) = without_place(second.list());
    if !options.is_empty() && !more.is_empty() {
        return Err(SourceError::over(second.tokens(), TWICE));
    }
    let mut function = function.clone();
    let attributes = std::mem::take(&mut function.attributes);
    let options = [place, options.clone(), more].into_iter().collect();
    Ok(fill(
        "__attributes #[::snowglobe::test(__options)] __function",
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__options", &options),
            ("__function", &function.tokens()),
        ],
    ))
}

/// Splits options into the one that says that the attribute stands last already, and the others.
fn without_place(options: TokenStream) -> (TokenStream, TokenStream) {
    let mut input = Cursor::new(options.clone());
    let first = input.next();
    let is_place = |place: &&str| is_word(first.as_ref(), place);
    if !PLACES.iter().any(is_place) {
        return (TokenStream::new(), options);
    }
    let place = first.into_iter().chain(input.next()).collect();
    (place, input.rest())
}

/// Marks a function of a trial, if another of our attributes may stand on it by another name.
pub(crate) fn mark_as_trial(function: &mut Function) {
    // The compiler reads `cfg_attr` after our attribute.
    let is_inert = |it: &Attribute| is_built_in(it) && it.ident() != Some("cfg_attr");
    if function.attributes.iter().all(is_inert) {
        return;
    }
    let mark = fill("#[doc = __mark]", &[("__mark", &string(MARK))]);
    function.attributes.insert(0, Attribute::of(mark));
}

/// Returns whether the attribute says that the function is that of a trial already.
fn is_mark(attribute: &Attribute) -> bool {
    let AttributeMeta::NameValue(value) = &attribute.meta else {
        return false;
    };
    let text = Text::alone(value.clone());
    attribute.ident() == Some("doc") && text.is_some_and(|text| text.value() == MARK)
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
    // `my_crate::snowglobe::test` where another crate re-exports ours.
    is_named(attribute, &["test"]) && path.len() > 1 && is_crate(&path[path.len() - 2])
}

/// Returns whether the last part of the attribute's path is among `names`.
pub(crate) fn is_named(attribute: &Attribute, names: &[&str]) -> bool {
    let last = attribute.path.last();
    last.is_some_and(|part| names.iter().any(|name| part == name))
}

/// Returns whether the compiler itself knows the attribute, which then makes no test.
pub(crate) fn is_built_in(attribute: &Attribute) -> bool {
    let name = attribute.ident();
    name.is_some_and(|name| BUILT_IN.contains(&name))
}
