//! Adds what a test target needs to the text of a `Cargo.toml`.

use std::path::PathBuf;

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use super::entry::{self, PACKAGE};

const TABLE: &str = "dev-dependencies";

/// Origin of the dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The registry, in the version of this program.
    Published,
    /// A git repository with this URL.
    Git(String),
    /// A directory: an absolute path, or one from the package.
    Path(PathBuf),
    /// The origin that the manifest of the workspace names.
    Inherited,
}

/// Returns the text of a manifest with snowglobe as a dev-dependency, and with a test target that
/// snowglobe runs; `root` is the manifest of the workspace. What is there already, and everything
/// else, stays as it is.
///
/// # Errors
/// The manifest has something else where these belong.
pub(crate) fn with_snowglobe(
    text: &str,
    root: &str,
    dependency: &Dependency,
    target: &str,
) -> Result<String, String> {
    let mut manifest = parse(text)?;
    if looks_for_tests_no_more(&manifest)
        && let Some(package) = manifest.get_mut("package")
    {
        package["autotests"] = value(true);
    }
    add_dependency(&mut manifest, &parse(root)?, dependency)?;
    add_target(&mut manifest, target)?;
    Ok(manifest.to_string())
}

/// Returns the text of a manifest with snowglobe as a dev-dependency; `root` is the manifest of the
/// workspace.
///
/// # Errors
/// The manifest has something else where the dependency belongs.
pub(crate) fn with_dependency(
    text: &str,
    root: &str,
    dependency: &Dependency,
) -> Result<String, String> {
    let mut manifest = parse(text)?;
    add_dependency(&mut manifest, &parse(root)?, dependency)?;
    Ok(manifest.to_string())
}

/// Returns the place from which the package of a manifest already has snowglobe, if the manifest
/// itself names that place.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn dependency(text: &str, root: &str) -> Result<Option<Dependency>, String> {
    let (manifest, root) = (parse(text)?, parse(root)?);
    let item = entry::find(&manifest, &root).map(|it| it.item);
    if item.is_some_and(|it| it.get("workspace").is_some()) {
        return Ok(Some(Dependency::Inherited));
    }
    Ok(item.and_then(place))
}

/// Returns the name by which the sources of a package know the crate snowglobe: the name of the
/// dependency, and the name of the crate if there is none.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn name_in_sources(text: &str, root: &str) -> Result<String, String> {
    let (manifest, root) = (parse(text)?, parse(root)?);
    let name = entry::find(&manifest, &root).map_or(PACKAGE, |it| it.name);
    Ok(name.replace('-', "_"))
}

/// Returns the place from which the members of a workspace inherit snowglobe, if the manifest of
/// the workspace names one.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn inherited(workspace: &str) -> Result<Option<Dependency>, String> {
    let manifest = parse(workspace)?;
    Ok(entry::inherited(&manifest).and_then(|it| place(it.item)))
}

/// Returns the place that a dependency names.
fn place(item: &Item) -> Option<Dependency> {
    let text = |key| item.get(key).and_then(Item::as_str);
    match (text("git"), text("path"), item.as_str()) {
        (Some(url), ..) => Some(Dependency::Git(url.to_owned())),
        (None, Some(path), _) => Some(Dependency::Path(path.into())),
        (None, None, version) => (version.or(text("version"))).map(|_| Dependency::Published),
    }
}

/// Returns the text of a manifest without snowglobe as a dev-dependency; `root` is the manifest of
/// the workspace.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn without_dependency(text: &str, root: &str) -> Result<String, String> {
    let mut manifest = parse(text)?;
    let name = entry::find(&manifest, &parse(root)?).map(|it| it.name.to_owned());
    let table = manifest.get_mut(TABLE).and_then(Item::as_table_like_mut);
    if let (Some(table), Some(name)) = (table, name)
        && table.remove(&name).is_some()
    {
        if table.is_empty() {
            manifest.remove(TABLE);
        } else if let Some(Item::Table(table)) = manifest.get_mut(TABLE)
            && table.get_values().is_empty()
        {
            // Only tables `[dev-dependencies.NAME]` are left, as cargo publishes manifests.
            table.set_implicit(true);
        }
    }
    Ok(manifest.to_string())
}

/// A test target, as its manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestTarget {
    pub(crate) name: String,
    /// File of its `main`, below the package.
    pub(crate) file: PathBuf,
    /// The standard harness does not run it.
    pub(crate) has_own_main: bool,
}

