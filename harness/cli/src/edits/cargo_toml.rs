//! Adds what a test target needs to the text of a `Cargo.toml`.

use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

const TABLE: &str = "dev-dependencies";

/// Origin of the dependency.
pub(crate) enum Dependency {
    /// The registry, in the version of this program.
    Published,
    /// A directory.
    Path(PathBuf),
}

impl Dependency {
    /// Returns the origin that the option `--path` names, or the registry.
    pub(crate) fn of_option(path: Option<&Path>) -> Self {
        match path {
            Some(path) => Self::Path(std::path::absolute(path).unwrap_or(path.to_owned())),
            None => Self::Published,
        }
    }
}

/// Returns the text of a manifest with snowglobe as a dev-dependency, and with a test target that
/// snowglobe runs. What is there already, and everything else, stays as it is.
///
/// # Errors
/// The manifest has something else where these belong.
pub(crate) fn with_snowglobe(
    text: &str,
    dependency: &Dependency,
    target: &str,
) -> Result<String, String> {
    let mut manifest = parse(text)?;
    add_dependency(&mut manifest, dependency)?;
    add_target(&mut manifest, target)?;
    Ok(manifest.to_string())
}

/// Returns the text of a manifest with snowglobe as a dev-dependency.
///
/// # Errors
/// The manifest has something else where the dependency belongs.
pub(crate) fn with_dependency(text: &str, dependency: &Dependency) -> Result<String, String> {
    let mut manifest = parse(text)?;
    add_dependency(&mut manifest, dependency)?;
    Ok(manifest.to_string())
}

/// Returns the text of a manifest without snowglobe as a dev-dependency.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn without_dependency(text: &str) -> Result<String, String> {
    let mut manifest = parse(text)?;
    let table = manifest.get_mut(TABLE).and_then(Item::as_table_like_mut);
    let Some(table) = table else {
        return Ok(text.to_owned());
    };
    if table.remove("snowglobe").is_some() && table.is_empty() {
        manifest.remove(TABLE);
    }
    Ok(manifest.to_string())
}

/// Returns the files of the test targets whose `main` is their own, below the package.
///
/// # Errors
/// The text is no manifest.
pub(crate) fn targets_without_harness(text: &str) -> Result<Vec<PathBuf>, String> {
    let manifest = parse(text)?;
    let targets = manifest.get("test").and_then(Item::as_array_of_tables);
    let targets = targets.into_iter().flatten();
    let own = targets.filter(|it| it.get("harness").and_then(Item::as_bool) == Some(false));
    let path = |target: &Table| -> Option<PathBuf> {
        let text = |key| target.get(key).and_then(Item::as_str);
        let usual = || text("name").map(|name| format!("tests/{name}.rs"));
        text("path").map(str::to_owned).or_else(usual).map(PathBuf::from)
    };
    Ok(own.filter_map(path).collect())
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn add_dependency(manifest: &mut DocumentMut, dependency: &Dependency) -> Result<(), String> {
    let table = manifest.entry(TABLE).or_insert(Item::Table(Table::new()));
    let table = table
        .as_table_like_mut()
        .ok_or_else(|| format!("`{TABLE}` is no table; write it as one"))?;
    if table.contains_key("snowglobe") {
        return Ok(());
    }
    let what = match dependency {
        Dependency::Published => {
            let version = env!("CARGO_PKG_VERSION").split('.').take(2);
            value(version.collect::<Vec<_>>().join("."))
        }
        Dependency::Path(path) => {
            let mut table = InlineTable::new();
            table.insert("path", Value::from(path.to_string_lossy().into_owned()));
            value(table)
        }
    };
    table.insert("snowglobe", what);
    Ok(())
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
        with_snowglobe(text, &Dependency::Published, "world").unwrap()
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
    fn a_dependency_goes_as_it_came() {
        for text in [
            "[package]\nname = \"a\"\n",
            "[package]\nname = \"a\"\n\n[dev-dependencies]\nserde = \"1\" # why\n",
        ] {
            let with = with_dependency(text, &Dependency::Published).unwrap();
            assert!(with.contains("snowglobe = \"0.1\"\n"), "{with}");
            assert_eq!(without_dependency(&with).unwrap(), text);
            assert_eq!(without_dependency(text).unwrap(), text);
        }
    }

    #[test]
    fn targets_with_a_main_of_their_own_are_known_by_their_files() {
        let text = "[[test]]\nname = \"a\"\nharness = false\n[[test]]\nname = \"b\"\n\
                    [[test]]\nname = \"c\"\npath = \"t/c.rs\"\nharness = false\n";
        let files = targets_without_harness(text).unwrap();
        assert_eq!(files, [Path::new("tests/a.rs"), Path::new("t/c.rs")]);
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        let wrong = with_snowglobe("test = 1\n", &Dependency::Published, "world");
        assert!(wrong.unwrap_err().contains("[[test]]"));
    }
}
