//! A refusal of the system becomes one sentence, with its cause and its fix, and the host stays as
//! it is.

use std::collections::BTreeMap;
use std::process::Command;

use snowglobe_tests::{Run, finished, this_program};

/// Runs this program in a shell, after a preparation that takes something away.
fn after(preparation: &str) -> Run {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "{preparation}\nexec {} --exact samples::passes --ignored --test-threads 2",
        program.display()
    );
    let mut command = Command::new("sh");
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("SNOWGLOBE_")) {
        command.env_remove(key);
    }
    finished(command.args(["-c", &script]).output().unwrap())
}

#[track_caller]
fn refused(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:#?}");
    assert!(
        !run.stdout.contains("... ok"),
        "never without isolation: {}",
        run.stdout
    );
    let error: Vec<&str> = run.stderr.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(error.len(), 1, "one sentence: {}", run.stderr);
    for part in parts {
        assert!(error[0].contains(part), "no {part:?} in {}", error[0]);
    }
}

#[snowglobe::test(nested)]
fn no_user_namespaces() {
    refused(
        &after("echo 0 > /proc/sys/user/max_user_namespaces"),
        71,
        &["clone3 the outer sandbox", "ENOSPC", "max_"],
    );
}

#[snowglobe::test(nested)]
fn a_limit_on_network_namespaces() {
    let run = after("echo 0 > /proc/sys/user/max_net_namespaces");
    refused(&run, 71, &["clone3 the sandbox", "ENOSPC", "max_", "raise"]);
}

// Each of the runs may wait for a minute.
#[snowglobe::test(nested, timeout = "180s")]
fn a_low_limit_on_network_namespaces_is_lived_with() {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "echo 2 > /proc/sys/user/max_net_namespaces\nexec {} parameters::tcp::port --test-threads 4",
        program.display()
    );
    let run = finished(Command::new("sh").args(["-c", &script]).output().unwrap());
    run.passed_with(&["4 passed"]);
}

/// The kernel counts the namespaces of a run for some time after the run has ended.
#[snowglobe::test(nested, timeout = "600s")]
fn the_namespaces_of_the_run_before_are_waited_for() {
    let limits = "echo 2 > /proc/sys/user/max_user_namespaces";
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "{limits}\nfor i in 1 2 3 4 5 6; do {} --exact samples::passes --ignored || exit; done",
        program.display()
    );
    let run = finished(Command::new("sh").args(["-c", &script]).output().unwrap());
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(run.stdout.matches("1 passed").count(), 6, "{run:#?}");
}

/// Any of the processes may be the one too many: one that exists before the first trial, or one of
/// a trial.
#[snowglobe::test(nested, timeout = "180s")]
fn too_few_processes() {
    let program = std::env::current_exe().unwrap();
    let mut codes = Vec::new();
    for limit in 1..16 {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={limit}")).arg(&program);
        command.args(["succession::memory_", "--ignored", "--test-threads", "2"]);
        let run = finished(command.output().unwrap());
        if run.code != Some(0) {
            assert_eq!(run.code, Some(71), "with {limit}: {run:#?}");
            let parts = ["EAGAIN", "too many processes", "ulimit -u"];
            let all = parts.iter().all(|part| run.stderr.contains(part));
            assert!(all, "with {limit}: {run:#?}");
        }
        codes.push(run.code);
    }
    assert!(
        codes.contains(&Some(71)) && codes.contains(&Some(0)),
        "{codes:?}"
    );
}

#[snowglobe::test(nested)]
fn parts_of_proc_that_are_covered() {
    let run = after("mount -t tmpfs none /proc/fs");
    refused(&run, 77, &["mount /proc", "EPERM", "--privileged"]);
}

#[snowglobe::test(nested)]
fn too_few_descriptors() {
    let run = after("ulimit -n 40");
    refused(&run, 71, &["at most 40 files may be open", "ulimit"]);
}