/// Returns the test targets that a manifest names, and whether cargo looks for others in `tests`.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn test_targets(text: &str) -> Result<(Vec<TestTarget>, bool), String> {
    let manifest = parse(text)?;
    let read = |target: &Table| -> Option<TestTarget> {
        let text = |key| target.get(key).and_then(Item::as_str);
        let name = text("name")?.to_owned();
        let file = match text("path") {
            Some(path) => path.to_owned(),
            None => format!("tests/{name}.rs"),
        };
        Some(TestTarget {
            name,
            file: file.into(),
            has_own_main: target.get("harness").and_then(Item::as_bool) == Some(false),
        })
    };
    let named = tables(&manifest, "test").filter_map(read).collect();
    let package = manifest.get("package");
    let looks = package
        .and_then(|it| it.get("autotests"))
        .and_then(Item::as_bool);
    Ok((named, looks != Some(false)))
}

/// A file that a manifest names as the root of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedRoot {
    /// The file, below the package.
    pub(crate) file: PathBuf,
    /// It is the root of a library or of a program, which are built without dev-dependencies too.
    pub(crate) is_of_package: bool,
}

/// Returns the files that the manifest names, by `path`, as roots of targets of any kind.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn named_roots(text: &str) -> Result<Vec<NamedRoot>, String> {
    let manifest = parse(text)?;
    let library = manifest.get("lib").and_then(Item::as_table_like);
    let library = library.and_then(|it| it.get("path")).map(|it| (true, it));
    let others = KINDS.iter().flat_map(|(kind, _)| {
        let of_kind = tables(&manifest, kind).filter_map(|it| it.get("path"));
        of_kind.map(move |path| (*kind == "bin", path))
    });
    let read = |(is_of_package, path): (bool, &Item)| {
        let file = path.as_str()?.into();
        Some(NamedRoot {
            file,
            is_of_package,
        })
    };
    Ok(library.into_iter().chain(others).filter_map(read).collect())
}

/// Returns the files of examples, benchmarks and programs with `harness = false`, below the
/// package. Where the manifest names no file, those are returned that cargo looks for.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn roots_without_harness(text: &str) -> Result<Vec<PathBuf>, String> {
    let manifest = parse(text)?;
    let mut files = Vec::new();
    for (kind, folder) in KINDS.iter().filter(|(kind, _)| *kind != "test") {
        for target in tables(&manifest, kind) {
            let text = |key| target.get(key).and_then(Item::as_str);
            if target.get("harness").and_then(Item::as_bool) != Some(false) {
                continue;
            }
            match (text("path"), text("name")) {
                (Some(path), _) => files.push(path.into()),
                (None, Some(name)) => {
                    files.push(format!("{folder}/{name}.rs").into());
                    files.push(format!("{folder}/{name}/main.rs").into());
                }
                (None, None) => {}
            }
        }
    }
    Ok(files)
}

/// Kinds of targets of which there may be several, and where cargo looks for their files.
const KINDS: [(&str, &str); 4] = [
    ("bin", "src/bin"),
    ("test", "tests"),
    ("example", "examples"),
    ("bench", "benches"),
];

fn tables<'a>(manifest: &'a DocumentMut, kind: &str) -> impl Iterator<Item = &'a Table> {
    let tables = manifest.get(kind).and_then(Item::as_array_of_tables);
    tables.into_iter().flatten()
}

/// Returns the text of a manifest in which the standard harness does not run this test target.
///
/// # Errors
/// The manifest has something else where its test targets belong.
pub(crate) fn without_harness(text: &str, target: &str) -> Result<String, String> {
    let mut manifest = parse(text)?;
    if manifest
        .get("test")
        .is_some_and(|it| !it.is_array_of_tables())
    {
        return Err("`test` is no list of `[[test]]` tables; write it as one".to_owned());
    }
    if let Some(table) = target_mut(&mut manifest, target) {
        table.insert("harness", value(false));
        return Ok(manifest.to_string());
    }
    if looks_for_tests_no_more(&manifest) {
        return Err("in edition 2015 cargo looks for no test targets where a manifest names one; write `autotests = true` under `[package]`".to_owned());
    }
    let block = block_without_harness(target);
    Ok(match text.ends_with('\n') {
        true => format!("{text}{block}"),
        false => format!("{text}\n{}", block.trim_end()),
    })
}

