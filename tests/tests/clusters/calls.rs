//! Programs that are stopped when they are about to make a system call.

use std::thread;

use snowglobe::lab::{LabErrorKind, Node, Point};
use snowglobe::prelude::*;
use snowglobe_tests::has_fuse;

use crate::{MS, nodes, ready_program, stat, tell};

/// Waits for a line, and then replaces a file as careful programs do: written, synced, renamed.
const REPLACE: &str = "use IO::Handle; $| = 1; print \"ready\\n\"; <STDIN>; \
     open(my $f, '>', '/tmp/new') or die; print $f \"new\\n\"; $f->flush; $f->sync or die; \
     close $f; print \"synced\\n\"; <STDIN>; rename('/tmp/new', '/tmp/old') or die; print \"renamed\\n\"; \
     sleep 1000";

#[snowglobe::test]
fn nothing_of_a_call_has_happened_while_the_program_stands_at_it() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    n1.command("sh")
        .args(["-c", "echo old > /tmp/old"])
        .status()?;
    let cat = |path: &str| -> TestResult<String> {
        Ok(n1.command("cat").arg(path).output()?.stdout_str())
    };
    let mut process = ready_program(n1, "perl", REPLACE)?;
    // The file that is synced has a name at the time; a call on another file is none.
    let point = process.pause_when(Point::system_call_on("fsync", "/tmp/new"))?;
    let other = Point::system_call_on("fsync", "/tmp/other");
    assert_eq!(other.to_string(), "the system call `fsync` on `/tmp/other`");
    assert!(!point.is_reached());
    tell(&mut process, "go")?;
    assert_eq!(point.wait()?, "fsync of `/tmp/new`");
    assert_eq!(cat("/tmp/new")?, "new\n");
    let state = stat(n1, &process)?;
    assert!(state.contains(") t "), "{state:?}");
    thread::sleep(50 * MS);
    assert_eq!(process.log().len(), 1, "{:?}", process.log());
    point.go_on();
    process.wait_for_log("synced")?;
    let renaming = process.pause_when(Point::system_call_on("rename", "/tmp/old"))?;
    tell(&mut process, "go")?;
    assert_eq!(renaming.wait()?, "rename of `/tmp/new` to `/tmp/old`");
    assert_eq!(cat("/tmp/old")?, "old\n");
    renaming.go_on();
    process.wait_for_log("renamed")?;
    assert_eq!(cat("/tmp/old")?, "new\n");
    Ok(())
}

/// The call is one of a child that the program starts later, and all of them stand still.
#[snowglobe::test]
fn what_a_program_starts_is_watched_too() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "echo ready; read go; (while [ ! -e /tmp/end ]; do echo >> /tmp/turns; sleep 0.01; \
                  done) & rm /tmp/mark; wait; echo over";
    n1.command("touch").arg("/tmp/mark").status()?;
    let mut process = ready_program(n1, "sh", script)?;
    let point = process.pause_when(Point::system_call_on("unlinkat", "/tmp/mark"))?;
    tell(&mut process, "go")?;
    assert_eq!(point.wait()?, "unlinkat of `/tmp/mark`");
    let turns = || n1.command("cat").arg("/tmp/turns").output();
    let so_far = turns()?;
    thread::sleep(100 * MS);
    assert_eq!(
        turns()?.stdout,
        so_far.stdout,
        "a child of the program runs"
    );
    assert!(
        n1.command("test")
            .args(["-e", "/tmp/mark"])
            .status()?
            .success()
    );
    n1.command("touch").arg("/tmp/end").status()?;
    point.go_on();
    process.wait_for_log("over")?;
    Ok(())
}

/// A shell waits in vfork(2) until its child has executed a program, and so does a program that
/// uses posix_spawn(3). No stop takes effect there, but the program does not run either.
#[snowglobe::test]
fn a_program_that_waits_for_its_child_to_execute_stands_still() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut process = ready_program(
        n1,
        "sh",
        "echo ready; read go; /bin/true; echo over; sleep 1000",
    )?;
    let point = process.pause_when(Point::system_call_on("execve", "/bin/true"))?;
    tell(&mut process, "go")?;
    assert_eq!(point.wait()?, "execve of `/bin/true`");
    point.go_on();
    process.wait_for_log("over")?;
    Ok(())
}

/// A crash takes a program that stands at a call with it, and is not held up by the tracer.
#[snowglobe::test]
fn a_node_crashes_while_its_program_stands_at_a_call() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let process = n1
        .command("perl")
        .args([
            "-e",
            "$| = 1; print \"ready\\n\"; while (1) { sleep 1 if -e '/tmp/mark'; }",
        ])
        .spawn()?;
    process.wait_for_log("ready")?;
    let point = process.pause_when(Point::system_call("clock_nanosleep"))?;
    n1.command("touch").arg("/tmp/mark").status()?;
    assert_eq!(point.wait()?, "clock_nanosleep");
    n1.crash()?;
    assert!(!n1.is_running());
    drop(point);
    n1.restart()?;
    assert!(n1.command("true").status()?.success());
    Ok(())
}

