//! Derives for values that have a text form: `Serialize` as that of serde, and `Deserialize` by way
//! of a `snowglobe_text::Tree`.
//!
//! serde_derive and what it stands on (syn, quote, proc-macro2) took 5 s of processor time of a
//! first build, ahead of everything else, and its code of visitors another 7 s of the model
//! (2026-11-30, debug, two cores). These derives read the tokens by themselves, and their code is
//! no function of the format: it reads a tree of values, which is made once.
//!
//! The attributes are serde's, as far as this repository uses them: `rename`, `rename_all`,
//! `default`, `deny_unknown_fields`, `tag`, `untagged`, `try_from`, `into`, `flatten`,
//! `skip_serializing`, `skip_serializing_if`, `with` and `deserialize_with`. Any other is an error.
//! `with` names a module with the functions `read` and `write`. An `untagged` enum is only written.

mod attributes;
mod deserialize;
mod item;
mod serialize;

use proc_macro::TokenStream;

/// Derives `serde_core::Deserialize` and `snowglobe_text::FromTree`.
#[proc_macro_derive(Deserialize, attributes(serde))]
pub fn derive_deserialize(input: TokenStream) -> TokenStream {
    expand(input, deserialize::implement)
}

/// Derives `serde_core::Serialize`.
#[proc_macro_derive(Serialize, attributes(serde))]
pub fn derive_serialize(input: TokenStream) -> TokenStream {
    expand(input, serialize::implement)
}

fn expand(
    input: TokenStream,
    implement: fn(&item::DerivedType) -> Result<String, String>,
) -> TokenStream {
    let code = item::parse(input).and_then(|item| implement(&item));
    let code = code.unwrap_or_else(|why| format!("::core::compile_error!({why:?});"));
    code.parse().expect("generated code has balanced brackets")
}
