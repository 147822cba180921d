//! The source files of a package that can have tests.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::source::PackagePart;
use crate::edits::cargo_toml::{self, NamedRoot, TestTarget};
use crate::edits::project::Project;

/// A source file, and to which part of the package it belongs.
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) part: PackagePart,
    pub(super) text: String,
}

/// Folders in which cargo looks for targets ("Target auto-discovery" in The Cargo Book).
const FOLDERS: [&str; 4] = ["src", "tests", "examples", "benches"];

/// Returns the source files of all targets, or these of them: those in the folders in which cargo
/// looks, and those that `Cargo.toml` names, with the files beside and below them.
///
/// # Errors
/// A directory or a file cannot be read, or a file that was named is not there.
pub(super) fn files(project: &Project, named: &[PathBuf]) -> Result<Vec<SourceFile>, String> {
    let mut paths = Vec::new();
    if named.is_empty() {
        for directory in FOLDERS {
            collect(&project.package.join(directory), &mut paths)?;
        }
    }
    let roots = cargo_toml::named_roots(&project.text)?;
    let roots = roots.into_iter().map(|it| NamedRoot {
        file: without_parents(&project.package.join(it.file)),
        ..it
    });
    let roots: Vec<NamedRoot> = roots.filter(|it| it.file.is_file()).collect();
    for root in roots.iter().filter(|_| named.is_empty()) {
        let mut more = Vec::new();
        match modules_of(project, &root.file) {
            Some(folder) => collect(folder, &mut more)?,
            None => more.push(root.file.clone()),
        }
        paths.extend(more);
    }
    for path in named {
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        match path.is_dir() {
            true => collect(&path, &mut paths)?,
            false => paths.push(path),
        }
    }
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    let source = project.package.join("src");
    let is_beside = |root: &&NamedRoot, path: &Path| {
        let folder = modules_of(project, &root.file);
        folder.is_some_and(|it| path.starts_with(it))
    };
    let part = |path: &Path| {
        let itself = roots.iter().find(|it| it.file == path);
        let root = itself.or_else(|| roots.iter().find(|it| is_beside(it, path)));
        let is_of_package = match path.starts_with(&source) {
            true => itself.is_none_or(|it| it.is_of_package),
            false => root.is_some_and(|it| it.is_of_package),
        };
        match is_of_package {
            true => PackagePart::Package,
            false => PackagePart::Test,
        }
    };
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(SourceFile {
            part: part(&path),
            path,
            text,
        })
    };
    paths.into_iter().map(read).collect()
}

/// Returns the folder with the modules of a target, unless it is the folder of the package, which
/// has the files of other targets as well.
fn modules_of<'a>(project: &Project, file: &'a Path) -> Option<&'a Path> {
    let folder = file.parent()?;
    let is_own = folder != project.package && folder.starts_with(&project.package);
    is_own.then_some(folder)
}

/// Returns the path without `..`, as cargo reads paths of a `Cargo.toml`. A file outside of the
/// package is then seen to be outside.
fn without_parents(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}

/// Collects the source files below a directory, if it is there, in a fixed order. Other packages
/// below it are left out.
fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    if !directory.is_dir() {
        return Ok(());
    }
    let failed = |error| format!("cannot read {}: {error}", directory.display());
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut entries: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.join("Cargo.toml").exists() {
                collect(&path, paths)?;
            }
        } else if is_source(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Returns the test targets of the package: those that `Cargo.toml` names, and those that cargo
/// finds in `tests` ("Target auto-discovery" in The Cargo Book). Their files are absolute paths.
///
/// # Errors
/// `Cargo.toml` cannot be understood.
pub(super) fn targets(project: &Project) -> Result<Vec<TestTarget>, String> {
    let (mut targets, looks) = cargo_toml::test_targets(&project.text)?;
    let tests = project.package.join("tests");
    for target in &mut targets {
        let file = project.package.join(&target.file);
        let in_folder = tests.join(&target.name).join("main.rs");
        target.file = match !file.exists() && in_folder.exists() {
            true => in_folder,
            false => file,
        };
    }
    let entries = std::fs::read_dir(&tests).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|_| looks) {
        let file = match path.is_dir() {
            true => path.join("main.rs"),
            false => path.clone(),
        };
        let name = path.file_stem().and_then(|it| it.to_str());
        let (Some(name), true) = (name, is_source(&file)) else {
            continue;
        };
        let is_named = |it: &TestTarget| it.name == name || it.file == file;
        if file.is_file() && !targets.iter().any(is_named) {
            targets.push(TestTarget {
                name: name.to_owned(),
                file,
                has_own_main: false,
            });
        }
    }
    targets.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(targets)
}

/// Returns the folder with the other modules of a test target, whether there is one or not.
pub(super) fn folder_of(target: &TestTarget) -> PathBuf {
    match (target.file.file_name(), target.file.parent()) {
        (Some(name), Some(parent)) if name == "main.rs" => parent.to_owned(),
        _ => target.file.with_extension(""),
    }
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "rs")
}