/// Returns the text of a manifest as it was before [`without_harness`].
///
/// # Errors
/// The text is no manifest.
pub(crate) fn with_harness(text: &str, target: &str) -> Result<String, String> {
    let block = block_without_harness(target);
    let open = format!("\n{}", block.trim_end());
    if text.contains(&block) {
        return Ok(text.replacen(&block, "", 1));
    }
    if let Some(text) = text.strip_suffix(&open) {
        return Ok(text.to_owned());
    }
    let mut manifest = parse(text)?;
    if let Some(table) = target_mut(&mut manifest, target) {
        table.remove("harness");
    }
    Ok(manifest.to_string())
}

/// Returns whether the first `[[test]]` keeps cargo from looking for test targets in this manifest:
/// in edition 2015, one target by name is enough (The Cargo Book, "Target auto-discovery").
fn looks_for_tests_no_more(manifest: &DocumentMut) -> bool {
    let of_package = |key| manifest.get("package").and_then(|it| it.get(key));
    let is_first = of_package("edition").is_none_or(|it| it.as_str() == Some("2015"));
    is_first && of_package("autotests").is_none() && tables(manifest, "test").next().is_none()
}

fn target_mut<'a>(manifest: &'a mut DocumentMut, name: &str) -> Option<&'a mut Table> {
    let targets = manifest.get_mut("test")?.as_array_of_tables_mut()?;
    let is_named = |table: &&mut Table| table.get("name").and_then(Item::as_str) == Some(name);
    targets.iter_mut().find(is_named)
}

fn block_without_harness(target: &str) -> String {
    format!("\n[[test]]\nname = \"{target}\"\nharness = false\n")
}

pub(super) fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn add_dependency(
    manifest: &mut DocumentMut,
    root: &DocumentMut,
    dependency: &Dependency,
) -> Result<(), String> {
    if entry::find(manifest, root).is_some() {
        return Ok(());
    }
    let table = manifest.entry(TABLE).or_insert(Item::Table(Table::new()));
    let table = table
        .as_table_like_mut()
        .ok_or_else(|| format!("`{TABLE}` is no table; write it as one"))?;
    let what = match dependency {
        Dependency::Published => {
            let version = env!("CARGO_PKG_VERSION").split('.').take(2);
            value(version.collect::<Vec<_>>().join("."))
        }
        Dependency::Git(url) => one_key("git", url),
        Dependency::Path(path) => one_key("path", &path.to_string_lossy()),
        // Only a manifest that names snowglobe has this origin, and such a manifest stays.
        Dependency::Inherited => return Ok(()),
    };
    table.insert(PACKAGE, what);
    Ok(())
}

fn one_key(key: &str, text: &str) -> Item {
    let mut table = InlineTable::new();
    table.insert(key, Value::from(text));
    value(table)
}

