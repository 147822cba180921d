//! Each trial has resources of its own, and it is the namespace that gives them. Each test comes
//! with a pair of samples that leave the namespace out, and then get in each other's way.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open};
use nix::sys::stat::Mode;
use snowglobe::{Fixture, Isolation, Options, TestResult, Trial};

/// A resource of which there is one per namespace.
struct Resource {
    name: &'static str,
    namespace: Isolation,
    take: fn() -> TestResult<Held>,
}

/// A value that keeps the resource as long as it lives.
type Held = Box<dyn std::any::Any>;

const RESOURCES: [Resource; 7] = [
    Resource {
        name: "port_80",
        namespace: Isolation::NET,
        take: port_80,
    },
    Resource {
        name: "abstract_socket",
        namespace: Isolation::NET,
        take: abstract_socket,
    },
    Resource {
        name: "path_in_tmp",
        namespace: Isolation::MNT,
        take: path_in_tmp,
    },
    Resource {
        name: "posix_shared_memory",
        namespace: Isolation::MNT,
        take: posix_shared_memory,
    },
    Resource {
        name: "posix_queue",
        namespace: Isolation::IPC,
        take: posix_queue,
    },
    Resource {
        name: "sysv_shared_memory",
        namespace: Isolation::IPC,
        take: sysv_shared_memory,
    },
    Resource {
        name: "hostname",
        namespace: Isolation::UTS,
        take: hostname,
    },
];

fn port_80() -> TestResult<Held> {
    Ok(Box::new(TcpListener::bind("0.0.0.0:80")?))
}

fn abstract_socket() -> TestResult<Held> {
    Ok(Box::new(UnixListener::bind_addr(
        &SocketAddr::from_abstract_name("the-one")?,
    )?))
}

fn path_in_tmp() -> TestResult<Held> {
    Ok(Box::new(fs::File::create_new("/tmp/the-one")?))
}

fn posix_shared_memory() -> TestResult<Held> {
    Ok(Box::new(fs::File::create_new("/dev/shm/the-one")?))
}

fn posix_queue() -> TestResult<Held> {
    let flags = MQ_OFlag::from_bits_retain((OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR).bits());
    Ok(Box::new(mq_open(
        "/the-one",
        flags,
        Mode::S_IRWXU,
        Some(&MqAttr::new(0, 4, 64, 0)),
    )?))
}

/// Takes a key of System V IPC that must not exist yet, by perl, which needs no line of C for that.
fn sysv_shared_memory() -> TestResult<Held> {
    let script = "shmget(0x5e0, 64, 01000 | 02000 | 0600) // die $!; \
                  msgget(0x5e0, 01000 | 02000 | 0600) // die $!; \
                  semget(0x5e0, 1, 01000 | 02000 | 0600) // die $!;";
    let done = Fixture::find("perl")?
        .command("perl")?
        .args(["-e", script])
        .output()?;
    if done.status.success() {
        Ok(Box::new(()))
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned().into())
    }
}

/// Sets a hostname, which the other trial must not have changed meanwhile.
fn hostname() -> TestResult<Held> {
    let name = format!("host-{}", std::process::id() ^ snowglobe::seed() as u32);
    nix::unistd::sethostname(&name)?;
    Ok(Box::new(KeepsName(name)))
}

struct KeepsName(String);

impl Drop for KeepsName {
    fn drop(&mut self) {
        assert_eq!(
            nix::unistd::gethostname().unwrap().to_str(),
            Some(self.0.as_str())
        );
    }
}

/// Makes two trials that take the same at the same time. Each keeps it until the other has it too.
fn pair(prefix: &str, resource: &'static Resource, isolation: Isolation) -> Vec<Trial> {
    ["alice", "bob"]
        .into_iter()
        .map(|who| {
            let options = Options::NEW
                .isolation(isolation)
                .timeout(Duration::from_secs(30));
            Trial::test(format!("{prefix}::{}::{who}", resource.name), move || {
                meet(who, resource)
            })
            .with_options(options)
        })
        .collect()
}

