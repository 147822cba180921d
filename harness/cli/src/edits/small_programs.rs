//! Settings by which test programs are built without the debug information of snowglobe, and of
//! the crates that snowglobe brings.
//!
//! A test program of `snowglobe init` has 125 MB without these settings, 41 MB with those for the
//! crates of snowglobe, and 34 MB with all of them (2026-11-30). Without the settings, a test
//! program also takes longer to build and to link.

use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::cargo_toml::parse;
use super::change::Change;
use super::entry;
use super::project::Project;

/// Path of the table with the settings of single dependencies.
const PROFILE: [&str; 3] = ["profile", "dev", "package"];

const COMMENT: &str = "\n# Test programs are several times as large with the debug information of snowglobe itself.\n";

/// The packages that snowglobe consists of and that are linked into test programs, and those that
/// hardly anybody else brings, each with the feature that it needs.
///
/// cargo warns of a setting for a package that is no dependency. A later version of a dependency
/// may drop its own dependencies, so the list leaves out indirect dependencies. The list also
/// leaves out `libc`, `serde_core` and `tokio`, whose debug information the user may want.
const PACKAGES: [(&str, Option<&str>); 10] = [
    ("snowglobe", None),
    ("snowglobe-fixtures", None),
    ("snowglobe-history", Some("history")),
    ("snowglobe-kernel", None),
    ("snowglobe-model", None),
    ("snowglobe-text", None),
    ("lexopt", None),
    ("nix", None),
    ("simple-dns", None),
    ("toml", None),
];

/// What becomes of the manifests of a package and of its workspace.
pub(crate) struct SmallPrograms {
    /// Text of the package's manifest.
    pub(crate) manifest: String,
    /// Change of the workspace's manifest, if that is another file.
    pub(crate) workspace: Option<Change>,
    /// A sentence for the user about a table that stays as it is.
    pub(crate) remark: Option<String>,
}

/// Adds the settings to the manifest in which they count, the one of the workspace; `manifest` is
/// the text of the package's own, which names snowglobe.
///
/// A workspace that says something about single dependencies already keeps what it says.
///
/// # Errors
/// A manifest has something else where the settings belong, or cannot be read.
pub(crate) fn add(project: &Project, manifest: String) -> Result<SmallPrograms, String> {
    apply(project, manifest, |root, package| {
        let names = names(&parse(package)?, &parse(root)?);
        Ok(match with(root, &names)? {
            Some(text) => (text, None),
            None => {
                let names = names.join(", ");
                let why = format!(
                    "write `NAME = {{ debug = false }}` there for {names}; without these lines, test programs are several times as large"
                );
                (root.to_owned(), Some(why))
            }
        })
    })
}

/// Removes the settings, unless the package or another one of the workspace still has snowglobe;
/// `manifest` is the text of the package's own, without the dev-dependency.
///
/// # Errors
/// A manifest is none, or cannot be read.
pub(crate) fn remove(project: &Project, manifest: String) -> Result<SmallPrograms, String> {
    apply(project, manifest, |root, package| {
        let (package, parsed) = (parse(package)?, parse(root)?);
        let text = without(root)?;
        if text == root {
            return Ok((text, None));
        }
        let why = if let Some(table) = entry::table(&package, &parsed) {
            format!("this package still has snowglobe in [{table}]")
        } else if is_needed_elsewhere(project, &project.workspace(), &parsed) {
            "another package there has snowglobe too".to_owned()
        } else {
            return Ok((text, None));
        };
        Ok((root.to_owned(), Some(why)))
    })
}

/// Edits the manifest from which cargo reads the settings. `edit` takes the text of that manifest
/// and the text of the package's manifest, and returns the new text of the first one and, where a
/// table stays as it is, the reason.
fn apply(
    project: &Project,
    manifest: String,
    edit: impl FnOnce(&str, &str) -> Result<(String, Option<String>), String>,
) -> Result<SmallPrograms, String> {
    let path = project.workspace().join("Cargo.toml");
    let shown = project.show(&path).display();
    let table = PROFILE.join(".");
    let remark = |why: String| format!("[{table}] of {shown} stays as it is: {why}");
    if path == project.manifest() {
        let (after, why) = edit(&manifest, &manifest)?;
        return Ok(SmallPrograms {
            manifest: after,
            workspace: None,
            remark: why.map(remark),
        });
    }
    let explain =
        |error: String| format!("{shown}, which is the manifest of the workspace: {error}");
    let root = fs::read_to_string(&path).map_err(|error| explain(error.to_string()))?;
    let (after, why) = edit(&root, &manifest).map_err(explain)?;
    let workspace = (after != root).then(|| Change::edit(path.clone(), root, after));
    Ok(SmallPrograms {
        manifest,
        workspace,
        remark: why.map(remark),
    })
}

/// Returns those of [`PACKAGES`] that snowglobe has with the features that a package asks for.
fn names(package: &DocumentMut, root: &DocumentMut) -> Vec<&'static str> {
    let own = entry::find(package, root).map(|it| it.item);
    let is_inherited = own.is_some_and(|it| it.get("workspace").is_some());
    let inherited = entry::inherited(root).map(|it| it.item);
    let inherited = inherited.filter(|_| is_inherited);
    let mut features: Vec<&str> = Vec::new();
    for item in [own, inherited].into_iter().flatten() {
        let list = item.get("features").and_then(Item::as_array);
        features.extend(list.into_iter().flatten().filter_map(Value::as_str));
    }
    let is_there = |feature: &Option<&str>| feature.is_none_or(|it| features.contains(&it));
    let packages = PACKAGES.iter().filter(|(_, feature)| is_there(feature));
    packages.map(|(name, _)| *name).collect()
}

