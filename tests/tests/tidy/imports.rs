//! Who imports whom: the paths that production code names, resolved to files.
//!
//! A path is followed through re-exports, so that `use super::Lab` leads to the file that declares
//! `Lab` and not to the `mod.rs` that passes it on.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Item, UseTree};

use crate::source::{Source, modules};

type ModulePath = Vec<String>;

/// The import graph of one crate: for each module, the modules that it imports from.
pub(crate) struct Graph {
    pub(crate) edges: BTreeMap<ModulePath, BTreeSet<ModulePath>>,
}

impl Graph {
    /// Reads the graph of the crate whose sources lie in `folder`.
    pub(crate) fn of(sources: &[Source], folder: &str) -> Self {
        let modules = modules(sources, folder);
        let items: BTreeMap<&ModulePath, &Imports> = modules
            .iter()
            .map(|(path, source)| (path, &source.imports))
            .collect();
        let mut edges = BTreeMap::new();
        for (path, source) in &modules {
            let mut to: BTreeSet<ModulePath> = source
                .imports
                .paths
                .iter()
                .filter_map(|name| resolve(name, &items, 0))
                .collect();
            to.remove(path);
            edges.insert(path.clone(), to);
        }
        Self { edges }
    }

    /// Returns the sets of more than one module that all import each other, directly or by others.
    pub(crate) fn circles(&self) -> Vec<Vec<&ModulePath>> {
        strongly_connected(&self.edges)
    }

    /// Returns the same graph between the top-level modules, without `lib.rs` and what it excepts.
    pub(crate) fn top_level(&self) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
        let mut top: BTreeMap<ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
        for (from, to) in &self.edges {
            let Some(first) = from.first() else { continue };
            let entry = top.entry(vec![first.clone()]).or_default();
            let others = to
                .iter()
                .filter_map(|to| to.first())
                .filter(|to| *to != first);
            entry.extend(others.map(|to| vec![to.clone()]));
        }
        top
    }
}

/// What a module declares, what it passes on, and what it names.
#[derive(Default)]
pub(crate) struct Imports {
    declared: BTreeSet<String>,
    /// Local name to the path that it stands for, of `use` declarations.
    passed_on: BTreeMap<String, ModulePath>,
    /// Local names that `use` declarations give to items of other crates.
    foreign: BTreeSet<String>,
    /// Modules all of whose items are passed on.
    globs: Vec<ModulePath>,
    /// Absolute paths that production code names.
    paths: BTreeSet<ModulePath>,
    own: ModulePath,
    /// Child modules in files of their own, by which a path may begin.
    children: BTreeSet<String>,
}

impl Imports {
    /// Reads the file of the module `own`.
    pub(crate) fn of(syntax: &syn::File, own: ModulePath) -> Self {
        let mut paths = Paths::new(&own);
        paths.visit_file(syntax);
        let mut imports = Self {
            own,
            children: paths.children,
            paths: paths.found,
            ..Self::default()
        };
        for item in &syntax.items {
            imports.add(item);
        }
        imports
    }

    fn add(&mut self, item: &Item) {
        let name = match item {
            Item::Const(it) => &it.ident,
            Item::Enum(it) => &it.ident,
            Item::Fn(it) => &it.sig.ident,
            Item::Static(it) => &it.ident,
            Item::Struct(it) => &it.ident,
            Item::Trait(it) => &it.ident,
            Item::Type(it) => &it.ident,
            Item::Union(it) => &it.ident,
            Item::Macro(it) => match &it.ident {
                Some(ident) => ident,
                None => return,
            },
            Item::Use(it) => {
                let mut leaves = Vec::new();
                flatten(&it.tree, &mut Vec::new(), &mut leaves);
                for Leaf { path, name } in leaves {
                    let Some(path) = absolute(&path, &self.own, &self.children) else {
                        self.foreign.extend(name);
                        continue;
                    };
                    match name {
                        Some(name) => drop(self.passed_on.insert(name, path)),
                        None => self.globs.push(path),
                    }
                }
                return;
            }
            _ => return,
        };
        self.declared.insert(name.to_string());
    }
}

/// Returns the module that declares the item at an absolute path; none for what is not of this
/// crate.
fn resolve(
    path: &[String],
    items: &BTreeMap<&ModulePath, &Imports>,
    depth: usize,
) -> Option<ModulePath> {
    if depth > 16 {
        return None;
    }
    let known = (0..=path.len())
        .rev()
        .find(|end| items.contains_key(&path[..*end].to_vec()))?;
    let module = path[..known].to_vec();
    let Some(name) = path.get(known) else {
        return Some(module);
    };
    let found = &items[&module];
    if found.declared.contains(name) {
        return Some(module);
    }
    if found.foreign.contains(name) {
        return None;
    }
    if let Some(target) = found.passed_on.get(name) {
        if target.as_slice() != path {
            return resolve(target, items, depth + 1);
        }
        return Some(module);
    }
    for glob in &found.globs {
        let mut target = glob.clone();
        target.push(name.clone());
        let declared =
            |items: &&Imports| items.declared.contains(name) || items.passed_on.contains_key(name);
        if items.get(glob).is_some_and(declared) {
            return resolve(&target, items, depth + 1);
        }
    }
    Some(module)
}

