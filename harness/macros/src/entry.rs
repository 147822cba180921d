//! `snowglobe::main!`.
//!
//! Besides making `main`, the macro looks for functions with a plain `#[test]`. rustc drops them in
//! a target with `harness = false`, and nobody would notice that they never run.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Token, parse::Parser};

/// Makes `main` of the given expressions, each of which makes trials; `file` is the caller's.
pub(crate) fn expand(input: TokenStream, file: Option<PathBuf>) -> TokenStream {
    let sources = match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(input) {
        Ok(sources) => sources.into_iter().collect::<Vec<Expr>>(),
        Err(error) => return error.to_compile_error(),
    };
    let stripped = file.map(|file| plain_tests(&file)).unwrap_or_default();
    quote! {
        #[allow(dead_code, reason = "under the standard harness, `main` is that harness's")]
        fn main() -> ::std::process::ExitCode {
            ::snowglobe::__private::main(&[#(#stripped),*], || {
                #[allow(unused_mut)]
                let mut trials: ::std::vec::Vec<::snowglobe::Trial> = ::std::vec::Vec::new();
                #(trials.extend((#sources)());)*
                trials
            })
        }
    }
}

/// Returns the functions with a plain `#[test]` in the file `root` and its modules, each with its
/// place.
fn plain_tests(root: &Path) -> Vec<String> {
    let mut finder = Finder::default();
    finder.file(root, root.parent().unwrap_or(Path::new("")));
    finder.found
}

/// Walk through the modules of a crate.
#[derive(Default)]
struct Finder {
    found: Vec<String>,
    /// File in which the walk is.
    file: String,
    /// Directory in which the modules of the present module lie.
    dir: PathBuf,
}

impl Finder {
    /// Looks through a file whose modules lie in `dir`. Files that cannot be read are the
    /// compiler's business.
    fn file(&mut self, path: &Path, dir: &Path) {
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let Ok(parsed) = syn::parse_file(&text) else {
            return;
        };
        if parsed.items.iter().any(imports_test) {
            return;
        }
        let outer = (
            std::mem::take(&mut self.file),
            std::mem::take(&mut self.dir),
        );
        self.file = path.display().to_string();
        self.dir = dir.to_owned();
        self.visit_file(&parsed);
        (self.file, self.dir) = outer;
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if function
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("test"))
        {
            self.found
                .push(format!("`{}` in {}", function.sig.ident, self.file));
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let inner = self.dir.join(module.ident.to_string());
        if module.content.is_some() {
            let outer = std::mem::replace(&mut self.dir, inner);
            visit::visit_item_mod(self, module);
            self.dir = outer;
            return;
        }
        let beside = self.dir.join(format!("{}.rs", module.ident));
        let path = if beside.exists() {
            beside
        } else {
            inner.join("mod.rs")
        };
        self.file(&path, &inner);
    }
}

/// Returns whether the item makes `#[test]` mean this crate's attribute, as in
/// `use snowglobe::test;`.
fn imports_test(item: &syn::Item) -> bool {
    match item {
        syn::Item::Use(import) => {
            let tree = &import.tree;
            let text = quote!(#tree).to_string();
            text.starts_with("snowglobe")
                && text
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == "test")
        }
        _ => false,
    }
}
