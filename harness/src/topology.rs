//! The network that a test is about, as a value.
//!
//! A test says which nodes there are and how they are joined; what that means to a kernel
//! (namespaces, veth pairs, bridges, addresses, routes, hosts files) is worked out here, by pure
//! code, before anything is asked of a kernel:
//!
//! ```
//! use snowglobe::topology::{LinkSpec, NodeSpec, SwitchSpec, Topology, Volume};
//!
//! let mut topology = Topology::new();
//! let front = topology.switch("front");
//! let back = topology.switch(SwitchSpec::new("back").subnet("192.168.9.0/24"));
//! let client = topology.node("client");
//! let proxy = topology.node("proxy");
//! let server = topology.node(NodeSpec::new("server").volume("/tmp/site", Volume::named("site")));
//! topology.plug(client, front);
//! topology.plug(proxy, front);
//! topology.plug(proxy, back);
//! topology.plug_with(server, back, LinkSpec::new().mtu(1400));
//!
//! println!("{}", topology.sketch()); // [client]---(front)---[proxy]---(back)---[server]
//! let plan = topology.plan()?;
//! assert_eq!(plan.stack(client).interfaces[0].addresses[0].to_string(), "10.0.0.1/24");
//! assert_eq!(plan.stack(server).interfaces[0].addresses[0].to_string(), "192.168.9.2/24");
//! // The route leads over the proxy, which forwards.
//! assert_eq!(plan.stack(client).interfaces[0].routes[0].to.to_string(), "192.168.9.0/24");
//! # Ok::<(), snowglobe::topology::TopologyError>(())
//! ```
//!
//! # The rules
//!
//! - **Names.** A node's name is its hostname: up to 63 letters, digits and hyphens. It resolves
//!   everywhere as `bob` and `bob.lab`: to the addresses on a network of the asker, if the node has
//!   some there, and else to those of its first interface. A container resolves as `app.web`, and
//!   as `app` if no other has that name. A name that the lab does not have is not known
//!   (`EAI_NONAME`), unless a name server says otherwise.
//! - **Addresses.** Each segment gets a subnet of each family, and each interface the next address
//!   in it: the first switch `10.0.0.0/24` and `fd73:6e6f:77::/64`, and so on; switches come first,
//!   then cables, in the order in which they were added. The same topology always gets the same
//!   addresses.
//! - **Interfaces** are `eth0`, `eth1`, … in the order of a node's links, and `to-bob` besides.
//! - **Routes.** Nodes between segments forward, and every node has static routes along shortest
//!   paths, so that all can reach each other by name. [`Routing::None`] switches that off, and
//!   [`NodeSpec::forward`] does for one node. Without a router there is no default route: what is
//!   not in the lab is unreachable at once. Packets live for 64 hops, as everywhere.
//! - **Groups.** A switch sends multicast frames to all its ports, as simple switches do; see
//!   [`SwitchSpec::snooping`]. Where a program names no interface, IPv4 packets to groups and to
//!   255.255.255.255 leave by the first interface of the node, or by its default route if it has
//!   one. A trial outside of a node has `lo` alone, where a join or a datagram that names no
//!   interface fails (`ENODEV`, `ENETUNREACH`), as on a host without a network. Name `127.0.0.1` as
//!   the interface there, or run that code in a node: `shape::star(1)` is one host on a network.
//! - **Impairments.** A link may be slow, lossy and more: see [`LinkSpec::impair`] and
//!   [`crate::impair`]. Which [`Engine`] carries it is worked out when the lab starts.
//!
//! # The Internet in a box
//!
//! A router is a node that forwards: [`Topology::router`] takes a name or a [`RouterSpec`]. Its
//! uplink leads to what is in front of it, all its other links to what is behind it.
//! [`Topology::internet`] is the public part, to which all default routes lead in the end:
//!
//! ```
//! use snowglobe::topology::{Firewall, RouterSpec, SwitchSpec, Topology};
//!
//! let mut topology = Topology::new();
//! let internet = topology.internet();
//! let server = topology.node("server");
//! topology.link(server, internet);
//! for name in ["a", "b"] {
//!     let home = topology.router(RouterSpec::home(format!("{name}-home")));
//!     topology.uplink(home, internet);
//!     let lan = format!("{name}-lan");
//!     let lan = topology.switch(SwitchSpec::new(lan).subnet("192.168.1.0/24"));
//!     let laptop = topology.node(format!("{name}-laptop"));
//!     topology.plug(home, lan);
//!     topology.plug(laptop, lan);
//! }
//! let office = topology.router(RouterSpec::new("office").firewall(Firewall::udp_blocked()));
//! topology.uplink(office, internet);
//! let desk = topology.node("desk");
//! topology.link(desk, office);
//! topology.validate()?;
//! # Ok::<(), snowglobe::topology::TopologyError>(())
//! ```
//!
//! - **Routes.** A host has a default route to the router on its network, and a router one over its
//!   uplink. All routers of a network without translation know the ways to one another's networks:
//!   the shortest ones by the [costs](LinkSpec::cost) of links. Of several default routes, the one
//!   with the lowest [metric](LinkSpec::metric) is used. Where there are routers, no other node
//!   forwards unless it asks to. [`RouteSpec`] adds a route by hand, also by source; with
//!   [`Routing::None`] the routes are left to daemons such as BIRD.
//! - **Addresses.** In front of and beside the Internet automatic addresses are public ones,
//!   elsewhere private ones. Networks behind a router that translates addresses
//!   ([`RouterSpec::nat`]) may have the same subnets as others; anywhere else, that is an error. A
//!   name stands for the same address everywhere, so the name of a host behind such a router is of
//!   use only there.
//! - **Families.** [`RouterSpec::nat`] is about IPv4. Hosts at home have public IPv6 addresses, and
//!   the firewall of the home keeps out what begins outside. [`RouterSpec::nat_v6`] translates IPv6
//!   too, by an exchange of prefixes or a masquerade, and [`RouterSpec::nat64`] leads from IPv6 to
//!   IPv4. A NAT of snowglobe filters IPv4 by itself, and that firewall leaves it to its
//!   [filtering](NatSpec::filtering): `RouterSpec::home("h").nat(preset::full_cone())` is a full
//!   cone.
//! - **Forwarded ports** ([`NatSpec::forward`]) lead inside past the firewall, and so do those that
//!   hosts ask for by NAT-PMP, PCP or UPnP where the router serves it
//!   ([`RouterSpec::port_mapping`]). Hosts behind the router reach both by its external address if
//!   the NAT [hairpins](nat::Hairpinning). All of them are among the
//!   [mappings](crate::lab::RouterNat::mappings). With [`NatSpec::one_to_one`] all ports lead to
//!   one host, as those of the public address of a machine in a cloud do; the firewall keeps out
//!   what it would keep out without a NAT.
//! - **Firewalls** stand at the uplinks of a router, or before a host ([`NodeSpec::firewall`]):
//!   see [`Firewall`]. The kernel's nftables carries them, without a program.
//!   [`Node::firewall_counters`](crate::lab::Node::firewall_counters) has what the rules counted.
//!   With [`Firewall::log()`], packets that were not let through are
//!   [events](crate::events::EventKind::FirewallDropped).
//! - **MTU.** A router answers a packet that is too large for the next link, so that the MTU of a
//!   path is found; with [`PathMtu::Blackhole`] no such answer passes the router.
//! - **Marks** (DSCP and ECN) of forwarded packets pass, or are bleached or changed as
//!   [`RouterSpec::dscp`] and [`RouterSpec::ecn`] say, in both families and on the way back too.
//! - **While the lab runs**: [`Lab::set_firewall`](crate::Lab::set_firewall),
//!   [`Lab::change_router`](crate::Lab::change_router), which also switches port mapping on and
//!   off, and for hosts that move
//!   [`Lab::set_metric`](crate::Lab::set_metric), [`Lab::move_link`](crate::Lab::move_link),
//!   [`Lab::remove_link`](crate::Lab::remove_link).
//!
//! [`situation`] has what software on the Internet meets as functions, to be crossed in a grid of
//! trials.
//!
//! # Load balancers and proxies
//!
//! Load balancers and proxies are ordinary nodes that run the programs of a fixture: haproxy before
//! two servers, and tinyproxy as the only way out of an office. A SOCKS proxy is made in the same
//! way, for example by Debian's microsocks: `StartCommand::new("microsocks").args(["-p", "1080"])`.
//! The configurations of these programs name nodes by their names in the lab.
//!
//! ```no_run
//! use snowglobe::prelude::*;
//! use snowglobe::topology::{Firewall, FirewallAction, FirewallRule, StartCommand};
//!
//! #[snowglobe::test(fixtures("haproxy", "nginx", "tinyproxy"))]
//! fn an_office_reaches_a_balanced_service() -> TestResult {
//!     let mut topology = Topology::new();
//!     let internet = topology.internet();
//!     // `listen service`, `mode tcp`, `bind :443`, `server web1 web1:80 check`, …
//!     let haproxy = StartCommand::new("haproxy").args(["-db", "-f", "/conf/haproxy.cfg"]);
//!     let balancer = NodeSpec::new("balancer")
//!         .rootfs(&Fixture::find("haproxy")?)
//!         .bind_read_only("/conf", "tests/conf")
//!         .command(haproxy.ready_port(443));
//!     let balancer = topology.node(balancer);
//!     topology.link(balancer, internet);
//!     let back = topology.switch("back");
//!     topology.plug(balancer, back);
//!     for name in ["web1", "web2"] {
//!         let nginx = StartCommand::new("nginx").args(["-g", "daemon off;"]).ready_port(80);
//!         let web = NodeSpec::new(name).rootfs(&Fixture::find("nginx")?).command(nginx);
//!         let web = topology.node(web);
//!         topology.plug(web, back);
//!     }
//!
//!     // An office that lets out nothing but what its proxy sends: `Port 8888`, …
//!     let by_proxy = FirewallRule::outbound(FirewallAction::Accept).from("10.7.0.1");
//!     let firewall = Firewall { outbound: FirewallAction::Drop, ..Firewall::inbound_block() };
//!     let office = RouterSpec::home("office").firewall(firewall.rule(by_proxy));
//!     let office = topology.router(office);
//!     topology.uplink(office, internet);
//!     let lan = topology.switch(SwitchSpec::new("lan").subnet("10.7.0.0/24"));
//!     let tinyproxy = StartCommand::new("tinyproxy").args(["-d", "-c", "/conf/tinyproxy.conf"]);
//!     let proxy = NodeSpec::new("proxy")
//!         .rootfs(&Fixture::find("tinyproxy")?)
//!         .bind_read_only("/conf", "tests/conf")
//!         .command(tinyproxy.ready_port(8888));
//!     let proxy = topology.node(proxy);
//!     topology.plug(proxy, lan); // the first on the switch has its first address
//!     topology.plug(office, lan);
//!     let desk = topology.node("desk");
//!     topology.plug(desk, lan);
//!
//!     let lab = topology.start()?;
//!     let proxy = (lab[proxy].ip(), 8888);
//!     let mut tunnel = lab[desk].run(|| TcpStream::connect(proxy))?;
//!     write!(tunnel, "CONNECT {}:443 HTTP/1.0\r\n\r\n", lab[balancer].ip())?;
//!     Ok(())
//! }
//! ```
//!
//! # IPv6 translated, and IPv4 over IPv6
//!
//! [`RouterSpec::nat_v6`] translates IPv6 at the uplinks of a router:
//!
//! - [`V6Nat::Masquerade`](V6Nat): hosts share the address of the uplink. nftables
//!   carries it, with Linux' behaviours.
//! - [`V6Nat::Prefix`](V6Nat): the prefix is exchanged for another (NPTv6, RFC 6296), so
//!   that checksums hold and each host is reached by an address of its own. Routes in front of the
//!   router lead to the prefix outside. nftables has no such translation (its `snat prefix` tracks
//!   connections and changes checksums), and one of snowglobe works on the wire of the uplink.
//!
//! [`Lab::nat_v6`](crate::Lab::nat_v6) says which engine it is, and what an address is outside.
//!
//! Hosts of IPv6 alone reach hosts of IPv4 by a NAT64 (RFC 6146) in their router,
//! [`RouterSpec::nat64`], by addresses that a name server makes up:
//! DNS64 (RFC 6147), [`DnsSpec::dns64`](crate::dns::DnsSpec::dns64). With
//! [`NodeSpec::clat`], programs that know IPv4 alone work there, too
//! (464XLAT, RFC 6877). The situations `v6_only_phone` and `xlat_phone` have all of it ready:
//!
//! ```no_run
//! use snowglobe::prelude::*;
//! use snowglobe::topology::{ClatSpec, Families, Nat64Spec};
//!
//! #[snowglobe::test]
//! fn a_phone_without_ipv4() -> TestResult {
//!     let mut topology = Topology::new();
//!     let internet = topology.internet();
//!     let carrier = topology.router(RouterSpec::new("carrier").nat64(Nat64Spec::new()));
//!     topology.uplink(carrier, internet);
//!     let phone = topology.node(NodeSpec::new("phone").clat(ClatSpec::new()));
//!     topology.link_with(phone, carrier, LinkSpec::new().families(Families::V6));
//!     let old = topology.node("old-server");
//!     topology.link_with(old, internet, LinkSpec::new().families(Families::V4));
//!     let lab = topology.start()?;
//!     let server = lab[old].ipv4().unwrap();
//!     let by_nat64 = lab.nat64(carrier)?.embed(server); // 64:ff9b::…
//!     lab[phone].run(|| TcpStream::connect((by_nat64, 80)))?;
//!     lab[phone].run(|| TcpStream::connect((server, 80)))?; // IPv4, translated twice
//!     Ok(())
//! }
//! ```
//!
//! - The router has an interface `nat64`, into which its kernel routes the prefix and a pool of
//!   IPv4 addresses, one for each host. A thread of the test at its other end makes packets of one
//!   family of those of the other (RFC 7915): TCP, UDP, ICMP echoes and errors with the packets
//!   that they quote, fragments, and the MTU of a path. Other protocols are dropped, and so are
//!   ICMP echoes in fragments. What leaves the router goes through its NAT of IPv4 as any other
//!   host's packets do: its mapping, filtering, ports and timeouts are fields of
//!   [`NatSpec`]. A router that has none gets endpoint-independent mapping and
//!   address-dependent filtering, within RFC 6146.
//! - The router counts as two hops: its kernel forwards a packet before and after the translation.
//! - The well-known prefix `64:ff9b::/96` leads to public addresses only (RFC 6052, section 3.1).
//!   The automatic addresses of servers on the Internet of a lab are public. Private ones are
//!   reached by any other prefix.
//! - The node of a 464XLAT client has an interface `clat` with the address 192.0.0.4, and a default
//!   route of IPv4 that any other goes before. The packets leave from the node's own IPv6 address,
//!   which nftables sees to: an address more, as RFC 6877 has it, would need a prefix to take it
//!   from, which hosts with an address of SLAAC do not have. The node forwards IPv6.
//! - A NAT64 and a 464XLAT client do not change while the lab runs; the NAT of IPv4 does.
//!
//! # Regions
//!
//! [`Regions`] are named places with a matrix of latencies between them, one way or the other, and
//! work between any nodes that are plugged in there. In TOML:
//!
//! ```
//! use snowglobe::topology::Topology;
//!
//! let topology = Topology::from_toml(
//!     r#"
//!     node = [{ name = "paris" }, { name = "boston" }, { name = "osaka" }]
//!
//!     [regions]
//!     places = { eu = ["paris"], us = ["boston"], asia = ["osaka"] }
//!     others = "120ms"
//!     latency = [
//!         { between = ["eu", "us"], time = "40ms" },
//!         { between = ["us", "asia"], time = "70ms", back = "95ms" },
//!     ]
//!     "#,
//! )?;
//! assert_eq!(topology.links().len(), 9); // three pairs, and six ports of switches
//! # Ok::<(), snowglobe::topology::TopologyError>(())
//! ```
//!
//! # Starting
//!
//! [`Topology::start`] brings a topology to life, as a [`Lab`](crate::Lab):
//!
//! ```no_run
//! use snowglobe::topology::shape;
//!
//! #[snowglobe::test]
//! fn a_pair() -> snowglobe::TestResult {
//!     let lab = shape::pair().start()?;
//!     assert_eq!(lab.nodes().count(), 2);
//!     Ok(())
//! }
//! ```

