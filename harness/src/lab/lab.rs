//! The lab: nodes, links and stacks, found by the ids of the topology.

use std::collections::{BTreeSet, HashMap};
use std::ops::Index;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::events::{Events, Journal};
use crate::lab::barrier::Barrier;
use crate::lab::error::Result;
use crate::lab::failure::EndedProgram;
use crate::lab::faults::roles::Roles;
use crate::lab::lab_dir::LabDir;
use crate::lab::link::link::Link;
use crate::lab::link::services::LinkServices;
use crate::lab::node::node::Node;
use crate::lab::node::services::NodeServices;
use crate::lab::packet_filter::watcher::FirewallWatcher;
use crate::lab::schedules::Schedules;
use crate::lab::services::dns::dns::Dns;
use crate::lab::stack::stack::Stack;
#[cfg(feature = "tokio")]
use crate::lab::wait::until_async;
use crate::lab::wait::{Condition, until};
use crate::observe::{CaptureGuard, CapturePolicy};
use crate::topology::plan::StackId;
use crate::topology::{LinkId, NodeId, Owner, Plan, PodId, Topology};
use crate::trial::patience::Patience;

/// A topology brought to life; dropping it takes everything away.
///
/// Nodes and links are found by the ids that the topology gave: `lab[bob]`, `lab[cable]`.
///
/// ```no_run
/// use snowglobe::topology::shape;
///
/// #[snowglobe::test]
/// fn ten_in_a_star() -> snowglobe::TestResult {
///     let lab = shape::star(10).start()?;
///     for node in lab.nodes() {
///         println!("{} is {}", node.name(), node.ip());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    plan: Arc<Plan>,
    /// The nodes, in the order of the plan. A guard of a fault may outlive the lab and its list.
    nodes: Vec<Arc<Node>>,
    links: Vec<Link>,
    /// The network stacks, in the order of the plan.
    stacks: Vec<Arc<Stack>>,
    /// The network namespace with the bridges of all switches, if there are any.
    hub: Option<Arc<OwnedFd>>,
    /// Links to crowded switches whose nodes have queues of their own.
    with_gro: BTreeSet<LinkId>,
    dir: Arc<LabDir>,
    node_services: NodeServices,
    link_services: LinkServices,
    pub(in crate::lab) patience: Patience,
    /// The events of this lab.
    journal: Arc<Journal>,
    /// The threads that firewalls need, by the owners of their stacks.
    firewalls: HashMap<Owner, FirewallWatcher>,
    /// Captures that the environment has asked for.
    captures: Vec<CaptureGuard>,
    /// Roles and actions that the test has given a name, for faults.
    roles: Arc<Roles>,
    /// Schedules that are carried out on the lab.
    schedules: Schedules,
}

impl Lab {
    /// Returns the topology from which the lab was made.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns the plan of the topology: subnets, addresses, routes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns all nodes that were not removed, containers included.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes.iter().map(Arc::as_ref);
        nodes.filter(|node| !node.is_removed())
    }

    /// Returns all links that were not removed.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| !link.is_removed())
    }

    /// Finds a node by name. A container is found by `pod/container` too.
    pub fn node(&self, name: &str) -> Option<&Node> {
        let id = self.topology.find(name)?;
        Some(&self[id])
    }

    /// Returns the first name server of the lab.
    ///
    /// # Panics
    /// The topology asked for none: see [`NodeSpec::dns`](crate::topology::NodeSpec::dns).
    pub fn dns(&self) -> &Dns {
        let found = self.nodes().find_map(Node::dns);
        found.expect("the lab has no name server; ask for one by `NodeSpec::dns`")
    }

    /// Returns the containers of a pod.
    pub fn containers(&self, pod: PodId) -> impl Iterator<Item = &Node> {
        self.topology.containers(pod).map(|id| &self[id])
    }

    /// Returns the directory of a volume. Nodes that mount the volume read what the test writes
    /// there.
    ///
    /// ```no_run
    /// # use snowglobe::topology::{NodeSpec, Topology, Volume};
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// let mut topology = Topology::new();
    /// topology.node(NodeSpec::new("web").volume("/tmp/site", Volume::named("site")));
    /// let lab = topology.start()?;
    /// std::fs::write(lab.volume("site")?.join("index.html"), "hello")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn volume(&self, name: &str) -> Result<PathBuf> {
        self.dir.volume(name)
    }

    /// Sets the time after which waits fail that begin from now on: `wait_for_port`,
    /// `wait_for_log`, `wait_until`, those for events and packets, barriers. It is 10 s unless
    /// changed.
    pub fn set_patience(&self, limit: Duration) {
        self.patience.set(limit);
    }

    /// Returns the events of this lab, from its start on: carriers that change, faults, programs
    /// that start, write and die, packets that rules decided on, notes. See
    /// [`events`](crate::events).
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::pair().start()?;
    /// for event in lab.events().so_far() {
    ///     println!("{event}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        Events::new(&self.journal, self.patience.clone())
    }

    /// Makes a meeting point for `count` threads, in whichever nodes the threads are.
    pub fn barrier(&self, count: usize) -> Barrier {
        Barrier::new(count, self.patience.clone())
    }

    /// Waits until `condition` holds: a `bool`, an `Option` or a `Result`, which is looked at again
    /// and again.
    ///
    /// # Errors
    /// The condition does not hold in time. The error tells what was seen last, and which programs
    /// of the lab have ended badly by then.
    pub fn wait_until<C: Condition>(&self, condition: impl FnMut() -> C) -> Result<C::Value> {
        let waited = until(self.patience.limit(), condition);
        waited.map_err(|error| error.with_ended(|| self.ended_badly()))
    }

    /// Waits until `condition` holds, as [`wait_until`](Lab::wait_until) does, and lets other
    /// futures run meanwhile.
    ///
    /// # Errors
    /// As [`wait_until`](Lab::wait_until).
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_until_async<C: Condition, F: Future<Output = C>>(
        &self,
        condition: impl FnMut() -> F,
    ) -> Result<C::Value> {
        let waited = until_async(self.patience.limit(), condition).await;
        waited.map_err(|error| error.with_ended(|| self.ended_badly()))
    }

    /// Captures all links; see [`CaptureGuard`].
    ///
    /// Two values of `SNOWGLOBE_CAPTURE` in the environment capture all links of every lab from the
    /// start, without a change of the test: `failure` keeps the file of a failed trial, `always`
    /// keeps every file.
    ///
    /// # Errors
    /// There is no trial, or the kernel refuses the capture.
    pub fn capture_all(&self) -> Result<CaptureGuard> {
        self.capture_from(0)
    }

    fn capture_from(&self, first: usize) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        // A link that was removed has no interface at which frames could be read.
        for link in self.links[first..].iter().filter(|link| !link.is_removed()) {
            link.capture_in(&mut guard)?;
        }
        Ok(guard)
    }
}

