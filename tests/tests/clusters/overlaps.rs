//! Faults that overlap: what several hold goes on when the last of them lets go, in whatever order
//! they end.

use std::thread;
use std::time::Instant;

use snowglobe::Lab;
use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::fault::{Fault, Schedule};
use snowglobe::lab::{Node, Point, Process, Stdio};
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

use crate::{MS, nodes, stat, tell};

const LOOP: &str = "echo ready; n=0; while read line; do n=$((n+1)); echo $line $n; done";

fn shell(node: &Node, name: &str) -> TestResult<Process> {
    let mut command = node.command("sh");
    command.arg0(name).args(["-c", LOOP]).stdin(Stdio::piped());
    let process = command.spawn()?;
    process.wait_for_log("ready")?;
    Ok(process)
}

/// Waits until a program stands still: a signal stops it when it has a processor to notice.
fn stands(lab: &Lab, node: &Node, process: &Process) -> TestResult {
    lab.wait_until(|| match stat(node, process) {
        Ok(state) if state.contains(") T ") => Ok(()),
        Ok(state) => Err(state),
        Err(error) => Err(error.to_string()),
    })?;
    Ok(())
}

/// Asks a shell for an answer and waits for it.
fn answers(process: &mut Process, text: &str) -> TestResult {
    tell(process, text)?;
    process.wait_for_log(&format!("{text} "))?;
    Ok(())
}

/// Puts two faults in force, heals them in both orders, and looks meanwhile whether `one` stands.
fn last_heal_decides(lab: &Lab, faults: [Fault; 2]) -> TestResult {
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut one = shell(n1, "one")?;
    for (turn, first) in [0, 1].into_iter().enumerate() {
        let mut guards = Vec::new();
        for fault in &faults {
            guards.push(lab.inject(fault.clone())?);
        }
        stands(lab, n1, &one)?;
        guards.remove(first).heal()?;
        stands(lab, n1, &one)?;
        guards.remove(0).heal()?;
        answers(&mut one, &format!("turn-{turn}"))?;
    }
    one.kill()?;
    Ok(())
}

#[snowglobe::test]
fn two_pauses_of_a_program_end_with_the_last_heal() -> TestResult {
    let lab = nodes(1)?;
    let pause = Fault::pause_program("n1", "one");
    last_heal_decides(&lab, [pause.clone(), pause])
}

#[snowglobe::test]
fn a_paused_program_stays_paused_when_its_node_goes_on_and_the_other_way_round() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut two = shell(n1, "two")?;
    let faults = [Fault::pause_program("n1", "one"), Fault::pause("n1")];
    last_heal_decides(&lab, faults)?;
    // The others of the node go on with it.
    let one = shell(n1, "one")?;
    let program = lab.inject(Fault::pause_program("n1", "one"))?;
    let node = lab.inject(Fault::pause("n1"))?;
    node.heal()?;
    answers(&mut two, "alone")?;
    stands(&lab, n1, &one)?;
    // So does the node that the test resumes by itself.
    n1.pause()?;
    n1.resume()?;
    answers(&mut two, "again")?;
    stands(&lab, n1, &one)?;
    program.heal()?;
    Ok(())
}

#[snowglobe::test]
fn a_point_does_not_let_a_program_go_on_that_a_fault_holds() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut one = shell(n1, "one")?;
    let point = one.pause_when(Point::line("halt"))?;
    tell(&mut one, "halt")?;
    point.wait()?;
    let pause = lab.inject(Fault::pause_program("n1", "one"))?;
    point.go_on();
    stands(&lab, n1, &one)?;
    pause.heal()?;
    answers(&mut one, "on")?;
    let point = one.pause_when(Point::line("halt"))?;
    tell(&mut one, "halt")?;
    point.wait()?;
    let pause = lab.inject(Fault::pause("n1"))?;
    pause.heal()?;
    stands(&lab, n1, &one)?;
    point.go_on();
    answers(&mut one, "off")?;
    Ok(())
}

