//! The package in whose directory the command was given.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

/// A package, and where it lies.
#[derive(Debug)]
pub(crate) struct Project {
    /// Directory of the package.
    pub(crate) package: PathBuf,
    /// Directory of the repository, or of the package without one.
    pub(crate) repository: PathBuf,
    /// Text of `Cargo.toml`.
    pub(crate) text: String,
}

impl Project {
    /// Finds the package in the working directory or above.
    ///
    /// # Errors
    /// There is no working directory, no package, or only a workspace without a package.
    pub(crate) fn of_working_directory() -> Result<Self, String> {
        let here = std::env::current_dir();
        Self::find(&here.map_err(|error| format!("no working directory: {error}"))?)
    }

    fn find(here: &Path) -> Result<Self, String> {
        let package = here
            .ancestors()
            .find(|dir| dir.join("Cargo.toml").is_file());
        let package = package.ok_or_else(|| {
            format!(
                "there is no Cargo.toml in {} or above: run `cargo init` first; `snowglobe exec -- PROGRAM` needs none",
                here.display()
            )
        })?;
        let manifest = package.join("Cargo.toml");
        let shown = manifest.display();
        let text = fs::read_to_string(&manifest)
            .map_err(|error| format!("cannot read {shown}: {error}"))?;
        let parsed: DocumentMut = text
            .parse()
            .map_err(|error| format!("{shown} cannot be understood: {error}"))?;
        if !parsed.contains_key("package") {
            return Err(format!(
                "{shown} is a workspace without a package of its own: go to the directory of one of its packages{}, and run the command there",
                members(&parsed)
            ));
        }
        let repository = package.ancestors().find(|dir| dir.join(".git").exists());
        Ok(Self {
            package: package.to_owned(),
            repository: repository.unwrap_or(package).to_owned(),
            text,
        })
    }

    /// Returns the path of `Cargo.toml`.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.package.join("Cargo.toml")
    }

    /// Returns whether the settings of profiles in this `Cargo.toml` count: cargo reads them in the
    /// manifest of the workspace only ("Profiles" in The Cargo Book).
    pub(crate) fn is_root(&self) -> bool {
        let is_workspace = |text: &str| {
            let manifest = text.parse::<DocumentMut>();
            manifest.is_ok_and(|manifest| manifest.contains_key("workspace"))
        };
        let above = self.package.ancestors().skip(1);
        let mut manifests = above.filter_map(|it| fs::read_to_string(it.join("Cargo.toml")).ok());
        is_workspace(&self.text) || !manifests.any(|text| is_workspace(&text))
    }

    /// Returns a path as people see it from the repository.
    pub(crate) fn show<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.repository).unwrap_or(path)
    }
}

/// Returns the members of a workspace in brackets.
fn members(workspace: &DocumentMut) -> String {
    let members = workspace
        .get("workspace")
        .and_then(|table| table.get("members"))
        .and_then(|members| members.as_array());
    let names: Vec<&str> = members
        .into_iter()
        .flatten()
        .filter_map(|member| member.as_str())
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    }
}
