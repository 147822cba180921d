//! `topology.start()`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use crate::kernel::netns::Netns;
use crate::kernel::process::raise_open_files;
use crate::lab::Lab;
use crate::lab::bring_up::network::{self, New, Places};
use crate::lab::bring_up::schedule::Works;
use crate::lab::bring_up::spawn_nodes::Births;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::attach::{self as lay, lay};
use crate::lab::link::ends::Line;
use crate::lab::link::link::Link;
use crate::lab::link::state::Carried;
use crate::lab::node::node::Node;
use crate::lab::shared::Shared;
use crate::model::topology::StartAs;
use crate::topology::plan::{StackId, Sysctl};
use crate::topology::{Limits, LinkId, Topology};

impl StartAs<Lab> for Topology {
    type Error = LabError;

    fn start_as(&self) -> Result<Lab> {
        let plan = self.plan()?;
        self.check_limits(&limits())?;
        let shared = Arc::new(Shared::new()?);
        let mut lab = Lab {
            topology: self.clone(),
            plan,
            nodes: Vec::new(),
            links: Vec::new(),
            stacks: Vec::new(),
            hub: None,
            relieved: BTreeSet::new(),
            shared,
        };
        let new = lab.everything();
        lab.make(&new)?;
        lab.run_commands(0)?;
        Ok(lab)
    }
}

/// What this machine allows, as far as it can be known beforehand.
pub(crate) fn limits() -> Limits {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let most = |kind: &str| sysctl(&format!("/proc/sys/user/max_{kind}_namespaces"));
    let hard = crate::kernel::process::limits::open_files();
    Limits {
        net_namespaces: most("net"),
        pid_namespaces: most("pid"),
        mount_namespaces: most("mnt"),
        processes: sysctl("/proc/sys/kernel/pid_max"),
        descriptors: hard.ok().map(|(_, hard)| hard),
    }
}

/// So many births are waited for before the next cables are laid: the sooner the better, but each time a conversation begins.
const TOGETHER: usize = 4;

impl Lab {
    fn everything(&self) -> New {
        New {
            switches: 0..self.plan.switches.len(),
            cables: 0..self.plan.cables.len(),
            running: Vec::new(),
        }
    }

    /// Makes what the plan has and the lab does not.
    ///
    /// While the init is at the next births, the cables of those who live already are laid.
    pub(crate) fn make(&mut self, new: &New) -> Result<()> {
        // Three for each node, and some for what the test does itself.
        let wanted = 3 * self.plan.nodes.len() as u64 + self.plan.stacks.len() as u64 + 512;
        let _ = raise_open_files(wanted);
        let first = self.nodes.len();
        let mut births = Births::order(self, first)?;
        if self.hub.is_none() && !self.plan.switches.is_empty() {
            self.hub = Some(Arc::new(network::new_place("the switches")?));
        }
        let mut works = Works::of(&self.plan, new);
        let mut laid = BTreeMap::new();
        let mut relieved = Vec::new();
        births.builder(self)?.make_bridges(new)?;
        loop {
            let more = births.next(self, TOGETHER)?;
            let possible = works.possible(|stack| births.stacks[stack.index()].is_some());
            let (plain, others) = self.plan.plain(possible.cables);
            let mut builder = births.builder(self)?;
            builder.lay(&plain)?;
            let crowded = self.lacking(plain.into_iter());
            builder.relieve(&crowded)?;
            relieved.extend(crowded);
            for link in others {
                let line = Line::of(&self.plan, link, self.hub.as_ref(), &births.stacks);
                laid.insert(link, lay(&line, &self.shared)?);
            }
            for (stack, interfaces) in &possible.settled {
                builder.settle(*stack, interfaces)?;
            }
            if !more {
                builder.await_ready(&works.touched, new)?;
                break;
            }
        }
        lay::tell(&laid, &self.plan, &self.shared.journal);
        self.adopt(births, first)?;
        self.are_relieved(relieved);
        let stacks: Vec<_> = self.stacks.iter().cloned().map(Some).collect();
        let first_link = self.links.len();
        for link in (first_link..self.plan.cables.len()).map(LinkId::new) {
            let line = Line::of(&self.plan, link, self.hub.as_ref(), &stacks);
            let carried = match (laid.remove(&link), &line.cable.emulation) {
                (Some(laid), Some(emulation)) => laid.join(&line, &emulation.impairments)?,
                _ => Carried::Veth,
            };
            self.links.push(Link::new(line, carried, &self.shared));
        }
        self.relieve()?;
        self.capture_as_the_environment_says(first_link)?;
        self.late_sysctls(new)
    }

