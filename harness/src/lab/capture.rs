//! Captures and recordings of links, and of nodes' interfaces.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};

use super::Lab;
use super::error::LabError;
use super::link::Link;
use super::node::Node;
use crate::impair::Direction;
use crate::kernel::netns::Netns;
use crate::observe::{
    CaptureGuard, Labels, Listener, ObserveError, Policy, Recording, Result, Source, Subject, Watch,
};

impl Lab {
    /// Captures all links; see [`CaptureGuard`].
    ///
    /// Without a change of the test, `SNOWGLOBE_CAPTURE=failure` in the environment captures all links of every lab, from the start,
    /// and keeps what a failed trial leaves; `SNOWGLOBE_CAPTURE=always` keeps all.
    pub fn capture_all(&self) -> Result<CaptureGuard> {
        self.capture_from(0)
    }

    fn capture_from(&self, first: usize) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        for link in self.links[first..].iter().filter(|link| !link.is_removed()) {
            link.capture_in(&mut guard)?;
        }
        Ok(guard)
    }

    /// Captures the links from the one with this number on, if that is asked for.
    pub(super) fn capture_as_the_environment_says(&self, first: usize) -> super::Result<()> {
        let explain = |error: ObserveError| LabError::other(error.to_string());
        if !Policy::of_environment().map_err(explain)?.wants_all() {
            return Ok(());
        }
        let guard = self.capture_from(first).map_err(explain)?;
        let captures = self.shared.captures.lock();
        captures.unwrap_or_else(PoisonError::into_inner).push(guard);
        Ok(())
    }
}

impl Link {
    /// Captures what passes it; see [`CaptureGuard`].
    ///
    /// A frame stands in the file once, as it was and when it was at the link's first end. Frames that a userspace wire has lost are there
    /// too, with the reason as a comment. What goes from the first end to the second is outbound.
    ///
    /// ```no_run
    /// # use snowglobe::topology::shape;
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = shape::pair().start()?;
    /// let capture = lab.links().next().unwrap().capture()?.keep_always();
    /// // … traffic …
    /// println!("see {}", capture.path().display());
    /// # Ok(())
    /// # }
    /// ```
    pub fn capture(&self) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        self.capture_in(&mut guard)?;
        Ok(guard)
    }

    /// Keeps what passes it from now on, as [packets](crate::observe::Packet) that the test can look at; see [`Recording`].
    pub fn record(&self) -> Result<Recording> {
        Recording::begin(self.name(), |listener| self.watch(listener).map(Some))
    }

    fn capture_in(&self, guard: &mut CaptureGuard) -> Result<()> {
        let labels = Labels {
            name: self.name(),
            description: &format!("link {}, from its first end", self.name()),
            outbound: Direction::AToB,
        };
        let connect = |listener| self.watch(listener).map(Source::Watch);
        guard.add(&self.captured, &labels, connect)
    }

    fn watch(&self, listener: Arc<dyn Listener>) -> Result<Watch> {
        let whose = format!("link `{}`", self.name());
        let subject = Subject {
            link: self.name().into(),
            outgoing: Direction::AToB,
            loopback: false,
            listener,
        };
        watch(&whose, self.netns(0), self.device(0).index, subject)
    }
}

impl Node {
    /// Captures what leaves and arrives by an interface of it, such as `eth0` or `lo`; see [`CaptureGuard`].
    ///
    /// # Errors
    /// It has no such interface.
    pub fn capture(&self, interface: &str) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        let (index, interface) = self.find_interface(interface)?;
        let name = format!("{}/{interface}", self.name());
        let whose = format!("`{interface}` of node `{}`", self.name());
        let labels = Labels {
            name: &name,
            description: &format!("interface {interface} of node {}", self.name()),
            outbound: Direction::AToB,
        };
        let connect = |listener| {
            let subject = Subject {
                link: name.as_str().into(),
                outgoing: Direction::AToB,
                loopback: interface == "lo",
                listener,
            };
            let netns = self.stack().netns().map(AsFd::as_fd);
            watch(&whose, netns, index, subject).map(Source::Watch)
        };
        guard.add(&self.captured, &labels, connect)?;
        Ok(guard)
    }

    /// Its index, and the name that the kernel has for it: it may have been asked for by another.
    fn find_interface(&self, name: &str) -> Result<(u32, String)> {
        let gone = || ObserveError::invalid(format!("node `{}` was removed", self.name()));
        let netns = self.stack().netns().ok_or_else(gone)?;
        let found = Netns::visit(netns.as_fd(), || {
            let index = nix::net::if_::if_nametoindex(name)?;
            let canonical = nix::net::if_::if_indextoname(index)?;
            Ok::<(u32, CString), nix::Error>((index, canonical))
        });
        match found.and_then(|found| found) {
            Ok((index, canonical)) => Ok((index, canonical.to_string_lossy().into_owned())),
            Err(errno) => {
                let what = format!("find interface `{name}` of node `{}`", self.name());
                Err(ObserveError::refused(what, errno))
            }
        }
    }
}

fn watch(
    whose: &str,
    netns: Option<BorrowedFd<'_>>,
    index: u32,
    subject: Subject,
) -> Result<Watch> {
    let Some(netns) = netns else {
        return Err(ObserveError::invalid(format!(
            "failed to capture {whose}: it was removed"
        )));
    };
    Watch::begin(netns, index, subject)
        .map_err(|e| ObserveError::invalid(format!("failed to capture {whose}: {e}")))
}
