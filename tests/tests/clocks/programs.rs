//! Programs that read the time in every way there is see the clock of their node.

use snowglobe::Lab;
use snowglobe::fault::{ClockFault, Fault, TimeShift};
use snowglobe::lab::{LabErrorKind, Node};
use snowglobe::prelude::*;

use crate::reader::{Reader, seconds};

/// Reads the time by system calls that no library makes: `clock_gettime` of two clocks,
/// `gettimeofday` and `time`, whose numbers are those of x86-64.
const RAW: &str = r#"
    for my $clock (0, 5) {
        my $two = pack("q2", 0, 0);
        syscall(228, $clock, $two) == 0 or die "clock_gettime: $!";
        print +(unpack "q2", $two)[0], "\n";
    }
    my $two = pack("q2", 0, 0);
    syscall(96, $two, 0) == 0 or die "gettimeofday: $!";
    print +(unpack "q2", $two)[0], "\n", syscall(201, 0), "\n";
"#;

/// A process forks before and after the clock is changed, and the children tell what they see.
const CHILDREN: &str = r#"
    $| = 1;
    pipe(my $wait, my $go);
    if (!fork) { close $go; <$wait>; print time, "\n"; exit }
    print "ready\n";
    <STDIN>;
    if (!fork) { print time, "\n"; exit }
    wait;
    close $go;
    wait;
    system("perl", "-e", "print time, qq(\\n)") == 0 or die;
"#;

/// Returns the fault that puts a clock this many seconds back.
pub(crate) fn behind(node: &str, seconds: u64) -> Fault {
    let shift = TimeShift::behind(Duration::from_secs(seconds));
    Fault::clock(node, ClockFault::Offset(shift))
}

/// Returns a lab of a node whose clock may be wrong, and another one.
pub(crate) fn pair() -> TestResult<Lab> {
    let mut topology = Topology::new();
    let wrong = topology.node(NodeSpec::new("wrong").faulty_clock());
    let right = topology.node("right");
    topology.link(wrong, right);
    Ok(topology.start()?)
}

/// Returns the times that a program prints, as differences from the time of the test.
fn differences(node: &Node, fixture: &str, program: &str, args: &[&str]) -> TestResult<Vec<f64>> {
    let program = Fixture::find(fixture)?.command(program)?;
    let output = node.command_like(&program).args(args).output()?;
    if !output.status.success() {
        return Err(output.stderr_str().into());
    }
    let text = output.stdout_str();
    let now = seconds();
    text.lines()
        .map(|line| Ok(line.trim().parse::<f64>()? - now))
        .collect()
}

/// Programs start within so many seconds, however busy the machine is, and print whole seconds.
const SLACK: f64 = 30.0;

fn is_about(difference: f64, expected: f64) -> bool {
    (difference - expected).abs() < SLACK
}

#[snowglobe::test(fixtures("perl", "busybox"), timeout = "90s")]
fn programs_see_the_clock_of_their_node_however_they_read_it() -> TestResult {
    let lab = pair()?;
    let (wrong, right) = (lab.node("wrong").unwrap(), lab.node("right").unwrap());
    let fault = lab.inject(behind("wrong", 3600))?;
    let programs: [(&str, &str, &[&str]); 4] = [
        // A static program of glibc.
        ("busybox", "busybox", &["date", "+%s"]),
        // The vDSO by libc.
        ("perl", "perl", &["-e", "print time, qq(\n)"]),
        (
            "perl",
            "perl",
            &["-MTime::HiRes", "-e", "print Time::HiRes::time, qq(\n)"],
        ),
        ("perl", "perl", &["-e", RAW]),
    ];
    for (fixture, program, args) in programs {
        let seen = differences(wrong, fixture, program, args)?;
        assert!(!seen.is_empty());
        for difference in seen {
            assert!(is_about(difference, -3600.0), "{args:?}: {difference}");
        }
        for difference in differences(right, fixture, program, args)? {
            assert!(is_about(difference, 0.0), "{args:?}: {difference}");
        }
    }
    assert!(is_about(Reader::start(wrong)?.read()?.ahead, -3600.0));
    fault.heal()?;
    for (fixture, program, args) in programs {
        for difference in differences(wrong, fixture, program, args)? {
            assert!(is_about(difference, 0.0), "{args:?}: {difference}");
        }
    }
    Ok(())
}

