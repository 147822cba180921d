//! Rules about items: how long functions are, what public functions document, which attributes
//! hide rot, which names are declared twice.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, ReturnType, Visibility};

use crate::imports::is_for_tests;
use crate::source::Source;

/// What a walk over the items of a file finds.
#[derive(Default)]
pub(crate) struct Findings {
    /// Functions with the line of each and how many lines it has.
    pub(crate) functions: Vec<(String, usize, usize)>,
    /// Functions with the line of each and how many parameters it has, besides `self`. Functions
    /// that the C library calls are left out, since the C library fixes their parameters.
    pub(crate) parameters: Vec<(String, usize, usize)>,
    /// Public functions that return a `Result` and have no `# Errors`.
    pub(crate) without_errors: Vec<(String, usize)>,
    /// Functions whose documentation begins with a noun where a verb should say what they do.
    pub(crate) without_verb: Vec<(String, usize)>,
    /// Lines with `allow(dead_code)` or `allow(unused…)`.
    pub(crate) hidden_rot: Vec<usize>,
    /// Lines with an `unsafe` block, function, implementation or foreign module.
    pub(crate) unsafe_code: Vec<usize>,
    /// Types and traits that production code declares.
    pub(crate) types: BTreeSet<String>,
    in_tests: bool,
    in_trait_impl: bool,
}

impl Findings {
    /// Walks over a file.
    pub(crate) fn of(syntax: &syn::File, in_tests: bool) -> Self {
        let mut findings = Self {
            in_tests,
            ..Self::default()
        };
        findings.visit_file(syntax);
        findings
    }

    fn function(&mut self, name: &syn::Ident, whole: proc_macro2::Span) {
        let (start, end) = (whole.start().line, whole.end().line);
        self.functions
            .push((name.to_string(), start, end + 1 - start));
    }

    fn check_verb(&mut self, attributes: &[Attribute], signature: &syn::Signature) {
        const NOUNS: [&str; 6] = ["Whether", "Number", "Length", "Size", "Index", "Name"];
        let first = attributes.iter().find_map(doc_text);
        let first = first.as_deref().and_then(|it| it.split_whitespace().next());
        if first.is_some_and(|first| NOUNS.contains(&first)) {
            let line = signature.span().start().line;
            self.without_verb.push((signature.ident.to_string(), line));
        }
    }

    fn declare(&mut self, name: &syn::Ident) {
        if !self.in_tests {
            self.types.insert(name.to_string());
        }
    }

    fn check_errors(
        &mut self,
        visibility: &Visibility,
        attributes: &[Attribute],
        signature: &syn::Signature,
    ) {
        let public = matches!(visibility, Visibility::Public(_)) && !self.in_tests;
        if public && returns_result(&signature.output) && !documents_errors(attributes) {
            let line = signature.span().start().line;
            self.without_errors
                .push((signature.ident.to_string(), line));
        }
    }
}

/// Returns the span of a function, which begins at the first line after its documentation.
fn code_span(first: proc_macro2::Span, last: proc_macro2::Span) -> proc_macro2::Span {
    first.join(last).unwrap_or(first)
}

fn returns_result(output: &ReturnType) -> bool {
    let ReturnType::Type(_, kind) = output else {
        return false;
    };
    let syn::Type::Path(path) = &**kind else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident == "Result")
}

/// Returns the text of a line of documentation; none for another attribute.
fn doc_text(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(it) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(syn::ExprLit {
        lit: syn::Lit::Str(text),
        ..
    }) = &it.value
    else {
        return None;
    };
    it.path.is_ident("doc").then(|| text.value())
}

fn documents_errors(attributes: &[Attribute]) -> bool {
    let mut lines = attributes.iter().filter_map(doc_text);
    lines.any(|line| line.contains("# Errors")) || attributes.iter().any(is_hidden)
}

fn is_hidden(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    list.path.is_ident("doc") && list.tokens.to_string() == "hidden"
}

impl<'ast> Visit<'ast> for Findings {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let before = self.in_tests;
        self.in_tests |= is_for_tests(crate::imports::attributes(item));
        syn::visit::visit_item(self, item);
        self.in_tests = before;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(
            &item.sig.ident,
            code_span(item.sig.span(), item.block.span()),
        );
        self.check_errors(&item.vis, &item.attrs, &item.sig);
        self.check_verb(&item.attrs, &item.sig);
        if item.sig.unsafety.is_some() {
            self.unsafe_code.push(item.sig.span().start().line);
        }
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(
            &item.sig.ident,
            code_span(item.sig.span(), item.block.span()),
        );
        if !self.in_trait_impl {
            self.check_errors(&item.vis, &item.attrs, &item.sig);
        }
        self.check_verb(&item.attrs, &item.sig);
        if item.sig.unsafety.is_some() {
            self.unsafe_code.push(item.sig.span().start().line);
        }
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.abi.is_none() {
            let typed = |it: &&syn::FnArg| matches!(it, syn::FnArg::Typed(_));
            let count = signature.inputs.iter().filter(typed).count();
            let line = signature.span().start().line;
            self.parameters
                .push((signature.ident.to_string(), line, count));
        }
        syn::visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let before = std::mem::replace(&mut self.in_trait_impl, item.trait_.is_some());
        if item.unsafety.is_some() {
            self.unsafe_code.push(item.span().start().line);
        }
        syn::visit::visit_item_impl(self, item);
        self.in_trait_impl = before;
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        self.unsafe_code.push(item.span().start().line);
        syn::visit::visit_item_foreign_mod(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.unsafe_code.push(block.span().start().line);
        syn::visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.declare(&item.ident);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.declare(&item.ident);
        syn::visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.declare(&item.ident);
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && (list.path.is_ident("allow") || list.path.is_ident("expect"))
        {
            let tokens = list.tokens.to_string();
            if tokens.contains("dead_code") || tokens.contains("unused") {
                self.hidden_rot.push(attribute.span().start().line);
            }
        }
    }
}

/// Names of types and traits that more than one file of the harness's crates declares, with the
/// files. A file that declares a name twice, in inline modules, counts once.
pub(crate) fn names_with_several_meanings<'s>(
    sources: impl Iterator<Item = &'s Source>,
) -> BTreeMap<String, Vec<&'s str>> {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources {
        for name in source.findings.types.clone() {
            names.entry(name).or_default().push(&source.path);
        }
    }
    names.retain(|_, files| files.len() > 1);
    names
}