/// The parts of a lab, for those who make, change and end it.
impl Lab {
    /// Makes a lab that has nothing yet of its plan.
    pub(crate) fn empty(topology: Topology, plan: Plan) -> Result<Self> {
        let patience = Patience::default();
        let journal = Journal::start();
        Ok(Self {
            topology,
            plan: Arc::new(plan),
            nodes: Vec::new(),
            links: Vec::new(),
            stacks: Vec::new(),
            hub: None,
            with_gro: BTreeSet::new(),
            dir: Arc::new(LabDir::new()?),
            node_services: NodeServices::new(Arc::clone(&journal), patience.clone())?,
            link_services: LinkServices::new(Arc::clone(&journal), patience.clone()),
            patience,
            journal,
            firewalls: HashMap::new(),
            captures: Vec::new(),
            roles: Arc::default(),
            schedules: Schedules::default(),
        })
    }

    pub(crate) fn dir(&self) -> &Arc<LabDir> {
        &self.dir
    }

    pub(crate) fn node_services(&self) -> &NodeServices {
        &self.node_services
    }

    pub(crate) fn link_services(&self) -> &LinkServices {
        &self.link_services
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    pub(crate) fn roles(&self) -> &Arc<Roles> {
        &self.roles
    }

    pub(crate) fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    pub(crate) fn shared_plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// Returns all nodes, removed ones too, in the order of the plan.
    pub(crate) fn all_nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Returns the programs of all nodes that have ended badly, and whose end nobody expected.
    pub(crate) fn ended_badly(&self) -> Vec<EndedProgram> {
        let nodes = self.nodes();
        nodes
            .flat_map(|node| node.programs().ended_badly())
            .collect()
    }

    /// Returns all links, removed ones too, in the order of the plan.
    pub(crate) fn all_links(&self) -> &[Link] {
        &self.links
    }

    /// Returns the links that were removed.
    pub(crate) fn removed_links(&self) -> BTreeSet<LinkId> {
        let gone = self.links.iter().filter(|link| link.is_removed());
        gone.map(Link::id).collect()
    }

    pub(crate) fn stacks(&self) -> &[Arc<Stack>] {
        &self.stacks
    }

    pub(crate) fn stack(&self, id: StackId) -> &Arc<Stack> {
        &self.stacks[id.index()]
    }

    pub(crate) fn hub(&self) -> Option<&Arc<OwnedFd>> {
        self.hub.as_ref()
    }

    pub(crate) fn set_hub(&mut self, hub: OwnedFd) {
        self.hub = Some(Arc::new(hub));
    }

    /// Takes the stacks out, to be put in the order of another plan.
    pub(crate) fn take_stacks(&mut self) -> Vec<Arc<Stack>> {
        std::mem::take(&mut self.stacks)
    }

    pub(crate) fn set_stacks(&mut self, stacks: Vec<Arc<Stack>>) {
        self.stacks = stacks;
    }

    /// Takes the nodes out, at the end of the lab.
    pub(crate) fn take_nodes(&mut self) -> Vec<Arc<Node>> {
        std::mem::take(&mut self.nodes)
    }

    /// Forgets all that would end something when it is dropped.
    pub(crate) fn leave(&mut self) {
        std::mem::forget((self.take_links(), self.take_nodes(), self.take_stacks()));
        std::mem::forget(std::mem::take(&mut self.captures));
        std::mem::forget(std::mem::take(&mut self.firewalls));
        // Values that are shared are dropped with the last of their owners.
        std::mem::forget((Arc::clone(&self.dir), self.node_services.clone()));
        std::mem::forget((self.link_services.clone(), Arc::clone(&self.roles)));
    }

    /// Takes the links out, at the end of the lab.
    pub(crate) fn take_links(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.links)
    }

