//! The macros of `snowglobe`, whose documentation is in that crate.
//!
//! | file | role |
//! |---|---|
//! | `test.rs` | `#[snowglobe::test]` |
//! | `isolate.rs` | `#[snowglobe::isolate]`, which makes trials of the tests of a module |
//! | `options.rs` | the options of that attribute, one function an option |
//! | `values.rs` | the values that options take |
//! | `company.rs` | attributes of other crates on the same function |
//! | `runtime.rs` | attributes of other runtimes than tokio's |
//! | `above.rs`, `scan.rs` | what stands above ours in the source |
//! | `entry.rs` | `snowglobe::main!` |
//! | `others.rs` | tests of other macros: they would never run, or are there already |
//! | `tokens.rs`, `literal.rs`, `function.rs` | tokens as our macros read and write them |
//! | `own_crate.rs` | the path by which expanded source names the crate `snowglobe` |
//! | `rustc.rs` | the compiler that expands our macros |

mod above;
mod company;
mod entry;
mod function;
mod isolate;
mod literal;
mod options;
mod others;
mod own_crate;
mod runtime;
mod rustc;
mod scan;
mod test;
mod tokens;
mod values;

use proc_macro::TokenStream;

/// Turns a function into a trial, which runs in namespaces of its own.
///
/// The function may be `async` (it then runs on a tokio runtime of its own) and may return `()`,
/// any `Result` whose error has `Display` or `Debug`, and what else a `main` may return. All
/// options are in the documentation of the crate `snowglobe`.
///
/// Where another crate re-exports snowglobe, `crate = "my_crate::snowglobe"` says where the
/// expanded source finds it.
///
/// `ntest::test_case` panics ("Expected identifier!") at every attribute with a path, as ours has
/// one, or `#[tokio::test]`: take the crate `test_case` for such a test.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    test::expand(options, function)
}

/// Turns every test of a module into a trial, as [`macro@test`] does with one.
///
/// The module has its contents with it, as in `mod tests { … }`; modules within are isolated too.
/// Options are those of `#[snowglobe::test(…)]`, for each trial. Tests of `#[test]`,
/// `#[tokio::test]` and of attributes such as `#[rstest]` become trials, and so do those of macros
/// that write `#[test]`. A test that bears `#[snowglobe::test]` keeps its own options.
/// Where another crate re-exports snowglobe, `crate = "…"` is the path, as in [`macro@test`].
/// There, tests of macros that write `#[test]` need snowglobe as a dependency as well.
#[proc_macro_attribute]
pub fn isolate(options: TokenStream, module: TokenStream) -> TokenStream {
    isolate::expand(options, module)
}

/// Makes the `main` function of a test target with `harness = false`.
///
/// Where another crate re-exports snowglobe, `crate = "…"` comes first, as in [`macro@test`].
#[proc_macro]
pub fn main(input: TokenStream) -> TokenStream {
    entry::expand(input)
}
