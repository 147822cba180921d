//! The macros of `snowglobe`, whose documentation is in that crate.
//!
//! | file | role |
//! |---|---|
//! | `test.rs` | `#[snowglobe::test]` |
//! | `options.rs` | the options of that attribute, one function an option |
//! | `values.rs` | the values that options take |
//! | `entry.rs` | `snowglobe::main!` |

mod entry;
mod options;
mod test;
mod values;

use proc_macro::TokenStream;

/// Turns a function into a trial, which runs in namespaces of its own.
///
/// The function may be `async` (it then runs on a tokio runtime of its own) and may return `()` or
/// any `Result` whose error displays. All options are in the documentation of the crate
/// `snowglobe`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    test::expand(options.into(), function.into()).into()
}

/// Makes the `main` function of a test target with `harness = false`.
#[proc_macro]
pub fn main(input: TokenStream) -> TokenStream {
    entry::expand(input.into(), proc_macro::Span::call_site().local_file()).into()
}
