//! The entry by which a manifest depends on snowglobe: pure.
//!
//! A manifest may have snowglobe under another name (`sg = { package = "snowglobe" }`, "Renaming
//! dependencies in `Cargo.toml`" in The Cargo Book), for some platforms only, or from its
//! workspace.

use toml_edit::{DocumentMut, Item, TableLike};

/// Name of the package.
pub(crate) const PACKAGE: &str = "snowglobe";

/// Kinds of dependencies that tests of a package can name, the likeliest first.
const OF_TESTS: [&str; 2] = ["dev-dependencies", "dependencies"];

/// The entry of a dependency on snowglobe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Name of the entry, by which sources know the crate.
    pub(crate) name: &'a str,
    pub(crate) item: &'a Item,
}

/// Returns the entry by which tests of the package have snowglobe, if there is one; `root` is the
/// manifest of the workspace. An optional dependency may be absent, so that it does not count.
pub(crate) fn find<'a>(manifest: &'a DocumentMut, root: &DocumentMut) -> Option<Entry<'a>> {
    let is_there = |it: &Entry<'_>| {
        let optional = it.item.get("optional").and_then(Item::as_bool);
        optional != Some(true)
    };
    let own = in_table(manifest.as_table(), root, &OF_TESTS).map(|(entry, _)| entry);
    own.filter(is_there).or_else(|| {
        let mut platforms = platforms(manifest);
        platforms.find_map(|(_, table)| {
            let (entry, _) = in_table(table, root, &OF_TESTS)?;
            Some(entry).filter(is_there)
        })
    })
}

/// Returns the table by which a package depends on snowglobe, if there is one: `dependencies`, or
/// `target.'cfg(unix)'.dev-dependencies`.
pub(crate) fn table(manifest: &DocumentMut, root: &DocumentMut) -> Option<String> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    if let Some((_, kind)) = in_table(manifest.as_table(), root, &kinds) {
        return Some(kind.to_owned());
    }
    platforms(manifest).find_map(|(platform, table)| {
        let (_, kind) = in_table(table, root, &kinds)?;
        Some(format!("target.'{platform}'.{kind}"))
    })
}

/// Returns the entry of a workspace from which its members inherit snowglobe.
pub(crate) fn inherited(root: &DocumentMut) -> Option<Entry<'_>> {
    let dependencies = root.get("workspace")?.get("dependencies")?;
    let mut entries = dependencies.as_table_like()?.iter();
    let (name, item) = entries.find(|(name, item)| is_snowglobe(name, item, root))?;
    Some(Entry { name, item })
}

/// Returns the tables of dependencies for some platforms.
fn platforms(manifest: &DocumentMut) -> impl Iterator<Item = (&str, &dyn TableLike)> {
    let platforms = manifest.get("target").and_then(Item::as_table_like);
    let tables = platforms.into_iter().flat_map(TableLike::iter);
    tables.filter_map(|(name, table)| Some((name, table.as_table_like()?)))
}

/// Returns the first entry for snowglobe among these kinds of dependencies, and its kind.
fn in_table<'a>(
    table: &'a dyn TableLike,
    root: &DocumentMut,
    kinds: &[&'static str],
) -> Option<(Entry<'a>, &'static str)> {
    kinds.iter().find_map(|kind| {
        let mut entries = table.get(kind)?.as_table_like()?.iter();
        let (name, item) = entries.find(|(name, item)| is_snowglobe(name, item, root))?;
        Some((Entry { name, item }, *kind))
    })
}

/// Returns whether an entry with this name is a dependency on snowglobe.
fn is_snowglobe(name: &str, item: &Item, root: &DocumentMut) -> bool {
    let package = |item: &Item| Some(item.get("package")?.as_str()? == PACKAGE);
    if item.get("workspace").and_then(Item::as_bool) != Some(true) {
        return package(item).unwrap_or(name == PACKAGE);
    }
    let named = root
        .get("workspace")
        .and_then(|it| it.get("dependencies")?.get(name));
    named.and_then(package).unwrap_or(name == PACKAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> DocumentMut {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_of_an_entry_is_found_wherever_tests_have_it() {
        let root = "[workspace.dependencies]\nglobe = { package = \"snowglobe\", path = \"x\" }\n";
        for (text, name) in [
            (
                "[dev-dependencies]\nsnowglobe = \"0.1\"\n",
                Some("snowglobe"),
            ),
            (
                "[dev-dependencies.sg]\npackage = \"snowglobe\"\n",
                Some("sg"),
            ),
            (
                "[dependencies]\nsg = { package = \"snowglobe\" }\n",
                Some("sg"),
            ),
            (
                "[target.'cfg(unix)'.dev-dependencies]\nsg.package = \"snowglobe\"\n",
                Some("sg"),
            ),
            (
                "[dev-dependencies]\nglobe.workspace = true\n",
                Some("globe"),
            ),
            (
                "[dev-dependencies]\nsnowglobe.package = \"another\"\n",
                None,
            ),
            (
                "[dependencies]\nsnowglobe = { version = \"0.1\", optional = true }\n",
                None,
            ),
            ("[build-dependencies]\nsnowglobe = \"0.1\"\n", None),
            ("[dev-dependencies]\nserde.workspace = true\n", None),
            ("", None),
        ] {
            let (manifest, root) = (parsed(text), parsed(root));
            assert_eq!(find(&manifest, &root).map(|it| it.name), name, "{text}");
        }
        assert_eq!(inherited(&parsed(root)).map(|it| it.name), Some("globe"));
        assert!(inherited(&parsed("")).is_none());
    }

    #[test]
    fn every_table_of_dependencies_counts() {
        for of in [
            "dependencies",
            "dev-dependencies",
            "build-dependencies",
            "target.'cfg(target_os = \"linux\")'.dependencies",
            "target.'cfg(unix)'.dev-dependencies",
            "target.'x86_64-unknown-linux-gnu'.build-dependencies",
        ] {
            let root = parsed("");
            let has = |text: &str| table(&parsed(text), &root);
            let text = format!("[{of}]\nsnowglobe = \"0.1\"\n");
            assert_eq!(has(&text).as_deref(), Some(of));
            let text = format!("[{of}.sg]\npackage = \"snowglobe\"\n");
            assert_eq!(has(&text).as_deref(), Some(of));
            let text = format!("[{of}]\nserde = \"1\"\n");
            assert_eq!(has(&text), None);
        }
        let inherited = parsed("[workspace.dependencies]\nsnowglobe = \"0.1\"\n");
        assert_eq!(table(&inherited, &inherited), None);
    }
}