/// The thread that executes a program gets the number of its process, and the other threads end.
#[snowglobe::test]
fn a_thread_that_executes_a_program_is_followed() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    // A Perl of Debian's essential packages alone has no threads.
    let has_threads = n1.command("perl").args(["-e", "use threads"]).status()?;
    if !has_threads.success() {
        return Ok(());
    }
    let script = "use threads; $| = 1; print \"ready\\n\"; <STDIN>; \
                  threads->create(sub { sleep 1000 })->detach; \
                  threads->create(sub { exec('mkdir', '/tmp/new') })->detach; sleep 1000";
    let mut process = ready_program(n1, "perl", script)?;
    let point = process.pause_when(Point::system_call_on("mkdir", "/tmp/new"))?;
    tell(&mut process, "go")?;
    assert_eq!(point.wait()?, "mkdir of `/tmp/new`");
    drop(point);
    assert!(process.wait()?.success());
    Ok(())
}

#[snowglobe::test]
fn a_point_at_a_call_that_cannot_be_is_refused_by_name() -> TestResult {
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("wrong").faulty_clock());
    topology.node("right");
    let lab = topology.start()?;
    let [wrong, right] = ["wrong", "right"].map(|name| lab.node(name));
    let sleeps = right
        .ok_or("no node")?
        .command("sleep")
        .arg("1000")
        .spawn()?;
    let error = sleeps.pause_when(Point::system_call("fsink")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.contains("the system call `fsink`; it can at "),
        "{text}"
    );
    assert!(text.contains(", fsync, "), "{text}");
    let first = sleeps.pause_when(Point::system_call("fsync"))?;
    let error = sleeps.pause_when(Point::system_call("fsync")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    assert!(
        error.to_string().contains("the kernel permits one tracer"),
        "{error}"
    );
    drop(first);
    drop(sleeps.pause_when(Point::system_call("fsync"))?);
    let sleeps = wrong
        .ok_or("no node")?
        .command("sleep")
        .arg("1000")
        .spawn()?;
    let error = sleeps.pause_when(Point::system_call("fsync")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    assert!(
        error.to_string().contains("NodeSpec::faulty_clock"),
        "{error}"
    );
    Ok(())
}

/// A program that waits for a slow disk does not stop until the disk has answered. The stop comes
/// too late for the wait, which fails, and is taken back all the same.
#[snowglobe::test]
fn a_stop_that_comes_too_late_is_taken_back() -> TestResult {
    use snowglobe::fault::{DiskFault, Fault};
    if !has_fuse() {
        return Ok(());
    }
    let mut topology = Topology::new();
    let disk = Volume::named("disk").with_faults();
    let id = topology.node(NodeSpec::new("n1").volume("/tmp/data", disk));
    let lab = topology.start()?;
    let n1 = &lab[id];
    n1.command("sh")
        .args(["-c", "echo text > /tmp/data/file"])
        .status()?;
    let slow = lab.inject(Fault::disk("n1", DiskFault::slow(Duration::from_secs(8))))?;
    let script = "echo reading; read x < /tmp/data/file; echo over; sleep 1000";
    let process = n1.command("sh").args(["-c", script]).spawn()?;
    process.wait_for_log("reading")?;
    let pid = process.id();
    let waits = format!(
        "[ $(readlink /proc/{pid}/fd/0) = /tmp/data/file ] && cut -d' ' -f3 /proc/{pid}/stat"
    );
    // The file is open, and the shell sleeps: it waits for the disk.
    lab.wait_until(|| {
        let state = n1.command("sh").args(["-c", &waits]).output();
        state.is_ok_and(|it| matches!(it.stdout_str().trim(), "S" | "D"))
    })?;
    let point = process.pause_when(Point::file("/tmp/mark"))?;
    n1.command("touch").arg("/tmp/mark").status()?;
    let error = point.wait().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    drop(point);
    lab.set_patience(Duration::from_secs(60));
    process.wait_for_log("over")?;
    slow.heal()?;
    Ok(())
}

/// Runs a script in `/tmp/work` up to a point, and returns what brought it there.
fn run_to_point(node: &Node, script: &str, point: Point<'_>) -> TestResult<String> {
    let script = format!("cd /tmp/work && echo ready && read go && exec {script}");
    let mut process = ready_program(node, "sh", &script)?;
    let point = process.pause_when(point)?;
    tell(&mut process, "go")?;
    let reached = point.wait();
    drop(point);
    process.wait()?;
    Ok(reached?)
}

/// Coreutils, glibc and shells choose between calls, and give paths from where they work.
#[snowglobe::test]
fn a_name_stands_for_the_calls_of_which_programs_choose_one() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let made = n1
        .command("sh")
        .args([
            "-c",
            "mkdir -p /tmp/work/dir && cd /tmp/work && touch a && mkdir dir/empty",
        ])
        .status()?;
    assert!(made.success());
    let cases = [
        (
            "mv a b",
            "rename",
            "/tmp/work/b",
            "renameat2 of `/tmp/work/a` to `/tmp/work/b`",
        ),
        (
            "mv ./b /tmp/work/c",
            "rename",
            "work/b",
            "renameat2 of `/tmp/work/b` to `/tmp/work/c`",
        ),
        ("cat c", "open", "/tmp/work/c", "openat of `/tmp/work/c`"),
        ("rm c", "unlink", "/tmp/work/c", "unlinkat of `/tmp/work/c`"),
        (
            "rm -r dir",
            "rmdir",
            "empty",
            "unlinkat of `/tmp/work/dir/empty`",
        ),
        (
            "mkdir -p new",
            "mkdir",
            "/tmp/work/new",
            "mkdir of `/tmp/work/new`",
        ),
        (
            "ln -s new link",
            "symlink",
            "work/link",
            "symlinkat of `/tmp/work/link`",
        ),
        (
            "dd if=/dev/null of=d conv=fdatasync",
            "fsync | fdatasync",
            "work/d",
            "fdatasync of `/tmp/work/d`",
        ),
    ];
    for (script, name, part, expected) in cases {
        let at = run_to_point(n1, script, Point::system_call_on(name, part))?;
        assert_eq!(at, expected, "{script}");
    }
    Ok(())
}

