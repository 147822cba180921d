//! The steps of a rule, and their encoding.

use nix::libc;

use super::attributes::*;
use crate::netlink::IpFamily;
use crate::netlink::encoding::Attributes;

/// A step of a rule. A packet goes on to the next step if this step is true of the packet.
///
/// All values are in register 1: a step that loads a value is followed by one that uses the value.
#[derive(Clone, Debug)]
pub(crate) enum Expression<'a> {
    /// Loads the EtherType.
    EtherType,
    /// Loads how the frame is addressed, one byte (`PACKET_HOST`, …), as the kernel found when the
    /// frame came to the interface.
    PacketType,
    /// Loads the number of the transport protocol, behind any IPv6 extension headers.
    Transport,
    /// Loads the index of the interface that received the packet, in the byte order of the machine.
    ReceivedOn,
    /// Loads the index of the interface by which the packet leaves, in the machine's byte order.
    LeavesBy,
    /// Loads the time of day in nanoseconds since 1970, in the byte order of the machine.
    TimeOfDay,
    /// Turns a loaded number of eight bytes into network byte order.
    InNetworkOrder,
    /// Loads the family of the packet: `NFPROTO_IPV4` or `NFPROTO_IPV6`.
    Family,
    /// Loads the state of the connection, as bits in the byte order of the machine.
    ConnectionState,
    /// Loads the direction in which the packet goes, one byte: 0 is that of the first packet.
    ConnectionDirection,
    /// Loads what the kernel knows of the connection, as bits in the byte order of the machine.
    ConnectionStatus,
    /// Loads the mark of the packet, in the byte order of the machine.
    Mark,
    /// Gives the packet the loaded value as its mark.
    SetMark,
    /// Keeps these bits of the loaded value.
    Masked(&'a [u8]),
    /// Keeps the bits of the first value, and flips those of the second one.
    Changed(&'a [u8], &'a [u8]),
    /// Stores the loaded value in the IP header: the offset, the length, and the place of the
    /// header's checksum, if it has one.
    Store(u32, u32, Option<u32>),
    /// Is true if the loaded value is this constant or more, byte by byte.
    AtLeast(&'a [u8]),
    /// Is true if the loaded value is this constant or less, byte by byte.
    AtMost(&'a [u8]),
    /// Loads bytes of the packet: the header (`NFT_PAYLOAD_*`), the offset in it, and the length.
    Load(libc::c_int, u32, u32),
    /// Loads a constant.
    Immediate(&'a [u8]),
    /// Is true if the loaded value equals this constant.
    Equals(&'a [u8]),
    /// Is true if the loaded value differs from this constant.
    Differs(&'a [u8]),
    /// Is true if the loaded value is a member of the set with this name.
    In(&'a str),
    /// Goes on in another chain of the table, and does not come back.
    Goto(&'a str),
    /// Counts the packet and its bytes.
    Count,
    /// Sends the frame by the interface whose index is the loaded value, in the byte order of the
    /// machine. Only in the family `netdev`.
    Forward,
    /// Drops the packet.
    Drop,
    /// Lets the packet pass.
    Accept,
    /// Answers TCP by a reset, and drops the packet.
    Reset,
    /// Answers by ICMP that it is administratively prohibited, and drops the packet.
    Prohibit,
    /// Tells a group of nflog of the packet, with a text.
    Log(u16, &'a str),
    /// Loads a port into register 2.
    ImmediatePort(u16),
    /// Replaces the destination by the address in register 1, of IPv6 or IPv4, and the port in
    /// register 2.
    DnatWithPort(IpFamily),
    /// Replaces the source by the loaded value, an IPv4 address, and maybe by the port in register
    /// 2.
    Snat(bool),
    /// Replaces the destination by the host itself and the port in register 2.
    Redirect,
    /// Replaces the source address as `Masquerade` does, with a random port.
    MasqueradeRandom,
    /// Replaces the source address by the address of the interface through which the packet leaves.
    Masquerade,
    /// Replaces the destination address by the loaded value, an IPv4 address.
    Dnat,
}

impl Expression<'_> {
    pub(super) fn encode(&self) -> Attributes {
        let (name, data) = self.name_and_data();
        Attributes::new()
            .text(NFTA_EXPR_NAME, name)
            .nest(NFTA_EXPR_DATA, data)
    }

    fn name_and_data(&self) -> (&'static str, Attributes) {
        match self {
            Self::EtherType => ("meta", meta(libc::NFT_META_PROTOCOL)),
            Self::PacketType => ("meta", meta(libc::NFT_META_PKTTYPE)),
            Self::Transport => ("meta", meta(libc::NFT_META_L4PROTO)),
            Self::ReceivedOn => ("meta", meta(libc::NFT_META_IIF)),
            Self::LeavesBy => ("meta", meta(libc::NFT_META_OIF)),
            Self::TimeOfDay => ("meta", meta(NFT_META_TIME_NS)),
            Self::InNetworkOrder => ("byteorder", network_order()),
            Self::Family => ("meta", meta(libc::NFT_META_NFPROTO)),
            Self::ConnectionState => ("ct", connection(libc::NFT_CT_STATE)),
            Self::ConnectionDirection => ("ct", connection(libc::NFT_CT_DIRECTION)),
            Self::ConnectionStatus => ("ct", connection(libc::NFT_CT_STATUS)),
            Self::Masked(mask) => ("bitwise", bitwise(mask, &vec![0; mask.len()])),
            Self::Changed(mask, flipped) => ("bitwise", bitwise(mask, flipped)),
            Self::Store(offset, length, checksum) => {
                ("payload", store(*offset, *length, *checksum))
            }
            Self::Mark => ("meta", meta(libc::NFT_META_MARK)),
            Self::SetMark => ("meta", set_mark()),
            Self::AtLeast(bytes) => ("cmp", compare(libc::NFT_CMP_GTE, bytes)),
            Self::AtMost(bytes) => ("cmp", compare(libc::NFT_CMP_LTE, bytes)),
            Self::Equals(bytes) => ("cmp", compare(libc::NFT_CMP_EQ, bytes)),
            Self::Differs(bytes) => ("cmp", compare(libc::NFT_CMP_NEQ, bytes)),
            Self::Load(base, offset, length) => ("payload", payload(*base, *offset, *length)),
            Self::In(set) => {
                let list = Attributes::new().text(NFTA_LOOKUP_SET, set);
                ("lookup", list.with(NFTA_LOOKUP_SREG, &FIRST))
            }
            Self::Immediate(bytes) => ("immediate", immediate(libc::NFT_REG_1, value(bytes))),
            Self::ImmediatePort(port) => {
                let port = value(&port.to_be_bytes());
                ("immediate", immediate(libc::NFT_REG_2, port))
            }
            Self::Goto(chain) => {
                let code = Attributes::new()
                    .with(NFTA_VERDICT_CODE, &big_endian(libc::NFT_GOTO))
                    .text(NFTA_VERDICT_CHAIN, chain);
                let verdict = Attributes::new().nest(NFTA_DATA_VERDICT, code);
                ("immediate", immediate(libc::NFT_REG_VERDICT, verdict))
            }
            Self::Count => ("counter", Attributes::new()),
            Self::Forward => ("fwd", Attributes::new().with(NFTA_FWD_SREG_DEV, &FIRST)),
            Self::Drop => ("immediate", verdict(libc::NF_DROP)),
            Self::Accept => ("immediate", verdict(libc::NF_ACCEPT)),
            // Only TCP has resets; a rule with this step must match TCP (nft_reject.c).
            Self::Reset => ("reject", reject(libc::NFT_REJECT_TCP_RST, 0)),
            // ICMPX stands for ICMP or ICMPv6, as the packet is (nft_reject_inet.c).
            Self::Prohibit => {
                let code = libc::NFT_REJECT_ICMPX_ADMIN_PROHIBITED as u8;
                ("reject", reject(libc::NFT_REJECT_ICMPX_UNREACH, code))
            }
            // With a group, the kernel tells nflog and writes nothing into its own log (nft_log.c).
            Self::Log(group, text) => {
                let list = Attributes::new().with(NFTA_LOG_GROUP, &group.to_be_bytes());
                ("log", list.text(NFTA_LOG_PREFIX, text))
            }
            Self::DnatWithPort(family) => {
                let list = nat(libc::NFT_NAT_DNAT, family.number());
                ("nat", list.with(NFTA_NAT_REG_PROTO_MIN, &SECOND))
            }
            Self::Dnat => ("nat", nat(libc::NFT_NAT_DNAT, libc::NFPROTO_IPV4)),
            Self::Snat(port) => ("nat", snat(*port)),
            Self::Redirect => {
                let list = Attributes::new().with(NFTA_REDIR_REG_PROTO_MIN, &SECOND);
                ("redir", list)
            }
            Self::MasqueradeRandom => {
                /// `NF_NAT_RANGE_PROTO_RANDOM_FULLY` (`linux/netfilter/nf_nat.h`).
                const FULLY: libc::c_int = 1 << 4;
                let list = Attributes::new().with(NFTA_MASQ_FLAGS, &big_endian(FULLY));
                ("masq", list)
            }
            Self::Masquerade => ("masq", Attributes::new()),
        }
    }
}

/// The register of what was loaded last.
const FIRST: [u8; 4] = big_endian(libc::NFT_REG_1);
/// The register of a port.
const SECOND: [u8; 4] = big_endian(libc::NFT_REG_2);

/// `NFT_META_TIME_NS` (`linux/netfilter/nf_tables.h`), in kernels since 5.4.
const NFT_META_TIME_NS: libc::c_int = 30;

/// Gives the packet the loaded value as its mark.
fn set_mark() -> Attributes {
    Attributes::new()
        .with(NFTA_META_KEY, &big_endian(libc::NFT_META_MARK))
        .with(NFTA_META_SREG, &FIRST)
}

/// Replaces the source by the loaded address, and maybe by the port in the second register.
fn snat(port: bool) -> Attributes {
    let list = nat(libc::NFT_NAT_SNAT, libc::NFPROTO_IPV4);
    match port {
        true => list.with(NFTA_NAT_REG_PROTO_MIN, &SECOND),
        false => list,
    }
}

/// Loads a value that the kernel knows of the packet.
fn meta(key: libc::c_int) -> Attributes {
    Attributes::new()
        .with(NFTA_META_DREG, &FIRST)
        .with(NFTA_META_KEY, &big_endian(key))
}

/// Loads bytes of the packet.
fn payload(base: libc::c_int, offset: u32, length: u32) -> Attributes {
    Attributes::new()
        .with(NFTA_PAYLOAD_DREG, &FIRST)
        .with(NFTA_PAYLOAD_BASE, &big_endian(base))
        .with(NFTA_PAYLOAD_OFFSET, &offset.to_be_bytes())
        .with(NFTA_PAYLOAD_LEN, &length.to_be_bytes())
}

/// Stores bytes in the IP header.
fn store(offset: u32, length: u32, checksum: Option<u32>) -> Attributes {
    // The header of IPv4 has a checksum of its own; that of IPv6 has none (RFC 8200).
    let kind = match checksum {
        Some(_) => libc::NFT_PAYLOAD_CSUM_INET,
        None => libc::NFT_PAYLOAD_CSUM_NONE,
    };
    Attributes::new()
        .with(NFTA_PAYLOAD_SREG, &FIRST)
        .with(
            NFTA_PAYLOAD_BASE,
            &big_endian(libc::NFT_PAYLOAD_NETWORK_HEADER),
        )
        .with(NFTA_PAYLOAD_OFFSET, &offset.to_be_bytes())
        .with(NFTA_PAYLOAD_LEN, &length.to_be_bytes())
        .with(NFTA_PAYLOAD_CSUM_TYPE, &big_endian(kind))
        .with(
            NFTA_PAYLOAD_CSUM_OFFSET,
            &checksum.unwrap_or(0).to_be_bytes(),
        )
}

/// Loads a value that the kernel knows of the packet's connection.
fn connection(key: libc::c_int) -> Attributes {
    Attributes::new()
        .with(NFTA_CT_DREG, &FIRST)
        .with(NFTA_CT_KEY, &big_endian(key))
}

/// Turns the loaded number, of eight bytes, into network byte order (nft_byteorder.c).
fn network_order() -> Attributes {
    let eight = 8u32.to_be_bytes();
    Attributes::new()
        .with(NFTA_BYTEORDER_SREG, &FIRST)
        .with(NFTA_BYTEORDER_DREG, &FIRST)
        .with(NFTA_BYTEORDER_OP, &big_endian(libc::NFT_BYTEORDER_HTON))
        .with(NFTA_BYTEORDER_LEN, &eight)
        .with(NFTA_BYTEORDER_SIZE, &eight)
}

fn bitwise(mask: &[u8], flipped: &[u8]) -> Attributes {
    let length = mask.len() as u32;
    Attributes::new()
        .with(NFTA_BITWISE_SREG, &FIRST)
        .with(NFTA_BITWISE_DREG, &FIRST)
        .with(NFTA_BITWISE_LEN, &length.to_be_bytes())
        .nest(NFTA_BITWISE_MASK, value(mask))
        .nest(NFTA_BITWISE_XOR, value(flipped))
}

/// Makes the attributes of a verdict, which is a constant in the verdict register
/// (nf_tables_core.c, nft_do_chain).
fn verdict(code: libc::c_int) -> Attributes {
    let code = Attributes::new().with(NFTA_VERDICT_CODE, &big_endian(code));
    let verdict = Attributes::new().nest(NFTA_DATA_VERDICT, code);
    immediate(libc::NFT_REG_VERDICT, verdict)
}

/// Loads a constant.
fn immediate(register: libc::c_int, data: Attributes) -> Attributes {
    Attributes::new()
        .with(NFTA_IMMEDIATE_DREG, &big_endian(register))
        .nest(NFTA_IMMEDIATE_DATA, data)
}

fn reject(kind: libc::c_int, code: u8) -> Attributes {
    Attributes::new()
        .with(NFTA_REJECT_TYPE, &big_endian(kind))
        .with(NFTA_REJECT_ICMP_CODE, &[code])
}

fn nat(kind: libc::c_int, family: libc::c_int) -> Attributes {
    Attributes::new()
        .with(NFTA_NAT_TYPE, &big_endian(kind))
        .with(NFTA_NAT_FAMILY, &big_endian(family))
        .with(NFTA_NAT_REG_ADDR_MIN, &FIRST)
}

fn compare(operation: libc::c_int, bytes: &[u8]) -> Attributes {
    Attributes::new()
        .with(NFTA_CMP_SREG, &FIRST)
        .with(NFTA_CMP_OP, &big_endian(operation))
        .nest(NFTA_CMP_DATA, value(bytes))
}

fn value(bytes: &[u8]) -> Attributes {
    // Values are compared with bytes of the packet, so they are not converted.
    Attributes::new().with(NFTA_DATA_VALUE, bytes)
}

const fn big_endian(number: libc::c_int) -> [u8; 4] {
    number.to_be_bytes()
}