    pub(crate) fn add_node(&mut self, node: Node) {
        self.nodes.push(Arc::new(node));
    }

    pub(crate) fn add_link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// Returns whether the node's end of a link to a crowded switch has a queue of its own.
    pub(crate) fn has_gro(&self, link: LinkId) -> bool {
        self.with_gro.contains(&link)
    }

    pub(crate) fn note_gro(&mut self, links: impl IntoIterator<Item = LinkId>) {
        self.with_gro.extend(links);
    }

    /// Captures the links from the one with this number on, if the environment asks for that.
    pub(crate) fn capture_as_the_environment_says(&mut self, first: usize) -> Result<()> {
        if first == self.links.len() || !CapturePolicy::of_environment()?.wants_all() {
            return Ok(());
        }
        let guard = self.capture_from(first)?;
        self.captures.push(guard);
        Ok(())
    }

    /// Takes over another topology and its plan, and returns the lab as it was. The kernel is not
    /// asked yet.
    pub(crate) fn change_plan(&mut self, topology: Topology, plan: Plan) -> Snapshot {
        Snapshot {
            topology: std::mem::replace(&mut self.topology, topology),
            plan: std::mem::replace(&mut self.plan, Arc::new(plan)),
            // The new plan may put the stacks in another order.
            stacks: self.stacks.clone(),
            hub: self.hub.clone(),
            nodes: self.nodes.len(),
        }
    }

    /// Takes back the lab as it was, and returns what there is of the failed plan.
    pub(crate) fn restore(&mut self, before: Snapshot) -> FailedPlan {
        let Snapshot {
            topology,
            plan,
            stacks,
            hub,
            nodes,
        } = before;
        let failed = FailedPlan {
            plan: std::mem::replace(&mut self.plan, plan),
            nodes: self.nodes.split_off(nodes),
            hub: std::mem::replace(&mut self.hub, hub),
        };
        self.topology = topology;
        self.stacks = stacks;
        let links = self.plan.cables.len();
        // Links of the failed plan; their interfaces are deleted by the caller.
        self.links.truncate(links);
        self.with_gro.retain(|id| id.index() < links);
        failed
    }

    /// Tells links and stacks what a changed plan says of them. All are told, also after an error.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let mut told = Ok(());
        for link in &mut self.links {
            told = told.and(link.refresh(&self.plan));
        }
        for (stack, plan) in self.stacks.iter().zip(&self.plan.stacks) {
            stack.refresh(plan);
        }
        for stack in &self.stacks {
            stack.announce_leases();
        }
        let removed = self.removed_links();
        for node in &self.nodes {
            node.own_services().refresh(&self.plan, &removed);
        }
        told
    }

    /// Starts the threads that firewalls of the plan need, and ends those of others.
    pub(crate) fn watch_firewalls(&mut self) -> Result<()> {
        let Self {
            plan,
            stacks,
            firewalls,
            journal,
            ..
        } = self;
        for (number, (stack, planned)) in stacks.iter().zip(&plan.stacks).enumerate() {
            let asked = planned.own.netfilter.as_ref();
            let owner = planned.owner;
            if firewalls.get(&owner).is_some_and(|it| it.fits(asked)) {
                continue;
            }
            // The old one goes first: it has the port of the portal and the group of the log.
            firewalls.remove(&owner);
            if let (Some(asked), Some(netns)) = (asked, stack.netns()) {
                let id = StackId::new(number);
                let node = plan.nodes.iter().find(|node| node.stack == id);
                let name = node.map_or(&planned.hostname, |node| &node.name);
                let watcher = FirewallWatcher::begin(name, asked, netns.as_fd(), journal)?;
                firewalls.extend(watcher.map(|it| (owner, it)));
            }
        }
        Ok(())
    }

    /// Tells a link what a changed plan says of it.
    pub(crate) fn refresh_link(&mut self, id: LinkId) -> Result<()> {
        self.links[id.index()].refresh(&self.plan)
    }
}

/// A lab before a change, for the case that the change fails half-way.
pub(crate) struct Snapshot {
    topology: Topology,
    plan: Arc<Plan>,
    stacks: Vec<Arc<Stack>>,
    hub: Option<Arc<OwnedFd>>,
    /// Number of nodes.
    nodes: usize,
}

impl Snapshot {
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The parts of a plan that could not be carried out.
pub(crate) struct FailedPlan {
    pub(crate) plan: Arc<Plan>,
    /// Nodes that the plan before did not have.
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) hub: Option<Arc<OwnedFd>>,
}

impl Index<NodeId> for Lab {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}

impl Index<LinkId> for Lab {
    type Output = Link;

    fn index(&self, id: LinkId) -> &Link {
        &self.links[id.index()]
    }
}