    /// Runs what is to run in the nodes from `first` on.
    pub(crate) fn run_commands(&self, first: usize) -> Result<()> {
        self.nodes[first..].iter().try_for_each(Node::run_commands)
    }

    /// All are born.
    fn adopt(&mut self, births: Births, first: usize) -> Result<()> {
        let Births {
            stacks,
            born,
            births,
            ..
        } = births;
        self.stacks = stacks.into_iter().flatten().collect();
        for ((node, birth), life) in self.plan.nodes[first..].iter().zip(births).zip(born) {
            let life =
                life.ok_or_else(|| LabError::other(format!("node `{}` was not made", node.name)))?;
            let stack = Arc::clone(&self.stacks[node.stack.index()]);
            let node = Node::new(&self.topology, node, birth, life, stack, &self.shared);
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Writes the sysctls of new interfaces.
    fn late_sysctls(&self, new: &New) -> Result<()> {
        for stack in self.plan.stack_ids() {
            let interfaces = self.plan[stack].interfaces.iter();
            for interface in interfaces.filter(|it| new.cables.contains(&it.link.index())) {
                for sysctl in &interface.sysctls {
                    self.set_in_stack(stack, sysctl)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn set_in_stack(&self, stack: StackId, sysctl: &Sysctl) -> Result<()> {
        let Sysctl { path, value } = sysctl;
        let what = || {
            format!(
                "set sysctl `{path}` to {value} on {}",
                self.plan.whose(stack)
            )
        };
        match self.in_network(stack, path, |file| std::fs::write(file, value)) {
            Some(written) => written.map_err(|e| LabError::io(what(), &e)),
            None => self.member(stack).map_or(Ok(()), |node| node.set(sysctl)),
        }
    }

    /// What a sysctl of the network is at present, if that can be found out.
    pub(crate) fn value_in_stack(&self, stack: StackId, path: &str) -> Option<String> {
        let read = self.in_network(stack, path, |file| std::fs::read_to_string(file))?;
        Some(read.ok()?.trim().to_owned())
    }

    /// Does something with a sysctl of a network namespace, which may have no process. Nothing for other sysctls.
    fn in_network<T>(
        &self,
        stack: StackId,
        path: &str,
        work: impl FnOnce(&Path) -> std::io::Result<T>,
    ) -> Option<std::io::Result<T>> {
        let netns = self.stacks[stack.index()].netns()?;
        let file = path
            .starts_with("net/")
            .then(|| Path::new("/proc/sys").join(path))?;
        // It is the namespace of whoever looks that counts, and not the mount's.
        let done = Netns::visit(netns.as_fd(), || work(&file));
        Some(done.unwrap_or_else(|errno| Err(errno.into())))
    }

    /// A node that lives in the stack.
    fn member(&self, stack: StackId) -> Option<&Node> {
        let lives = |node: &&Node| Arc::ptr_eq(node.stack(), &self.stacks[stack.index()]);
        self.nodes
            .iter()
            .filter(lives)
            .find(|node| node.is_running())
    }
}

/// The network namespaces of a lab that is there.
pub(crate) fn places(lab: &Lab) -> Places<'_> {
    Places::of(
        lab.hub.as_deref(),
        lab.stacks.iter().map(|stack| stack.netns()),
    )
}
