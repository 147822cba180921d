//! The place from which a package is to have snowglobe.

use std::fs;
use std::path::{Component, Path, PathBuf};

use snowglobe_fixtures::command::{ProgramOrigin, is_of_registry};

use super::cargo_toml::{self, Dependency};
use super::project::Project;

/// Wishes of the user about the dependency, from the options of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// Directory of the crate.
    pub(crate) path: Option<PathBuf>,
    /// URL of a repository with the crate.
    pub(crate) git: Option<String>,
}

impl Origin {
    /// Returns the dependency for a package: the one that the package has, or the one that the user
    /// has named. Where the user has named none, the package gets what this program was built from:
    /// a checkout, or the published crate.
    ///
    /// # Errors
    /// The user has named a directory without the crate, or another place than the package has; or
    /// `Cargo.toml` is no manifest.
    pub(crate) fn dependency(&self, project: &Project) -> Result<Dependency, String> {
        let wished = self.wished(project)?;
        if let Some(there) = cargo_toml::dependency(&project.text, &project.root_text())? {
            return match wished {
                Some(wished) if !is_same(project, &wished, &there) => Err(self.refusal(&there)),
                Some(_) | None => Ok(there),
            };
        }
        Ok(wished.unwrap_or_else(|| match checkout() {
            Some(harness) => Dependency::Path(seen_from(project, harness.to_owned())),
            None => Dependency::Published,
        }))
    }

    /// Returns the dependency that the user has named.
    ///
    /// # Errors
    /// The user has named a directory without the crate.
    fn wished(&self, project: &Project) -> Result<Option<Dependency>, String> {
        let Self { path, git } = self;
        let Some(path) = path else {
            return Ok(git.clone().map(Dependency::Git));
        };
        let whole = path.canonicalize().ok().filter(|it| is_crate(it));
        let whole = whole.ok_or_else(|| {
            let path = path.display();
            format!(
                "--path is `{path}`, where the crate snowglobe is not: name the directory `harness` of a clone of it"
            )
        })?;
        Ok(Some(Dependency::Path(seen_from(project, whole))))
    }

    /// Says that the package has snowglobe from another place than the one that the user has named:
    /// an entry that is there is left as it is.
    fn refusal(&self, there: &Dependency) -> String {
        let option = match self.git {
            Some(_) => "--git",
            None => "--path",
        };
        let from = match there {
            Dependency::Published => "from the registry".to_owned(),
            Dependency::Git(url) => format!("from the git repository {url}"),
            Dependency::Path(path) => format!("from the directory {}", path.display()),
            Dependency::Inherited => "from its workspace".to_owned(),
        };
        format!(
            "Cargo.toml has snowglobe {from} already, and the entry is left as it is: leave {option} out, or change the entry by hand"
        )
    }

    /// Tells a user who has named no place how to name a repository, if other machines do not have
    /// the dependency that the package gets. A package that has the dependency already keeps it.
    pub(crate) fn mention_checkout(&self, dependency: &Dependency, project: &Project) {
        if let Ok(Some(_)) = cargo_toml::dependency(&project.text, &project.root_text()) {
            return;
        }
        if let Some(remark) = self.remark(dependency, Path::new(env!("CARGO_MANIFEST_DIR"))) {
            eprintln!("note: {remark}");
        }
    }

    /// Returns the remark on the dependency, if there is one; this program was built in the
    /// directory `built_in`.
    fn remark(&self, dependency: &Dependency, built_in: &Path) -> Option<String> {
        let Self {
            path: None,
            git: None,
        } = self
        else {
            return None;
        };
        match dependency {
            Dependency::Path(path) if path.is_absolute() => Some(format!(
                "Cargo.toml names {}, from which this program was built; for other machines name the repository, by --git URL",
                path.display()
            )),
            // The checkout is gone, or this user may not read it.
            Dependency::Published if !is_of_registry(built_in) => Some(
                "this program does not come from a registry, and so far no registry has the crate snowglobe: name its repository, by --git URL".to_owned(),
            ),
            Dependency::Published
            | Dependency::Git(_)
            | Dependency::Path(_)
            | Dependency::Inherited => None,
        }
    }
}

impl Dependency {
    /// Returns the command that installs this program, to be run in the package on any machine.
    /// Returns nothing for a path that leads out of the repository, since that directory exists on
    /// this machine only.
    pub(crate) fn installation(&self, project: &Project) -> Option<String> {
        let cli;
        let origin = match self {
            Self::Published => ProgramOrigin::Registry,
            Self::Git(url) => ProgramOrigin::Git(url),
            Self::Inherited => return inherited(project)?.installation(project),
            Self::Path(path) if leads_out(project, path) => return None,
            Self::Path(path) => {
                cli = path.join("cli");
                ProgramOrigin::Directory(&cli)
            }
        };
        Some(origin.installation())
    }
}