#[doc(inline)]
pub use snowglobe_model::disk::Unsynced;
pub use snowglobe_model::nat::{self, NatSpec};
pub use snowglobe_model::plan;
#[doc(inline)]
pub use snowglobe_model::plan::{Limits, Plan};
#[doc(inline)]
pub use snowglobe_model::portmap::{PortMappingProblem, PortMappingSpec};
pub(crate) use snowglobe_model::topology::network_of;
pub use snowglobe_model::topology::shape;
pub use snowglobe_model::topology::situation;
#[doc(inline)]
pub use snowglobe_model::topology::{
    CaptivePortal, Dscp, Ecn, EndSpec, Endpoint, Engine, Families, Firewall, FirewallAction,
    FirewallProtocol, FirewallRule, Heading, LinkId, LinkSpec, Mac, MacError, Mount, MountError,
    MountSource, Neighbours, NodeId, NodeSpec, Owner, PORTAL_PORT, PathMtu, PodId, PodSpec,
    RegionMap, Regions, Rootfs, RouteSpec, RouterSettings, RouterSpec, Routing, Size, SizeError,
    StartCommand, StartUser, Subnet, SubnetError, SwitchId, SwitchSpec, Topology, TopologyError,
    TopologyErrorKind, TopologySubject, Users, Volume,
};
pub use snowglobe_model::v6::{self, ClatSpec, Nat64Spec, PrefixTranslation, V6Nat};
