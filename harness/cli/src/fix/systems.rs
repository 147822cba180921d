//! Conditions that do not hold on Linux, and the files that are below such conditions: pure.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Item, Lit, Meta, MetaList, Token};

use super::suite::SourceFile;

/// Remark on tests that do not run on Linux.
pub(super) const FOR_OTHERS: &str = "is for another system than Linux, and stays as it is";

/// Returns whether these attributes keep an item out of every program for Linux.
pub(super) fn is_for_others(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter_map(|it| match &it.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.parse_args::<Meta>().ok(),
        _ => None,
    });
    conditions
        .into_iter()
        .any(|it| holds_on_linux(&it) == Some(false))
}

/// Returns whether a condition holds on Linux with the GNU C library, where trials run; `None` if
/// that depends on more than the system.
fn holds_on_linux(condition: &Meta) -> Option<bool> {
    match condition {
        Meta::Path(path) if path.is_ident("unix") => Some(true),
        Meta::Path(path) if path.is_ident("windows") => Some(false),
        Meta::Path(_) => None,
        Meta::NameValue(pair) => {
            let Expr::Lit(literal) = &pair.value else {
                return None;
            };
            let Lit::Str(text) = &literal.lit else {
                return None;
            };
            let name = pair.path.get_ident()?.to_string();
            match (name.as_str(), text.value().as_str()) {
                ("target_os", system) => Some(system == "linux"),
                ("target_family", family) => Some(family == "unix"),
                ("target_env", environment) => Some(environment == "gnu"),
                ("target_arch", "wasm32" | "wasm64") | ("target_vendor", "apple") => Some(false),
                _ => None,
            }
        }
        Meta::List(list) => {
            let parts = arguments(list)?;
            let parts: Vec<_> = parts.iter().map(holds_on_linux).collect();
            let [all, any] = [false, true].map(|decisive| {
                if parts.contains(&Some(decisive)) {
                    Some(decisive)
                } else if parts.contains(&None) {
                    None
                } else {
                    Some(!decisive)
                }
            });
            match list.path.get_ident()?.to_string().as_str() {
                "all" => all,
                "any" => any,
                "not" => parts.first().copied().flatten().map(|it| !it),
                _ => None,
            }
        }
    }
}

fn arguments(list: &MetaList) -> Option<Punctuated<Meta, Token![,]>> {
    list.parse_args_with(Punctuated::parse_terminated).ok()
}

/// Returns the files that belong to no program for Linux: every `mod` that names one of them stands
/// below such a condition, or in such a file.
pub(super) fn files_for_others(files: &[SourceFile]) -> BTreeSet<PathBuf> {
    let is_there = |path: &Path| files.iter().any(|it| it.path == path);
    let mut named = Vec::new();
    for file in files {
        let Ok(parsed) = syn::parse_file(&file.text) else {
            continue;
        };
        let stem = file.path.file_stem().unwrap_or_default();
        let parent = file.path.parent().unwrap_or(Path::new(""));
        let folder = match stem == "mod" || is_root_file(&file.path) {
            true => parent.to_owned(),
            false => parent.join(stem),
        };
        let mut search = ModuleSearch {
            file: &file.path,
            is_there: &is_there,
            named: &mut named,
        };
        let is_elsewhere = is_for_others(&parsed.attrs);
        search.items(&parsed.items, &folder, is_elsewhere);
    }
    let targets: BTreeSet<&PathBuf> = named.iter().map(|it| &it.target).collect();
    let mut live: BTreeSet<PathBuf> = files
        .iter()
        .map(|it| it.path.clone())
        .filter(|path| !targets.contains(path))
        .collect();
    loop {
        let reached = named
            .iter()
            .filter(|it| !it.is_elsewhere && live.contains(&it.from));
        let new: Vec<PathBuf> = reached
            .map(|it| it.target.clone())
            .filter(|path| !live.contains(path))
            .collect();
        if new.is_empty() {
            break;
        }
        live.extend(new);
    }
    let targets = targets.into_iter().filter(|path| !live.contains(*path));
    targets.cloned().collect()
}

/// Returns whether the modules of a file lie beside it: it is the root of a library, a program, a
/// test, an example or a benchmark ("Module Source Filenames" in The Rust Reference).
fn is_root_file(path: &Path) -> bool {
    let is_named = ["lib.rs", "main.rs"]
        .iter()
        .any(|name| path.ends_with(name));
    let parent = path.parent().and_then(Path::file_name);
    let holds_roots = |it: &OsStr| {
        ["tests", "examples", "benches", "bin"]
            .iter()
            .any(|name| it == *name)
    };
    is_named || parent.is_some_and(holds_roots)
}

/// A `mod` without a body, and a file that it may mean.
struct NamedModule {
    from: PathBuf,
    target: PathBuf,
    is_elsewhere: bool,
}

