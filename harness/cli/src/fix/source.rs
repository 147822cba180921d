//! Puts our attribute above the tests of a source file, or takes it away: pure.
//!
//! The file is parsed to find the tests, and changed line by line, so that its layout stays.

use std::collections::BTreeMap;

use proc_macro2::LineColumn;
use syn::{Attribute, Item, ItemMacro, Meta, UseTree};

use super::attributes::{self, Ours, names_ours};
use super::own_main::may_empty_file;
use super::systems;

/// Remark on a function that is a test only where the condition of a `cfg_attr` holds. An attribute
/// above the function would make the function a test everywhere.
const AT_TIMES: &str = "is a test only where the condition of a `cfg_attr` holds: in the `cfg_attr`, write `snowglobe::test` in the place of `test` or `tokio::test` (with the same options), or in front of the attribute of another crate";

/// Direction of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Tests get our attribute.
    #[default]
    There,
    /// Tests lose it.
    Back,
}

/// Part of the package to which a file belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PackagePart {
    /// An integration test, which always has the dev-dependencies.
    Test,
    /// A library or a program, which is also built without them.
    Package,
}

/// A source file after the conversion.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) text: String,
    /// Number of attributes that were written or taken away.
    pub(super) count: usize,
    /// Tests that stay as they are.
    pub(super) left: Vec<LeftTest>,
    /// A condition at the top may take the whole file away, and a `main` with it.
    pub(super) may_be_empty: bool,
}

/// A test that stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftTest {
    pub(super) line: usize,
    pub(super) name: String,
    /// Reason, and what to do.
    pub(super) why: &'static str,
}

/// Converts the text of a source file, which knows the crate snowglobe by this name.
///
/// # Errors
/// The text is no Rust that is understood without the compiler.
pub(super) fn convert(
    text: &str,
    part: PackagePart,
    way: Conversion,
    name: &str,
) -> Result<Converted, syn::Error> {
    let file = syn::parse_file(text)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut search = TestSearch {
        way,
        name,
        lines: &lines,
        edits: BTreeMap::new(),
        left: Vec::new(),
    };
    let is_test = part == PackagePart::Test || file.attrs.iter().any(attributes::is_for_tests);
    if search.stays(&file.attrs) {
        let all = |search: &mut TestSearch<'_>| search.items(&file.items, is_test);
        search.leave_for_others(1, "this file", all);
    } else {
        search.items(&file.items, is_test);
    }
    let TestSearch { edits, left, .. } = search;
    Ok(Converted {
        text: edited(&lines, &edits),
        count: edits.len(),
        left,
        may_be_empty: file.attrs.iter().any(may_empty_file),
    })
}

/// Change of one line.
#[derive(Debug)]
enum LineEdit {
    /// This text stands in a line of its own before it.
    Before(String),
    /// The line goes.
    Remove,
}

fn edited(lines: &[&str], edits: &BTreeMap<usize, LineEdit>) -> String {
    let mut text = String::new();
    for (number, line) in (1..).zip(lines) {
        match edits.get(&number) {
            Some(LineEdit::Before(new)) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
                text.extend([indent, new.as_str(), end, line]);
            }
            Some(LineEdit::Remove) => {}
            None => text += line,
        }
    }
    text
}

struct TestSearch<'a> {
    way: Conversion,
    /// Name by which the source knows our crate.
    name: &'a str,
    lines: &'a [&'a str],
    /// Changes by the number of the line, from 1 on.
    edits: BTreeMap<usize, LineEdit>,
    left: Vec<LeftTest>,
}

/// A test whose attributes have been looked at.
struct FoundTest {
    name: String,
    /// Our attribute, if the test has it.
    ours: Option<(Ours, LineColumn)>,
    /// First attribute that makes a test of the function.
    maker: Option<LineColumn>,
    /// Name of an attribute that makes a test which cannot be a trial.
    foreign: Option<(&'static str, LineColumn)>,
    /// First attribute that makes a test of the function only where some condition holds.
    at_times: Option<LineColumn>,
}

impl TestSearch<'_> {
    /// Looks at the items of a module; `is_test` says whether it is built with the dev-dependencies
    /// only.
    fn items(&mut self, items: &[Item], is_test: bool) {
        if let Some(line) = items.iter().find_map(|it| import_of_ours(it, self.name)) {
            // The attribute of every test below is ours already.
            self.leave_by_hand(line, "use snowglobe::test;");
            return;
        }
        for item in items {
            let (attrs, name) = match item {
                Item::Fn(it) => (&it.attrs, it.sig.ident.to_string()),
                Item::Mod(it) => (&it.attrs, it.ident.to_string()),
                Item::Macro(it) => (&it.attrs, "this macro".to_owned()),
                _ => continue,
            };
            match attrs.first() {
                Some(first) if self.stays(attrs) => {
                    let line = start(first).line;
                    self.leave_for_others(line, &name, |search| search.item(item, is_test));
                }
                _ => self.item(item, is_test),
            }
        }
    }

