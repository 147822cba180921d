//! The sandbox of one trial, made by its own first process from within the outer sandbox.
//!
//! New namespaces are copies of the old ones or empty: the mounts still show the processes, the
//! network and the files of others, and the loopback interface is down. This is the recipe that
//! makes them a place to live in: one call, one reason a line. It runs for every trial, so each
//! line is paid a thousand times in a thousand trials; where nothing is unusual it leaves the heap
//! alone.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::kernel::namespace::sethostname;
use crate::kernel::process::{NumberCounter, chdir};

use crate::Isolation;
use crate::kernel::errno::Errno;
use crate::kernel::fd;
use crate::kernel::fixed_str::FixedStr;
use crate::kernel::loopback;
use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::kernel::procfs::ping_groups::{self, PingGroups};
use crate::kernel::procfs::sysctls;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::private_mounts::{DEVPTS, RUN, TMPFS, detach_hidden, reattach_hidden};
use crate::sandbox::refused::{Doing, Refused, SetupStep};

/// All that the recipe for a sandbox needs to know.
pub(crate) struct SandboxSpec<'a> {
    /// Kinds of namespaces that the calling process does not share with its maker.
    pub(crate) isolation: Isolation,
    /// Name of the host in a UTS namespace of its own.
    pub(crate) hostname: &'a str,
    /// Whether the test may make user namespaces.
    pub(crate) nested: bool,
    /// Whether the test body is an ordinary user, who makes a user namespace for that.
    pub(crate) is_ordinary_user: bool,
    /// Paths that the private mounts would hide, and must not.
    pub(crate) hidden: &'a [PathBuf],
    /// Working directory of the test.
    pub(crate) working_dir: &'a Path,
    /// Whether files of the kernel that are the host's must be guarded, since they let root in by
    /// its id.
    pub(crate) guards_host: bool,
    /// The `/etc/hosts` of a trial with a hostname of its own; nothing where the host has no such
    /// file, or whoever makes the sandbox names hosts itself.
    pub(crate) hosts: Option<HostsFile<'a>>,
    /// Directories of the host to be shown with their true owners, each as its mount in the outer
    /// sandbox and its path.
    pub(crate) plain: &'a [PlainView],
    /// Whether the outer `/sys` is read-only, as in a container: the kernel then permits no other.
    pub(crate) sys_read_only: bool,
    /// Whether closed connections may take as long as Linux lets them to send what is unsent: in a
    /// node, whose links may be bad. The lab ends that when it ends.
    pub(crate) patient: bool,
    /// Counter by which PID namespaces are numbered, where the kernel has one.
    pub(crate) number_counter: Option<&'a NumberCounter>,
    /// Groups to which ICMP sockets of the ordinary kind are permitted, if they are. The groups are
    /// found out in the first namespace.
    pub(crate) ping_groups: Option<&'a OnceLock<PingGroups>>,
    /// Corrections of what the network namespace, if it is a new one, has inherited. They are found
    /// out in the first namespace that needs it, unless it is known.
    pub(crate) corrections: Option<&'a OnceLock<Corrections>>,
}