#[snowglobe::test(nested)]
fn in_a_chroot_no_user_namespace_is_permitted() {
    let program = std::env::current_exe().unwrap();
    let script = "mkdir /tmp/root && mount --rbind / /tmp/root && PATH=$PATH:/usr/sbin exec chroot /tmp/root \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .args(["--exact", "samples::passes", "--ignored"])
        .output();
    refused(
        &finished(output.unwrap()),
        77,
        &["clone3", "EPERM", "chroot"],
    );
}

/// Returns the names of the processes. A pipe of programs would sometimes count itself.
fn processes() -> String {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let names = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    names.collect()
}

/// Returns what must be the same before and after every run, as far as this trial's world has it.
/// The trial is the host of the runs that it starts.
fn fingerprint() -> BTreeMap<&'static str, String> {
    let shell = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    BTreeMap::from([
        (
            "links",
            shell(
                "cd /sys/class/net && for i in *; do echo $i $(cat $i/flags $i/mtu $i/address); done",
            ),
        ),
        (
            "routes",
            shell("cat /proc/net/route /proc/net/fib_trie /proc/net/ipv6_route /proc/net/if_inet6"),
        ),
        ("mounts", shell("cat /proc/self/mountinfo")),
        ("hostname", shell("hostname")),
        (
            "sysctls",
            shell(
                "find /proc/sys -type f -perm -200 ! -name 'inode-*' ! -name dentry-state ! -name ns_last_pid ! -path '*/random/*' -print0 2>/dev/null | sort -z | xargs -0 grep -sH ''",
            ),
        ),
        ("processes", processes()),
        (
            "ipc",
            shell("cat /proc/sysvipc/*; ls -R /dev/shm /dev/mqueue /tmp /run"),
        ),
        (
            "sockets",
            shell("cat /proc/net/tcp /proc/net/udp; grep -v ' 0[13] ' /proc/net/unix | wc -l"),
        ),
    ])
}

#[snowglobe::test(nested, timeout = "120s")]
fn the_host_is_the_same_before_and_after_every_run() {
    let before = fingerprint();
    let arguments: [&[&str]; 5] = [
        &["--exact", "samples::passes", "--ignored"],
        &["--exact", "samples::panics", "--ignored"],
        &["--exact", "samples::hangs", "--ignored"],
        &["--exact", "samples::leaves_a_daemon", "--ignored"],
        &["--exact", "samples::changes_what_it_can", "--ignored"],
    ];
    for args in arguments {
        let run = snowglobe_tests::run(args);
        assert!(matches!(run.code, Some(0 | 101)), "{run:#?}");
        same(&before, args);
    }
    let dir = snowglobe_tests::shared_dir();
    let mut child = this_program()
        .args(["--exact", "samples::waits_long", "--ignored"])
        .env("SAMPLE_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(snowglobe_tests::wait_for_file(&dir.path().join("started")));
    child.kill().unwrap();
    child.wait().unwrap();
    same(&before, &["killed"]);
}

/// A process that was killed is gone only a moment later.
#[track_caller]
fn same(before: &BTreeMap<&'static str, String>, run: &[&str]) {
    let mut after = BTreeMap::new();
    let same = snowglobe_tests::wait_until(std::time::Duration::from_secs(10), || {
        after = fingerprint();
        after == *before
    });
    for (what, text) in before {
        assert!(
            same || after[what] == *text,
            "{what} changed by {run:?}:\n{text}\n{}",
            after[what]
        );
    }
}

/// Starts a thread before `main` where a test asks for it, as allocators and `ctor` functions do.
extern "C" fn start_a_thread() {
    if std::env::var_os("SAMPLE_THREAD").is_some() {
        let forever = || {
            loop {
                std::thread::park();
            }
        };
        let thread = std::thread::Builder::new().name("eager".to_owned());
        thread.spawn(forever).unwrap();
    }
}

#[used]
#[expect(unsafe_code, reason = "only a section makes a constructor")]
// SAFETY: the loader calls the functions of this section once, on the only thread.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = start_a_thread;

#[snowglobe::test(nested)]
fn a_thread_of_a_constructor_is_named() {
    let run = after("export SAMPLE_THREAD=1");
    refused(
        &run,
        64,
        &["`eager`", "before `main`", "constructor", "first use"],
    );
}
