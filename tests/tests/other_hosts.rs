//! Runs on hosts of other kinds: a root filesystem or a workspace that is an overlay, as in a
//! container, shared mounts, a root without capabilities, paths that are not UTF-8.
//!
//! Only the host's root can make such hosts, and a trial has another root. So these are plain tests
//! under the standard harness, which run the samples below in a mount namespace of their own. An
//! ordinary user runs those that need no other root. In a trial, what processes are refused is
//! explained by the trial's own init and by none within, so that tests of that are here too.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{chown, fchown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use snowglobe::TestResult;
use snowglobe_tests::{Run, finished, program_at, shared_dir};

mod samples {
    use super::*;

    #[snowglobe::test(ignore = "a sample")]
    fn writes_to_the_workspace() -> TestResult {
        let here = std::env::current_dir()?;
        std::fs::write(here.join("written"), "x")?;
        std::fs::create_dir(here.join("dir"))?;
        std::fs::rename(here.join("written"), here.join("dir/moved"))?;
        assert!(std::fs::write("/etc/snowglobe-was-here", "x").is_err());
        assert!(nix::unistd::geteuid().is_root());
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample", user = 1234)]
    fn writes_to_the_workspace_as_a_user() -> TestResult {
        std::fs::write("users", "x")?;
        assert_eq!(nix::unistd::geteuid().as_raw(), 1234);
        Ok(())
    }

    /// Files of the kernel let the host's root in by its id, without any capability.
    #[snowglobe::test(ignore = "a sample")]
    fn changes_nothing_of_the_host() -> TestResult {
        for file in [
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/vm/drop_caches",
            "/proc/sys/fs/protected_fifos",
            "/proc/sysrq-trigger",
            "/sys/kernel/uevent_helper",
            "/sys/kernel/mm/transparent_hugepage/enabled",
        ] {
            let file = Path::new(file);
            if file.exists() {
                let opened = std::fs::File::options().write(true).open(file);
                assert!(opened.is_err(), "{}", file.display());
            }
        }
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample")]
    fn starts_a_lab() -> TestResult {
        let lab = snowglobe::topology::shape::pair().start()?;
        let node = lab.node("alice").ok_or("alice")?;
        let forwards = std::fs::read_to_string("/proc/sys/kernel/core_pattern")?;
        let script = "echo x > /proc/sys/kernel/core_pattern; ping -c1 bob >&2; echo 0 > /proc/sys/net/ipv4/ip_forward && echo done";
        let said = node.command("sh").args(["-c", script]).output()?;
        assert_eq!(said.stdout_str(), "done\n", "{}", said.stderr_str());
        assert_eq!(
            forwards,
            std::fs::read_to_string("/proc/sys/kernel/core_pattern")?
        );
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample")]
    fn is_refused_a_user_namespace() {
        let unshare = Command::new("unshare").args(["-Ur", "true"]).status();
        assert!(unshare.expect("unshare starts").success());
    }

    #[snowglobe::test(ignore = "a sample", user = 1234)]
    fn is_refused_a_user_namespace_as_a_user() -> TestResult {
        Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn can_do_without_a_user_namespace() -> TestResult {
        Command::new("unshare").args(["-Ur", "true"]).status()?;
        Ok(())
    }

    /// No trial has that many ids.
    #[snowglobe::test(ignore = "a sample")]
    fn has_a_daemon_that_changes_its_user() -> TestResult {
        let lab = snowglobe::topology::shape::pair().start()?;
        let node = lab.node("alice").ok_or("alice")?;
        let mut daemon = node.command("setpriv");
        let daemon = daemon.args(["--reuid=77777", "--keep-groups", "sleep", "1000"]);
        daemon.spawn()?.wait_for_port(80)?;
        Ok(())
    }

    fn made_file() -> std::io::Result<PathBuf> {
        let path = PathBuf::from("/tmp/file");
        std::fs::write(&path, "x")?;
        Ok(path)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn gives_a_file_to_a_user() -> TestResult {
        Ok(chown(made_file()?, Some(99_999), None)?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn gives_an_open_file_to_a_user() -> TestResult {
        let file = std::fs::File::open(made_file()?)?;
        Ok(fchown(file, Some(99_999), Some(0))?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn gives_a_file_to_a_group() -> TestResult {
        let done = Command::new("chown")
            .arg(":99998")
            .arg(made_file()?)
            .status()?;
        assert!(done.success());
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample")]
    fn gives_a_file_to_33() -> TestResult {
        Ok(chown(made_file()?, Some(33), Some(33))?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn gives_a_file_to_itself() -> TestResult {
        lchown(made_file()?, Some(0), Some(0))?;
        Ok(chown(made_file()?, None, None)?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn changes_its_group() -> TestResult {
        Ok(nix::unistd::setgid(nix::unistd::Gid::from_raw(88_888))?)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn sees_what_is_mounted_where() -> TestResult {
        let dir = std::env::var_os("SAMPLE_MOUNT").ok_or("a mount")?;
        assert_eq!(
            std::fs::read_to_string(Path::new(&dir).join("file"))?,
            "x\n"
        );
        Ok(())
    }
}

const ALL: [&str; 4] = [
    "samples::writes_to_the_workspace",
    "samples::changes_nothing_of_the_host",
    "samples::starts_a_lab",
    "samples::writes_to_the_workspace_as_a_user",
];

fn is_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = map.split_whitespace().nth(2) == Some("4294967295");
    if !(nix::unistd::geteuid().is_root() && all) {
        eprintln!("left out: only the host's root can make such a host");
        return false;
    }
    true
}

/// Makes a workspace of its own in `dir`, which has this program in it.
fn make_workspace(dir: &Path) -> TestResult {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("Cargo.toml"), "[workspace]\n")?;
    // Not by this process: another test may fork meanwhile, and the copy of a descriptor to which
    // the program is written keeps the program from being run (execve(2), ETXTBSY).
    let copied = Command::new("cp")
        .arg(std::env::current_exe()?)
        .arg(dir.join("program"))
        .status()?;
    assert!(copied.success());
    Ok(())
}

/// Runs samples in a workspace after a preparation in a mount namespace of its own. The workspace
/// is `$1` of the script, and where it is entered.
fn run_in(dir: &OsStr, samples: &[&str], before: &str) -> Run {
    let script = format!(
        "set -e; {before}\ncd \"$1\"; shift; export RUST_BACKTRACE=0; exec $WITHOUT ./program \"$@\""
    );
    let mut command = program_at(Path::new("unshare"));
    for variable in [
        "CARGO_MANIFEST_DIR",
        "CARGO_TARGET_TMPDIR",
        "CARGO_TARGET_DIR",
    ] {
        command.env_remove(variable);
    }
    command
        .args(["-m", "sh", "-c", &script, "sh"])
        .arg(dir)
        .args(["--ignored", "--exact"])
        .args(samples);
    finished(command.output().expect("unshare starts"))
}

#[track_caller]
fn all_passed(run: &Run, count: usize) {
    run.passed_with(&[&format!("{count} passed")]);
}

/// Runs a sample on this host.
fn sample(name: &str) -> Run {
    let name = format!("samples::{name}");
    let mut command = program_at(&std::env::current_exe().expect("this program has a path"));
    let output = command.args(["--ignored", "--exact", &name]).output();
    finished(output.expect("this program starts"))
}

#[test]
fn a_user_namespace_that_is_refused_is_explained() {
    for name in [
        "is_refused_a_user_namespace",
        "is_refused_a_user_namespace_as_a_user",
    ] {
        let run = sample(name);
        run.failed_with(&["was refused a user namespace", "option `nested`"]);
        assert!(!run.stdout.contains("No space left"), "{}", run.stdout);
    }
    let passed = sample("can_do_without_a_user_namespace");
    passed.passed_with(&["1 passed"]);
    assert!(!passed.stdout.contains("option `nested`"), "{passed:?}");
}

#[test]
fn an_id_that_a_daemon_lacks_is_named() {
    let limit = "a trial has no ids beyond 65535";
    let daemon = sample("has_a_daemon_that_changes_its_user");
    daemon.failed_with(&["`setpriv`", "uid 77777", ".user(77777, 77777)", limit]);
    let own = sample("changes_its_group");
    own.failed_with(&["gid 88888", limit]);
}

#[test]
fn an_owner_that_a_file_cannot_have_is_named() {
    let user = ["give a file to uid 99999", "user = \"nobody\""];
    sample("gives_a_file_to_a_user").failed_with(&user);
    sample("gives_an_open_file_to_a_user").failed_with(&user);
    sample("gives_a_file_to_a_group").failed_with(&["`chown`", "give a file to gid 99998"]);
    // Where one id is mapped, the range of a user in /etc/subuid would help.
    let run = sample("gives_a_file_to_33");
    if run.stdout.contains("1 failed") {
        run.failed_with(&["give a file to uid 33", "/etc/subuid", "/etc/subgid"]);
    } else {
        run.passed_with(&["1 passed"]);
    }
    let own = sample("gives_a_file_to_itself");
    own.passed_with(&["1 passed"]);
    assert!(!own.stdout.contains("give a file"), "{own:?}");
}

/// The sources were copied into a container, and built there.
#[test]
fn a_workspace_on_an_overlay_is_writable() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(&dir.path().join("lower"))?;
    let merged = dir.path().join("merged");
    std::fs::create_dir(&merged)?;
    let mount = "cd \"$1/..\"; mkdir disk; mount -t tmpfs none disk; mkdir disk/upper disk/work; \
                 mount -t overlay -o lowerdir=lower,upperdir=disk/upper,workdir=disk/work none merged";
    all_passed(&run_in(merged.as_os_str(), &ALL, mount), ALL.len());
    Ok(())
}

#[test]
fn a_workspace_is_writable_where_the_root_is_an_overlay() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    let workspace = dir.path().join("workspace");
    make_workspace(&workspace)?;
    std::fs::create_dir(dir.path().join("stage"))?;
    let pivot = "cd \"$1/../stage\"; mount -t tmpfs none .; cd \"$PWD\"; mkdir upper work root; \
                 mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work none root; \
                 for i in proc sys dev; do mount --rbind /$i root/$i; done; \
                 cd root; pivot_root . mnt; umount -l mnt";
    all_passed(&run_in(workspace.as_os_str(), &ALL, pivot), ALL.len());
    Ok(())
}

/// A container without `--privileged` has such a root. It goes an ordinary user's way.
#[test]
fn root_without_a_capability_runs_trials() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(dir.path())?;
    let lost = [
        "-sys_admin",
        "-setuid,-setgid",
        "-setgid",
        "-dac_override",
        "-sys_ptrace",
    ];
    for lost in lost {
        let drop =
            format!("rm -rf \"$1\"/dir; WITHOUT='setpriv --bounding-set={lost} --inh-caps={lost}'");
        all_passed(&run_in(dir.path().as_os_str(), &ALL, &drop), ALL.len());
    }
    Ok(())
}

/// The kernel makes a sysfs in a user namespace only for those who see one in full
/// (fs/namespace.c, mount_too_revealing).
#[test]
fn a_host_without_sys_is_told_of_it() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(dir.path())?;
    let run = run_in(dir.path().as_os_str(), &ALL[..1], "umount -l /sys");
    assert_ne!(run.code, Some(0), "{run:?}");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("there is no sysfs at /sys"), "{run:?}");
    Ok(())
}

#[test]
fn root_without_the_capability_to_map_itself_is_told_of_it() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(dir.path())?;
    let drop = "WITHOUT='setpriv --bounding-set=-all --inh-caps=-all'";
    let run = run_in(dir.path().as_os_str(), &ALL[..1], drop);
    assert_ne!(run.code, Some(0), "{run:?}");
    let (cause, remedy) = ("CAP_SETFCAP", "--cap-add SETFCAP");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains(cause) && said.contains(remedy), "{run:?}");
    Ok(())
}

/// systemd makes all mounts shared (mount_namespaces(7)): what is mounted in a copy of such a mount
/// appears on the host, unless the copy is made private.
#[test]
fn nothing_is_mounted_on_a_host_that_shares_its_mounts() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(dir.path())?;
    let compare = "cat /proc/self/mountinfo > before; \"$@\" || exit; \
                   diff before /proc/self/mountinfo";
    std::fs::write(dir.path().join("compare"), compare)?;
    let share = "mount --make-rshared /; WITHOUT='sh compare'";
    all_passed(&run_in(dir.path().as_os_str(), &ALL, share), ALL.len());
    Ok(())
}

/// A path may have any bytes but `/` and zero.
fn odd(dir: &Path) -> PathBuf {
    let name = OsString::from_vec(b"w\xf6rk \\ space:,\n".to_vec());
    dir.join(name)
}

/// Runs samples as cargo would in this workspace, which has no program of its own.
fn run_at(workspace: &Path, program: &Path, samples: &[&str]) -> TestResult<Run> {
    let mut command = program_at(program);
    for variable in [
        "CARGO_MANIFEST_DIR",
        "CARGO_TARGET_TMPDIR",
        "CARGO_TARGET_DIR",
    ] {
        command.env_remove(variable);
    }
    let run = command
        // libtest wants its arguments to be UTF-8, and the first is the path of the program.
        .arg0("program")
        .args(["--ignored", "--exact"])
        .args(samples)
        .current_dir(workspace)
        .output()?;
    Ok(finished(run))
}

#[test]
fn a_workspace_may_have_any_path() -> TestResult {
    let dir = shared_dir();
    let workspace = odd(dir.path());
    make_workspace(&workspace)?;
    all_passed(
        &run_at(&workspace, &workspace.join("program"), &ALL[..3])?,
        3,
    );
    assert!(workspace.join("dir/moved").exists());
    Ok(())
}

#[test]
fn a_workspace_may_lie_where_each_trial_has_a_filesystem_of_its_own() -> TestResult {
    for place in ["/dev/shm", "/tmp"] {
        let workspace = tempfile::tempdir_in(place)?;
        std::fs::write(workspace.path().join("Cargo.toml"), "[workspace]\n")?;
        let run = run_at(workspace.path(), &std::env::current_exe()?, &ALL)?;
        all_passed(&run, ALL.len());
        assert!(workspace.path().join("dir/moved").exists(), "{place}");
    }
    Ok(())
}

/// A mount of anything on the host, and of the workspace itself.
#[test]
fn mount_points_may_have_any_path() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    let workspace = odd(dir.path());
    std::fs::create_dir(&workspace)?;
    make_workspace(&dir.path().join("source"))?;
    let mount = "mount --bind \"$1/../source\" \"$1\"; mount -t tmpfs none /mnt; \
                 M=/mnt/$(printf 'm\\366 \\\\'); mkdir \"$M\"; mount -t tmpfs none \"$M\"; \
                 echo x > \"$M/file\"; export SAMPLE_MOUNT=\"$M\"";
    let samples = [ALL[0], ALL[3], "samples::sees_what_is_mounted_where"];
    let run = run_in(
        OsStr::from_bytes(workspace.as_os_str().as_bytes()),
        &samples,
        mount,
    );
    all_passed(&run, samples.len());
    Ok(())
}

/// One odd mount point must not hide the others.
#[test]
fn other_mounts_are_seen_beside_an_odd_one() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    make_workspace(dir.path())?;
    let mount = "mount -t tmpfs none /mnt; cd /mnt; mkdir plain \"$(printf 'm\\366')\"; \
                 mount -t tmpfs none plain; mount -t tmpfs none \"$(printf 'm\\366')\"; \
                 echo x > plain/file; export SAMPLE_MOUNT=/mnt/plain";
    let run = run_in(
        dir.path().as_os_str(),
        &["samples::sees_what_is_mounted_where"],
        mount,
    );
    all_passed(&run, 1);
    Ok(())
}

/// The kernel counts inotify instances for the user who owns the outer sandbox. Root has as many
/// outer sandboxes as the trials need.
#[test]
fn trials_of_root_have_inotify_instances_however_many_run_at_a_time() -> TestResult {
    if !is_root() {
        return Ok(());
    }
    let dir = shared_dir();
    let meeting = dir.path().join("meeting");
    std::fs::write(&meeting, "")?;
    let run = program_at(Path::new(env!("CARGO_BIN_EXE_crowd")))
        .args(["--test-threads", "64"])
        .env("SAMPLE_MEETING", &meeting)
        .output()?;
    let run = finished(run);
    all_passed(&run, 64);
    assert!(!run.stdout.contains("at a time instead of"), "{run:?}");
    Ok(())
}
