//! A machine that hangs must not hang its user: qemu runs with time limits, and is heard over three
//! ports.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use snowglobe_fixtures::Fixture;
use tempfile::TempDir;

use super::command::Guest;
use super::initramfs::{self, KernelImage};

/// Longest time until the command runs, on however slow a machine.
const BOOT: Duration = Duration::from_secs(180);
/// Longest time until qemu ends once the machine has switched itself off.
const END: Duration = Duration::from_secs(20);
/// Longest time of the probe for KVM, under which a boot sector runs in a tenth of it.
const PROBE: Duration = Duration::from_secs(3);
/// Number of times that a machine is booted whose kernel hangs: Debian's 6.1 does so now and then
/// under netem and emulation, on a busy host (one of some 25 runs of the suite `wires`, 2026-11).
const BOOTS: u32 = 2;
/// Options of qemu for the processors of a machine.
const PROCESSORS: [&str; 4] = ["-cpu", "max", "-smp", "2"];
/// Exit status of qemu if the probe's boot sector ran.
const ALIVE: i32 = 33;

/// The parts of a machine.
pub(super) struct VirtualMachine {
    qemu: Fixture,
    busybox: Fixture,
    kernel: KernelImage,
    memory: u32,
    timeout: Duration,
}

/// An event that the machine reports.
enum Event {
    Ready(String),
    Failed(String),
    Exit(u8),
}

/// An end of a machine without the end of its command.
#[derive(Debug)]
struct MachineFailure {
    why: String,
    /// Whether the kernel of the machine hangs, whatever the command is.
    is_hung: bool,
}

impl From<String> for MachineFailure {
    fn from(why: String) -> Self {
        let is_hung = false;
        Self { why, is_hung }
    }
}

impl VirtualMachine {
    /// Finds the parts in the fixtures.
    pub(super) fn find(memory: u32, timeout: Duration) -> Result<Self, String> {
        let missing = Fixture::missing(["qemu", "linux", "busybox"]);
        if !missing.is_empty() {
            let lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
            return Err(lines.join("\nerror: "));
        }
        let find = |name| Fixture::find(name).map_err(|error| error.to_string());
        Ok(Self {
            qemu: find("qemu")?,
            busybox: find("busybox")?,
            kernel: KernelImage::find(find("linux")?.path())?,
            memory,
            timeout,
        })
    }

    /// Boots, passes the output on, and returns the command's exit code. A machine whose kernel
    /// hangs is booted again.
    pub(super) fn run(&self, guest: &Guest) -> Result<u8, String> {
        let mut boots = 1;
        loop {
            match self.run_once(guest) {
                Ok(code) => return Ok(code),
                Err(MachineFailure { why, is_hung: true }) if boots < BOOTS => {
                    eprintln!("vm: {why}\nvm: the command runs again, in a machine of its own");
                    boots += 1;
                }
                Err(MachineFailure { why, is_hung: _ }) => return Err(why),
            }
        }
    }

    fn run_once(&self, guest: &Guest) -> Result<u8, MachineFailure> {
        let start = Instant::now();
        let place = TempDir::with_prefix("snowglobe-vm-")
            .map_err(|e| format!("cannot make a directory: {e}"))?;
        let accelerator = self.accelerator(place.path())?;
        let busybox = self
            .busybox
            .program("busybox")
            .map_err(|error| error.to_string())?;
        let archive = initramfs::make(&self.kernel, &busybox, guest)?;
        let initramfs = place.path().join("initramfs");
        fs::write(&initramfs, archive)
            .map_err(|e| format!("cannot write `{}`: {e}", initramfs.display()))?;
        eprintln!(
            "vm: booting Linux {} under {accelerator}",
            self.kernel.release
        );

        let (sender, events) = mpsc::channel();
        let out = listen(place.path(), "out", |stream| copy(stream, io::stdout()))?;
        let err = listen(place.path(), "err", |stream| copy(stream, io::stderr()))?;
        listen(place.path(), "control", move |stream| hear(stream, &sender))?;
        let mut qemu = RunningMachine(self.boot(place.path(), accelerator)?);
        let console = place.path().join("console");
        let outcome = self.watch(&mut qemu, &events, &console, start);
        if outcome.is_ok() {
            qemu.wait(END);
        }
        drop(qemu);
        if outcome.is_ok() {
            // The threads end by themselves, for the other ends of their ports are gone with qemu.
            let _ = (out.join(), err.join());
        }
        outcome.map_err(|mut failure| {
            failure.why += &last_words(place.path());
            failure
        })
    }