    fn item(&mut self, item: &Item, is_test: bool) {
        match item {
            Item::Fn(function) => {
                let is_test = is_test || function.attrs.iter().any(attributes::is_for_tests);
                let found = of_function(&function.sig.ident.to_string(), &function.attrs);
                self.test(found.into_test(self.name), is_test);
            }
            Item::Mod(module) => {
                let attrs = &module.attrs;
                let is_test = is_test || attrs.iter().any(attributes::is_for_tests);
                let isolate = attrs
                    .iter()
                    .find(|it| names_ours(it.path(), self.name, "isolate"));
                if let Some(isolate) = isolate {
                    let line = start(isolate).line;
                    self.leave_by_hand(line, "#[snowglobe::isolate]");
                } else if let Some((_, items)) = &module.content {
                    self.items(items, is_test);
                }
            }
            Item::Macro(it) => self.macro_(it, is_test),
            _ => {}
        }
    }

    /// Returns whether tests with these attributes stay as they are, because they do not run on
    /// Linux. `Conversion::Back` still removes what an earlier version has written above such
    /// tests.
    fn stays(&self, attrs: &[Attribute]) -> bool {
        self.way == Conversion::There && systems::is_for_others(attrs)
    }

    /// Remarks on tests for other systems, if this search finds any.
    fn leave_for_others(
        &mut self,
        line: usize,
        name: &str,
        find: impl FnOnce(&mut TestSearch<'_>),
    ) {
        let mut search = TestSearch {
            way: self.way,
            name: self.name,
            lines: self.lines,
            edits: BTreeMap::new(),
            left: Vec::new(),
        };
        find(&mut search);
        if !search.edits.is_empty() || !search.left.is_empty() {
            self.leave(line, name, systems::FOR_OTHERS);
        }
    }

    /// Remarks on an attribute for many tests, which somebody has written and has to take away.
    fn leave_by_hand(&mut self, line: usize, what: &str) {
        if self.way == Conversion::Back {
            self.leave(
                line,
                what,
                "isolates all tests below: take the line away by hand",
            );
        }
    }

    fn macro_(&mut self, item: &ItemMacro, is_test: bool) {
        let is_for_others = item
            .attrs
            .iter()
            .any(|it| it.path().is_ident("macro_export"));
        let path = &item.mac.path;
        let name = path.segments.last().map(|it| it.ident.to_string());
        let name = name.unwrap_or_default();
        let mut tests = Vec::new();
        attributes::in_tokens(item.mac.tokens.clone(), &mut tests);
        if is_for_others && !is_test {
            if let Some(found) = tests.first() {
                let line = found.attributes[0].1.line;
                self.leave(line, "a macro that other crates use too", "write the attribute where the macro is called, if the macro takes attributes; the runner isolates the program as a whole: `snowglobe exec --`");
            }
            return;
        }
        if tests.is_empty() && name == "quickcheck" && self.way == Conversion::There {
            let line = path.segments[0].ident.span().start().line;
            self.leave(
                line,
                "quickcheck!",
                "makes `#[test]`s by itself: write `use snowglobe::test;` into the same module",
            );
        }
        for found in tests {
            self.test(found.into_test(self.name), is_test);
        }
    }

    fn test(&mut self, test: FoundTest, is_test: bool) {
        let FoundTest {
            name,
            ours,
            maker,
            foreign,
            at_times,
        } = test;
        if let (Some((why, at)), Conversion::There) = (foreign, self.way) {
            self.leave(at.line, &name, why);
            return;
        }
        match (self.way, maker, ours) {
            (Conversion::There, Some(at), None) => {
                let new = if is_test {
                    attributes::ours(self.name)
                } else {
                    attributes::ours_in_package(self.name)
                };
                if self.stands_first(at) {
                    self.edits.insert(at.line, LineEdit::Before(new));
                } else {
                    self.leave(
                        at.line,
                        &name,
                        "stands behind something else in its line: write `#[snowglobe::test]` before `#[test]`",
                    );
                }
            }
            (Conversion::Back, Some(_), Some((Ours::Plain, at))) if self.stands_alone(at) => {
                self.edits.insert(at.line, LineEdit::Remove);
            }
            (Conversion::Back, Some(_), Some((_, at))) => {
                self.leave(
                    at.line,
                    &name,
                    "has an attribute with options, or in company: take `#[snowglobe::test]` away by hand",
                );
            }
            (Conversion::Back, None, Some((_, at))) => {
                self.leave(
                    at.line,
                    &name,
                    "has no other attribute: write `#[test]` or that of your runtime in the place of `#[snowglobe::test]`",
                );
            }
            (Conversion::There, None, None) => {
                if let Some(at) = at_times {
                    self.leave(at.line, &name, AT_TIMES);
                }
            }
            (Conversion::There, _, Some(_)) | (Conversion::Back, _, None) => {}
        }
    }

    fn leave(&mut self, line: usize, name: &str, why: &'static str) {
        let name = name.to_owned();
        self.left.push(LeftTest { line, name, why });
    }

    /// Returns whether nothing but white space stands before that place in its line.
    fn stands_first(&self, at: LineColumn) -> bool {
        let line = self.lines.get(at.line - 1).copied().unwrap_or_default();
        line.chars().take(at.column).all(char::is_whitespace)
    }

    /// Returns whether the line has our attribute as we write it, and nothing else.
    fn stands_alone(&self, at: LineColumn) -> bool {
        let line = self.lines.get(at.line - 1).copied().unwrap_or_default();
        let ours = [attributes::ours, attributes::ours_in_package];
        ours.iter().any(|ours| line.trim() == ours(self.name))
    }
}

fn of_function(name: &str, attrs: &[Attribute]) -> attributes::FoundFunction {
    let found = |it: &Attribute| {
        let path: Vec<String> = segments(it.path());
        let arguments = match &it.meta {
            Meta::List(list) => list.tokens.to_string(),
            Meta::Path(_) | Meta::NameValue(_) => String::new(),
        };
        ((path, arguments), start(it))
    };
    attributes::FoundFunction {
        name: name.to_owned(),
        attributes: attrs.iter().map(found).collect(),
    }
}

impl attributes::FoundFunction {
    /// Looks at the attributes; `krate` is the name of our crate in the source.
    fn into_test(self, krate: &str) -> FoundTest {
        let Self { name, attributes } = self;
        let mut test = FoundTest {
            name,
            ours: None,
            maker: None,
            foreign: None,
            at_times: None,
        };
        for ((path, arguments), at) in attributes {
            if let Some(ours) = Ours::of(&path, &arguments, krate) {
                test.ours = test.ours.or(Some((ours, at)));
            } else if let Some(why) = attributes::foreign(&path) {
                test.foreign = Some((why, at));
            } else if attributes::makes_test(&path) {
                test.maker = test.maker.or(Some(at));
            } else if attributes::makes_test_at_times(&path, &arguments) {
                test.at_times = test.at_times.or(Some(at));
            }
        }
        test
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    let segments = path.segments.iter();
    segments.map(|it| it.ident.to_string()).collect()
}

fn start(attribute: &Attribute) -> LineColumn {
    attribute.pound_token.span.start()
}

/// Returns the line of `use snowglobe::test;`.
fn import_of_ours(item: &Item, name: &str) -> Option<usize> {
    let Item::Use(item) = item else {
        return None;
    };
    let UseTree::Path(path) = &item.tree else {
        return None;
    };
    let imports_test = |tree: &UseTree| matches!(tree, UseTree::Name(it) if it.ident == "test");
    let is_ours = path.ident == name
        && match &*path.tree {
            UseTree::Group(group) => group.items.iter().any(imports_test),
            tree => imports_test(tree),
        };
    is_ours.then(|| item.use_token.span.start().line)
}

#[cfg(test)]
mod tests;
