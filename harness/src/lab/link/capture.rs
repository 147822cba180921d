//! Captures and recordings of links, and of nodes' interfaces.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::impair::Direction;
use crate::kernel::netns::Netns;
use crate::lab::Lab;
use crate::lab::error::{LabError, Result};
use crate::lab::link::link::Link;
use crate::lab::link::state::Middle;
use crate::lab::node::node::{Node, Stack};
use crate::lab::stack::listeners::Ear;
use crate::model::packet::{FrameSource, Listener};
use crate::observe::{CaptureGuard, CapturePolicy, InterfaceLabels, Recording};

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
    pub(crate) fn capture_as_the_environment_says(&self, first: usize) -> Result<()> {
        if first == self.links.len() || !CapturePolicy::of_environment()?.wants_all() {
            return Ok(());
        }
        let guard = self.capture_from(first)?;
        let captures = self.shared.captures.lock();
        captures.unwrap_or_else(PoisonError::into_inner).push(guard);
        Ok(())
    }
}

impl Link {
    /// Captures what passes it; see [`CaptureGuard`].
    ///
    /// A frame stands in the file once, as it was and when it was when it came to the link. Where the userspace wire carries the link,
    /// what has happened to a frame is a comment there: why it was lost, which rule had its way; and what comes of it later (a duplicate, a
    /// flipped bit, a loss on the way) stands in the file once more, with a comment. What goes from the link's first end to the second is
    /// outbound.
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
        Recording::begin(self.name(), |listener| self.listen(listener))
    }

    fn capture_in(&self, guard: &mut CaptureGuard) -> Result<()> {
        let labels = InterfaceLabels {
            name: self.name(),
            description: &format!("link {}, from its first end", self.name()),
            outbound: Direction::AToB,
        };
        guard.add(&self.captured, &labels, |listener| self.listen(listener))
    }

    fn listen(&self, listener: Arc<dyn Listener>) -> Result<Box<dyn FrameSource>> {
        let number = self.middle().listen(listener)?;
        Ok(Box::new(OnLink {
            middle: Arc::downgrade(&self.middle),
            number,
        }))
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
        let labels = InterfaceLabels {
            name: &name,
            description: &format!("interface {interface} of node {}", self.name()),
            outbound: Direction::AToB,
        };
        guard.add(&self.captured, &labels, |listener| {
            let number = self.stack().listen(Ear::new(&name, index, listener))?;
            let stack = Arc::downgrade(self.stack());
            Ok::<Box<dyn FrameSource>, LabError>(Box::new(OnInterface { stack, number }))
        })?;
        Ok(guard)
    }

    /// Its index, and the name that the kernel has for it: it may have been asked for by another.
    fn find_interface(&self, name: &str) -> Result<(u32, String)> {
        let found = Netns::visit(self.stack().place()?, || {
            let index = crate::kernel::netlink::if_nametoindex(name)?;
            let canonical = crate::kernel::netlink::if_indextoname(index)?;
            Ok::<(u32, CString), crate::kernel::errno::Errno>((index, canonical))
        });
        let what = || format!("find interface `{name}` of node `{}`", self.name());
        let (index, canonical) = found
            .and_then(|found| found)
            .map_err(|errno| LabError::refused(what(), errno))?;
        Ok((index, canonical.to_string_lossy().into_owned()))
    }
}

/// What has a listener told of a link's frames, while the link is there.
#[derive(Debug)]
struct OnLink {
    middle: Weak<Mutex<Middle>>,
    number: u64,
}

impl OnLink {
    fn with(&self, work: impl FnOnce(&mut Middle)) {
        if let Some(middle) = self.middle.upgrade() {
            work(&mut middle.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl FrameSource for OnLink {
    fn drain(&self) {
        self.with(|middle| middle.ears.drain(self.number));
    }
}

impl Drop for OnLink {
    fn drop(&mut self) {
        self.with(|middle| middle.forget(self.number));
    }
}

/// The same for an interface of a node.
#[derive(Debug)]
struct OnInterface {
    stack: Weak<Stack>,
    number: u64,
}

impl FrameSource for OnInterface {
    fn drain(&self) {
        if let Some(stack) = self.stack.upgrade() {
            stack.ears().drain(self.number);
        }
    }
}

impl Drop for OnInterface {
    fn drop(&mut self) {
        if let Some(stack) = self.stack.upgrade() {
            stack.ears().remove(self.number);
        }
    }
}
