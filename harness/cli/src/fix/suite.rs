//! The source files of a package that can have tests.

use std::path::{Path, PathBuf};

use super::source::PackagePart;
use crate::edits::cargo_toml;
use crate::edits::project::Project;

/// A source file, and to which part of the package it belongs.
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) part: PackagePart,
}

/// Returns the source files below `src` and `tests`, or these of them.
///
/// # Errors
/// A directory cannot be read, or a file that was named is not there.
pub(super) fn files(project: &Project, named: &[PathBuf]) -> Result<Vec<SourceFile>, String> {
    let mut paths = Vec::new();
    if named.is_empty() {
        for directory in ["src", "tests"] {
            collect(&project.package.join(directory), &mut paths)?;
        }
    }
    for path in named {
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        match path.is_dir() {
            true => collect(&path, &mut paths)?,
            false => paths.push(path),
        }
    }
    let source = project.package.join("src");
    let part = |path: &Path| match path.starts_with(&source) {
        true => PackagePart::Package,
        false => PackagePart::Test,
    };
    let files = paths.into_iter().map(|path| SourceFile {
        part: part(&path),
        path,
    });
    Ok(files.collect())
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
        } else if path.extension().is_some_and(|it| it == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Returns the files of test targets that have a `main` of their own.
///
/// # Errors
/// `Cargo.toml` cannot be understood.
pub(super) fn own_mains(project: &Project) -> Result<Vec<PathBuf>, String> {
    let files = cargo_toml::targets_without_harness(&project.text)?;
    Ok(files
        .into_iter()
        .map(|file| project.package.join(file))
        .collect())
}