fn meet(who: &str, resource: &Resource) -> TestResult {
    let place = std::env::var_os("MEETING_PLACE").map(PathBuf::from);
    // A test that has failed leaves a file too, so that the other test does not wait in vain.
    let says = |who: &str, end: &str| {
        let name = format!("{}-{who}-{end}", resource.name);
        place.as_ref().map(|dir| dir.join(name))
    };
    let held = (resource.take)();
    let end = if held.is_ok() { "has" } else { "failed" };
    if let Some(own) = says(who, end) {
        fs::write(own, "")?;
    }
    let held = held?;
    let other = if who == "alice" { "bob" } else { "alice" };
    if let (Some(has), Some(failed)) = (says(other, "has"), says(other, "failed")) {
        let known = || has.exists() || failed.exists();
        if !snowglobe_tests::wait_until(Duration::from_secs(20), known) || failed.exists() {
            return Err("the other did not get it".into());
        }
    }
    drop(held);
    Ok(())
}

/// Makes the pairs, isolated and not. They are shown as ignored, and the tests below run them.
fn samples() -> Vec<Trial> {
    let mut trials = Vec::new();
    for resource in &RESOURCES {
        trials.extend(pair("isolated", resource, Isolation::ALL));
        trials.extend(pair(
            "left_out",
            resource,
            Isolation::ALL.without(resource.namespace),
        ));
    }
    trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(true))
        .collect()
}

/// Runs both trials of a pair at the same time.
fn run_pair(name: &str) -> snowglobe_tests::Run {
    let place = snowglobe_tests::shared_dir();
    let output = snowglobe_tests::this_program()
        .args([&format!("{name}::"), "--ignored", "--test-threads", "2"])
        .env("MEETING_PLACE", place.path())
        .output()
        .unwrap();
    snowglobe_tests::finished(output)
}

#[track_caller]
fn is_given_by_its_namespace(resource: &str) {
    run_pair(&format!("isolated::{resource}")).passed_with(&["2 passed"]);
    let left_out = run_pair(&format!("left_out::{resource}"));
    assert_eq!(
        left_out.code,
        Some(101),
        "two at a time without it: {left_out:#?}"
    );
}

macro_rules! given_by_its_namespace {
    ($($resource:ident $(needs $fixture:literal)?),*) => {$(
        #[snowglobe::test(nested, $(fixtures($fixture))?)]
        fn $resource() {
            is_given_by_its_namespace(stringify!($resource));
        }
    )*};
}

mod each_has_its_own {
    use super::is_given_by_its_namespace;

    given_by_its_namespace!(
        port_80,
        abstract_socket,
        path_in_tmp,
        posix_shared_memory,
        posix_queue,
        sysv_shared_memory needs "perl",
        hostname
    );
}

#[snowglobe::test]
fn the_first_process_is_an_init_and_the_test_its_child() -> TestResult {
    assert_eq!(std::os::unix::process::parent_id(), 1);
    let pids: Vec<u32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    assert_eq!(pids, [1, std::process::id()]);
    Ok(())
}

/// Without a PID namespace of its own, a trial sees other processes.
#[snowglobe::test(isolation(!pid))]
fn without_a_pid_namespace_there_are_others() {
    assert_ne!(std::os::unix::process::parent_id(), 1);
}

#[snowglobe::test]
fn root_inside_is_nobody_outside() -> TestResult {
    assert!(nix::unistd::geteuid().is_root());
    let map = fs::read_to_string("/proc/self/uid_map")?;
    let outer: Vec<&str> = map.split_whitespace().collect();
    // The ids are those within the outer sandbox's mapping, which maps root to an unprivileged id.
    assert_eq!(outer[..2], ["0", "0"], "{map}");
    assert!(
        outer[2].parse::<u32>()? <= 65_536,
        "never the whole host: {map}"
    );
    // Actions that only the host's root may take are refused.
    for file in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
    ] {
        assert!(fs::write(file, "1").is_err(), "{file}");
    }
    Ok(())
}

#[snowglobe::test]
fn the_hosts_files_are_read_only() {
    for dir in ["/", "/etc", "/usr", "/var", "/home"] {
        let file = Path::new(dir).join("snowglobe-was-here");
        assert!(fs::write(&file, "x").is_err(), "{}", file.display());
    }
    let remount = Command::new("mount")
        .args(["-o", "remount,rw", "/"])
        .status();
    assert!(!remount.is_ok_and(|status| status.success()));
}

