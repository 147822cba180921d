//! The macros of `snowglobe`; see that crate's documentation.

mod entry;
mod options;
mod test;

use proc_macro::TokenStream;

/// Turns a function into a trial, which runs in namespaces of its own.
///
/// The function may be `async` (it then runs on a tokio runtime of its own) and may return `()` or
/// any `Result` whose error displays. It is documented with all its options at
/// `snowglobe::test`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    test::expand(options.into(), function.into()).into()
}

/// Makes the `main` function of a test target with `harness = false`.
#[proc_macro]
pub fn main(input: TokenStream) -> TokenStream {
    entry::expand(input.into(), proc_macro::Span::call_site().local_file()).into()
}
