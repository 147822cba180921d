//! The body of such a trial becomes the program, or runs it in a node of a lab.

use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::error::ExecError;
use super::in_node;
use super::wrapped::WrappedProgram;
use crate::kernel::errno::Errno;
use crate::kernel::process;
use crate::kernel::process::signal::{BlockedSignals, become_program};
use crate::topology::{NodeId, NodeSpec, Topology, Volume};
use crate::trial::{Failed, TestResult};

/// Name of the only node where no topology is given.
const ONLY_NODE: &str = "host";

/// Everything that the body needs, worked out before the world is made.
pub(super) struct Inside {
    words: Vec<CString>,
    /// Signals that the caller blocks.
    blocked: BlockedSignals,
    /// The lab in a node of which the program runs, if it runs in one.
    place: Option<Place>,
}

/// A node of a lab.
pub(super) struct Place {
    pub(super) topology: Topology,
    pub(super) node: NodeId,
    /// Directory for a capture of the lab.
    pub(super) capture: Option<PathBuf>,
}

impl Inside {
    /// Reads what the program needs.
    ///
    /// # Errors
    /// The topology cannot be read, or does not have the node.
    pub(super) fn of(program: &WrappedProgram) -> Result<Self, ExecError> {
        let words = program.words.iter().map(|word| {
            let zero = |_| ExecError::Words(format!("the word {word:?} has a zero byte"));
            CString::new(word.as_bytes()).map_err(zero)
        });
        let blocked = BlockedSignals::current()
            .map_err(|errno| ExecError::Words(format!("cannot read the signal mask: {errno}")))?;
        Ok(Self {
            words: words.collect::<Result<_, _>>()?,
            blocked,
            place: place(program)?,
        })
    }

    pub(super) fn words(&self) -> &[CString] {
        &self.words
    }

    /// Returns what makes a body become the program of other words.
    pub(super) fn without_words(&self) -> impl Fn(&[CString]) -> TestResult + use<> {
        let blocked = self.blocked.clone();
        move |words| start(words, &blocked)
    }
}

fn place(program: &WrappedProgram) -> Result<Option<Place>, ExecError> {
    if program.is_in_no_lab() {
        return Ok(None);
    }
    let WrappedProgram {
        topology: file,
        node,
        volumes,
        capture,
        user,
        ..
    } = program;
    if user.is_some() {
        return Err(ExecError::Words(
            "--user does not go with --topology, --node, --volume or --capture: root of the world makes nodes; let the program change its user itself, as by `setpriv`".to_owned(),
        ));
    }
    if file.is_none() && node.is_some() {
        return Err(ExecError::Words(
            "--node names a node of a topology: give --topology FILE as well".to_owned(),
        ));
    }
    let mut topology = match file {
        #[cfg(feature = "toml")]
        Some(file) => Topology::from_toml_file(file).map_err(ExecError::Topology)?,
        #[cfg(not(feature = "toml"))]
        Some(_) => {
            return Err(ExecError::Words(
                "this program was built without the feature `toml`".to_owned(),
            ));
        }
        None => {
            let mut topology = Topology::new();
            topology.node(NodeSpec::new(ONLY_NODE));
            topology
        }
    };
    let node = choose(&topology, node.as_deref())?;
    for volume in volumes {
        let volume = NamedMount::parse(volume)?;
        if file.is_none()
            && let Some(name) = volume.name
        {
            return Err(ExecError::VolumeWithoutTopology {
                name: name.to_owned(),
                at: volume.at.to_owned(),
            });
        }
        add_volume(&mut topology, node, &volume)?;
    }
    topology.validate().map_err(ExecError::Topology)?;
    Ok(Some(Place {
        topology,
        node,
        capture: capture.clone(),
    }))
}

/// Returns the name of the node that is meant.
fn choose(topology: &Topology, wanted: Option<&str>) -> Result<NodeId, ExecError> {
    let mut nodes = topology.nodes();
    let found = match wanted {
        None if nodes.len() == 1 => nodes.next(),
        None => None,
        Some(name) => nodes.find(|node| topology.node_name(*node) == name),
    };
    found.ok_or_else(|| ExecError::UnknownNode {
        name: wanted.map(str::to_owned),
        nodes: topology
            .nodes()
            .map(|node| topology.node_name(node))
            .collect(),
    })
}

/// A value of `--volume`.
struct NamedMount<'a> {
    /// Name of a volume of the topology, if the value has one.
    name: Option<&'a str>,
    /// Path at which the program finds the volume.
    at: &'a str,
}

impl<'a> NamedMount<'a> {
    /// Reads `PATH` or `NAME:PATH`.
    ///
    /// # Errors
    /// The path is not absolute, or the name is empty.
    fn parse(text: &'a str) -> Result<Self, ExecError> {
        let (name, at) = match text.split_once(':') {
            Some((name, at)) => (Some(name), at),
            None => (None, text),
        };
        match at.starts_with('/') && name != Some("") {
            true => Ok(Self { name, at }),
            false => Err(ExecError::Words(format!(
                "--volume is `{text}`: give an absolute path for an empty directory, or NAME:PATH for a volume of the topology"
            ))),
        }
    }
}

fn add_volume(
    topology: &mut Topology,
    node: NodeId,
    NamedMount { name, at }: &NamedMount<'_>,
) -> Result<(), ExecError> {
    let volume = match name {
        Some(name) => volume_of(topology, name)?,
        None => Volume::named(free_name(topology)),
    };
    topology.edit_node(node, |spec| spec.volume(*at, volume));
    Ok(())
}