impl SandboxSpec<'_> {
    /// Makes the sandbox of the calling process' namespaces.
    pub(crate) fn make(&self) -> Result<(), Refused> {
        let own = |kind| self.isolation.contains(kind);
        if own(Isolation::UTS) {
            sethostname(self.hostname).doing("set the hostname")?;
        }
        if let Some(hosts) = self.hosts.as_ref().filter(|hosts| hosts.is_shown) {
            // A trial that shares mounts or the hostname has the host's file.
            let named = own(Isolation::UTS) && own(Isolation::MNT);
            let own = if named {
                self.own_lines()
            } else {
                FixedStr::new()
            };
            fd::write_anew(hosts.kept_at, [own.as_bytes(), hosts.text])
                .doing("write a hosts file")?;
        }
        if own(Isolation::MNT) {
            self.mount()?;
        }
        if own(Isolation::NET) {
            if let Some(corrections) = self.corrections {
                // The setting is written before `lo` is up: with its address `lo` stops following
                // the settings of `default` (net/ipv4/devinet.c, ipv4_devconf_setall).
                corrections
                    .get_or_init(Corrections::of_new_namespace)
                    .write()?;
            }
            loopback::bring_up().doing("bring up lo")?;
        }
        if own(Isolation::NET) && !self.patient {
            // A closed connection with unsent data to a black hole would keep the network namespace
            // for 107 s, with this setting 0.64 s (measured for this project, 2026-08).
            set_sysctl("net/ipv4/tcp_orphan_retries", "1")?;
            self.permit_ping();
        }
        if own(Isolation::USER) && !self.nested && !self.is_ordinary_user {
            // Most ways to abuse a user namespace begin with making another one, as CVE-2022-0185
            // does to get CAP_SYS_ADMIN.
            set_sysctl("user/max_user_namespaces", "0")?;
        }
        Ok(())
    }

    /// Permits ICMP sockets of the ordinary kind, where that is wanted.
    fn permit_ping(&self) {
        let Some(known) = self.ping_groups else {
            return;
        };
        // Where no procfs can be written, root still has raw sockets.
        let _ = match known.get() {
            Some(groups) => groups.permit(),
            None => ping_groups::permit_all().map(|groups| {
                let _ = known.set(groups);
            }),
        };
    }

    fn mount(&self) -> Result<(), Refused> {
        let own = |kind| self.isolation.contains(kind);
        let hidden = detach_hidden(self.hidden.iter().map(PathBuf::as_path))?;
        // In the outer /run, which is hidden soon: what is in the trial's own is the trial's.
        // A directory with its true owners covers what is shown in it.
        let is_in_sight = |hosts: &HostsFile<'_>| hosts.is_shown && self.plain.is_empty();
        let hosts = self.hosts.as_ref().filter(|_| own(Isolation::UTS));
        let hosts = hosts.filter(|hosts| !is_in_sight(hosts));
        let hosts = hosts
            .map(|hosts| self.prepare_hosts(hosts))
            .transpose()
            .doing("write a hosts file")?;
        let plain = detach_hidden(self.plain.iter().map(|view| view.kept_at.as_path()))?;
        // A procfs shows the PID namespace of the process that mounted it (pid_namespaces(7)): the
        // numbers in the outer one mean nothing here.
        if own(Isolation::PID) {
            fresh(c"proc", c"/proc", None, SetupStep::mount("/proc"))?;
        }
        if self.guards_host {
            guard_host().doing("make files of the host read-only")?;
        }
        // Likewise, /sys/class/net shows the network namespace of the process that mounted it
        // (network_namespaces(7)).
        if own(Isolation::NET) {
            if self.sys_read_only {
                mount::fresh_read_only_sys().doing(SetupStep::mount("/sys"))?;
            } else {
                fresh(c"sysfs", c"/sys", None, SetupStep::mount("/sys"))?;
            }
        }
        // A mqueue filesystem shows the message queues of the IPC namespace it was mounted in
        // (mq_overview(7)).
        if own(Isolation::IPC) {
            fresh(
                c"mqueue",
                c"/dev/mqueue",
                None,
                SetupStep::mount("/dev/mqueue"),
            )?;
        }
        fresh(c"tmpfs", c"/tmp", Some(TMPFS), SetupStep::mount("/tmp"))?;
        fresh(c"tmpfs", c"/run", Some(RUN), SetupStep::mount("/run"))?;
        fresh(
            c"tmpfs",
            c"/dev/shm",
            Some(TMPFS),
            SetupStep::mount("/dev/shm"),
        )?;
        fresh(
            c"devpts",
            c"/dev/pts",
            Some(DEVPTS),
            SetupStep::mount("/dev/pts"),
        )?;
        for ((_, tree), view) in plain.iter().zip(self.plain) {
            mount::attach(tree.as_fd(), &view.path).doing("show a directory of the host")?;
        }
        if let Some(hosts) = &hosts {
            match mount::attach(hosts.as_fd(), Path::new(HOSTS)) {
                // The host's file is gone by now: the name is not known then.
                Ok(()) | Err(Errno::ENOENT) => {}
                refused => return refused.doing(SetupStep::mount("/etc/hosts")),
            }
        }
        if reattach_hidden(&hidden)? {
            // The working directory may be on one of the hidden mounts, and the process then stands
            // in the old mount, which is nobody's any more.
            chdir(self.working_dir).doing("enter the working directory")?;
        }
        Ok(())
    }

    /// Returns the lines of a hosts file that name the trial.
    fn own_lines(&self) -> FixedStr<192> {
        let name = self.hostname;
        // The addresses of lo, where the trial's services listen. A name has at most 63 bytes.
        FixedStr::of(format_args!("127.0.0.1 {name}\n::1 {name}\n"))
    }

    /// Returns a mount of an `/etc/hosts` in which the trial's own hostname has an address, as
    /// hosts have it. Without one, the name would be asked of name servers, of which a trial has
    /// none.
    fn prepare_hosts(&self, hosts: &HostsFile<'_>) -> crate::kernel::Result<OwnedFd> {
        fd::create_file(hosts.kept_at, [self.own_lines().as_bytes(), hosts.text])?;
        mount::detach_copy(
            Path::new(OsStr::from_bytes(hosts.kept_at.to_bytes())),
            mount::MountsBelow::LeftOut,
        )
    }
}

