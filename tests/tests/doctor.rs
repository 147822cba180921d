//! `cargo xtask doctor` finds each refusal, with the kernel's answer and the command that mends it.
//!
//! The trials are root of a user namespace of their own, in which limits can be lowered and mounts
//! be covered without touching the host. They run this same program once more, as the doctor.

use std::process::{Command, ExitCode};

use serde_json::Value;
use snowglobe::{Arguments, TestResult, doctor};
use snowglobe_tests::{Run, finished, this_program};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|word| word.to_str()) {
        Some("doctor") => doctor::cli(args),
        Some("examine") => examine(),
        _ => trials(),
    }
}

/// Examines by a call of the library, without the command line.
fn examine() -> ExitCode {
    let report = doctor::examine();
    println!("{}", serde_json::to_string(&report).expect("it is JSON"));
    ExitCode::from(report.exit_code())
}

fn trials() -> ExitCode {
    let run = |args| snowglobe::run(&args, snowglobe::registered());
    match Arguments::from_env().and_then(run) {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs the doctor in a shell, after a preparation that takes something away.
fn after(preparation: &str) -> Diagnosis {
    let program = std::env::current_exe().unwrap();
    let script = format!("{preparation}\nexec \"$0\" doctor --json");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(program);
    Diagnosis::of(finished(command.output().unwrap()))
}

/// Runs the doctor in this trial's world, in one of its forms.
fn doctor(args: &[&str]) -> Run {
    let output = this_program().arg("doctor").args(args).output();
    finished(output.unwrap())
}

struct Diagnosis {
    code: Option<i32>,
    findings: Vec<Value>,
}

impl Diagnosis {
    #[track_caller]
    fn of(run: Run) -> Self {
        let report: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:#?}"));
        Self {
            code: run.code,
            findings: report["findings"].as_array().unwrap().clone(),
        }
    }

    #[track_caller]
    fn find(&self, name: &str) -> &Value {
        let found = self.findings.iter().find(|finding| finding["name"] == name);
        found.unwrap_or_else(|| panic!("nothing on {name}"))
    }

    /// Fails the test unless the finding is missing because of this answer, with a fix that says
    /// so.
    #[track_caller]
    fn misses(&self, name: &str, error: &str, fix: &str) {
        let finding = self.find(name);
        assert_eq!(finding["state"], "missing", "{finding:#}");
        assert_eq!(finding["evidence"]["error"], error, "{finding:#}");
        assert!(
            finding["evidence"]["errno"].as_i64() > Some(0),
            "{finding:#}"
        );
        assert!(finding["lost"].is_string(), "{finding:#}");
        fixed_by(finding, fix);
    }
}

#[track_caller]
fn fixed_by(finding: &Value, fix: &str) {
    let said = finding["fix"].as_str().unwrap_or_default();
    assert!(said.contains(fix), "no {fix:?} in {finding:#}");
}

#[snowglobe::test(nested)]
fn where_nothing_is_refused_all_essentials_are_there() {
    let diagnosis = after("");
    assert!(
        matches!(diagnosis.code, Some(0 | 1)),
        "{:?}",
        diagnosis.code
    );
    for finding in diagnosis.findings.iter().filter(|f| f["essential"] == true) {
        assert_eq!(finding["state"], "ok", "{finding:#}");
    }
    for finding in &diagnosis.findings {
        let well = finding["state"] == "ok";
        assert_eq!(finding["fix"].is_null(), well, "{finding:#}");
        assert_eq!(finding["lost"].is_null(), well, "{finding:#}");
    }
}

/// The option `nested` is left out: then the runner itself has set the limit to zero.
#[snowglobe::test]
fn no_user_namespaces() {
    let diagnosis = after("");
    assert_eq!(diagnosis.code, Some(2));
    let fix = "sudo sysctl -w user.max_user_namespaces=15000";
    diagnosis.misses("user_namespace", "ENOSPC", fix);
    let limit = diagnosis.find("user.max_user_namespaces");
    assert_eq!(limit["evidence"]["value"], "0");
    fixed_by(limit, fix);
    // A feature that cannot be tried has the same cause and the same fix.
    diagnosis.misses("veth", "ENOSPC", fix);
}

#[snowglobe::test(nested)]
fn each_kind_of_namespace_has_its_own_limit() {
    let kinds = [
        ("net", "network_namespace"),
        ("mnt", "mount_namespace"),
        ("pid", "fresh_proc"),
        ("uts", "uts_namespace"),
        ("ipc", "ipc_namespace"),
    ];
    for (kind, name) in kinds {
        let file = format!("/proc/sys/user/max_{kind}_namespaces");
        let before = std::fs::read_to_string(&file).unwrap();
        let diagnosis = after(&format!("echo 0 > {file}"));
        std::fs::write(&file, before).unwrap();
        assert_eq!(diagnosis.code, Some(2), "{kind}");
        let fix = format!("sudo sysctl -w user.max_{kind}_namespaces=15000");
        diagnosis.misses(name, "ENOSPC", &fix);
        let limit = diagnosis.find(&format!("user.max_{kind}_namespaces"));
        assert_eq!(limit["state"], "missing", "{limit:#}");
        assert_eq!(diagnosis.find("user_namespace")["state"], "ok", "{kind}");
    }
}

/// The kernel returns namespaces a little after their last process has ended. Two must be enough
/// for forty probes, one after the other.
#[snowglobe::test(nested)]
fn a_low_limit_is_degraded_and_lived_with() {
    let diagnosis = after("echo 2 > /proc/sys/user/max_net_namespaces");
    let limit = diagnosis.find("user.max_net_namespaces");
    assert_eq!(limit["state"], "degraded", "{limit:#}");
    for finding in &diagnosis.findings {
        assert_ne!(finding["evidence"]["error"], "ENOSPC", "{finding:#}");
    }
    assert_eq!(diagnosis.code, Some(1));
}

#[snowglobe::test(nested)]
fn parts_of_proc_that_are_covered() {
    let diagnosis = after("mount -t tmpfs none /proc/fs");
    assert_eq!(diagnosis.code, Some(2));
    diagnosis.misses("fresh_proc", "EPERM", "--privileged");
    let call = &diagnosis.find("fresh_proc")["evidence"]["call"];
    assert_eq!(call, "mount /proc");
    assert_eq!(diagnosis.find("mount_namespace")["state"], "ok");
}

#[snowglobe::test(nested)]
fn in_a_chroot_no_user_namespace_is_permitted() {
    let script = "mkdir /tmp/root && mount --rbind / /tmp/root && PATH=$PATH:/usr/sbin exec chroot /tmp/root \"$0\" doctor --json";
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command.arg(std::env::current_exe().unwrap());
    let diagnosis = Diagnosis::of(finished(command.output().unwrap()));
    assert_eq!(diagnosis.code, Some(2));
    diagnosis.misses("user_namespace", "EPERM", "leave the chroot");
    let chroot = diagnosis.find("chroot");
    assert_eq!(chroot["state"], "degraded", "{chroot:#}");
    // The container is not to blame here, so findings that are fine do not name it.
    assert_eq!(diagnosis.find("user.max_user_namespaces")["state"], "ok");
}

#[snowglobe::test(nested)]
fn few_descriptors_are_a_degraded_limit() {
    let diagnosis = after("ulimit -n 40");
    assert_eq!(diagnosis.code, Some(1));
    let files = diagnosis.find("open_files");
    assert_eq!(files["state"], "degraded", "{files:#}");
    assert_eq!(files["evidence"]["value"], "40 of at most 40");
    fixed_by(files, "prlimit --pid $$ --nofile=65536");
}

/// Four file descriptors are enough to start a program, if none was inherited, and too few for a
/// channel.
#[snowglobe::test(nested)]
fn no_descriptors_at_all_are_told_from_what_is_forbidden() {
    let diagnosis = after("exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-\nulimit -n 4");
    assert_eq!(diagnosis.code, Some(2));
    diagnosis.misses("user_namespace", "EMFILE", "ulimit -n 65536");
}

#[snowglobe::test(nested)]
fn a_device_that_is_hidden_is_missed_by_tun_alone() {
    let diagnosis = after("mount -t tmpfs none /dev/net");
    diagnosis.misses("tun", "ENOENT", "tun");
    assert_eq!(
        diagnosis.find("tun")["evidence"]["call"],
        "open /dev/net/tun"
    );
    assert_eq!(diagnosis.find("veth")["state"], "ok");
    assert_eq!(diagnosis.code, Some(1));
}

#[snowglobe::test(nested)]
fn fixtures_that_are_absent_are_named() -> TestResult {
    let dir = tempfile::tempdir()?;
    let manifest = dir.path().join("fixtures.toml");
    std::fs::write(
        &manifest,
        "[first.path]\nfrom = \"x\"\n[second.path]\nfrom = \"y\"\n",
    )?;
    let output = this_program()
        .args(["doctor", "--json"])
        .env("SNOWGLOBE_FIXTURES", &manifest)
        .output()?;
    let diagnosis = Diagnosis::of(finished(output));
    let fixtures = diagnosis.find("fixtures");
    assert_eq!(fixtures["state"], "missing", "{fixtures:#}");
    fixed_by(fixtures, "cargo xtask provision first second");
    Ok(())
}

#[snowglobe::test(nested)]
fn the_command_line_and_the_library_say_the_same() {
    let ours = finished(this_program().arg("examine").output().unwrap());
    let theirs = doctor(&["--json"]);
    assert_eq!(ours.code, theirs.code);
    let names = |run| -> Vec<Value> {
        let findings = Diagnosis::of(run).findings;
        let of = |finding: &Value| {
            Value::from([finding["name"].clone(), finding["state"].clone()].to_vec())
        };
        findings.iter().map(of).collect()
    };
    assert_eq!(names(ours), names(theirs));
}

#[snowglobe::test(nested)]
fn a_table_without_colours_where_there_is_no_terminal() {
    let run = doctor(&[]);
    assert!(!run.stdout.contains('\x1b'), "{}", run.stdout);
    assert!(
        run.stdout.contains("\nok        network_namespace "),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("bring up lo: done"), "{}", run.stdout);
}

/// The option `nested` is left out, so more than ten features are missing.
#[snowglobe::test]
fn annotations_are_at_most_ten_of_a_kind() {
    let run = doctor(&["--github"]);
    assert_eq!(run.code, Some(2));
    let of = |kind: &str| {
        let lines = run.stdout.lines().filter(|line| line.starts_with(kind));
        lines.collect::<Vec<_>>()
    };
    let (errors, warnings) = (of("::error "), of("::warning "));
    assert!((1..=10).contains(&errors.len()), "{errors:#?}");
    assert_eq!(warnings.len(), 10, "{warnings:#?}");
    assert!(warnings[9].contains("title=doctor%3A "), "{warnings:#?}");
    assert!(errors[0].contains("%0Afix: sudo sysctl -w"), "{errors:#?}");
}

#[snowglobe::test]
fn a_wrong_command_line_is_told_from_a_finding() {
    for args in [&["--jason"][..], &["--json", "--github"]] {
        let run = doctor(args);
        assert_eq!(run.code, Some(64), "{run:#?}");
        assert!(run.stderr.contains("doctor --help"), "{run:#?}");
    }
    assert_eq!(doctor(&["--help"]).code, Some(0));
}

/// The cgroups that a trial could mount belong to its host.
#[snowglobe::test(nested)]
fn a_cgroup_that_is_not_delegated_is_found_by_making_one() {
    let seen = after(
        "mount -t tmpfs none /sys/fs\nmkdir /sys/fs/cgroup\n\
         exec unshare --cgroup sh -c 'mount -t cgroup2 none /sys/fs/cgroup; exec \"$0\" doctor --json' \"$0\"",
    );
    let cgroup = seen.find("cgroup");
    println!("{cgroup}");
    assert_eq!(cgroup["state"], "degraded");
    let call = cgroup["evidence"]["call"].as_str().unwrap_or_default();
    assert!(call.starts_with("mkdir /sys/fs/cgroup"), "{cgroup}");
    assert_eq!(cgroup["evidence"]["error"], "EACCES");
}

#[snowglobe::test(nested)]
fn the_host_is_the_same_afterwards() {
    let before = fingerprint();
    doctor(&[]);
    let mut after = Vec::new();
    // A process that was killed is gone only a moment later.
    let same = snowglobe_tests::wait_until(std::time::Duration::from_secs(10), || {
        after = fingerprint();
        after == before
    });
    assert!(same, "{before:#?}\n{after:#?}");
}

/// Returns everything of this trial's world, which is the doctor's host, that the doctor could
/// change.
fn fingerprint() -> Vec<String> {
    let scripts = [
        "cat /proc/self/mountinfo",
        "cd /sys/class/net && for i in *; do echo $i $(cat $i/flags $i/address); done",
        "cat /proc/net/route /proc/net/tcp /proc/net/if_inet6; hostname",
        // The shell counts the processes by itself: with a pipe it would count the commands of the
        // pipe that have started by then.
        "set -- /proc/[0-9]*; echo $#; ls -R /tmp /run /dev/shm /dev/mqueue",
        "find /sys/fs/cgroup -type d 2>/dev/null | grep -c snowglobe; cat /proc/self/cgroup",
        "grep -H '' /proc/sys/user/* /proc/sys/net/ipv4/ip_forward",
    ];
    let shell = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    scripts.into_iter().map(shell).collect()
}

#[snowglobe::test(nested)]
fn few_inotify_instances_are_a_degraded_limit() {
    let diagnosis =
        after("echo 3 > /tmp/few\nmount --bind /tmp/few /proc/sys/fs/inotify/max_user_instances");
    let finding = diagnosis.find("inotify_instances");
    assert_eq!(finding["state"], "degraded", "{finding:#}");
    assert_eq!(finding["evidence"]["value"], "3", "{finding:#}");
    let lost = finding["lost"].as_str().unwrap_or_default();
    assert!(
        lost.contains("trials at a time as usual: 1 instead of "),
        "{finding:#}"
    );
    fixed_by(finding, "sudo sysctl -w fs.inotify.max_user_instances=1024");
}

/// What trials of a user or of the host share has a finding, with the setting that decides on it.
#[snowglobe::test(nested)]
fn budgets_that_trials_share_are_examined() {
    let diagnosis = after("");
    for (name, setting) in [
        ("inotify_instances", "fs.inotify.max_user_instances"),
        ("neighbours_ipv4", "net.ipv4.neigh.default.gc_thresh3"),
        ("neighbours_ipv6", "net.ipv6.neigh.default.gc_thresh3"),
        ("host_settings", "settings that show through"),
    ] {
        assert_eq!(diagnosis.find(name)["evidence"]["read"], setting);
    }
}
