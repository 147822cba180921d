//! Names that most tests use, for `use snowglobe::prelude::*;`.

pub use std::io::{Read, Write};
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
pub use std::time::Duration;

pub use crate::impair::{Direction, Impairment, Percent, Rate, preset};
pub use crate::lab::Lab;
pub use crate::observe::{Verdict, arp, icmp, tcp, udp};
pub use crate::topology::{
    LinkSpec, NodeSpec, PodSpec, RouterSpec, SwitchSpec, Topology, Volume, shape,
};
pub use crate::{Feature, Fixture, Isolation, Options, TestResult, Trial};