/// Path of the hosts file (`hosts(5)`).
pub(crate) const HOSTS: &str = "/etc/hosts";

/// A hosts file that is written anew for each trial.
pub(crate) struct HostsFile<'a> {
    /// Text of the host's `/etc/hosts`, which comes after the trial's own name.
    pub(crate) text: &'a [u8],
    /// Path of the file in the outer sandbox, where no other trial writes at the same time.
    pub(crate) kept_at: &'a CStr,
    /// Whether the file is mounted at `/etc/hosts` for all trials of the zygote.
    pub(crate) is_shown: bool,
}

/// Parts of procfs that are the host's and no namespace's (as container engines list them).
const HOSTS_FILES: [&str; 10] = [
    "/proc/acpi",
    "/proc/bus",
    "/proc/irq",
    "/proc/sysrq-trigger",
    "/proc/sys/abi",
    "/proc/sys/debug",
    "/proc/sys/dev",
    "/proc/sys/fs",
    "/proc/sys/kernel",
    "/proc/sys/vm",
];

/// Makes the host's files in procfs read-only. The id of the host's root opens them, whatever
/// capabilities the process has (fs/proc/proc_sysctl.c, `test_perm`).
fn guard_host() -> crate::kernel::Result<()> {
    let read_only = MountAttributes {
        set: mount::READ_ONLY,
        ..MountAttributes::default()
    };
    for path in HOSTS_FILES.map(Path::new) {
        // Not every kernel has all of them.
        let Ok(tree) = mount::detach_copy(path, mount::MountsBelow::LeftOut) else {
            continue;
        };
        mount::set_attributes(tree.as_fd(), &read_only)?;
        mount::attach(tree.as_fd(), path)?;
    }
    Ok(())
}

/// A directory of the host, whose files belong to whom they belong on the host.
pub(crate) struct PlainView {
    /// Path of the mount in the outer sandbox.
    pub(crate) kept_at: PathBuf,
    /// Path of the directory.
    pub(crate) path: PathBuf,
}

fn fresh(kind: &CStr, at: &CStr, options: Option<&CStr>, step: SetupStep) -> Result<(), Refused> {
    mount::fresh_at(kind, at, options).doing(step)
}

fn set_sysctl(path: &str, value: &str) -> Result<(), Refused> {
    sysctls::write(path, value).doing("write a sysctl")
}