/// Returns a name that no volume of the topology has: volumes of one name are one.
fn free_name(topology: &Topology) -> String {
    let mut names = (1..).map(|number| format!("exec-{number}"));
    let is_free = |name: &String| {
        let mut volumes = topology.volumes();
        volumes.all(|volume| volume.name() != Some(name))
    };
    names.find(is_free).unwrap_or_default()
}

/// Returns the volume of a topology that has this name.
fn volume_of(topology: &Topology, name: &str) -> Result<Volume, ExecError> {
    let mut volumes = topology.volumes();
    let found = volumes.find(|volume| volume.name() == Some(name));
    found.cloned().ok_or_else(|| {
        let names: BTreeSet<&str> = topology.volumes().filter_map(Volume::name).collect();
        ExecError::UnknownVolume {
            name: name.to_owned(),
            volumes: names.into_iter().map(str::to_owned).collect(),
        }
    })
}

/// Runs the program in the world that is now around this process.
pub(super) fn run(inside: Inside) -> TestResult {
    let Inside {
        words,
        blocked,
        place,
    } = inside;
    match place {
        Some(place) => in_node::run(&words, &blocked, place),
        None => start(&words, &blocked),
    }
}

/// Becomes the program, or ends this process.
fn start(words: &[CString], blocked: &BlockedSignals) -> TestResult {
    let refused = become_program(words, blocked);
    not_started(words, refused.err().unwrap_or(Errno::EINVAL))
}

/// Says why a program was not started, and ends this process with the code of a shell (POSIX,
/// "Exit Status for Commands").
pub(super) fn not_started(words: &[CString], errno: Errno) -> Result<(), Failed> {
    const NOT_FOUND: i32 = 127;
    const NOT_EXECUTABLE: i32 = 126;
    let program = words.first().map(|word| word.to_string_lossy());
    let program = program.unwrap_or_default();
    #[expect(clippy::wildcard_enum_match_arm, reason = "most errors need no hint")]
    let (code, hint) = match errno {
        Errno::ENOENT if program.contains('/') => (
            NOT_FOUND,
            "; the world has the files of the host except those in /tmp and /run, and a file of that name may need an interpreter that is not there",
        ),
        Errno::ENOENT => (NOT_FOUND, "; no directory in PATH has it"),
        Errno::EACCES => (NOT_EXECUTABLE, "; it is no file that may be executed"),
        _ => (NOT_EXECUTABLE, ""),
    };
    eprintln!(
        "snowglobe exec: cannot start `{program}`: {}{hint}",
        errno.desc()
    );
    process::exit_now(code)
}

/// Returns the words as the system takes them.
pub(super) fn os_strings(words: &[CString]) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let words = words.iter().map(|word| word.as_bytes().to_vec());
    words.map(OsString::from_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Size;

    fn error(program: WrappedProgram) -> String {
        match place(&program) {
            Ok(_) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_node_that_is_not_there_is_named_with_those_that_are() {
        let mut topology = Topology::new();
        let alice = topology.node("alice");
        assert_eq!(choose(&topology, None).unwrap(), alice);
        let bob = topology.node("bob");
        assert_eq!(choose(&topology, Some("bob")).unwrap(), bob);
        let missing = choose(&topology, Some("carol")).unwrap_err().to_string();
        assert!(
            missing.contains("`carol`") && missing.contains("`alice`, `bob`"),
            "{missing}"
        );
        let which = choose(&topology, None).unwrap_err().to_string();
        assert!(which.contains("several nodes"), "{which}");
    }

    #[test]
    fn a_volume_needs_an_absolute_path() {
        for volume in ["data", "x:data", ":/data"] {
            let program = WrappedProgram {
                volumes: vec![volume.to_owned()],
                ..WrappedProgram::default()
            };
            let error = error(program);
            assert!(error.contains("absolute path"), "{volume}: {error}");
        }
    }

    #[test]
    fn a_volume_that_is_not_there_is_named_with_those_that_are() {
        let mut topology = Topology::new();
        let shared = Volume::named_clone("shared", "/srv");
        let scratch = Volume::tmpfs(Size::mib(1));
        let server = NodeSpec::new("server").volume("/a", shared.clone());
        topology.node(server.volume("/b", scratch).volume("/c", shared.clone()));
        let client = topology.node("client");
        let add = |topology: &mut Topology, volume| {
            add_volume(topology, client, &NamedMount::parse(volume).unwrap())
        };
        add(&mut topology, "shared:/data").unwrap();
        let mounted: Vec<&Volume> = topology.volumes().collect();
        assert_eq!(mounted, [&shared; 3]);
        let error = add(&mut topology, "/host:/data").unwrap_err();
        let text = error.to_string();
        for part in ["volume `/host`", "are `shared`)", "--writable"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_volume_with_a_name_needs_a_topology() {
        let error = error(WrappedProgram {
            volumes: vec!["/empty".to_owned(), "data:/srv".to_owned()],
            ..WrappedProgram::default()
        });
        for part in ["`data`", "give --topology FILE", "--volume /srv for an"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains("no node of"), "{error}");
    }

    #[test]
    fn a_node_needs_a_topology() {
        let program = WrappedProgram {
            node: Some("client".to_owned()),
            ..WrappedProgram::default()
        };
        assert!(error(program).contains("--topology FILE"));
    }

    #[test]
    fn a_user_and_a_lab_do_not_go_together() {
        let program = WrappedProgram {
            user: Some("1000".to_owned()),
            volumes: vec!["/data".to_owned()],
            ..WrappedProgram::default()
        };
        assert!(error(program).contains("--user does not go with"));
    }
}
