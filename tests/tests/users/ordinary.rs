//! The option `user`: a body that may do what an ordinary user may, and no more.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getegid, geteuid, setresuid, setuid};
use snowglobe::{TestResult, Trial};
use snowglobe_tests::{finished, sample, shared_dir, this_program};

/// Returns the capability sets of this process that must be empty.
fn capabilities() -> TestResult<Vec<String>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let held = |line: &&str| {
        ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"]
            .iter()
            .any(|set| line.starts_with(set))
            && !line.ends_with("\t0000000000000000")
    };
    Ok(status.lines().filter(held).map(str::to_owned).collect())
}

/// Asserts what is true of every ordinary user.
#[track_caller]
fn is_ordinary(uid: u32, gid: u32) -> TestResult {
    assert_eq!((geteuid().as_raw(), getegid().as_raw()), (uid, gid));
    assert_eq!(capabilities()?, Vec::<String>::new());
    // A file of mode 000 is closed, even to its owner.
    let (file, dir) = (Path::new("/tmp/closed"), Path::new("/tmp/dir"));
    fs::write(file, "x")?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o000))?;
    assert_eq!(fs::metadata(file)?.uid(), uid);
    let denied = |result: std::io::Result<()>, what: &str| {
        let kind = result.expect_err(what).kind();
        assert_eq!(kind, ErrorKind::PermissionDenied, "{what}");
    };
    denied(fs::read(file).map(drop), "read");
    fs::create_dir(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o500))?;
    denied(fs::write(dir.join("new"), "x"), "make a file");
    // Nobody but root gives files away, and nobody but root becomes another.
    denied(chown(file, Some(0), None), "chown to root");
    denied(chown(file, None, Some(0)), "chgrp to root");
    denied(lchown(file, Some(uid ^ 1), Some(gid)), "chown to another");
    denied(
        std::os::unix::fs::fchown(fs::File::create("/tmp/open")?, Some(0), Some(0)),
        "fchown",
    );
    chown(file, Some(uid), Some(gid))?;
    assert_eq!(setuid(Uid::from_raw(0)), Err(Errno::EPERM));
    let (own, other) = (Uid::from_raw(uid), Uid::from_raw(uid ^ 1));
    assert_eq!(setresuid(own, other, own), Err(Errno::EPERM));
    assert_eq!(setresuid(own, own, own), Ok(()));
    assert_eq!(
        nix::unistd::setgroups(&[Gid::from_raw(0)]),
        Err(Errno::EPERM)
    );
    denied(TcpListener::bind("0.0.0.0:80").map(drop), "bind to port 80");
    TcpListener::bind("0.0.0.0:8080")?;
    assert!(nix::unistd::sethostname("other").is_err());
    assert!(!ran("mount", &["-t", "tmpfs", "none", "/mnt"])?);
    // Programs are the same user, and as powerless.
    let script =
        "id -u; id -g; grep CapEff /proc/self/status; cat /tmp/closed; test -e /proc/self/fd/1";
    let shell = Command::new("sh").args(["-c", script]).output()?;
    let said = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert_eq!(said, format!("{uid}\n{gid}\nCapEff:\t0000000000000000\n"));
    assert!(shell.status.success(), "{shell:?}");
    Ok(())
}

fn ran(program: &str, args: &[&str]) -> TestResult<bool> {
    let output = Command::new(program).args(args).output()?;
    Ok(output.status.success())
}

#[snowglobe::test(user = 1234)]
fn a_body_is_an_ordinary_user_by_its_number() -> TestResult {
    is_ordinary(1234, 1234)
}

#[snowglobe::test(user = "nobody")]
fn a_body_is_an_ordinary_user_by_its_name() -> TestResult {
    let nobody = nix::unistd::User::from_name("nobody")?.ok_or("there is a user `nobody`")?;
    is_ordinary(nobody.uid.as_raw(), nobody.gid.as_raw())
}

/// Far from the ids that a trial of root has.
#[snowglobe::test(user = 4_000_000_000)]
fn any_number_will_do() -> TestResult {
    is_ordinary(4_000_000_000, 4_000_000_000)
}

/// What belongs to whoever runs the tests belongs to the body, as on a host.
#[snowglobe::test(user = 1234)]
fn the_workspace_is_the_users() -> TestResult {
    let dir = shared_dir();
    let file = dir.path().join("mine");
    fs::write(&file, "x")?;
    assert_eq!(fs::metadata(&file)?.uid(), 1234);
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or(".".into());
    let beside = Path::new(&manifest).join(format!(".users-{}", snowglobe::seed()));
    fs::write(&beside, "x")?;
    fs::remove_file(&beside)?;
    // The program finds itself, and is run by the user.
    let listed = this_program().arg("--list").output()?;
    assert!(listed.status.success(), "{listed:?}");
    for place in ["/tmp", "/dev/shm"] {
        fs::write(Path::new(place).join("x"), "x")?;
    }
    Ok(())
}

