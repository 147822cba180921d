//! `snowglobe::main!`.

use proc_macro::{Ident, Span, TokenStream, TokenTree};

use crate::tokens::{Angles, Result, fill, split_at_commas, string};
use crate::{others, own_crate};

/// Makes `main` of the given expressions, each of which makes trials.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match try_expand(&input) {
        Ok(tokens) => tokens,
        Err(error) => error.to_compile_error(),
    }
}

fn try_expand(input: &TokenStream) -> Result<TokenStream> {
    let _crate = own_crate::note(input)?;
    let (_, input) = own_crate::split(input)?;
    // A name that the caller's expressions cannot mean: they may well call a function `trials`.
    let trials = TokenTree::from(Ident::new("trials", Span::mixed_site())).into();
    let extend = |source: TokenStream| {
        fill(
            "__trials.extend((__source)());",
            &[("__trials", &trials), ("__source", &source)],
        )
    };
    let sources = split_at_commas(input, Angles::of_expression());
    let extensions = sources.into_iter().map(extend).collect();
    Ok(fill(
        "__error

        #[allow(dead_code, reason = \"under the standard harness, `main` is that harness's\")]
        fn main() -> ::std::process::ExitCode {
            ::snowglobe::__private::main(__doubt, || {
                #[allow(unused_mut)]
                let mut __trials: ::std::vec::Vec<::snowglobe::Trial> = ::std::vec::Vec::new();
                __extensions
                __trials
            })
        }",
        &[
            ("__error", &others::error().unwrap_or_default()),
            ("__doubt", &string(others::doubt())),
            ("__trials", &trials),
            ("__extensions", &extensions),
        ],
    ))
}