#[snowglobe::test]
fn a_slow_node_runs_nothing_that_is_paused() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut one = shell(n1, "one")?;
    for pause in [Fault::pause("n1"), Fault::pause_program("n1", "one")] {
        let slow = lab.inject(Fault::slow("n1", Percent(80.0)))?;
        let pause = lab.inject(pause)?;
        let before = one.log().len();
        tell(&mut one, "hello")?;
        // Several periods of the slow node, in each of which it would let the program run.
        thread::sleep(300 * MS);
        assert_eq!(one.log().len(), before, "under {:?}", pause.fault());
        pause.heal()?;
        lab.wait_until(|| one.log().len() > before)?;
        slow.heal()?;
    }
    Ok(())
}

/// A node that the test itself has paused stays paused when a fault of its own ends.
#[snowglobe::test]
fn a_heal_does_not_resume_what_the_test_has_paused() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut one = shell(n1, "one")?;
    n1.pause()?;
    lab.inject(Fault::pause("n1"))?.heal()?;
    stands(&lab, n1, &one)?;
    n1.resume()?;
    answers(&mut one, "on")?;
    // A restart makes new processes, which nobody has paused.
    n1.pause()?;
    n1.restart()?;
    let mut again = shell(n1, "again")?;
    lab.inject(Fault::pause("n1"))?.heal()?;
    answers(&mut again, "on")?;
    Ok(())
}

#[snowglobe::test]
fn of_several_limits_the_lowest_holds_and_the_last_heal_gives_back_all() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let shell = shell(n1, "one")?;
    let limits = || -> TestResult<[u64; 2]> {
        let path = format!("/proc/{}/limits", shell.id());
        let text = n1.command("cat").arg(path).output()?.stdout_str();
        let soft = |name: &str| -> TestResult<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let soft = line.and_then(|line| line.split_whitespace().next());
            Ok(match soft.ok_or("no such limit")? {
                "unlimited" => u64::MAX,
                number => number.parse()?,
            })
        };
        Ok([soft("Max open files")?, soft("Max data size")?])
    };
    let [files, data] = limits()?;
    for [low, high] in [[20, 30], [30, 20]] {
        for first in [0, 1] {
            let mut guards = vec![
                lab.inject(Fault::descriptors("n1", low))?,
                lab.inject(Fault::descriptors("n1", high))?,
            ];
            assert_eq!(limits()?, [20, data]);
            // A fault of another kind has its own limit.
            let memory = lab.inject(Fault::memory("n1", 1024))?;
            guards.remove(first).heal()?;
            let left = [high, low][first];
            assert_eq!(limits()?[0], left, "{low} and {high}, without {first}");
            assert_ne!(limits()?[1], data);
            guards.remove(0).heal()?;
            assert_eq!(limits()?[0], files, "{low} and {high}");
            memory.heal()?;
            assert_eq!(limits()?, [files, data]);
        }
    }
    Ok(())
}

/// A program that a lack of memory has ended is no surprise to a fault that stops its node next.
#[snowglobe::test]
fn a_program_without_memory_may_end_before_its_node_is_stopped() -> TestResult {
    // perl ends by itself where it gets no memory.
    let script = "$| = 1; print \"ready\\n\"; sleep 1 until -e '/tmp/go'; \
                  my $x = 'x' x (64 << 20); sleep 1000";
    let hungry = StartCommand::new("perl").args(["-e", script]);
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("n1").command(hungry.ready_log("ready")));
    let lab = topology.start()?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut events = lab.events();
    let mut next = |end: &str| {
        events.wait_for(end, |event| {
            let text = event.kind.to_string();
            text.starts_with("`perl`") && text.contains(end)
        })
    };
    let stop = [
        Fault::crash("n1"),
        Fault::kill_processes("n1"),
        Fault::restart("n1"),
    ];
    for (stop, memory_first) in stop.iter().flat_map(|it| [(it, false), (it, true)]) {
        next("was started")?;
        let memory = lab.inject(Fault::memory("n1", 1024))?;
        n1.command("touch").arg("/tmp/go").status()?;
        next("exited")?;
        let stop = lab.inject(stop.clone())?;
        let [first, second] = if memory_first {
            [memory, stop]
        } else {
            [stop, memory]
        };
        first.heal()?;
        second.heal()?;
    }
    next("was started")?;
    Ok(())
}

