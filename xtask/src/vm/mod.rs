//! The kernel at hand may lack what a test is about: netem, for one.
//!
//! `cargo xtask vm` runs a command under another kernel, without a disk image, an installation or
//! any privilege. Debian's own kernel has what tests need, so it is booted under qemu. The files of
//! this machine are its root: read-only over 9p, with a layer of memory above them that takes what
//! is written. Nothing that runs in the machine changes a file outside.
//!
//! Without KVM everything in the machine is some twenty times slower, so cargo does its work
//! outside: of `cargo test …` the machine runs only the test programs, as cargo would.
//!
//! | file | role |
//! |---|---|
//! | `options.rs` | the command line |
//! | `run.rs` | one run, from the command line to the exit code |
//! | `command.rs` | the script that the machine runs |
//! | `machine.rs` | qemu and its ports |
//! | `initramfs.rs`, `cpio.rs`, `init.sh` | the first files of the machine, and its first program |
//! | `modules.rs` | the kernel's modules, in the order in which they load |

mod command;
mod cpio;
mod initramfs;
mod machine;
mod modules;
mod options;
mod run;

pub(crate) use run::vm;
