//! `#[snowglobe::test]`.
//!
//! The same source must run under snowglobe's own harness and under libtest, and no attribute can
//! know which it will be. With `harness = false` cargo passes `--cfg test` to rustc but not
//! `--test`, so rustc drops functions with `#[test]`. The macro therefore emits both an entry of a
//! registry, which snowglobe's `main` reads, and a `#[test]` function, which lives under libtest
//! only.
//!
//! Attributes of other crates on the same function are expanded before ours (`company.rs`).

use proc_macro::{Ident, Span, TokenStream, TokenTree};

use crate::company::{Arranged, arrange, mark_as_trial};
use crate::function::{Attribute, Function, all_tokens};
use crate::options::{Flavor, TestOptions};
use crate::rustc::Rustc;
use crate::tokens::{Result, SourceError, fill, fill_at, string};
use crate::{above, others, own_crate};

/// Section of the program that `snowglobe` reads as `TRIALS`.
const SECTION: &str = "snowglobe_trials_0_1_0";

/// Expands the attribute, or returns the error and the function as it was.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> TokenStream {
    match try_expand(options, function.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let error = error.to_compile_error();
            // The function stays, so that it is not reported as missing as well.
            [error, function].into_iter().collect()
        }
    }
}

fn try_expand(given: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let _crate = own_crate::note(&given)?;
    let mut options = TestOptions::parse(given.clone())?;
    let function = Function::parse(function)?;
    let mut function = match arrange(&given, &options, function)? {
        Arranged::Test(function) => *function,
        Arranged::Later(tokens) => return Ok(tokens),
    };
    let mut kept = Vec::new();
    for attribute in function.attributes.drain(..) {
        if !options.read_attribute(&attribute)? {
            kept.push(attribute);
        }
    }
    check(&options, &function)?;
    let is_condition = |attribute: &Attribute| attribute.ident() == Some("cfg");
    let (conditions, kept): (Vec<_>, _) = kept.into_iter().partition(is_condition);
    function.attributes = kept;
    Ok(emit(&options, &function, &all_tokens(&conditions)))
}

fn check(options: &TestOptions, function: &Function) -> Result<()> {
    let is_paused_by = options
        .start_paused
        .filter(|_| options.flavor != Flavor::CurrentThread);
    if let Some(at) = is_paused_by {
        let message = "the clock stands still on a runtime of one thread only: leave `flavor` and `worker_threads` out";
        return Err(SourceError::new(at, message));
    }
    if let Some(at) = options.start_paused.filter(|_| !function.is_async()) {
        return Err(SourceError::new(at, "`start_paused` is for `async` tests"));
    }
    if let Some(argument) = function.arguments().into_iter().next() {
        let message = "a test takes no arguments; for parametrised tests write #[snowglobe::test] above the attribute that gives the arguments (rstest, test_case), or make `snowglobe::Trial`s at run time and hand them to `snowglobe::main!`";
        return Err(SourceError::over(argument, message));
    }
    match function.type_parameters() {
        Some(parameters) => Err(SourceError::over(
            parameters.clone(),
            "a test cannot be generic",
        )),
        None => Ok(()),
    }
}

/// Returns the tokens of a test; `conditions` are its `#[cfg(…)]`s, which all of them bear.
fn emit(options: &TestOptions, function: &Function, conditions: &TokenStream) -> TokenStream {
    let name = function.ident.to_string();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let given_name = match &options.name {
        Some(name) => fill(
            "::core::option::Option::Some(__name)",
            &[("__name", &name.tokens())],
        ),
        None => fill("::core::option::Option::None", &[]),
    };
    let run = run(options, function);
    let path = fill(
        "::core::concat!(::core::module_path!(), \"::\", __name)",
        &[("__name", &string(name))],
    );
    let shim = shim(options, &function.ident, &path);
    let body = returned(function, &run);
    let mut function = function.clone();
    mark_as_trial(&mut function);
    // The function comes first: what another `#[test]` says of it is looked for right above.
    fill(
        "__error

        __conditions
        __shim

        __conditions
        #[cfg(test)]
        const _: () = {
            __function

            #[used]
            #[unsafe(link_section = __section)]
            static TRIAL: ::snowglobe::__private::Definition = ::snowglobe::__private::Definition {
                path: __path,
                name: __given_name,
                file: ::core::file!(),
                line: ::core::line!(),
                body: || {
                    __reader
                    __body
                },
                options: &::snowglobe::Options::NEW __calls,
            };
        };",
        &[
            ("__error", &others::error().unwrap_or_default()),
            ("__section", &string(SECTION)),
            ("__conditions", conditions),
            ("__shim", &shim),
            ("__function", &function.tokens()),
            ("__path", &path),
            ("__given_name", &given_name),
            ("__reader", &reader()),
            ("__body", &body),
            ("__calls", &options.calls),
        ],
    )
}