/// A schedule heals a crash at the moment at which the test, or another schedule, restarts the
/// node: its commands run once, and nobody is surprised by the ends of others.
#[snowglobe::test]
fn a_node_that_several_start_again_at_once_runs_its_commands_once() -> TestResult {
    let mut topology = Topology::new();
    let serve = StartCommand::new("sh").args(["-c", "echo serves; exec sleep 1000"]);
    let n1 = topology.node(NodeSpec::new("n1").command(serve.ready_log("serves")));
    let lab = topology.start()?;
    thread::scope(|scope| -> TestResult {
        let crashes = [Fault::crash("n1"), Fault::kill_processes("n1")].map(|fault| {
            let lab = &lab;
            scope.spawn(move || (0..10).try_for_each(|_| lab.inject(fault.clone())?.heal()))
        });
        for _ in 0..10 {
            lab[n1].restart()?;
            // A program that is being started when the node is stopped.
            let _ = lab[n1].command("sleep").arg("2000").spawn();
        }
        for thread in crashes {
            thread.join().map_err(|_| "a thread has panicked")??;
        }
        Ok(())
    })?;
    assert!(lab[n1].is_running());
    // The shell becomes the other program a moment after its start.
    let is_command = |name: &&String| name.starts_with("sh -c") || *name == "sleep 1000";
    lab.wait_until(|| -> Result<(), String> {
        let inspection = lab.inspect(n1).map_err(|error| error.to_string())?;
        let running = inspection.processes.iter();
        let names: Vec<String> = running.map(|it| it.cmdline.join(" ")).collect();
        match names.iter().filter(is_command).count() {
            1 => Ok(()),
            _ => Err(format!("{names:?}")),
        }
    })?;
    Ok(())
}

/// Waits until there is another first process than before.
fn starts_anew(lab: &Lab, node: &Node, before: Option<u32>) -> TestResult {
    lab.wait_until(|| match node.pid() {
        Some(pid) if Some(pid) != before => Ok(()),
        other => Err(format!("first process {other:?}")),
    })?;
    Ok(())
}

#[snowglobe::test]
fn a_heal_does_not_wait_for_a_restart_whose_node_was_stopped() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let server = topology.node(NodeSpec::new("server").dhcp(DhcpSpec::new()));
    let client = topology.node(NodeSpec::new("client").addresses(AddressSource::Dhcp));
    topology.plug(server, lan);
    topology.plug(client, lan);
    let lab = topology.start()?;
    // No server answers the restart.
    let silence = lab.inject(Fault::pause("server"))?;
    let before = lab[client].pid();
    thread::scope(|scope| -> TestResult {
        let restart = scope.spawn(|| lab[client].restart());
        starts_anew(&lab, &lab[client], before)?;
        let crash = lab.inject(Fault::crash("client"))?;
        let begin = Instant::now();
        restart.join().unwrap()?;
        // An answer takes the patience of the lab, which is 10 s.
        assert!(begin.elapsed() < 5000 * MS, "{:?}", begin.elapsed());
        silence.heal()?;
        crash.heal()?;
        assert!(lab[client].is_running() && lab[client].ipv4().is_some());
        Ok(())
    })
}

#[snowglobe::test]
fn a_node_may_be_removed_while_a_fault_of_it_heals() -> TestResult {
    for round in 0..8 {
        let mut lab = nodes(4)?;
        let mut schedule = Schedule::new();
        for n in 1..=4 {
            let name = format!("n{n}");
            let fault = Fault::kill_processes(name);
            schedule = schedule.then(Duration::ZERO, (5 + round) * MS, fault);
        }
        let run = lab.run_schedule(&schedule)?;
        for name in ["n1", "n2", "n3", "n4"] {
            let id = lab.node(name).ok_or("no such node")?.id();
            lab.remove_node(id)?;
        }
        run.wait()?;
    }
    Ok(())
}