/// The kernel adds words to the path of a directory that was removed. A program may work in such a
/// one, and one may have these words in its name.
#[snowglobe::test]
fn a_path_from_a_removed_directory_has_the_name_that_the_directory_had() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    for (directory, remove) in [("gone", true), ("left (deleted)", false)] {
        let directory = format!("/tmp/{directory}");
        let remove = if remove { "rmdir" } else { "ls" };
        let script = format!(
            "mkdir '{directory}' && cd '{directory}' && {remove} '{directory}' && echo ready \
             && read go && cat a"
        );
        let mut process = ready_program(n1, "sh", &script)?;
        let file = format!("{directory}/a");
        let point = process.pause_when(Point::system_call_on("open", &file))?;
        tell(&mut process, "go")?;
        assert_eq!(point.wait()?, format!("openat of `{file}`"));
        drop(point);
        process.wait()?;
    }
    Ok(())
}

/// Paths of a program that has changed its root begin there, and the test knows those of the node.
#[snowglobe::test]
fn a_path_of_a_program_with_another_root_is_that_of_the_node() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "mkdir('/tmp/jail'); chroot('/tmp/jail') or die $!; chdir '/'; $| = 1; \
                  print \"ready\\n\"; <STDIN>; mkdir('/data') or die $!; mkdir('data/log') or die $!;";
    for path in ["/tmp/jail/data", "/tmp/jail/data/log"] {
        n1.command("rm").args(["-rf", "/tmp/jail"]).status()?;
        let mut process = ready_program(n1, "perl", script)?;
        let point = process.pause_when(Point::system_call_on("mkdir", path))?;
        tell(&mut process, "go")?;
        assert_eq!(point.wait()?, format!("mkdir of `{path}`"));
        drop(point);
        assert!(process.wait()?.success());
    }
    Ok(())
}

/// A call that does the same for another purpose is no member of the family.
#[snowglobe::test]
fn a_name_stands_for_the_purpose_of_a_call() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    // From 2^17 lines on, sort uses threads (`SUBTHREAD_LINES_HEURISTIC` of coreutils' sort.c).
    let made = n1
        .command("sh")
        .args([
            "-c",
            "mkdir -p /tmp/work/empty && seq 300000 > /tmp/work/lines",
        ])
        .status()?;
    assert!(made.success());
    let sort = "sort --parallel=2 lines -o sorted";
    let threads = run_to_point(n1, sort, Point::system_call("clone | clone3"))?;
    assert!(threads.starts_with("clone"), "{threads}");
    for (script, point) in [
        (sort, Point::system_call("fork")),
        ("rm -r empty", Point::system_call_on("unlink", "empty")),
    ] {
        let what = point.to_string();
        let error = run_to_point(n1, script, point).map_err(|it| it.to_string());
        let error = error.expect_err(&what);
        assert!(
            error.contains("ended before it came to the point"),
            "{error}"
        );
    }
    let forks = run_to_point(n1, "sh -c 'true & wait'", Point::system_call("fork"))?;
    assert!(
        forks.contains("fork") || forks.starts_with("clone"),
        "{forks}"
    );
    Ok(())
}

#[snowglobe::test]
fn a_call_without_a_file_is_refused_where_a_part_of_a_path_is_given() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let sleeps = n1.command("sleep").arg("1000").spawn()?;
    let point = Point::system_call_on("connect", "/tmp/socket");
    let error = sleeps.pause_when(point).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::InvalidArgument);
    let text = "`n1/sleep` never makes the system call `connect` on `/tmp/socket`, for the \
                call names no file; take `Point::system_call`";
    assert_eq!(error.to_string(), text);
    let error = sleeps
        .pause_when(Point::system_call("fsync | fsink"))
        .unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    assert!(error.to_string().contains("`fsink`; it can at "), "{error}");
    Ok(())
}
