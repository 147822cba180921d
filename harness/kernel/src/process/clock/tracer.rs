//! The tracer: gives programs another time of day.

use std::collections::HashMap;

use nix::errno::Errno;

use super::linear::LinearClock;
use super::stub;
use super::tracee::Tracee;
use super::vdso::Patch;

/// Gives programs, and all that they start, a time of day of their own.
///
/// A tracer is a thread, and all its calls are made on that thread. It must hear of each stop
/// ([`next_stop`](crate::process::next_stop)), for a traced process waits for it.
pub struct ClockTracer {
    patch: Patch,
    clock: LinearClock,
    /// Where the vDSO is, by process or thread that has asked for the time by a system call.
    vdso: HashMap<i32, Option<u64>>,
    /// Programs that see the machine's time of day.
    unreached: Vec<String>,
}

impl ClockTracer {
    /// Makes a tracer whose programs see the machine's time of day, at first.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the vDSO is not one that can be changed.
    pub fn new() -> crate::Result<Self> {
        Ok(Self {
            patch: Patch::for_this_kernel()?,
            clock: LinearClock::TRUE,
            vdso: HashMap::new(),
            unreached: Vec::new(),
        })
    }

    /// Traces a child that is about to execute a program and has called
    /// [`trace_clock_calls`](crate::process::seccomp::trace_clock_calls), or will.
    ///
    /// # Errors
    /// `EPERM` where another process traces the child, or the kernel permits no traces
    /// (`kernel.yama.ptrace_scope`, a filter on system calls).
    pub fn follow(&self, pid: i32) -> crate::Result<()> {
        Tracee(pid).seize()
    }

    /// Sets the clock of all programs; `processes` are those that run.
    pub fn set(&mut self, clock: LinearClock, processes: &[i32]) {
        self.clock = clock;
        for pid in processes {
            self.tell(Tracee(*pid));
        }
    }

