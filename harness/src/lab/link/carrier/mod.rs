//! What carries the packets of a link, and how one carrier takes the place of another.
//!
//! A plain link is a veth pair. For delay, loss, rules and captures of single packets, something
//! has to stand between the ends. Then each end in a node or at a switch is a veth whose peer, the
//! *inner end*, lies in the *wire namespace*, which no node sees. A *repeater* is a bridge of two
//! ports, which passes every frame on:
//!
//! ```text
//!   node alice        wire namespace of the lab            node bob
//!   eth0 ═════════ m7a ─┬─ netem, in a repeater ─┬─ m7b ═════════ eth0
//!                       └─ or packet sockets  ───┘
//!   eth0 ═══ TAP device ── userspace wire ── TAP device ═══ eth0
//! ```
//!
//! # When the carrier of a running link changes
//!
//! A test asks for something that the present carrier cannot do: an impairment, a packet rule. Then
//! `LinkState::change_carrier` (in `change`) does this, and the other files here do the parts:
//!
//! 1. `choose` finds the carrier: the engine asked for, what this kernel has, what netem can do. Of
//!    a plain cable between two nodes, `keep` finds the interface that stays: the one on which
//!    interfaces of programs or packet sockets stand, or else the one with temporary addresses,
//!    with translated connections, or with more that was added; if both have what would be lost,
//!    the change is refused. The packet sockets of our own captures do not count, so these are
//!    detached while `keep` looks. A refusal leaves the link as it was.
//! 2. Monitors are taken from the interfaces, while these still exist: the last frames would be
//!    lost with the interfaces. The filters of cuts stay where they are, so that no frame passes
//!    meanwhile.
//! 3. `replace` replaces the old carrier by the ends of the new one, in one of four ways. A plain
//!    cable at a switch is taken apart at the switch (`splice`), and the node notices nothing; its
//!    inner ends then lie in the hub (the namespace of all switches), not in the wire namespace. Of
//!    a plain cable between two nodes one interface is kept (`keep`), and the other is made again.
//!    From netem to packet sockets only what is between the inner ends is replaced. Otherwise, for
//!    the cable between two switches, all is made again: `detach` takes the old carrier away,
//!    `attach` makes the new ends, which come up.
//! 4. Partitions are put on the interfaces that were made anew. Then the ends are joined, with cuts
//!    that are in force from the first frame on, and the old filters of cuts go.
//! 5. The settings that the kernel has not given to an interface that was made anew are told by an
//!    event. Where a link between a node and a switch is down, the node's interface is told so
//!    again, since the new carrier stands between it and the port that is down. Monitors come
//!    last: no capture begins before the faults are back.
//! 6. The change is recorded as an event.
//!
//! A link never becomes a plain veth pair again: what stands between its ends stays when the last
//! impairment goes. In a link that is in use, packet sockets stand in the place of a TAP
//! device, which would be another interface in the node. Frames that netem holds back are lost with
//! netem.
//!
//! A wire over packet sockets that has nothing to do yet needs no other carrier to be fast: the
//! kernel carries its frames (`shortcut`). Whatever needs the carrier ends the shortcut for good
//! before it takes effect: an impairment, a cut, a rule, a listener, a NAT, a link that goes down.
//! `CarriedLink` (`link::carried_link`) ensures that order: only its `without_shortcut` lends the
//! carrier out.
//!
//! A program on the interface must not lose what it has there: a virtual address, a route of BGP, a
//! packet socket. A plain cable between two nodes is one veth pair all the same, and not two pairs
//! with something between them that could be exchanged unnoticed. The second pair costs each start
//! 0.37 ms a link, and the cheapest connection of two pairs takes 7 % of a TCP stream and 17 % of
//! small datagrams (redirection between two veth ends, measured for this project, 2026-08); a plain
//! link has to reach 95 %.
//!
//! If step 3 or 4 fails, the link has no carrier, and is treated as one that was removed. If a
//! later step fails, the link has its new carrier, and lacks what the error names.
//!
//! | file | role |
//! |---|---|
//! | `change` | changes the carrier of a running link, with all that is attached to the link |
//! | `choose` | finds the carrier for an engine and impairments |
//! | `attach` | makes the ends for a carrier, and joins them |
//! | `detach` | takes a carrier away |
//! | `replace` | replaces a carrier, in the order that is explained there |
//! | `splice` | puts a carrier into a plain cable at a switch |
//! | `keep` | puts a carrier into a plain cable between two nodes |
//! | `shortcut` | the kernel's way beside a wire that has nothing to do |
//! | `active` | a carrier at work, and what it owns |
//! | `wire_interface` | interfaces in the wire namespace, or in the hub after a splice |

pub(crate) mod active;
pub(crate) mod attach;
mod change;
pub(crate) mod choose;
pub(crate) mod detach;
pub(crate) mod keep;
pub(crate) mod replace;
pub(crate) mod shortcut;
pub(crate) mod splice;
pub(crate) mod wire_interface;
