//! Faults of the processes of a node.

use std::time::Instant;

use snowglobe::fault::Fault;
use snowglobe::lab::{LabErrorKind, Node, Process};
use snowglobe::prelude::*;

use crate::{MS, nodes, stat, tell};

const LOOP: &str = "echo ready; n=0; while read line; do n=$((n+1)); echo $line $n; done";

#[snowglobe::test]
fn a_killed_program_is_started_again_by_the_heal() -> TestResult {
    let lab = nodes(2)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let other = n1.command("sleep").arg("1000").spawn()?;
    let mut shell = n1
        .command("sh")
        .args(["-c", "echo pid $$; exec sleep 2000"])
        .spawn()?;
    shell.wait_for_log("pid")?;
    let mut events = lab.events();
    let kill = lab.inject(Fault::kill_program("n1", "sh"))?;
    assert!(shell.try_wait()?.is_some());
    kill.heal()?;
    let again = events.wait_for("the second start", |event| {
        event.kind.to_string().contains("`sh`")
            && event.number > 0
            && event.kind.to_string().ends_with("was started")
            && !event
                .kind
                .to_string()
                .contains(&format!("(pid {})", shell.id()))
    })?;
    assert!(again.kind.to_string().starts_with("`sh`"));
    // The shell becomes the other program a moment after its start.
    lab.wait_until(|| -> Result<(), String> {
        let inspection = lab.inspect(n1.id()).map_err(|error| error.to_string())?;
        let processes = inspection.processes.iter();
        let alive: Vec<String> = processes.map(|it| it.cmdline.join(" ")).collect();
        match alive.iter().any(|it| it == "sleep 2000") {
            true => Ok(()),
            false => Err(format!("{alive:?}")),
        }
    })?;
    drop(other);
    let error = lab.inject(Fault::kill_program("n1", "etcd")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("node `n1` runs no program `etcd`; it runs ")
    );
    Ok(())
}

#[snowglobe::test]
fn one_program_is_paused_and_the_others_of_its_node_go_on() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let spawn = |name: &str| {
        n1.command("sh")
            .arg0(name)
            .args(["-c", LOOP])
            .stdin(snowglobe::lab::Stdio::piped())
            .spawn()
    };
    let (mut one, mut two) = (spawn("one")?, spawn("two")?);
    one.wait_for_log("ready")?;
    two.wait_for_log("ready")?;
    let pause = lab.inject(Fault::pause_program("n1", "one"))?;
    for process in [&mut one, &mut two] {
        tell(process, "hello")?;
    }
    two.wait_for_log("hello 1")?;
    let said = |process: &Process| process.log().iter().any(|it| it.text == "hello 1");
    assert!(!said(&one));
    pause.heal()?;
    one.wait_for_log("hello 1")?;
    Ok(())
}

/// Returns the time for which a program has had a processor.
fn used(node: &Node, process: &Process) -> TestResult<Duration> {
    // Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms.
    let stat = stat(node, process)?;
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let fields: Vec<&str> = fields.collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

#[snowglobe::test]
fn a_slow_node_has_its_share_of_a_processor() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let slow = lab.inject(Fault::slow("n1", Percent(10.0)))?;
    let spin = "i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); done";
    let mut spinning = n1.command("sh").args(["-c", spin]).spawn()?;
    let start = Instant::now();
    let used = || used(n1, &spinning);
    // Long enough for twenty periods.
    std::thread::sleep(1000 * MS);
    let share = used()?.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(share < 0.35, "{share}");
    slow.heal()?;
    // At a load of 40 on 2 cores the program has a twentieth of the time.
    lab.set_patience(Duration::from_secs(60));
    let before = used()?;
    lab.wait_until(|| -> Result<(), String> {
        let now = used().map_err(|error| error.to_string())?;
        let more = now.saturating_sub(before);
        if more > 300 * MS {
            Ok(())
        } else {
            Err(format!("{more:?}"))
        }
    })?;
    spinning.kill()?;
    Ok(())
}

/// Returns how often the first process of a node has left a processor to wait, and how often
/// without that: it was preempted, or it yielded (proc_pid_status(5)).
fn switches(node: &Node) -> TestResult<[u64; 2]> {
    let pid = node.pid().ok_or("the node is down")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> TestResult<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.ok_or("no such field")?.trim().parse()?)
    };
    Ok([
        field("voluntary_ctxt_switches:")?,
        field("nonvoluntary_ctxt_switches:")?,
    ])
}

/// A tracer that polled after each stop would keep the signals waiting by which a node is slow:
/// each poll yields the processor, and lasts for the slice of another program.
#[snowglobe::test(threads = 2)]
fn the_tracer_of_a_slow_node_does_not_poll_where_nobody_asks_for_the_time() -> TestResult {
    let mut topology = Topology::new();
    let [slow, other] = ["slow", "other"].map(|name| NodeSpec::new(name).faulty_clock());
    let [slow, other] = [slow, other].map(|node| topology.node(node));
    let lab = topology.start()?;
    let spin = |node: &Node| -> TestResult<Process> {
        let mut shell = node.command("sh");
        Ok(shell.args(["-c", "while :; do :; done"]).spawn()?)
    };
    // Enough for a program to be there to which a yield gives the processor.
    let others = (0..6).map(|_| spin(&lab[other]));
    let _others: Vec<Process> = others.collect::<TestResult<_>>()?;
    let slowed = spin(&lab[slow])?;
    let fault = lab.inject(Fault::slow("slow", Percent(5.0)))?;
    let before = switches(&lab[slow])?;
    // The tracer waits again after each stop. The fault makes two of them in each period of 50 ms,
    // and fewer on a machine that is busy with other programs.
    lab.set_patience(Duration::from_secs(60));
    lab.wait_until(|| -> Result<(), String> {
        let now = switches(&lab[slow]).map_err(|error| error.to_string())?;
        match now[0] + now[1] - before[0] - before[1] {
            60.. => Ok(()),
            few => Err(format!("{few} switches of the tracer")),
        }
    })?;
    let after = switches(&lab[slow])?;
    fault.heal()?;
    let [waits, others] = [after[0] - before[0], after[1] - before[1]];
    snowglobe::note(format!("{waits} waits, {others} other switches"));
    assert!(others < waits, "{waits} waits, {others} other switches");
    // The program under the fault goes on.
    let before = used(&lab[slow], &slowed)?;
    lab.wait_until(|| -> Result<(), String> {
        let now = used(&lab[slow], &slowed).map_err(|error| error.to_string())?;
        (now > before).then_some(()).ok_or(format!("{now:?}"))
    })?;
    Ok(())
}

