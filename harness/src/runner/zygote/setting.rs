//! Whatever all trials of a run find alike, collected once.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::kernel::process::signal::Signal;

use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::process::shared_memory_child;
use crate::kernel::process::signal::SignalFd;
use crate::kernel::process::{self, NumberCounter};
use crate::kernel::procfs::ping_groups::PingGroups;
use crate::kernel::thread::FirstThread;
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::outer::plain_views;
use crate::sandbox::process_numbers::RunNumbers;
use crate::sandbox::protocol::trial::WAKE_INIT;
use crate::sandbox::trial::body;
use crate::sandbox::trial::mounts::PlainView;
use crate::sandbox::trial::program::ProgramBody;

/// The surroundings of every trial of a run.
pub(crate) struct Setting {
    pub(crate) ids: Ids,
    /// Thread of the supervisor, of which the zygotes' threads are copies.
    pub(crate) first: Option<FirstThread>,
    /// Directories that a private mount of a trial would hide, and must not.
    pub(crate) hidden: Vec<PathBuf>,
    pub(crate) working_dir: PathBuf,
    /// Root of the trials has the id of the host's root.
    pub(crate) guards_host: bool,
    /// Text of the host's `/etc/hosts`, if there is one.
    pub(crate) hosts: Option<Vec<u8>>,
    /// Directories that bodies of ordinary users see with their true owners.
    pub(crate) plain: Vec<PlainView>,
    /// Size of the stack of a test's thread, in bytes.
    pub(crate) stack: usize,
    /// `/sys` is mounted read-only in the outer sandbox, as in many containers.
    pub(crate) sys_read_only: bool,
    /// Corrections of what new network namespaces inherit, once that is known.
    pub(crate) corrections: OnceLock<Corrections>,
    /// Groups to which ICMP sockets are permitted, once that is known.
    pub(crate) ping_groups: OnceLock<PingGroups>,
    pub(crate) numbers: RunNumbers,
    /// Differences if the only trial is a program for which somebody waits: see [`crate::exec`].
    pub(crate) program: Option<ProgramBody>,
    /// File that takes the place of stdout and stderr when the init of a trial has the two:
    /// `/dev/null`. A resident has it, which runs trials for starts of the program with their own
    /// output.
    pub(crate) instead_of_output: Option<OwnedFd>,
    /// What is different for a zygote beside the sandbox, which has its number and its process
    /// group outside.
    pub(crate) beside: Option<Beside>,
    /// Counter by which PID namespaces are numbered, where the kernel has one.
    pub(crate) number_counter: Option<NumberCounter>,
    /// Pidfd that is readable when the supervisor is gone.
    pub(crate) supervisor: OwnedFd,
    /// Signals of whichever process reads them: a signalfd shows those of its reader
    /// (`signalfd(2)`), so a single descriptor serves all inits.
    pub(crate) signals: SignalFd,
}

/// What a zygote beside the sandbox has. No trial may have any of it: the procfs shows processes of
/// the host.
pub(crate) struct Beside {
    /// Channel to the keeper of the sandbox.
    pub(crate) keeper: MessageChannel,
    /// A procfs in which the children of the zygote have numbers.
    pub(crate) procfs: OwnedFd,
}

/// Facts for the setting of trials that are found before the clone, since the first process of an
/// outer sandbox sees other files and other ids.
pub(crate) struct Outside {
    /// Pidfd of this process. Inside, the supervisor has no process id: it is outside of the PID
    /// namespace.
    pub(crate) supervisor: OwnedFd,
    pub(crate) first: Option<FirstThread>,
    pub(crate) hidden: Vec<PathBuf>,
    pub(crate) may_guard_host: bool,
}

impl Setting {
    /// Collects the setting in the first process of the outer sandbox, for so many trials.
    ///
    /// # Errors
    /// Fails if the kernel has no descriptor for signals left.
    pub(crate) fn collect(
        outside: Outside,
        ids: Ids,
        corrections: Option<Corrections>,
        trials: usize,
    ) -> crate::kernel::Result<Self> {
        let Outside {
            supervisor,
            first,
            hidden,
            may_guard_host,
        } = outside;
        // Read here, in the first of the PID namespaces in which trials have theirs: the largest
        // number may be the namespace's own (Linux 6.14).
        let end = process::end_of_numbers();
        Ok(Self {
            ids,
            first,
            hidden,
            program: None,
            instead_of_output: None,
            beside: None,
            numbers: RunNumbers::divide(end, body::supervisor_pid(), trials),
            number_counter: NumberCounter::open().ok(),
            working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            guards_host: may_guard_host && ids.root_is_hosts_root(),
            hosts: std::fs::read("/etc/hosts").ok(),
            plain: plain_views(),
            // The upper part of the stack is the zygote's while the init uses the lower part.
            stack: usual_stack() + shared_memory_child::OWN,
            sys_read_only: mount::is_read_only("/sys"),
            corrections: corrections.map(OnceLock::from).unwrap_or_default(),
            ping_groups: OnceLock::new(),
            supervisor,
            signals: SignalFd::of(&[Signal::SIGCHLD, WAKE_INIT])?,
        })
    }
}

/// Returns the size of the stack that std gives to a thread, in bytes: a test has as much room as
/// under libtest.
fn usual_stack() -> usize {
    /// Default in bytes, from the documentation of `std::thread`, section "Stack size".
    const USUAL: usize = 2 << 20;
    /// Least size in bytes, for the init lives on this stack too, and makes nodes.
    const LEAST: usize = 256 << 10;
    let wanted = std::env::var("RUST_MIN_STACK").ok();
    let wanted = wanted.and_then(|text| text.parse().ok());
    wanted.unwrap_or(USUAL).max(LEAST)
}