/// Returns the expression that makes an outcome of what the test function returns.
fn returned(function: &Function, run: &TokenStream) -> TokenStream {
    // The type stands behind an arrow of two tokens.
    let output = function.output.clone().into_iter().nth(2);
    if matches!(&output, Some(TokenTree::Punct(mark)) if mark.as_char() == '!') {
        return run.clone();
    }
    // The compiler reports a result that is no `Outcome` at this span.
    let span = output.map_or_else(Span::call_site, |token| token.span());
    fill_at(
        span,
        "{
            #[allow(unused_imports, reason = \"one of them is needed, by the type of the value\")]
            use ::snowglobe::__private::{
                NoOutcome as _, OutcomeByDebug as _, OutcomeByDisplay as _, OutcomeByExitCode as _,
            };
            (&&&&::snowglobe::__private::Returned::new(__run)).outcome()
        }",
        &[("__run", run)],
    )
}

/// Returns the call by which a program without the standard harness links only if something in it
/// reads the registry.
fn reader() -> TokenStream {
    if Rustc::is_looking() || !Rustc::present().drops_tests() {
        return TokenStream::new();
    }
    fill("::snowglobe::__private::wants_reader();", &[])
}

/// Returns the function that the standard harness calls for the trial of this `path`.
fn shim(options: &TestOptions, ident: &Ident, path: &TokenStream) -> TokenStream {
    if Rustc::is_looking() {
        return others::marked(ident, options.is_last);
    }
    let name = TokenTree::from(ident.clone()).into();
    let parts = [("__name", &name), ("__path", path)];
    // To ask the compiler takes time, and mostly nothing stands above our attribute.
    if (options.is_last || above::has_company()) && others::is_test_already(ident) {
        // That `#[test]` calls the function by its name, and has read the other attributes.
        let Some(expected) = &options.expected_panic else {
            return fill(
                "fn __name() { ::snowglobe::__private::drop_in(__path) }",
                &parts,
            );
        };
        return fill(
            "fn __name() { ::snowglobe::__private::drop_in_and_panic(__path, __expected) }",
            &[parts[0], parts[1], ("__expected", &string(expected))],
        );
    }
    let ignore = if options.ignored { "#[ignore]" } else { "" };
    // `test` stands with its full path: where this macro is imported by that name, a plain
    // `#[test]` would be this macro again.
    fill(
        &format!(
            "#[::core::prelude::v1::test]
            {ignore}
            fn __name() {{ ::snowglobe::__private::drop_in(__path) }}"
        ),
        &parts,
    )
}

/// Returns the expression that calls the test function, on a runtime if it is `async`.
fn run(options: &TestOptions, function: &Function) -> TokenStream {
    let name = TokenTree::from(function.ident.clone()).into();
    let parts = [("__name", &name)];
    if !function.is_async() {
        return fill("__name()", &parts);
    }
    let call = match options.start_paused {
        // The clock is paused by the user's own tokio, whose feature `test-util` this takes.
        Some(at) => fill_at(
            at,
            "async {
                ::tokio::time::pause();
                __name().await
            }",
            &parts,
        ),
        None => fill("__name()", &parts),
    };
    let workers = match options.flavor {
        Flavor::CurrentThread => 0,
        Flavor::MultiThread(workers) => workers,
        Flavor::None => return fill("::snowglobe::__private::poll_once(__name())", &parts),
    };
    fill(
        &format!("::snowglobe::__private::block_on({workers}usize, __call)"),
        &[("__call", &call)],
    )
}

#[cfg(test)]
mod tests {
    use super::SECTION;

    #[test]
    fn the_section_has_the_version_in_its_name() {
        let version = env!("CARGO_PKG_VERSION").replace('.', "_");
        assert_eq!(SECTION, format!("snowglobe_trials_{version}"));
    }
}
