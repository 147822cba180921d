//! The directories of the host that a trial may write to.
//!
//! Tests write to their workspace and to their target directory, and to nothing else of the host.
//! These are found at run time and never at compile time, for a test program may have been built
//! elsewhere (a nextest archive).

use std::path::{Path, PathBuf};

/// Directories that keep their place in the sandbox whatever is mounted around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The source tree, the target directory, and the directories that the user names.
    pub(crate) writable: Vec<PathBuf>,
    /// Directories that must stay visible though they lie where the sandbox has a mount of its own.
    pub(crate) readable: Vec<PathBuf>,
    /// Directories of whoever runs the tests, which an ordinary user of a host could read too.
    pub(crate) own: Vec<PathBuf>,
}

/// Directories on which every sandbox has a private filesystem.
pub(crate) const PRIVATE: [&str; 3] = ["/tmp", "/run", SHM];

/// Directory of POSIX shared memory (`shm_overview(7)`).
pub(crate) const SHM: &str = "/dev/shm";

/// Root's store of fixtures, for a machine on which root's home is closed.
const SHARED_STORE: &str = "/var/cache/snowglobe";

impl Paths {
    /// Finds the directories by the environment that cargo and nextest set, by the program's own
    /// path, and by the working directory.
    pub(crate) fn find() -> Paths {
        let NamedPaths { writable, readable } = NamedPaths::of_this_program();
        Paths::of(writable, readable, None)
    }

    /// Finds the directories for a program, which need not be one that cargo has built: its own
    /// directory is readable, and the repository around the working directory is writable. Without
    /// a repository the working directory is, unless that is the user's home. `more` are writable
    /// as well.
    pub(crate) fn of_program(program: &Path, more: &[PathBuf]) -> Paths {
        let NamedPaths {
            mut writable,
            readable,
        } = NamedPaths::of_this_program();
        let here = std::env::current_dir().ok();
        let home = environment("HOME");
        let repository = here.as_deref().and_then(|here| {
            let mut above = here.ancestors();
            above.find(|dir| dir.join(".git").exists())
        });
        let project = repository.map(Path::to_owned).or(here);
        writable.extend(project.filter(|dir| Some(dir) != home.as_ref()));
        writable.extend(target_dir(program));
        writable.extend_from_slice(more);
        // `go test` and rustdoc put their programs into a directory of their own below /tmp.
        let beside = program.parent().filter(|dir| !dir.as_os_str().is_empty());
        Paths::of(writable, readable, beside)
    }

    /// Keeps existing directories by their canonical paths, without those that lie inside another.
    /// What is `beside` a program that is run must stay visible too, and is nobody's own.
    fn of(writable: Vec<PathBuf>, readable: Vec<PathBuf>, beside: Option<&Path>) -> Paths {
        let own = [environment("HOME"), Some(SHARED_STORE.into())];
        let own = canonical(own.into_iter().flatten().collect());
        let readable = canonical(readable);
        let beside = canonical(beside.into_iter().map(Path::to_owned).collect());
        let own = outermost([own, readable.clone()].concat());
        let writable = outermost(canonical(writable));
        let readable = outermost([readable, beside].concat())
            .into_iter()
            .filter(|path| !writable.iter().any(|outer| path.starts_with(outer)))
            .filter(|path| PRIVATE.iter().any(|private| path.starts_with(private)))
            .collect();
        Paths {
            writable,
            readable,
            own,
        }
    }

    /// Returns the directories that a private mount of the sandbox would hide.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = &Path> {
        self.writable
            .iter()
            .chain(&self.readable)
            .map(PathBuf::as_path)
            .filter(|path| PRIVATE.iter().any(|private| path.starts_with(private)))
    }
}

/// Directories as variables and paths name them, before the kernel is asked about them.
struct NamedPaths {
    writable: Vec<PathBuf>,
    readable: Vec<PathBuf>,
}

