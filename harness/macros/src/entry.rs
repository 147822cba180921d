//! `snowglobe::main!`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Expr, Token, parse::Parser};

use crate::others;

/// Makes `main` of the given expressions, each of which makes trials.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let sources = match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(input) {
        Ok(sources) => sources.into_iter().collect::<Vec<Expr>>(),
        Err(error) => return error.to_compile_error(),
    };
    let error = others::error();
    let doubt = others::doubt();
    // A name that the caller's expressions cannot mean: they may well call a function `trials`.
    let trials = Ident::new("trials", Span::mixed_site());
    quote! {
        #error

        #[allow(dead_code, reason = "under the standard harness, `main` is that harness's")]
        fn main() -> ::std::process::ExitCode {
            ::snowglobe::__private::main(#doubt, || {
                #[allow(unused_mut)]
                let mut #trials: ::std::vec::Vec<::snowglobe::Trial> = ::std::vec::Vec::new();
                #(#trials.extend((#sources)());)*
                #trials
            })
        }
    }
}
