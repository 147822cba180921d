//! `#[snowglobe::test]`.
//!
//! The same source must run under snowglobe's own harness and under libtest, and no attribute can
//! know which it will be. With `harness = false` cargo passes `--cfg test` to rustc but not
//! `--test`, so rustc drops functions with `#[test]`. The macro therefore emits both an entry of a
//! registry, which snowglobe's `main` reads, and a `#[test]` function, which lives under libtest
//! only.
//!
//! Attributes of other crates on the same function are expanded before ours (`company.rs`).

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemFn, parse2};

use crate::company::{Arranged, arrange};
use crate::options::{Flavor, TestOptions};
use crate::rustc::Rustc;
use crate::{above, others};

/// Expands the attribute, or returns the error and the function as it was.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> TokenStream {
    match try_expand(options, function.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let error = error.to_compile_error();
            // The function stays, so that it is not reported as missing as well.
            quote!(#error #function)
        }
    }
}

fn try_expand(given: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let mut options: TestOptions = parse2(given.clone())?;
    let function: ItemFn = parse2(function)
        .map_err(|e| Error::new(e.span(), "#[snowglobe::test] goes on a function"))?;
    let mut function = match arrange(&given, options.is_last, function)? {
        Arranged::Test(function) => *function,
        Arranged::Later(tokens) => return Ok(tokens),
    };
    let mut kept = Vec::new();
    for attribute in function.attrs.drain(..) {
        if !options.read_attribute(&attribute)? {
            kept.push(attribute);
        }
    }
    check(&options, &function)?;
    let (conditions, kept) = kept
        .into_iter()
        .partition(|a: &Attribute| a.path().is_ident("cfg"));
    function.attrs = kept;
    Ok(emit(&options, &function, &conditions))
}

fn check(options: &TestOptions, function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    let is_paused_by = options
        .start_paused
        .filter(|_| options.flavor != Flavor::CurrentThread);
    if let Some(at) = is_paused_by {
        let message = "the clock stands still on a runtime of one thread only: leave `flavor` and `worker_threads` out";
        return Err(Error::new(at, message));
    }
    if let Some(at) = options
        .start_paused
        .filter(|_| signature.asyncness.is_none())
    {
        return Err(Error::new(at, "`start_paused` is for `async` tests"));
    }
    if let Some(argument) = signature.inputs.first() {
        let message = "a test takes no arguments; for parametrised tests write #[snowglobe::test] above the attribute that gives the arguments (rstest, test_case), or make `snowglobe::Trial`s at run time and hand them to `snowglobe::main!`";
        return Err(Error::new(argument.span(), message));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a test cannot be generic",
        ));
    }
    Ok(())
}

/// Returns the tokens of a test; `conditions` are its `#[cfg(…)]`s, which all of them bear.
fn emit(options: &TestOptions, function: &ItemFn, conditions: &[Attribute]) -> TokenStream {
    let ident = &function.sig.ident;
    let name = ident.to_string();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let calls = &options.calls;
    let given_name = match &options.name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let run = run(options, function);
    let path = quote!(::core::concat!(::core::module_path!(), "::", #name));
    let shim = shim(options, function, &path);
    let error = others::error();
    // The compiler reports a result that is no `Outcome` at this span.
    let span = function.sig.output.span();
    let body = quote_spanned!(span=> ::snowglobe::__private::outcome(#run));
    // The function comes first: what another `#[test]` says of it is looked for right above.
    quote! {
        #error

        #(#conditions)*
        #shim

        #(#conditions)*
        #[cfg(test)]
        const _: () = {
            #function

            #[::snowglobe::__private::linkme::distributed_slice(::snowglobe::__private::TRIALS)]
            #[linkme(crate = ::snowglobe::__private::linkme)]
            static TRIAL: ::snowglobe::__private::Definition = ::snowglobe::__private::Definition {
                path: #path,
                name: #given_name,
                file: ::core::file!(),
                line: ::core::line!(),
                body: || #body,
                options: &::snowglobe::Options::NEW #calls,
            };
        };

    }
}

/// Returns the function that the standard harness calls for the trial of this `path`.
fn shim(options: &TestOptions, function: &ItemFn, path: &TokenStream) -> TokenStream {
    let ident = &function.sig.ident;
    let run = quote!(::snowglobe::__private::drop_in(#path));
    if Rustc::is_looking() {
        return others::marked(ident);
    }
    // To ask the compiler takes time, and mostly nothing stands above our attribute.
    if (options.is_last || above::has_company()) && others::is_test_already(ident) {
        // That `#[test]` calls the function by its name, and has read the other attributes.
        let run = options.expected_panic.as_ref().map_or(
            run,
            |expected| quote!(::snowglobe::__private::drop_in_and_panic(#path, #expected)),
        );
        return quote!(fn #ident() { #run });
    }
    let ignore = options.ignored.then(|| quote!(#[ignore]));
    // `test` stands with its full path: where this macro is imported by that name, a plain
    // `#[test]` would be this macro again.
    quote! {
        #[::core::prelude::v1::test]
        #ignore
        fn #ident() { #run }
    }
}

/// Returns the expression that calls the test function, on a runtime if it is `async`.
fn run(options: &TestOptions, function: &ItemFn) -> TokenStream {
    let ident = &function.sig.ident;
    if function.sig.asyncness.is_none() {
        return quote!(#ident());
    }
    let call = match options.start_paused {
        // The clock is paused by the user's own tokio, whose feature `test-util` this takes.
        Some(at) => quote_spanned!(at=> async {
            ::tokio::time::pause();
            #ident().await
        }),
        None => quote!(#ident()),
    };
    let workers = match options.flavor {
        Flavor::CurrentThread => 0usize,
        Flavor::MultiThread(workers) => workers,
        Flavor::None => return quote!(::snowglobe::__private::poll_once(#ident())),
    };
    quote!(::snowglobe::__private::block_on(#workers, #call))
}