#[snowglobe::test]
fn the_workspace_is_writable_and_what_is_made_there_is_the_users() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    let file = dir.path().join("mine");
    fs::write(&file, "x")?;
    assert_eq!(
        fs::metadata(&file)?.uid(),
        0,
        "seen from inside it is root's"
    );
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or(".".into()));
    let beside = manifest.join(format!(".isolation-{}", snowglobe::seed()));
    fs::write(&beside, "x")?;
    fs::remove_file(&beside)?;
    Ok(())
}

#[snowglobe::test]
fn tmp_is_empty_private_and_bounded() -> TestResult {
    // The paths to the workspace and to the programs stay visible.
    let kept = [std::env::current_dir()?, std::env::current_exe()?];
    for entry in fs::read_dir("/tmp")? {
        let path = entry?.path();
        assert!(
            kept.iter().any(|kept| kept.starts_with(&path)),
            "{}",
            path.display()
        );
    }
    let status = Command::new("sh")
        .args(["-c", "head -c 1100M /dev/zero > /tmp/fill 2>/dev/null"])
        .status()?;
    assert!(!status.success(), "1 GB is the most there is");
    assert!(fs::metadata("/tmp/fill")?.len() <= 1 << 30);
    Ok(())
}

#[snowglobe::test]
fn sys_shows_the_trials_own_interfaces() -> TestResult {
    let names: Vec<String> = fs::read_dir("/sys/class/net")?
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    assert_eq!(names, ["lo"]);
    Ok(())
}

#[snowglobe::test]
fn devices_are_harmless_ones() -> TestResult {
    fs::write("/dev/null", "x")?;
    let mut zeros = [1; 8];
    fs::File::open("/dev/zero")?.read_exact(&mut zeros)?;
    assert_eq!(zeros, [0; 8]);
    for name in ["sda", "vda", "nvme0n1", "mem", "kmsg"] {
        assert!(!Path::new("/dev").join(name).exists(), "{name}");
    }
    let terminal = Command::new("script")
        .args(["-qec", "tty", "/dev/null"])
        .output();
    if let Ok(terminal) = terminal {
        let said = String::from_utf8_lossy(&terminal.stdout).into_owned();
        assert!(said.starts_with("/dev/pts/"), "{said}");
    }
    Ok(())
}

/// Even if the host keeps its own device for its root, an interface made by the trial belongs to
/// the trial's network.
#[snowglobe::test(requires(tun))]
fn the_tun_device_may_be_opened_and_nothing_put_beside_it() -> TestResult {
    let mut options = fs::File::options();
    options.read(true).write(true).open("/dev/net/tun")?;
    let error = fs::File::create("/dev/net/other").expect_err("a read-only directory");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    let error = fs::remove_file("/dev/net/tun").expect_err("a read-only directory");
    assert_ne!(error.kind(), std::io::ErrorKind::NotFound);
    Ok(())
}

#[snowglobe::test]
fn the_hostname_is_the_trials() -> TestResult {
    let host = nix::unistd::gethostname()?;
    assert_eq!(host.to_str(), Some("the-hostname-is-the-trials"));
    Ok(())
}

#[snowglobe::test]
async fn async_trials_have_the_network_to_themselves_too() -> TestResult {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("[::1]:80").await?;
    let server = tokio::spawn(async move { listener.accept().await?.0.write_all(b"hi").await });
    let mut heard = String::new();
    tokio::net::TcpStream::connect("[::1]:80")
        .await?
        .read_to_string(&mut heard)
        .await?;
    server.await??;
    assert_eq!(heard, "hi");
    Ok(())
}

#[snowglobe::test]
fn no_user_namespaces_can_be_made_unless_asked_for() -> TestResult {
    let unshare = |what: &str| Command::new("unshare").args(["-U", what]).status();
    assert!(!unshare("true")?.success());
    Ok(())
}

#[snowglobe::test(nested)]
fn user_namespaces_can_be_made_when_asked_for() -> TestResult {
    assert!(
        Command::new("unshare")
            .args(["-Ur", "true"])
            .status()?
            .success()
    );
    Ok(())
}

snowglobe::main!(samples);