#[snowglobe::test(fixtures("perl"), timeout = "60s")]
fn children_of_a_program_see_its_clock() -> TestResult {
    let lab = pair()?;
    let perl = Fixture::find("perl")?.command("perl")?;
    let node = lab.node("wrong").unwrap();
    let mut parent = node
        .command_like(&perl)
        .args(["-e", CHILDREN])
        .stdin(snowglobe::lab::Stdio::piped())
        .spawn()?;
    parent.wait_for_log("ready")?;
    let _fault = lab.inject(behind("wrong", 7200))?;
    drop(parent.stdin.take());
    assert!(parent.wait()?.success());
    let now = seconds();
    let times: Vec<f64> = parent
        .lines()
        .filter_map(|line| line.text.trim().parse().ok())
        .collect();
    assert_eq!(times.len(), 3, "{times:?}");
    for time in times {
        assert!(is_about(time - now, -7200.0), "{}", time - now);
    }
    Ok(())
}

#[snowglobe::test(fixtures("perl"), timeout = "60s")]
fn programs_of_other_users_see_the_clock() -> TestResult {
    let lab = pair()?;
    let perl = Fixture::find("perl")?.command("perl")?;
    let node = lab.node("wrong").unwrap();
    let _fault = lab.inject(behind("wrong", 3600))?;
    for (uid, gid) in [(0, 0), (65534, 65534), (1234, 1234)] {
        let output = node
            .command_like(&perl)
            .args(["-e", "print time, qq( $<\n)"])
            .user(uid, gid)
            .output()?;
        let said = output.stdout_str();
        let (time, user) = said.trim().split_once(' ').ok_or("no answer")?;
        assert_eq!(user, uid.to_string());
        assert!(
            is_about(time.parse::<f64>()? - seconds(), -3600.0),
            "{said}"
        );
    }
    Ok(())
}

/// Asks for the time by system calls until it is killed.
const CEASELESS: &str = r#"
    $| = 1;
    print "reads\n";
    my $two = pack("q2", 0, 0);
    while (1) { syscall(228, 0, $two) == 0 or die "clock_gettime: $!" }
"#;

#[snowglobe::test(fixtures("perl", "busybox"), timeout = "60s")]
fn a_program_that_reads_ceaselessly_leaves_all_processors_to_others() -> TestResult {
    let lab = pair()?;
    let (wrong, right) = (lab.node("wrong").unwrap(), lab.node("right").unwrap());
    let perl = Fixture::find("perl")?.command("perl")?;
    let busybox = Fixture::find("busybox")?.command("busybox")?;
    let processors = |node: &Node| -> TestResult<String> {
        let output = node.command_like(&busybox).arg("nproc").output()?;
        assert!(output.status.success(), "{output:?}");
        Ok(output.stdout_str())
    };
    let mut reader = wrong.command_like(&perl).args(["-e", CEASELESS]).spawn()?;
    reader.wait_for_log("reads")?;
    let all = processors(right)?;
    // The tracer, which starts these programs, keeps to the processor of the reader meanwhile.
    for _ in 0..30 {
        assert_eq!(processors(wrong)?, all);
    }
    reader.kill()?;
    Ok(())
}

/// Returns a program of 32 bits that ends at once: headers as elf(5) has them, and `_exit(0)`.
fn program_of_32_bits() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    let code = [0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80];
    let (headers, length) = (52 + 32, 52 + 32 + code.len() as u32);
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // An executable for the 80386.
    file.extend([2, 0, 3, 0]);
    for word in [1, BASE + headers, 52, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for half in [52_u16, 32, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // One segment, which can be read and executed.
    for word in [1, 0, BASE, BASE, length, length, 5, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

#[snowglobe::test(timeout = "60s")]
fn programs_that_are_not_reached_are_named() -> TestResult {
    let lab = pair()?;
    let node = lab.node("wrong").unwrap();
    node.run(|| -> TestResult {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write("/tmp/old", program_of_32_bits())?;
        std::fs::set_permissions("/tmp/old", std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    })?;
    let fault = lab.inject(behind("wrong", 3600))?;
    match node.command("/tmp/old").status() {
        Ok(status) => assert!(status.success(), "{status}"),
        // A kernel without CONFIG_IA32_EMULATION runs no such program.
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(nix::libc::ENOEXEC), "{error}");
            return Ok(());
        }
    }
    let error = fault.heal().unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    assert!(
        error.to_string().contains("clock of the machine: old"),
        "{error}"
    );
    // The clock is right again for the others, and the next fault begins anew.
    assert!(is_about(Reader::start(node)?.read()?.ahead, 0.0));
    lab.inject(behind("wrong", 3600))?.heal()?;
    Ok(())
}