/// A name that a `use` declaration brings in: its path, and the local name unless it is a glob.
struct Leaf {
    path: Vec<String>,
    name: Option<String>,
}

fn flatten(tree: &UseTree, prefix: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match tree {
        UseTree::Path(it) => {
            prefix.push(it.ident.to_string());
            flatten(&it.tree, prefix, leaves);
            prefix.pop();
        }
        UseTree::Group(it) => it
            .items
            .iter()
            .for_each(|tree| flatten(tree, prefix, leaves)),
        UseTree::Glob(_) => leaves.push(Leaf {
            path: prefix.clone(),
            name: None,
        }),
        UseTree::Name(it) if it.ident == "self" => {
            leaves.push(Leaf {
                path: prefix.clone(),
                name: prefix.last().cloned(),
            });
        }
        UseTree::Name(it) => {
            let mut path = prefix.clone();
            path.push(it.ident.to_string());
            leaves.push(Leaf {
                path,
                name: Some(it.ident.to_string()),
            });
        }
        UseTree::Rename(it) => {
            let mut path = prefix.clone();
            if it.ident != "self" {
                path.push(it.ident.to_string());
            }
            leaves.push(Leaf {
                path,
                name: Some(it.rename.to_string()),
            });
        }
    }
}

/// Returns the path from the crate's root; none for a path into another crate.
fn absolute(path: &[String], own: &[String], children: &BTreeSet<String>) -> Option<ModulePath> {
    let first = path.first()?;
    let mut base: Vec<String> = match first.as_str() {
        "crate" => Vec::new(),
        "self" => own.to_vec(),
        "super" => own.get(..own.len().checked_sub(1)?)?.to_vec(),
        child if children.contains(child) => own.iter().chain([first]).cloned().collect(),
        _ => return None,
    };
    for part in &path[1..] {
        if part == "super" {
            base.pop()?;
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

/// Collects the absolute paths that production code of a file names.
struct Paths {
    own: ModulePath,
    /// Child modules, by which a path may begin.
    children: BTreeSet<String>,
    found: BTreeSet<ModulePath>,
}

impl Paths {
    fn new(own: &[String]) -> Self {
        Self {
            own: own.to_vec(),
            children: BTreeSet::new(),
            found: BTreeSet::new(),
        }
    }

    fn add(&mut self, path: &[String]) {
        // A single name that happens to be a child's is a variable, not a path.
        if path.len() > 1 {
            self.found.extend(absolute(path, &self.own, &self.children));
        }
    }

    /// Paths in the arguments of macros, which `syn` does not parse.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1
                }
                other => {
                    self.add(&std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.add(&path);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_file(&mut self, file: &'ast syn::File) {
        for item in &file.items {
            if let Item::Mod(it) = item
                && it.content.is_none()
            {
                self.children.insert(it.ident.to_string());
            }
        }
        syn::visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Paths in an inline module begin one level deeper.
        if item.content.is_some() {
            self.own.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.own.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for Leaf { path, name: _ } in leaves {
            self.add(&path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        self.add(&parts);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.add_tokens(mac.tokens.clone());
        syn::visit::visit_macro(self, mac);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {
        // `pub(in path)` and `pub(super)` import nothing.
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

/// Returns whether an item exists only in tests.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let tokens = match &attribute.meta {
            syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            syn::Meta::Path(path) => return path.is_ident("test"),
            _ => return false,
        };
        tokens == "test" || tokens.starts_with("all (test") || tokens.starts_with("any (test")
    })
}

/// Returns the attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// Returns the strongly connected components of more than one node, largest first.
pub(crate) fn strongly_connected(
    edges: &BTreeMap<ModulePath, BTreeSet<ModulePath>>,
) -> Vec<Vec<&ModulePath>> {
    let mut graph = DiGraphMap::<&ModulePath, (), std::hash::RandomState>::new();
    for (from, to) in edges {
        graph.add_node(from);
        for to in to.iter().filter_map(|to| edges.get_key_value(to)) {
            graph.add_edge(from, to.0, ());
        }
    }
    let mut found = tarjan_scc(&graph);
    found.retain(|component| component.len() > 1);
    found.iter_mut().for_each(|component| component.sort());
    found.sort_by_key(|component| std::cmp::Reverse(component.len()));
    found
}
