//! The steps of a rule, and their encoding.

use nix::libc;

use super::attributes::*;
use crate::netlink::encoding::Attributes;

/// A step of a rule. A packet goes on to the next step if this step is true of the packet.
///
/// All values are in register 1: a step that loads a value is followed by one that uses the value.
#[derive(Clone, Debug)]
pub(crate) enum Expression<'a> {
    /// Loads the EtherType.
    EtherType,
    /// Loads the number of the transport protocol, behind any IPv6 extension headers.
    Transport,
    /// Loads the index of the interface that received the packet, in the byte order of the machine.
    ReceivedOn,
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
    /// Counts the packet and its bytes.
    Count,
    /// Drops the packet.
    Drop,
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
        let register = big_endian(libc::NFT_REG_1);
        let list = Attributes::new();
        match self {
            Self::EtherType => ("meta", meta(libc::NFT_META_PROTOCOL)),
            Self::Transport => ("meta", meta(libc::NFT_META_L4PROTO)),
            Self::ReceivedOn => ("meta", meta(libc::NFT_META_IIF)),
            Self::Load(base, offset, length) => {
                let list = list.with(NFTA_PAYLOAD_DREG, &register);
                let list = list.with(NFTA_PAYLOAD_BASE, &big_endian(*base));
                let list = list.with(NFTA_PAYLOAD_OFFSET, &offset.to_be_bytes());
                (
                    "payload",
                    list.with(NFTA_PAYLOAD_LEN, &length.to_be_bytes()),
                )
            }
            Self::Immediate(bytes) => {
                let list = list.with(NFTA_IMMEDIATE_DREG, &register);
                ("immediate", list.nest(NFTA_IMMEDIATE_DATA, value(bytes)))
            }
            Self::Equals(bytes) => ("cmp", compare(libc::NFT_CMP_EQ, bytes)),
            Self::Differs(bytes) => ("cmp", compare(libc::NFT_CMP_NEQ, bytes)),
            Self::In(set) => {
                let list = list.text(NFTA_LOOKUP_SET, set);
                ("lookup", list.with(NFTA_LOOKUP_SREG, &register))
            }
            Self::Count => ("counter", list),
            Self::Drop => {
                // A verdict is a constant in the verdict register (nf_tables_core.c, nft_do_chain).
                let code = Attributes::new().with(NFTA_VERDICT_CODE, &big_endian(libc::NF_DROP));
                let verdict = Attributes::new().nest(NFTA_DATA_VERDICT, code);
                let list = list.with(NFTA_IMMEDIATE_DREG, &big_endian(libc::NFT_REG_VERDICT));
                ("immediate", list.nest(NFTA_IMMEDIATE_DATA, verdict))
            }
            Self::Masquerade => ("masq", list),
            Self::Dnat => {
                let list = list.with(NFTA_NAT_TYPE, &big_endian(libc::NFT_NAT_DNAT));
                let list = list.with(NFTA_NAT_FAMILY, &big_endian(libc::NFPROTO_IPV4));
                ("nat", list.with(NFTA_NAT_REG_ADDR_MIN, &register))
            }
        }
    }
}

/// Loads a value that the kernel knows of the packet.
fn meta(key: libc::c_int) -> Attributes {
    Attributes::new()
        .with(NFTA_META_DREG, &big_endian(libc::NFT_REG_1))
        .with(NFTA_META_KEY, &big_endian(key))
}

fn compare(operation: libc::c_int, bytes: &[u8]) -> Attributes {
    Attributes::new()
        .with(NFTA_CMP_SREG, &big_endian(libc::NFT_REG_1))
        .with(NFTA_CMP_OP, &big_endian(operation))
        .nest(NFTA_CMP_DATA, value(bytes))
}

fn value(bytes: &[u8]) -> Attributes {
    // Values are compared with bytes of the packet, so they are not converted.
    Attributes::new().with(NFTA_DATA_VALUE, bytes)
}

fn big_endian(number: libc::c_int) -> [u8; 4] {
    number.to_be_bytes()
}
