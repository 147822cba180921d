//! `#[snowglobe::isolate]`: every test of a module becomes a trial.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, Item, ItemMod, Meta, Result, parse_quote, parse2};

use crate::company::{MAKERS, is_named, is_ours, is_plain_test};

/// Expands the attribute, or returns the error and the module as it was.
pub(crate) fn expand(options: TokenStream, module: TokenStream) -> TokenStream {
    match try_expand(&options, module.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#error #module)
        }
    }
}

fn try_expand(options: &TokenStream, module: TokenStream) -> Result<TokenStream> {
    let mut module: ItemMod = parse2(module).map_err(|e| {
        let message = "#[snowglobe::isolate] goes on a module with its contents, `mod tests { … }`; in the file of a module, or of an integration test, write `use snowglobe::test;` at the top, which isolates every #[test] below";
        Error::new(e.span(), message)
    })?;
    isolate(options, &mut module)?;
    Ok(quote!(#module))
}

fn isolate(options: &TokenStream, module: &mut ItemMod) -> Result<()> {
    let Some((_, items)) = &mut module.content else {
        let message = "the contents of this module are in another file: write `use snowglobe::test;` at its top, which isolates every #[test] of it";
        return Err(Error::new_spanned(&*module, message));
    };
    let mut has_macros = false;
    for item in items.iter_mut() {
        match item {
            Item::Fn(function) => convert(options, &mut function.attrs),
            Item::Mod(inner) if inner.content.is_some() => isolate(options, inner)?,
            // A macro that defines another makes no test.
            Item::Macro(it) => has_macros |= it.ident.is_none(),
            _ => {}
        }
    }
    if has_macros {
        // What a macro makes is not seen here. The name makes trials of its tests.
        items.insert(
            0,
            parse_quote!(
                #[allow(unused_imports)]
                use ::snowglobe::test;
            ),
        );
    }
    Ok(())
}

/// Makes a trial of a function if its attributes make a test of it.
fn convert(options: &TokenStream, attributes: &mut Vec<Attribute>) {
    if attributes.iter().any(is_ours) {
        return;
    }
    let ours: Attribute = if options.is_empty() {
        parse_quote!(#[::snowglobe::test])
    } else {
        parse_quote!(#[::snowglobe::test(#options)])
    };
    if let Some(at) = attributes.iter().position(is_plain_test) {
        attributes[at] = ours;
    } else if let Some(at) = attributes.iter().position(is_tokio_test) {
        // Its options are options of ours.
        let of_tokio = match &attributes[at].meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        attributes[at] = match (of_tokio.is_empty(), options.is_empty()) {
            (true, _) => ours,
            (false, true) => parse_quote!(#[::snowglobe::test(#of_tokio)]),
            (false, false) => parse_quote!(#[::snowglobe::test(#options, #of_tokio)]),
        };
    } else if attributes.iter().any(|it| is_named(it, &MAKERS)) {
        attributes.insert(0, ours);
    }
}

fn is_tokio_test(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.len() == 2 && segments[0].ident == "tokio" && segments[1].ident == "test"
}
