//! What a program wrote, what it is called, and how it ends.

use std::os::unix::process::CommandExt;
use std::time::Instant;

use snowglobe::lab::Stdio;
use snowglobe::prelude::*;
use snowglobe_tests::{shared_dir, wait_for_file};

#[snowglobe::test]
fn lines_that_are_not_kept_are_counted_and_not_repeated() -> TestResult {
    let lab = shape::pair().start()?;
    // A shell takes a while for so many lines on a busy machine.
    lab.set_patience(Duration::from_secs(50));
    let a = lab.node("alice").ok_or("alice")?;
    let count = "i=0; while [ $i -lt 12345 ]; do echo line $i; i=$((i+1)); done";
    let mut counting = a.command("sh").args(["-c", count]).spawn()?;
    counting.wait_for_log("line 12344")?;
    let kept = counting.log();
    let lines: Vec<_> = counting.lines().collect();
    for lines in [kept, lines] {
        assert_eq!(lines.len(), 10_001);
        assert_eq!(lines[0].dropped, 2_345);
        assert!(
            lines[0].text.contains("2345 lines were dropped"),
            "{:?}",
            lines[0]
        );
        assert_eq!((lines[1].text.as_str(), lines[1].dropped), ("line 2345", 0));
        assert_eq!(lines[10_000].text, "line 12344");
        assert!(lines.windows(2).all(|pair| pair[0] != pair[1]));
    }
    lab.set_patience(Duration::from_millis(20));
    let mut waiting = a
        .command("sh")
        .args(["-c", &format!("{count}; exec sleep 1000")])
        .spawn()?;
    snowglobe::lab::wait_until(Duration::from_secs(30), || {
        waiting.log().len() == 10_001 && waiting.log()[10_000].text == "line 12344"
    })?;
    let error = waiting.wait_for_log("line 7!").unwrap_err().to_string();
    assert!(error.contains("2345 earlier lines are not kept"), "{error}");
    waiting.kill()?;
    Ok(())
}

#[snowglobe::test]
fn a_reader_that_keeps_up_gets_every_line_once() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let script = "for i in 1 2 3; do read x; printf \"$x $i\\n\\r\\npart\"; done; echo end >&2";
    let mut echo = a
        .command("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = echo.stdin.take().ok_or("stdin")?;
    let mut lines = Vec::new();
    for n in 1..=3 {
        input.write_all(format!("say {n}\n").as_bytes())?;
        lines.extend(echo.lines().take(2).map(|line| line.text));
    }
    drop(input);
    let mut rest: Vec<_> = echo.lines().map(|line| line.text).collect();
    rest.sort();
    assert_eq!(lines, ["say 1 1", "", "partsay 2 2", "", "partsay 3 3", ""]);
    assert_eq!(rest, ["end", "part"]);
    Ok(())
}

#[snowglobe::test]
fn a_prompt_is_found_before_its_line_ends() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let script = "printf 'Password: '; read x; echo \"thanks for $x\"; printf '50%%\\r'; \
                  printf 'last words' >&2; exec sleep 1000";
    let mut login = a
        .command("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()?;
    assert_eq!(login.wait_for_log("Password:")?.text, "Password: ");
    login.stdin.as_mut().ok_or("stdin")?.write_all(b"1234\n")?;
    assert_eq!(
        login.wait_for_log("thanks")?.text,
        "Password: thanks for 1234"
    );
    login.wait_for_log("50%")?;
    login.wait_for_log("last words")?;
    let texts: Vec<String> = login.log().into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["Password: thanks for 1234", "50%\r", "last words"]);
    // An error shows what the program said last, with or without a line end.
    lab.set_patience(Duration::from_millis(20));
    let error = login.wait_for_log("welcome").unwrap_err().to_string();
    assert!(error.contains("last words"), "{error}");
    login.kill()?;
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn a_command_of_std_keeps_its_name_and_its_empty_environment() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    // One program of many names, told apart by the zeroth argument.
    let busybox = Fixture::find("busybox")?.program("busybox")?;
    let mut echo = std::process::Command::new(&busybox);
    echo.arg0("/bin/echo").args(["-n", "a b", "\"c\""]);
    let output = a.command_like(&echo).output()?;
    // Reports call it by that name.
    assert_eq!(a.command_like(&echo).spawn()?.label(), "alice/echo#2");
    assert_eq!(output.stdout_str(), "a b \"c\"", "{}", output.stderr_str());
    let mut env = std::process::Command::new(&busybox);
    env.arg0("env")
        .env_clear()
        .env("ONLY", "this")
        .current_dir("/");
    let output = a.command_like(&env).output()?;
    assert_eq!(
        output.stdout_str(),
        "ONLY=this\n",
        "{}",
        output.stderr_str()
    );
    // A plain command goes by the name of its program.
    let plain = std::process::Command::new("sh");
    let output = a.command_like(&plain).args(["-c", "echo $0"]).output()?;
    assert_eq!(output.stdout_str(), "sh\n");
    Ok(())
}

#[snowglobe::test]
fn a_daemon_is_asked_to_end_as_programs_are() -> TestResult {
    let dir = shared_dir();
    let path = |name: &str| dir.path().join(name);
    // The daemon has a child of its own, which is nobody's when the daemon has ended.
    let script = format!(
        "trap 'echo bye >> {dir}/end; exit 0' TERM\n\
         sh -c 'trap \"echo child >> {dir}/end; exit\" TERM; echo > {dir}/child; while :; do sleep 1 & wait $!; done' &\n\
         while :; do if [ -e {dir}/child ]; then echo > {dir}/up; fi; sleep 0.01 & wait $!; done\n",
        dir = dir.path().display()
    );
    std::fs::write(path("daemon.sh"), script)?;
    let daemon = format!(
        "setsid sh {} </dev/null >/dev/null 2>&1 &",
        path("daemon.sh").display()
    );
    let start = |node: &snowglobe::lab::Node| -> TestResult {
        assert!(node.command("sh").args(["-c", &daemon]).status()?.success());
        assert!(wait_for_file(&path("up")), "the daemon did not start");
        Ok(())
    };
    let ended = || -> TestResult {
        assert_eq!(std::fs::read_to_string(path("end"))?, "bye\nchild\n");
        for name in ["end", "up", "child"] {
            std::fs::remove_file(path(name))?;
        }
        Ok(())
    };
    let mut topology = Topology::new();
    let node = topology.node("host");
    let pod = topology.pod(PodSpec::new("pod").share_pid());
    let container = topology.container(pod, "container");
    let other = topology.container(pod, "other");
    let lab = topology.start()?;
    for node in [node, container] {
        start(&lab[node])?;
        lab[node].restart()?;
        ended()?;
    }
    // The daemon of one container is no business of another.
    start(&lab[container])?;
    lab[other].command("true").status()?;
    lab[other].restart()?;
    assert!(!path("end").exists());
    // With a program beside it.
    let _sleeper = lab[container].command("sleep").arg("1000").spawn()?;
    drop(lab);
    ended()
}

#[snowglobe::test]
fn a_daemon_that_does_not_end_is_killed() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let stubborn = "(trap '' TERM; echo up >&2; while :; do sleep 1000; done) &";
    let mut shell = a.command("sh").args(["-c", stubborn]).spawn()?;
    shell.wait_for_log("up")?;
    shell.wait()?;
    let end = Instant::now();
    drop(lab);
    // The grace is a second.
    assert!(
        end.elapsed() < Duration::from_secs(10),
        "{:?}",
        end.elapsed()
    );
    Ok(())
}