fn add_target(manifest: &mut DocumentMut, name: &str) -> Result<(), String> {
    let tests = manifest
        .entry("test")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let tests = tests
        .as_array_of_tables_mut()
        .ok_or("`test` is no list of `[[test]]` tables; write it as one")?;
    let is_named = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    if tests.iter().any(is_named) {
        return Ok(());
    }
    let mut target = Table::new();
    target.insert("name", value(name));
    target.insert("harness", value(false));
    target.decor_mut().set_prefix("\n");
    tests.push(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        with_snowglobe(text, "", &Dependency::Published, "world").unwrap()
    }

    #[test]
    fn what_somebody_has_written_stays() {
        let text = "# mine\n[package]\nname   =  'a' # odd\n\n[dev-dependencies]\nserde = { version='1' }   # why\n# end\n";
        let after = added(text);
        for line in text.lines() {
            assert!(
                after.lines().any(|it| it == line),
                "{line} is gone from:\n{after}"
            );
        }
        assert!(after.contains("snowglobe = \"0.1\"\n"), "{after}");
        assert!(
            after.contains("[[test]]\nname = \"world\"\nharness = false\n"),
            "{after}"
        );
    }

    #[test]
    fn what_is_there_is_not_added_again() {
        let once = added("[package]\nname = \"a\"\n");
        assert_eq!(added(&once), once);
        let own = "[package]\nname = \"a\"\n[dev-dependencies.snowglobe]\npath = \"x\"\n[[test]]\nname = \"world\"\n";
        assert_eq!(added(own), own);
    }

    #[test]
    fn cargo_goes_on_to_look_for_tests_in_edition_2015() {
        let old = "[package]\nname = \"a\"\n";
        let after = added(old);
        assert!(after.contains("autotests = true\n"), "{after}");
        assert_eq!(added(&after), after);
        let refused = without_harness(old, "net").unwrap_err();
        assert!(refused.contains("`autotests = true`"), "{refused}");
        for rest in ["edition = \"2018\"", "autotests = false", "[[test]]"] {
            let text = format!("{old}{rest}\n");
            assert!(!added(&text).contains("autotests = true"), "{rest}");
        }
    }

    #[test]
    fn a_dependency_that_is_there_is_known() {
        for (line, known) in [
            ("", None),
            ("snowglobe = \"0.1\"", Some(Dependency::Published)),
            (
                "snowglobe = { version = \"0.1\" }",
                Some(Dependency::Published),
            ),
            ("snowglobe.workspace = true", Some(Dependency::Inherited)),
            (
                "snowglobe.git = \"x\"",
                Some(Dependency::Git("x".to_owned())),
            ),
            (
                "snowglobe = { path = \"../x\" }",
                Some(Dependency::Path("../x".into())),
            ),
        ] {
            let text = format!("[dev-dependencies]\n{line}\n");
            assert_eq!(dependency(&text, "").unwrap(), known, "{line}");
        }
    }

    #[test]
    fn a_dependency_goes_as_it_came() {
        for text in [
            "[package]\nname = \"a\"\n",
            "[package]\nname = \"a\"\n\n[dev-dependencies]\nserde = \"1\" # why\n",
            "[package]\nname = \"a\"\n\n[dev-dependencies.serde]\nversion = \"1\"\n",
        ] {
            let with = with_dependency(text, "", &Dependency::Published).unwrap();
            assert!(with.contains("snowglobe = \"0.1\"\n"), "{with}");
            assert_eq!(without_dependency(&with, "").unwrap(), text);
            assert_eq!(without_dependency(text, "").unwrap(), text);
        }
    }

    #[test]
    fn test_targets_are_known_by_their_files() {
        let text = "[package]\nautotests = false\n[[test]]\nname = \"a\"\nharness = false\n\
                    [[test]]\nname = \"b\"\npath = \"t/b.rs\"\n";
        let (targets, looks) = test_targets(text).unwrap();
        assert!(!looks);
        let target = |name: &str, file: &str, has_own_main| TestTarget {
            name: name.to_owned(),
            file: file.into(),
            has_own_main,
        };
        let expected = [
            target("a", "tests/a.rs", true),
            target("b", "t/b.rs", false),
        ];
        assert_eq!(targets, expected);
        assert!(test_targets("").unwrap().1);
    }

    #[test]
    fn files_of_targets_are_known_wherever_they_are() {
        let text = "[lib]\npath = \"l/a.rs\"\n[[bin]]\nname = \"b\"\npath = \"b.rs\"\n\
                    [[example]]\nname = \"e\"\nharness = false\n\
                    [[bench]]\nname = \"f\"\npath = \"x/f.rs\"\nharness = false\n\
                    [[test]]\nname = \"t\"\nharness = false\n";
        let roots = named_roots(text).unwrap();
        let roots: Vec<_> = roots
            .iter()
            .map(|it| (it.file.to_str().unwrap(), it.is_of_package))
            .collect();
        assert_eq!(roots, [("l/a.rs", true), ("b.rs", true), ("x/f.rs", false)]);
        let own = roots_without_harness(text).unwrap();
        let expected = ["examples/e.rs", "examples/e/main.rs", "x/f.rs"];
        assert_eq!(own, expected.map(PathBuf::from));
        assert_eq!(named_roots("lib = 1\n").unwrap(), []);
    }

    #[test]
    fn a_harness_comes_back() {
        for text in [
            "[package]\nautotests = true\n",
            "[package]\nautotests = true",
            "[package]\nname = \"a\"\n\n[[test]]\nname = \"net\" # why\npath = \"t.rs\"\n\n[lib]\n",
        ] {
            let without = without_harness(text, "net").unwrap();
            let (targets, _) = test_targets(&without).unwrap();
            assert!(targets[0].has_own_main, "{without}");
            assert_eq!(with_harness(&without, "net").unwrap(), text);
        }
        assert!(without_harness("test = 1\n", "net").is_err());
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        let wrong = with_snowglobe("test = 1\n", "", &Dependency::Published, "world");
        assert!(wrong.unwrap_err().contains("[[test]]"));
    }
}