    /// Returns the programs that have not been reached since the last call.
    pub fn take_unreached(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unreached)
    }

    /// Handles a stop of a traced process or thread, which goes on afterwards. Returns whether the
    /// stop was a system call that asks for the time.
    pub fn handle_stop(&mut self, id: i32, code: i32) -> bool {
        let tracee = Tracee(id);
        let (signal, event) = (code & 0xff, code >> 8);
        match event {
            libc::PTRACE_EVENT_EXEC => {
                self.vdso.remove(&id);
                if self.change(tracee).is_err() {
                    let name = tracee.name();
                    if !self.unreached.contains(&name) {
                        self.unreached.push(name);
                    }
                }
                tracee.go_on(0);
            }
            libc::PTRACE_EVENT_SECCOMP => {
                // A process that was killed meanwhile needs no answer.
                let _ = self.answer(tracee);
                tracee.go_on(0);
            }
            libc::PTRACE_EVENT_STOP => match signal {
                // A stop by a signal lasts until SIGCONT (ptrace(2), PTRACE_LISTEN).
                libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => {
                    tracee.stay_stopped();
                }
                _ => {
                    // The thread id may have been that of another thread before.
                    self.vdso.remove(&id);
                    // A new process is a copy that may be older than the last change of the clock.
                    self.tell(tracee);
                    tracee.go_on(0);
                }
            },
            // A signal is on its way to the process.
            0 => tracee.go_on(signal),
            // This is a fork or clone: the new process or thread has a stop of its own.
            _ => tracee.go_on(0),
        }
        event == libc::PTRACE_EVENT_SECCOMP
    }

    /// Changes the vDSO of a program that has run no instruction.
    fn change(&self, tracee: Tracee) -> crate::Result<()> {
        // Programs of 32 bits have another vDSO, and calls with other numbers.
        if !Tracee::has_64_bits(&tracee.registers()?) {
            return Err(Errno::EOPNOTSUPP);
        }
        // A program without a vDSO makes system calls.
        let Some(base) = tracee.vdso() else {
            return Ok(());
        };
        let memory = tracee.memory()?;
        // Offsets are those of our own vDSO, so the program must have the same.
        if !memory.holds(base, &self.patch.image) {
            return Err(Errno::EOPNOTSUPP);
        }
        for (offset, bytes) in self.patch.of_new(&self.clock) {
            memory.write(base + offset as u64, &bytes)?;
        }
        Ok(())
    }

    /// Tells a process that runs the clock that holds now.
    fn tell(&self, tracee: Tracee) {
        // A process that is gone, or has not executed anything yet, has nothing to be told.
        let _ = self.try_tell(tracee);
    }

    fn try_tell(&self, tracee: Tracee) -> Option<()> {
        let at = tracee.vdso()? + self.patch.code_at as u64;
        let memory = tracee.memory().ok()?;
        let mark: [u8; 8] = memory.read(at)?;
        // A child between fork and its first execve runs our program, whose vDSO is as it was.
        if u64::from_le_bytes(mark) != stub::MARK {
            return None;
        }
        let turn_at = at + stub::TURN_AT as u64;
        let [turn] = memory.read(turn_at)?;
        let next = turn.wrapping_add(1);
        let numbers_at = at + stub::numbers_at(next) as u64;
        // The numbers are written first: a program that reads the new turn finds them whole.
        memory.write(numbers_at, &stub::numbers(&self.clock)).ok()?;
        memory.write(turn_at, &[next]).ok()
    }

    /// Answers a system call that asks for the time of day.
    fn answer(&mut self, tracee: Tracee) -> crate::Result<()> {
        let mut registers = tracee.registers()?;
        if self.is_in_vdso(tracee, registers.rip) {
            // The program's code of ours changes what the call returns.
            return Ok(());
        }
        let time = self.clock.at(crate::clock::realtime().cast_signed());
        let (seconds, nanoseconds) = (time / 1_000_000_000, time % 1_000_000_000);
        let pair = |fraction: i64| [seconds.to_le_bytes(), fraction.to_le_bytes()].concat();
        let (rdi, rsi) = (registers.rdi, registers.rsi);
        let result = match registers.orig_rax as libc::c_long {
            libc::SYS_clock_gettime => {
                let written = tracee.write_as_itself(rsi, &pair(nanoseconds));
                written.map(|()| 0)
            }
            libc::SYS_gettimeofday if rdi != 0 => {
                let written = tracee.write_as_itself(rdi, &pair(nanoseconds / 1000));
                // The time zone of the kernel, which nobody sets (gettimeofday(2), NOTES).
                let zone = match rsi {
                    0 => Ok(()),
                    at => tracee.write_as_itself(at, &[0; 8]),
                };
                written.and(zone).map(|()| 0)
            }
            libc::SYS_time => {
                let written = match rdi {
                    0 => Ok(()),
                    at => tracee.write_as_itself(at, &seconds.to_le_bytes()),
                };
                written.map(|()| seconds)
            }
            _ => return Ok(()),
        };
        let result = result.unwrap_or_else(|errno| -(errno as i64));
        registers.rax = result.cast_unsigned();
        // The number -1 makes the kernel skip the call (ptrace(2), PTRACE_EVENT_SECCOMP).
        registers.orig_rax = u64::MAX;
        tracee.set_registers(&registers)
    }

    /// Returns whether an address is in the vDSO, whose own functions make system calls where no
    /// clock can be read without one.
    fn is_in_vdso(&mut self, tracee: Tracee, address: u64) -> bool {
        // The vDSO lies among the libraries, and programs themselves lie lower: that spares most
        // calls the look into /proc.
        const LIBRARIES: u64 = 0x7000_0000_0000;
        let length = self.patch.image.len() as u64;
        let contains = |base: u64| (base..base + length).contains(&address);
        // A look into /proc takes as long as the rest of the answer.
        let mut vdso = || *self.vdso.entry(tracee.0).or_insert_with(|| tracee.vdso());
        address >= LIBRARIES && vdso().is_some_and(contains)
    }
}
