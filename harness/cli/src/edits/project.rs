//! The package in whose directory the command was given.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

/// A package, and where it lies.
#[derive(Debug)]
pub(crate) struct Project {
    /// Directory of the package.
    pub(crate) package: PathBuf,
    /// Directory of the repository, or of the workspace without one.
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
        let mut project = Self {
            package: package.to_owned(),
            repository: package.to_owned(),
            text,
        };
        let repository = package.ancestors().find(|dir| dir.join(".git").exists());
        let repository = repository.map_or_else(|| project.workspace(), Path::to_owned);
        if package.starts_with(&repository) {
            project.repository = repository;
        }
        Ok(project)
    }

    /// Returns the path of `Cargo.toml`.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.package.join("Cargo.toml")
    }

    /// Returns the directory of the workspace: cargo reads the settings of profiles in its
    /// `Cargo.toml` only ("Profiles" in The Cargo Book). A package that is in no workspace is one
    /// by itself.
    pub(crate) fn workspace(&self) -> PathBuf {
        let own = self.text.parse::<DocumentMut>().unwrap_or_default();
        if own.contains_key("workspace") {
            return self.package.clone();
        }
        let named = own
            .get("package")
            .and_then(|it| it.get("workspace")?.as_str());
        if let Some(named) = named
            && let Ok(directory) = self.package.join(named).canonicalize()
        {
            return directory;
        }
        let above = self.package.ancestors().skip(1);
        let mut workspaces = above.filter(|directory| self.is_member(directory));
        workspaces.next().unwrap_or(&self.package).to_owned()
    }

    /// Returns the text of the manifest of the workspace, which is the package's own if the package
    /// is in no workspace. Returns nothing where the manifest cannot be read.
    pub(crate) fn root_text(&self) -> String {
        let path = self.workspace().join("Cargo.toml");
        match path == self.manifest() {
            true => self.text.clone(),
            false => fs::read_to_string(path).unwrap_or_default(),
        }
    }

    /// Returns whether this directory is that of a workspace with the package. cargo refuses a
    /// package below a workspace that neither has nor excludes the package.
    fn is_member(&self, directory: &Path) -> bool {
        let text = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
        let manifest = text.parse::<DocumentMut>().unwrap_or_default();
        let Some(workspace) = manifest.get("workspace") else {
            return false;
        };
        let names_package = |key| {
            let paths = workspace.get(key).and_then(|it| it.as_array());
            let mut paths = paths.into_iter().flatten().filter_map(|it| it.as_str());
            paths.any(|path| self.package.starts_with(directory.join(path)))
        };
        // Where both lists have a package, cargo takes it for a member.
        names_package("members") || !names_package("exclude")
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