/// Returns what the package inherits from its workspace, as if the package named it itself.
fn inherited(project: &Project) -> Option<Dependency> {
    let workspace = project.workspace();
    match cargo_toml::inherited(&project.root_text()).ok()?? {
        Dependency::Path(path) => {
            let directory = workspace.join(path).canonicalize().ok()?;
            Some(Dependency::Path(seen_from(project, directory)))
        }
        other => Some(other),
    }
}

/// Returns whether two dependencies of a package are one; paths may be written in several ways.
fn is_same(project: &Project, one: &Dependency, other: &Dependency) -> bool {
    let directory = |dependency: &Dependency| match dependency {
        Dependency::Path(path) => project.package.join(path).canonicalize().ok(),
        Dependency::Published | Dependency::Git(_) | Dependency::Inherited => None,
    };
    one == other || directory(one).is_some_and(|it| Some(it) == directory(other))
}

/// Returns the directory of the crate `snowglobe` in the checkout from which this program was
/// built, if the program was built from a checkout that still exists.
fn checkout() -> Option<&'static Path> {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    // cargo deletes a checkout of its own when it has not used the checkout for some time.
    let is_cargos = harness.to_string_lossy().contains("/git/checkouts/");
    (!is_cargos && is_crate(harness)).then_some(harness)
}

/// Returns whether a path that the package names leads out of the repository.
fn leads_out(project: &Project, path: &Path) -> bool {
    let up = path
        .components()
        .take_while(|it| *it == Component::ParentDir);
    let depth = project.show(&project.package).components().count();
    path.is_absolute() || up.count() > depth
}

fn is_crate(directory: &Path) -> bool {
    let manifest = fs::read_to_string(directory.join("Cargo.toml"));
    manifest.is_ok_and(|text| text.lines().any(|line| line == "name = \"snowglobe\""))
}

/// Returns the path by which the package names a directory. The path is relative if the directory
/// is in the repository of the package, so that it is valid wherever the repository lies.
fn seen_from(project: &Project, directory: PathBuf) -> PathBuf {
    match directory.strip_prefix(&project.repository) {
        Ok(below) => {
            let up = project.show(&project.package).components().map(|_| "..");
            up.collect::<PathBuf>().join(below)
        }
        Err(_) => directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_repository_is_named_from_the_package() {
        let project = Project {
            package: "/r/crates/a".into(),
            repository: "/r".into(),
            text: String::new(),
        };
        let seen = |path: &str| seen_from(&project, path.into());
        assert_eq!(seen("/r/third/harness"), Path::new("../../third/harness"));
        assert_eq!(seen("/other/harness"), Path::new("/other/harness"));
    }

    #[test]
    fn what_others_do_not_find_is_remarked() {
        let remark = |origin: &Origin, dependency: Dependency, built_in: &str| {
            let remark = origin.remark(&dependency, Path::new(built_in));
            remark.unwrap_or_default()
        };
        let (none, clone) = (Origin::default(), "/clone/harness/cli");
        let registry = "/cargo/registry/src/index/snowglobe-cli-0.1.0";
        let path = || Dependency::Path("/clone/harness".into());
        assert!(remark(&none, path(), clone).contains("names /clone/harness"));
        assert!(remark(&none, Dependency::Published, clone).contains("no registry has"));
        assert_eq!(remark(&none, Dependency::Published, registry), "");
        assert_eq!(remark(&none, Dependency::Path("../x".into()), clone), "");
        let wished = Origin {
            path: Some("/clone/harness".into()),
            git: None,
        };
        assert_eq!(remark(&wished, path(), clone), "");
    }

    #[test]
    fn each_origin_has_its_installation() {
        let project = Project {
            package: "/r/a".into(),
            repository: "/r".into(),
            text: String::new(),
        };
        let install = |origin: Dependency| origin.installation(&project);
        assert_eq!(
            install(Dependency::Published).as_deref(),
            Some("cargo install snowglobe-cli")
        );
        assert_eq!(
            install(Dependency::Git("https://x".to_owned())).as_deref(),
            Some("cargo install --git https://x snowglobe-cli")
        );
        assert_eq!(
            install(Dependency::Path("../harness".into())).as_deref(),
            Some("cargo install --path ../harness/cli")
        );
        assert_eq!(install(Dependency::Path("/harness".into())), None);
        assert_eq!(install(Dependency::Path("../../harness".into())), None);
        assert_eq!(install(Dependency::Inherited), None);
    }
}