    /// Waits for the events of the machine, within the time limits.
    fn watch(
        &self,
        qemu: &mut RunningMachine,
        events: &Receiver<Event>,
        console: &Path,
        start: Instant,
    ) -> Result<u8, MachineFailure> {
        let mut deadline = start + BOOT;
        let mut ready = false;
        loop {
            match events.recv_timeout(Duration::from_millis(200)) {
                Ok(Event::Ready(release)) => {
                    let seconds = start.elapsed().as_secs_f64();
                    eprintln!("vm: Linux {release} is up after {seconds:.1} s");
                    (ready, deadline) = (true, start + self.timeout);
                }
                Ok(Event::Failed(what)) => {
                    return Err(format!("the machine could not {what}").into());
                }
                Ok(Event::Exit(code)) => {
                    let seconds = start.elapsed().as_secs_f64();
                    eprintln!("vm: the command ended with {code} after {seconds:.1} s");
                    return Ok(code);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = qemu.wait(END);
                    let status =
                        status.map_or("still runs".to_owned(), |status| status.to_string());
                    return Err(format!(
                        "the machine went down before the command ended (qemu: {status})"
                    )
                    .into());
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A qemu that could not even start never opens the ports.
                    if let Some(status) = qemu.ended().filter(|_| !ready) {
                        let why = format!("qemu ended before the machine was up ({status})");
                        return Err(why.into());
                    }
                    let console = fs::read(console).unwrap_or_default();
                    if is_locked_up(&String::from_utf8_lossy(&console)) {
                        let why = "the kernel of the machine hangs".to_owned();
                        let is_hung = true;
                        return Err(MachineFailure { why, is_hung });
                    }
                }
            }
            if Instant::now() > deadline {
                return Err(if ready {
                    format!(
                        "the command did not end within {} s; allow more with --timeout",
                        self.timeout.as_secs()
                    )
                } else {
                    format!("the machine was not up within {} s", BOOT.as_secs())
                }
                .into());
            }
        }
    }

    fn boot(&self, place: &Path, accelerator: &str) -> Result<Child, String> {
        let mut command = self.qemu()?;
        let path = |name: &str| place.join(name).display().to_string();
        command.args(["-accel", accelerator]).args(PROCESSORS);
        command.args([
            "-m",
            &self.memory.to_string(),
            "-no-reboot",
            "-rtc",
            "base=utc",
        ]);
        command.arg("-kernel").arg(&self.kernel.image);
        command.args(["-initrd", &path("initramfs")]);
        command.args([
            "-append",
            "console=ttyS0 panic=-1 quiet mitigations=off random.trust_cpu=on audit=0",
        ]);
        command.args(["-serial", &format!("file:{}", path("console"))]);
        command.args([
            "-fsdev",
            "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        ]);
        command.args(["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]);
        command.args(["-device", "virtio-serial-pci"]);
        for port in ["control", "out", "err"] {
            command.args(["-chardev", &format!("socket,id={port},path={}", path(port))]);
            command.args([
                "-device",
                &format!("virtserialport,chardev={port},name={port}"),
            ]);
        }
        let log = fs::File::create(place.join("qemu"))
            .map_err(|e| format!("cannot write qemu's log: {e}"))?;
        command
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start qemu: {e}"))
    }

    /// Returns the command for qemu with the options that every use has.
    fn qemu(&self) -> Result<Command, String> {
        let mut command = self
            .qemu
            .command("qemu-system-x86_64")
            .map_err(|e| e.to_string())?;
        let root = self.qemu.path();
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(root.join(data));
        }
        command.env(
            "QEMU_MODULE_DIR",
            root.join("usr/lib/x86_64-linux-gnu/qemu"),
        );
        command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }

    /// Finds out whether KVM works by running eleven bytes under it, on the same processors. A
    /// device that exists may still not run anything, or not all that a processor is said to have.
    fn accelerator(&self, place: &Path) -> Result<&'static str, String> {
        const TCG: &str = "tcg";
        let kvm = fs::File::options().read(true).write(true).open("/dev/kvm");
        if kvm.is_err() {
            return Ok(TCG);
        }
        // The code is: mov dx, 0xf4; mov al, 0x10; out dx, al; hlt; jmp to the hlt.
        let mut sector = vec![0xba, 0xf4, 0, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd];
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        let disk = place.join("probe");
        fs::write(&disk, sector).map_err(|e| format!("cannot write `{}`: {e}", disk.display()))?;
        let mut command = self.qemu()?;
        command
            .args(["-accel", "kvm", "-no-reboot"])
            .args(PROCESSORS);
        command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        command.args([
            "-drive",
            &format!("if=ide,format=raw,file={}", disk.display()),
        ]);
        let child = command.stderr(Stdio::null()).spawn();
        let mut qemu =
            RunningMachine(child.map_err(|error| format!("cannot start qemu: {error}"))?);
        let alive = qemu
            .wait(PROBE)
            .is_some_and(|status| status.code() == Some(ALIVE));
        Ok(if alive { "kvm" } else { TCG })
    }
}

/// A process of qemu, which is killed when it is dropped.
struct RunningMachine(Child);

impl RunningMachine {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for RunningMachine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Stream = std::os::unix::net::UnixStream;

/// Serves the one connection that qemu makes to this port.
fn listen(
    place: &Path,
    name: &str,
    serve: impl FnOnce(Stream) + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let path = place.join(name);
    let listener = UnixListener::bind(&path)
        .map_err(|e| format!("cannot listen on `{}`: {e}", path.display()))?;
    Ok(thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            serve(stream);
        }
    }))
}

