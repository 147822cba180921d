//! The machine has a shell and no cargo, so the command becomes a script.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::cargo;

/// A command, ready for the machine.
pub(super) struct Guest {
    /// Script for a shell with this machine's files as its root.
    pub(super) script: String,
    /// Script that runs before, outside that root: it lets another user reach the workspace.
    pub(super) open: String,
}

/// Id of the user for `--user` if this program runs as root.
const NOBODY: u32 = 65534;

/// Variables that are about this program, and not about the command.
const OURS: &[&str] = &["LD_LIBRARY_PATH", "OLDPWD", "PWD", "_"];

impl Guest {
    /// Builds what is to be built, and writes the script that runs it.
    pub(super) fn new(command: &[OsString], user: bool) -> Result<Self, String> {
        let here = env::current_dir()
            .map_err(|error| format!("there is no current directory: {error}"))?;
        let words = command
            .iter()
            .map(|word| {
                word.to_str()
                    .ok_or_else(|| format!("`{}` is not UTF-8", word.display()))
            })
            .collect::<Result<Vec<&str>, _>>()?;
        let programs = match words[..] {
            ["cargo", "test", ..] => Some(test_programs(&words[2..])?),
            _ => None,
        };
        let body = match &programs {
            Some(programs) => libraries()? + &script_of(programs),
            None => {
                let words: Vec<String> = words.iter().copied().map(quote).collect();
                format!("cd {}\n{}\n", quote_path(&here), words.join(" "))
            }
        };
        let root = std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0);
        let mut guest = Self {
            script: exports() + &body,
            open: String::new(),
        };
        if user {
            let id = std::fs::metadata("/proc/self").map_or(NOBODY, |us| us.uid());
            let id = if root { NOBODY } else { id };
            guest.become_user(
                id,
                root.then_some(programs.as_deref().unwrap_or_default()),
                &here,
            );
        }
        Ok(guest)
    }

    /// Makes the script run as that user. Root's files are opened to the user in the machine only.
    fn become_user(&mut self, id: u32, programs: Option<&[Program]>, here: &Path) {
        let inner = quote(&self.script);
        self.script = format!(
            "exec setpriv --reuid {id} --regid {id} --clear-groups env HOME=/tmp USER=user /bin/sh -c {inner}\n"
        );
        let Some(programs) = programs else {
            return;
        };
        let mut directories = vec![here];
        directories.extend(programs.iter().map(|program| program.package.as_path()));
        directories.extend(programs.iter().filter_map(|program| program.path.parent()));
        for directory in &directories {
            for above in directory.ancestors() {
                self.open += &format!("chmod a+rx /system{}\n", quote_path(above));
            }
        }
        for program in programs {
            // …/target/debug/deps/program
            let mine = program
                .path
                .ancestors()
                .skip(1)
                .take(3)
                .chain([program.package.as_path()]);
            for directory in mine {
                self.open += &format!("chown {id}:{id} /system{}\n", quote_path(directory));
            }
        }
    }
}

/// A test program, as cargo would run it.
#[derive(Clone, Debug)]
struct Program {
    path: PathBuf,
    package: PathBuf,
    arguments: Vec<String>,
    keep_going: bool,
}

/// Lets cargo build the programs that these arguments of `cargo test` mean.
fn test_programs(arguments: &[&str]) -> Result<Vec<Program>, String> {
    let split = arguments
        .iter()
        .position(|word| *word == "--")
        .unwrap_or(arguments.len());
    let (for_cargo, rest) = arguments.split_at(split);
    let (options, filter) = split_filter(for_cargo);
    let mut build = vec!["test", "--no-run"];
    build.extend(&options);
    let keep_going = options.contains(&"--no-fail-fast");
    let mut for_program: Vec<String> = filter.into_iter().map(str::to_owned).collect();
    for_program.extend(rest.iter().skip(1).map(|word| (*word).to_owned()));
    let mut built = cargo::artifacts(&build)?;
    // cargo builds the other programs of a package too, for `CARGO_BIN_EXE_*`, and does not run
    // them.
    built.retain(|artifact| artifact.is_test);
    if built.is_empty() {
        return Err(format!("`cargo {}` makes no test program", build.join(" ")));
    }
    let programs = built.into_iter().map(|artifact| Program {
        path: artifact.program,
        package: artifact.package,
        arguments: for_program.clone(),
        keep_going,
    });
    Ok(programs.collect())
}

/// Takes the filter out of `cargo test`'s arguments. It is the first word that is neither an option
/// nor the value of one.
fn split_filter<'a>(arguments: &[&'a str]) -> (Vec<&'a str>, Option<&'a str>) {
    const WITH_VALUE: &[&str] = &[
        "-p",
        "--package",
        "--exclude",
        "--test",
        "--bench",
        "--bin",
        "--example",
        "-F",
        "--features",
        "-j",
        "--jobs",
        "--target",
        "--target-dir",
        "--manifest-path",
        "--profile",
        "--color",
        "--config",
        "-Z",
    ];
    let mut options = Vec::new();
    let mut filter = None;
    let mut value = false;
    for word in arguments {
        if value || word.starts_with('-') || filter.is_some() {
            options.push(*word);
        } else {
            filter = Some(*word);
        }
        value = !value && WITH_VALUE.contains(word);
    }
    (options, filter)
}

/// Returns the line that tells programs of procedural macros where the standard library is, as
/// cargo would.
fn libraries() -> Result<String, String> {
    let directory = cargo::libraries()?;
    Ok(format!(
        "export LD_LIBRARY_PATH={}\n",
        quote_path(&directory)
    ))
}

/// Returns a script that runs one program after the other and prints cargo's words. Without
/// `--no-fail-fast` the first that fails is the last.
fn script_of(programs: &[Program]) -> String {
    let mut script = "failed=0\n".to_owned();
    for program in programs {
        let arguments: Vec<String> = program.arguments.iter().map(|word| quote(word)).collect();
        let (path, package) = (quote_path(&program.path), quote_path(&program.package));
        script += &format!("echo '     Running '{path} >&2\n");
        script += &format!(
            "cd {package} && CARGO_MANIFEST_DIR={package} {path} {}\n",
            arguments.join(" ")
        );
        script += if program.keep_going {
            "code=$?; [ $code = 0 ] || failed=$code\n"
        } else {
            "code=$?; [ $code = 0 ] || exit $code\n"
        };
    }
    script + "exit $failed\n"
}

/// Returns this environment without the variables that are about this program.
fn exports() -> String {
    let ours =
        |name: &str| OURS.contains(&name) || cargo::OURS.iter().any(|ours| name.starts_with(ours));
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    env::vars()
        .filter(|(name, _)| !ours(name) && is_name(name))
        .map(|(name, value)| format!("export {name}={}\n", quote(&value)))
        .collect()
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn quote_path(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_neither_an_option_nor_its_value() {
        let (options, filter) =
            split_filter(&["-p", "snowglobe", "--test", "lab", "netem", "--release"]);
        assert_eq!(options, ["-p", "snowglobe", "--test", "lab", "--release"]);
        assert_eq!(filter, Some("netem"));
        assert_eq!(split_filter(&["--lib", "-F", "x"]).1, None);
        assert_eq!(split_filter(&["--test=lab", "x"]).1, Some("x"));
    }

    #[test]
    fn words_reach_the_command_as_they_are() {
        let word = "it's $HOME `x` \"y\"\\\n";
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &format!("printf %s {}", quote(word))])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), word);
    }
}