impl NamedPaths {
    /// Reads the environment, the path of this program and the working directory.
    fn of_this_program() -> Self {
        let mut writable = Vec::new();
        let mut readable = Vec::new();
        let here = std::env::current_dir().ok();
        let manifest = environment("CARGO_MANIFEST_DIR").or_else(|| here.clone());
        // Where a program runs from an archive, its manifest's directory may be on another machine.
        writable.extend(environment("NEXTEST_WORKSPACE_ROOT"));
        writable.extend(manifest.as_deref().and_then(workspace_root));
        // A relative one is meant from where cargo was started (The Cargo Book, "Environment
        // Variables").
        writable.extend(environment("CARGO_TARGET_DIR").map(|dir| {
            match (&here, dir.is_relative()) {
                (Some(here), true) => here.join(dir),
                _ => dir,
            }
        }));
        writable.extend(environment("CARGO_TARGET_TMPDIR"));
        if let Ok(program) = std::env::current_exe() {
            writable.extend(target_dir(&program));
            // A test may start its own program once more.
            readable.extend(program.parent().map(Path::to_owned));
        }
        if let Some(more) = std::env::var_os("SNOWGLOBE_WRITABLE") {
            writable.extend(std::env::split_paths(&more));
        }
        readable.extend(here);
        // Fixtures may be kept somewhere unusual.
        readable.extend(environment("SNOWGLOBE_STORE"));
        readable.extend(
            environment(snowglobe_fixtures::CACHE_VARIABLE).map(|dir| dir.join("snowglobe")),
        );
        readable.extend(environment("XDG_CACHE_HOME").map(|dir| dir.join("snowglobe")));
        readable.extend(environment("HOME").map(|dir| dir.join(".cache/snowglobe")));
        Self { writable, readable }
    }
}

fn environment(key: &str) -> Option<PathBuf> {
    std::env::var_os(key).map(PathBuf::from)
}

/// Returns the canonical paths of those that are directories.
///
/// The root would make the whole system writable, and a private mount's own directory would hide
/// that mount; neither is kept.
fn canonical(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    // Several variables name the same directory as a rule, and the kernel is asked about each part
    // of a path.
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        // Mounts lie on real directories: through a link, the same directory would count twice.
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| path.is_dir() && path.parent().is_some())
        .filter(|path| !PRIVATE.iter().any(|private| Path::new(private) == path))
        .collect()
}

/// Returns the paths that lie inside no other.
fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    // A directory sorts before what lies in it.
    paths.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !kept.iter().any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

/// Returns the workspace that a package belongs to: the nearest directory above whose manifest has
/// a `[workspace]` table, else the nearest with a lock file, else the package itself.
fn workspace_root(package: &Path) -> Option<PathBuf> {
    let holds_workspace = |dir: &&Path| {
        std::fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|manifest| {
            manifest
                .lines()
                .any(|line| line.trim().starts_with("[workspace"))
        })
    };
    package
        .ancestors()
        .find(holds_workspace)
        .or_else(|| {
            package
                .ancestors()
                .find(|dir| dir.join("Cargo.lock").exists())
        })
        .or_else(|| package.join("Cargo.toml").exists().then_some(package))
        .map(Path::to_owned)
}

/// Returns the target directory that a program was built in: the nearest directory above that cargo
/// has tagged (<https://bford.info/cachedir/>).
pub(crate) fn target_dir(program: &Path) -> Option<PathBuf> {
    program
        .ancestors()
        .skip(1)
        .find(|dir| dir.join("CACHEDIR.TAG").exists())
        .or_else(|| {
            // target/debug/deps/program, unpacked from an archive that left the tag out.
            let deps = program.parent().filter(|dir| dir.ends_with("deps"))?;
            deps.parent()?.parent()
        })
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_inside_another_goes_without_saying() {
        let paths = ["/a/b", "/a", "/ab", "/c/d"].map(PathBuf::from).to_vec();
        assert_eq!(outermost(paths), ["/a", "/ab", "/c/d"].map(PathBuf::from));
    }

    #[test]
    fn neither_the_root_nor_a_private_mount_itself_is_made_writable() {
        let paths = ["/", "/tmp", "/usr"].map(PathBuf::from).to_vec();
        assert_eq!(canonical(paths), [PathBuf::from("/usr")]);
    }

    #[test]
    fn this_package_lies_in_a_workspace_with_a_target_directory() {
        let paths = Paths::find();
        let here = std::env::current_dir().unwrap();
        assert!(
            paths
                .writable
                .iter()
                .any(|dir| here.starts_with(dir) && dir.join("Cargo.lock").exists())
        );
        let program = std::env::current_exe().unwrap();
        assert!(paths.writable.iter().any(|dir| program.starts_with(dir)));
    }
}
