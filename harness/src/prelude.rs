//! Names that most tests use, for `use snowglobe::prelude::*;`.

pub use std::io::{Read, Write};
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
pub use std::time::Duration;

pub use crate::fault::{Fault, LinkRef, Nemesis, NodeRef, Schedule, Split};
pub use crate::impair::{Direction, Impairment, Percent, Rate, preset};
pub use crate::lab::{Cluster, Lab};
pub use crate::observe::{Verdict, arp, icmp, tcp, udp};
pub use crate::topology::{
    LinkId, LinkSpec, NodeId, NodeSpec, PodSpec, RouterSpec, StartCommand, SwitchSpec, Topology,
    Volume, shape,
};
pub use crate::{Feature, Fixture, Isolation, Options, TestResult, Trial};