/// Passes bytes on as they come.
fn copy(mut from: Stream, mut to: impl Write) {
    let mut buffer = [0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to
            .write_all(&buffer[..length])
            .and_then(|()| to.flush())
            .is_err()
        {
            break;
        }
    }
}

fn hear(stream: Stream, events: &Sender<Event>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let event = match line.split_once(' ') {
            Some(("ready", release)) => Event::Ready(release.to_owned()),
            Some(("failed", what)) => Event::Failed(what.to_owned()),
            Some(("exit", code)) => Event::Exit(code.parse().unwrap_or(1)),
            _ => continue,
        };
        if events.send(event).is_err() {
            break;
        }
    }
}

/// Seconds without a switch of tasks after which a processor is taken for one that hangs. An
/// emulated processor that only waits for a busy host has a few.
const LOCKED_UP: u64 = 90;

/// Returns whether the kernel has written to its console that a processor hangs
/// (kernel/watchdog.c: `watchdog: BUG: soft lockup - CPU#1 stuck for 398s! [ksoftirqd/1:21]`).
fn is_locked_up(console: &str) -> bool {
    let stuck = console.lines().filter_map(|line| {
        let (_, rest) = line.split_once("BUG: soft lockup - CPU#")?;
        let (_, rest) = rest.split_once(" stuck for ")?;
        rest.split_once("s!")?.0.parse::<u64>().ok()
    });
    stuck.max().is_some_and(|seconds| seconds >= LOCKED_UP)
}

/// Returns the last lines that qemu and the kernel wrote.
fn last_words(place: &Path) -> String {
    let mut text = String::new();
    for (name, whose) in [("qemu", "qemu"), ("console", "the machine's console")] {
        let log = fs::read(place.join(name)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).replace('\r', "");
        let lines: Vec<&str> = log.lines().collect();
        if !lines.is_empty() {
            text += &format!("\nthe last lines of {whose}:\n");
            text += &lines[lines.len().saturating_sub(30)..].join("\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::is_locked_up;

    #[test]
    fn a_processor_that_never_comes_back_is_told_from_one_that_waits() {
        let line = |seconds: u64| {
            format!(
                "[   40.1] quiet\n[  436.625301] watchdog: BUG: soft lockup - CPU#1 stuck for \
                 {seconds}s! [ksoftirqd/1:21]\n"
            )
        };
        assert!(is_locked_up(&line(398)));
        assert!(!is_locked_up(&line(22)));
        assert!(!is_locked_up("[    1.0] Linux version 6.1\n"));
    }
}