struct ModuleSearch<'a> {
    file: &'a Path,
    is_there: &'a dyn Fn(&Path) -> bool,
    named: &'a mut Vec<NamedModule>,
}

impl ModuleSearch<'_> {
    /// Looks at the items of a module whose files lie in this folder.
    fn items(&mut self, items: &[Item], folder: &Path, is_elsewhere: bool) {
        for item in items {
            let Item::Mod(module) = item else {
                continue;
            };
            let is_elsewhere = is_elsewhere || is_for_others(&module.attrs);
            let name = module.ident.to_string();
            if let Some((_, items)) = &module.content {
                self.items(items, &folder.join(&name), is_elsewhere);
                continue;
            }
            self.name(folder.join(format!("{name}.rs")), is_elsewhere);
            self.name(folder.join(&name).join("mod.rs"), is_elsewhere);
            let beside = self.file.parent().unwrap_or(Path::new("")).to_owned();
            for attribute in &module.attrs {
                let (path, holds) = match &attribute.meta {
                    Meta::List(list) if list.path.is_ident("cfg_attr") => {
                        let Some(parts) = arguments(list) else {
                            continue;
                        };
                        let holds = parts.first().and_then(holds_on_linux);
                        (parts.iter().skip(1).find_map(path_of), holds)
                    }
                    meta => (path_of(meta), Some(true)),
                };
                if let Some(path) = path {
                    self.name(beside.join(path), is_elsewhere || holds == Some(false));
                }
            }
        }
    }

    fn name(&mut self, target: PathBuf, is_elsewhere: bool) {
        if (self.is_there)(&target) {
            self.named.push(NamedModule {
                from: self.file.to_owned(),
                target,
                is_elsewhere,
            });
        }
    }
}

/// Returns the path in `path = "…"`.
fn path_of(meta: &Meta) -> Option<String> {
    match meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::PackagePart;
    use super::*;

    #[test]
    fn conditions_of_other_systems_are_known() {
        let is_for_others = |text: &str| {
            let file = syn::parse_file(&format!("#[cfg({text})]\nfn a() {{}}\n")).unwrap();
            let Item::Fn(function) = &file.items[0] else {
                panic!("{text}");
            };
            is_for_others(&function.attrs)
        };
        for text in [
            "windows",
            "not(unix)",
            "target_os = \"macos\"",
            "all(test, windows)",
            "any(windows, target_os = \"macos\")",
            "not(any(unix, feature = \"x\"))",
            "target_family = \"wasm\"",
            "target_arch = \"wasm32\"",
            "not(all(unix, target_env = \"gnu\"))",
        ] {
            assert!(is_for_others(text), "{text}");
        }
        for text in [
            "unix",
            "not(windows)",
            "test",
            "feature = \"windows\"",
            "any(windows, feature = \"x\")",
            "all(unix, feature = \"x\")",
            "target_os = \"linux\"",
            "not(target_arch = \"aarch64\")",
        ] {
            assert!(!is_for_others(text), "{text}");
        }
    }

    #[test]
    fn files_below_such_conditions_are_known() {
        let file = |path: &str, text: &str| SourceFile {
            path: path.into(),
            part: PackagePart::Package,
            text: text.to_owned(),
        };
        let files = [
            file(
                "src/lib.rs",
                "#[cfg(windows)]\nmod w;\n#[cfg(unix)]\nmod u;\n#[cfg(windows)]\n#[path = \"odd.rs\"]\nmod o;\n\
                 #[cfg_attr(windows, path = \"sys_w.rs\")]\n#[cfg_attr(unix, path = \"sys_u.rs\")]\nmod sys;\n\
                 #[cfg(windows)]\nmod both;\n#[cfg(unix)]\nmod both;\nmod inline { #[cfg(windows)] mod x; mod y; }\n",
            ),
            file("src/w/mod.rs", "mod deep;\n"),
            file("src/w/deep.rs", ""),
            file("src/u.rs", "mod below;\n"),
            file("src/u/below.rs", ""),
            file("src/odd.rs", ""),
            file("src/sys_w.rs", ""),
            file("src/sys_u.rs", ""),
            file("src/both.rs", ""),
            file("src/inline/x.rs", ""),
            file("src/inline/y.rs", ""),
            file("tests/net.rs", "#[cfg(windows)]\nmod pipes;\nmod common;\n"),
            file("tests/pipes.rs", ""),
            file("tests/common/mod.rs", ""),
        ];
        let found = files_for_others(&files);
        let found: Vec<_> = found.iter().map(|it| it.to_str().unwrap()).collect();
        let expected = [
            "src/inline/x.rs",
            "src/odd.rs",
            "src/sys_w.rs",
            "src/w/deep.rs",
            "src/w/mod.rs",
            "tests/pipes.rs",
        ];
        assert_eq!(found, expected);
    }
}