/// Starts a shell in a node, and waits until its script says `ready`.
fn ready_shell(node: &Node, script: &str) -> TestResult<Process> {
    let mut shell = node.command("sh");
    shell
        .args(["-c", script])
        .stdin(snowglobe::lab::Stdio::piped());
    let shell = shell.spawn()?;
    shell.wait_for_log("ready")?;
    Ok(shell)
}

/// Sends a line to a shell, and returns which of two answers the shell gives.
fn answer(shell: &mut Process, answers: [&str; 2]) -> TestResult<String> {
    tell(shell, "try")?;
    let mut lines = shell.lines();
    let next = lines.find(|line| answers.contains(&line.text.as_str()));
    Ok(next.ok_or("no answer")?.text)
}

#[snowglobe::test]
fn a_node_runs_out_of_descriptors_and_recovers() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "echo ready; while read line; do \
                  if (exec 9</dev/null) 2>/dev/null; then echo opened; else echo refused; fi; done";
    let mut shell = ready_shell(n1, script)?;
    let mut ask = || answer(&mut shell, ["opened", "refused"]);
    assert_eq!(ask()?, "opened");
    let fault = lab.inject(Fault::descriptors("n1", 3))?;
    assert_eq!(ask()?, "refused");
    fault.heal()?;
    assert_eq!(ask()?, "opened");
    Ok(())
}

/// A fault only lowers limits, and one that lowers none would let a test pass that tests nothing.
#[snowglobe::test]
fn a_limit_that_is_lower_already_is_not_raised() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "ulimit -S -n 20; echo ready; while read line; do ulimit -S -n; done";
    let mut shell = ready_shell(n1, script)?;
    let error = lab.inject(Fault::descriptors("n1", 21)).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.contains("node `n1`") && text.contains("20 is the least that a process has already"),
        "{text}"
    );
    let mut limit = || answer(&mut shell, ["10", "20"]);
    assert_eq!(limit()?, "20");
    // Another process of the node has a higher limit: the fault is in force there, and here nothing
    // changes, neither then nor at its end.
    let other = n1.command("sleep").arg("1000").spawn()?;
    let fault = lab.inject(Fault::descriptors("n1", 21))?;
    assert_eq!(limit()?, "20");
    fault.heal()?;
    assert_eq!(limit()?, "20");
    let fault = lab.inject(Fault::descriptors("n1", 10))?;
    assert_eq!(limit()?, "10");
    fault.heal()?;
    assert_eq!(limit()?, "20");
    drop(other);
    Ok(())
}

#[snowglobe::test]
fn a_node_runs_out_of_memory_and_recovers() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    // A child has the limits of its parent, and perl asks for 64 MB at once.
    let script = format!(
        "while read line; do perl -e '{}' || echo refused; done",
        "my $x = 'x' x (64 << 20); print \"got\\n\""
    );
    let mut shell = ready_shell(n1, &format!("echo ready; {script}"))?;
    let mut ask = || answer(&mut shell, ["got", "refused"]);
    assert_eq!(ask()?, "got");
    let fault = lab.inject(Fault::memory("n1", 1024))?;
    assert_eq!(ask()?, "refused");
    fault.heal()?;
    assert_eq!(ask()?, "got");
    Ok(())
}

/// perl ends by itself where it gets no memory, as programs of Rust and Go do.
#[snowglobe::test]
fn a_program_that_ends_for_want_of_memory_is_started_again_by_the_heal() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "$| = 1; print \"ready\\n\"; sleep 1 until -e '/tmp/go'; unlink '/tmp/go'; \
                  my $x = 'x' x (64 << 20); print \"got\\n\"; sleep 1000";
    let hungry = n1.command("perl").args(["-e", script]).spawn()?;
    hungry.wait_for_log("ready")?;
    let mut events = lab.events();
    let fault = lab.inject(Fault::memory("n1", 1024))?;
    n1.command("touch").arg("/tmp/go").status()?;
    events.wait_for("the end of perl", |event| {
        event.kind.to_string().contains("`perl` (pid ") && event.kind.to_string().contains("exited")
    })?;
    fault.heal()?;
    events.wait_for("the second start", |event| {
        let text = event.kind.to_string();
        text.starts_with("`perl`") && text.ends_with("was started")
    })?;
    // The end of the first one fails nobody: nothing waits for it.
    drop(hungry);
    Ok(())
}

#[snowglobe::test]
fn a_restart_is_a_fault_without_a_heal() -> TestResult {
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("n1").command(["sleep", "1000"]));
    let lab = topology.start()?;
    let before = lab.node("n1").ok_or("no n1")?.pid();
    let restart = lab.inject(Fault::restart("n1"))?;
    assert_ne!(lab.node("n1").ok_or("no n1")?.pid(), before);
    restart.heal()?;
    Ok(())
}