/// Returns the text of a manifest with the settings for these packages, or nothing if they are
/// missing in a table that somebody else has written.
fn with(text: &str, names: &[&str]) -> Result<Option<String>, String> {
    let mut manifest = parse(text)?;
    let wrong = || format!("`{}` is no table; write it as one", PROFILE.join("."));
    let mut table: &mut dyn TableLike = manifest.as_table_mut();
    for (depth, key) in PROFILE.iter().enumerate() {
        let mut new = Table::new();
        new.set_implicit(depth + 1 < PROFILE.len());
        if depth + 1 == PROFILE.len() {
            new.decor_mut().set_prefix(COMMENT);
        }
        let item = table.entry(key).or_insert(Item::Table(new));
        table = item.as_table_like_mut().ok_or_else(wrong)?;
    }
    let of_all = table.get("*").and_then(|it| it.get("debug"));
    if table.contains_key("snowglobe") || of_all.is_some() {
        return Ok(Some(text.to_owned()));
    }
    if !table.is_empty() {
        return Ok(None);
    }
    for package in names {
        let mut setting = InlineTable::new();
        setting.insert("debug", Value::from(false));
        table.insert(package, value(setting));
    }
    Ok(Some(manifest.to_string()))
}

/// Returns the text of a manifest without the settings.
fn without(text: &str) -> Result<String, String> {
    let mut manifest = parse(text)?;
    let [profile, dev, package] = PROFILE;
    let settings = manifest
        .get_mut(profile)
        .and_then(|it| it.get_mut(dev)?.get_mut(package))
        .and_then(Item::as_table_like_mut);
    let Some(settings) = settings.filter(|it| it.contains_key("snowglobe")) else {
        return Ok(text.to_owned());
    };
    for (name, _) in PACKAGES {
        let setting = settings.get(name).and_then(Item::as_inline_table);
        let is_ours = setting.is_some_and(|it| {
            it.len() == 1 && it.get("debug").and_then(Value::as_bool) == Some(false)
        });
        if is_ours {
            settings.remove(name);
        }
    }
    if settings.is_empty() {
        remove_empty(manifest.as_table_mut(), &PROFILE);
    }
    Ok(manifest.to_string())
}

/// Removes the table at the end of this path, and the tables around it that are empty then.
fn remove_empty(table: &mut dyn TableLike, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let is_empty = table
        .get_mut(first)
        .and_then(Item::as_table_like_mut)
        .is_some_and(|inner| {
            remove_empty(inner, rest);
            inner.is_empty()
        });
    if is_empty {
        table.remove(first);
    }
}

/// Returns whether a package in this directory or below, other than that of the project, has
/// snowglobe.
fn is_needed_elsewhere(project: &Project, directory: &Path, root: &DocumentMut) -> bool {
    let manifest = directory.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap_or_default();
    let parsed = parse(&text).unwrap_or_default();
    if manifest != project.manifest() && entry::table(&parsed, root).is_some() {
        return true;
    }
    let folders = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut folders = folders.filter(|entry| {
        let name = entry.file_name();
        let is_source = name != "target" && !name.to_string_lossy().starts_with('.');
        is_source && entry.file_type().is_ok_and(|it| it.is_dir())
    });
    folders.any(|folder| is_needed_elsewhere(project, &folder.path(), root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> Option<String> {
        with(text, &["snowglobe", "nix"]).unwrap()
    }

    #[test]
    fn programs_are_small_unless_somebody_has_said_how_large() {
        let plain = "[package]\nname = \"a\"\n\n[profile.release]\nlto = true\n";
        let small = added(plain).unwrap();
        assert!(small.starts_with(plain), "{small}");
        let table =
            "\n[profile.dev.package]\nsnowglobe = { debug = false }\nnix = { debug = false }\n";
        assert!(small.ends_with(table), "{small}");
        assert_eq!(added(&small), Some(small.clone()));
        assert_eq!(without(&small).unwrap(), plain);
        let own = "[profile.dev.package.\"*\"]\ndebug = 1\n";
        assert_eq!(added(own).as_deref(), Some(own));
        let others = "[profile.dev.package]\nnix = { debug = false }\n";
        assert_eq!(added(others), None);
        for text in [own, others] {
            assert_eq!(without(text).unwrap(), text);
        }
        assert!(with("profile = 1\n", &[]).is_err());
    }

    #[test]
    fn settings_that_are_not_ours_stay() {
        let ours = "[profile.dev.package]\nsnowglobe = { debug = false }\n";
        let own = "nix = { debug = 1 }\ntoml = { debug = false, opt-level = 1 }\n";
        let left = without(&format!("{ours}{own}")).unwrap();
        assert_eq!(left, format!("[profile.dev.package]\n{own}"));
    }

    #[test]
    fn packages_follow_the_features() {
        let of = |own: &str, root: &str| {
            let parsed = |text: &str| parse(text).unwrap();
            names(
                &parsed(&format!("[dev-dependencies]\n{own}\n")),
                &parsed(&format!("[workspace.dependencies]\n{root}\n")),
            )
        };
        let has_history = |own: &str, root: &str| of(own, root).contains(&"snowglobe-history");
        assert!(!has_history("", ""));
        let root = "snowglobe = { path = \"x\", features = [\"history\"] }";
        assert!(has_history(root, ""));
        assert!(!has_history("snowglobe = \"0.1\"", root));
        assert!(has_history("snowglobe.workspace = true", root));
        let own = "snowglobe = { workspace = true, features = [\"history\"] }";
        assert!(has_history(own, ""));
    }
}
