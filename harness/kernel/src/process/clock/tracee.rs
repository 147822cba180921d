//! Single calls of ptrace(2), and the memory of a traced process.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use crate::errno::errno;
use crate::procfs::text_of;

/// Register `cs` of a program of 64 bits (`__USER_CS` of arch/x86/include/asm/segment.h).
const CODE_OF_64_BITS: u64 = 0x33;

/// A process or thread that the calling thread traces.
#[derive(Clone, Copy)]
pub(super) struct Tracee(pub(super) i32);

impl Tracee {
    /// Begins to trace a process, without a stop. What it starts is traced too.
    ///
    /// All traced processes are killed when the tracer ends: their calls for the time would fail
    /// from then on.
    pub(super) fn seize(self) -> crate::Result<()> {
        let options = libc::PTRACE_O_EXITKILL
            // A filter on system calls asks the tracer of each thread.
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACESECCOMP
            | libc::PTRACE_O_TRACEVFORK;
        self.call(libc::PTRACE_SEIZE, options as usize)
    }

    /// Lets the tracee go on, with a signal unless that is 0. A tracee that is gone needs nothing.
    pub(super) fn go_on(self, signal: i32) {
        let _ = self.call(libc::PTRACE_CONT, signal as usize);
    }

    /// Leaves the tracee stopped as a signal has stopped it, until another one continues it.
    pub(super) fn stay_stopped(self) {
        let _ = self.call(libc::PTRACE_LISTEN, 0);
    }

    /// Returns the registers.
    pub(super) fn registers(self) -> crate::Result<libc::user_regs_struct> {
        let mut registers = MaybeUninit::<libc::user_regs_struct>::uninit();
        self.call(libc::PTRACE_GETREGS, registers.as_mut_ptr() as usize)?;
        // SAFETY: the kernel has written the whole structure.
        Ok(unsafe { registers.assume_init() })
    }

    /// Sets the registers.
    pub(super) fn set_registers(self, registers: &libc::user_regs_struct) -> crate::Result<()> {
        let at: *const libc::user_regs_struct = registers;
        self.call(libc::PTRACE_SETREGS, at as usize)
    }

    /// Returns whether these are registers of a program of 64 bits.
    pub(super) fn has_64_bits(registers: &libc::user_regs_struct) -> bool {
        registers.cs == CODE_OF_64_BITS
    }

    fn call(self, request: libc::c_uint, data: usize) -> crate::Result<()> {
        // SAFETY: the caller's data is a number, or points to a structure that lives across the
        // call and has the size that the request expects.
        let done = unsafe { libc::ptrace(request, self.0, 0usize, data) };
        Errno::result(done).map(drop)
    }

    /// Writes to memory that the process may write to itself. Fails with `EFAULT` as a system call
    /// would.
    pub(super) fn write_as_itself(self, at: u64, bytes: &[u8]) -> crate::Result<()> {
        let from = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let to = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(at as usize),
            iov_len: bytes.len(),
        };
        // Without PTRACE_POKEDATA, which would write to pages that the process may only read.
        // SAFETY: the kernel reads our bytes, and checks the address in the other process.
        let written =
            unsafe { libc::process_vm_writev(self.0, &raw const from, 1, &raw const to, 1, 0) };
        match Errno::result(written)? {
            whole if whole as usize == bytes.len() => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// Returns where the vDSO of the process is, if it has one (`getauxval(3)`).
    pub(super) fn vdso(self) -> Option<u64> {
        let pairs = std::fs::read(format!("/proc/{}/auxv", self.0)).ok()?;
        // Pairs of a type and a value, as the kernel has put them on the stack of the program.
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
        pairs.chunks_exact(16).find_map(|pair| {
            let is_it = word(&pair[..8])? == libc::AT_SYSINFO_EHDR;
            word(&pair[8..]).filter(|_| is_it)
        })
    }

    /// Opens the memory of the process.
    pub(super) fn memory(self) -> crate::Result<TraceeMemory> {
        let path = format!("/proc/{}/mem", self.0);
        let file = OpenOptions::new().read(true).write(true).open(path);
        Ok(TraceeMemory(file.map_err(|e| errno(&e))?))
    }

    /// Returns the short name of the program.
    pub(super) fn name(self) -> String {
        let comm = text_of(format!("/proc/{}/comm", self.0));
        comm.unwrap_or_default().trim_end().to_owned()
    }
}

/// The memory of a process. What is written to pages that are only read becomes a copy of its own
/// (`proc_pid_mem(5)`).
pub(super) struct TraceeMemory(File);

impl TraceeMemory {
    pub(super) fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    pub(super) fn holds(&self, at: u64, expected: &[u8]) -> bool {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact_at(&mut bytes, at).is_ok() && bytes == expected
    }

    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> crate::Result<()> {
        self.0.write_all_at(bytes, at).map_err(|e| errno(&e))
    }
}