#[snowglobe::test(user = 1234)]
fn the_hosts_secrets_are_closed() -> TestResult {
    let shadow = Path::new("/etc/shadow");
    if shadow.exists() {
        let error = fs::read(shadow).expect_err("for root alone");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_ne!(fs::metadata(shadow)?.uid(), 1234);
    }
    Ok(())
}

/// Threads that the test starts, and its async runtime, are the user too.
#[snowglobe::test(user = 1234, flavor = "multi_thread")]
async fn threads_are_the_user_as_well() -> TestResult {
    let on_a_worker = tokio::spawn(async { geteuid().as_raw() }).await?;
    let on_a_thread = std::thread::spawn(|| fs::read_to_string("/proc/thread-self/status"));
    let status = on_a_thread.join().map_err(|_| "a panic")??;
    assert_eq!(on_a_worker, 1234);
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    Ok(())
}

#[snowglobe::test(user = 1234)]
fn without_nested_there_are_no_user_namespaces() -> TestResult {
    assert!(!ran("unshare", &["-U", "true"])?);
    Ok(())
}

#[snowglobe::test(user = 1234, nested)]
fn with_nested_the_user_makes_user_namespaces() -> TestResult {
    assert!(ran("unshare", &["-Ur", "true"])?);
    Ok(())
}

#[snowglobe::test(user = 1234, isolation(!user))]
fn a_body_is_an_ordinary_user_in_shared_user_namespaces_too() -> TestResult {
    is_ordinary(1234, 1234)
}

#[snowglobe::test(user = 1234, isolation(!pid))]
fn a_body_is_an_ordinary_user_among_other_processes_too() -> TestResult {
    is_ordinary(1234, 1234)
}

#[snowglobe::test(user = 1234)]
#[should_panic(expected = "as it should")]
fn verdicts_are_told_by_ordinary_users_too() {
    panic!("as it should");
}

mod samples {
    use super::*;

    #[snowglobe::test(ignore = "a sample")]
    fn says_who_it_is() -> TestResult {
        println!("uid {} with {:?}", geteuid(), capabilities()?);
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample", user = "root")]
    fn is_root_whatever_the_run_says() {
        assert!(geteuid().is_root());
    }

    #[snowglobe::test(ignore = "a sample", user = "nobody-knows")]
    fn is_nobody_that_is_known() {}

    #[snowglobe::test(ignore = "a sample", user = 1234, timeout = "2s")]
    fn hangs() {
        std::thread::sleep(std::time::Duration::from_secs(100));
    }

    #[snowglobe::test(ignore = "a sample", user = 1234)]
    fn leaves_a_daemon() -> TestResult {
        use std::os::unix::process::CommandExt;
        Command::new("sleep").arg("1000").process_group(0).spawn()?;
        Ok(())
    }
}

#[snowglobe::test(nested)]
fn a_run_has_a_user_for_trials_that_name_none() -> TestResult {
    let says = "ordinary::samples::says_who_it_is";
    for (variable, args) in [(Some("1234"), [].as_slice()), (None, &["--user", "1234"])] {
        let mut command = this_program();
        command.args(["--exact", says, "--ignored", "--no-capture"]);
        command.args(args);
        if let Some(user) = variable {
            command.env("SNOWGLOBE_USER", user);
        }
        finished(command.output()?).passed_with(&["uid 1234 with []"]);
    }
    let root = this_program()
        .args([
            "--exact",
            "ordinary::samples::is_root_whatever_the_run_says",
        ])
        .args(["--ignored", "--user=1234"])
        .output()?;
    finished(root).passed_with(&["1 passed"]);
    Ok(())
}

#[snowglobe::test(nested)]
fn a_user_that_nobody_knows_fails_the_trial() {
    sample("ordinary::samples::is_nobody_that_is_known")
        .failed_with(&["no user `nobody-knows`", "give an id"]);
}

#[snowglobe::test(nested)]
fn an_ordinary_user_that_hangs_is_shown_and_killed() {
    sample("ordinary::samples::hangs").failed_with(&["timed out", "hangs here", "ordinary.rs"]);
}

#[snowglobe::test(nested)]
fn processes_that_outlive_an_ordinary_user_are_named_and_killed() {
    sample("ordinary::samples::leaves_a_daemon").passed_with(&["left running", "sleep"]);
}

/// A trial that is made at run time has the option too.
#[snowglobe::test]
fn the_option_is_part_of_the_options() {
    let options = snowglobe::Options::NEW.user("nobody").private_home();
    let trial = Trial::test("x", || ()).with_options(options);
    assert!(format!("{trial:?}").contains("nobody"));
}
