//! Attributes of other runtimes than tokio's that make tests, as `#[actix_rt::test]` does.
//!
//! They put `#[test]` before all other attributes of the function, and where there is no standard
//! harness, rustc then drops the test and with it our attribute. The same crates have an attribute
//! for `main` that makes the same runtime and no test. So the function becomes one that calls a
//! `main` within it.

use proc_macro::{Ident, TokenStream, TokenTree};

use crate::company::is_named;
use crate::function::{Attribute, Function, all_tokens};
use crate::tokens::{Result, fill};

/// Crates with an attribute `test` that makes a runtime, and an attribute `main` that makes the
/// same one.
const RUNTIMES: [&str; 8] = [
    "actix",
    "actix_rt",
    "actix_web",
    "async_std",
    "compio",
    "monoio",
    "ntex",
    "smol_potat",
];

/// Takes the attribute of a runtime away from an `async` function, if it has one. Returns that of
/// the same runtime's `main`.
pub(crate) fn take(function: &mut Function) -> Option<TokenStream> {
    let is_of_runtime = |attribute: &Attribute| {
        let path = &attribute.path;
        is_named(attribute, &["test"])
            && path.len() > 1
            && RUNTIMES.iter().any(|name| path[path.len() - 2] == *name)
    };
    if !function.is_async() {
        return None;
    }
    let at = function.attributes.iter().position(is_of_runtime)?;
    Some(function.attributes.remove(at).renamed("main"))
}

/// Returns options of ours that name the attribute of a runtime's `main` as well.
pub(crate) fn with_option(runtime: &TokenStream, options: &TokenStream) -> TokenStream {
    fill(
        "__runtime(__attribute), __options",
        &[("__attribute", runtime), ("__options", options)],
    )
}

/// Makes of an `async` function one that is called on a runtime.
pub(crate) fn call_on(runtime: &TokenStream, mut function: Function) -> Result<Function> {
    let attributes = std::mem::take(&mut function.attributes);
    let name = function.ident.clone();
    // The attribute refuses a function of another name.
    function.ident = Ident::new("main", name.span());
    Function::parse(fill(
        "__attributes
        fn __name() __output {
            __runtime
            #[allow(unused_braces, reason = \"the attribute may put the body into more of them\")]
            __function
            main()
        }",
        &[
            ("__attributes", &all_tokens(&attributes)),
            ("__name", &TokenTree::from(name).into()),
            ("__output", &function.output),
            ("__runtime", runtime),
            ("__function", &function.tokens()),
        ],
    ))
}
