//! Interface indices, chosen before the kernel is asked.
//!
//! Whoever makes an interface chooses its index, so that later requests can name the interface
//! without asking for its index first. Indices that meet in one network namespace must differ. The
//! indices of all kinds of interfaces stand in this table, in ranges that never meet, and every
//! plan keeps them as numbers.

use super::id::InterfaceId;
use super::limits::{BRIDGES, LINKS, SWITCHES};
use crate::side::Side;
use crate::topology::id::{LinkId, SwitchId};

/// An interface that a lab makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceSlot {
    /// An interface of a stack, at this side of its link. The two ends of a cable always have
    /// different indices: then the kernel knows sooner that they are up.
    NodeInterface(InterfaceId, Side),
    /// The end of a link that is in the hub, at this side.
    Port(LinkId, Side),
    /// A side of the trunk that joins a further bridge of a switch to its first.
    Trunk(SwitchId, usize, Side),
    /// A bridge of a switch.
    Bridge(SwitchId, usize),
    /// The end of a link's inner veth pair that is in the wires' namespace.
    InnerEnd(LinkId, Side),
    /// The bridge between the inner ends of a link that netem impairs.
    Repeater(LinkId),
    /// The port that takes the place of a planned one, where a link between a node and a switch
    /// gets another carrier.
    SparePort(LinkId),
    /// A side of the veth pair in a node whose far end makes packets of one family of those of the
    /// other: the first pair is that of a NAT64, and the second that of 464XLAT.
    Translator(usize, Side),
}

/// Index of the first interface besides `lo`, whose index is 1.
const NODE_INTERFACES: usize = 2;
/// A stack has at most both ends of each link.
const PORTS: usize = NODE_INTERFACES + 2 * (2 * LINKS);
const TRUNKS: usize = PORTS + 2 * LINKS;
const BRIDGE_INTERFACES: usize = TRUNKS + 2 * SWITCHES * BRIDGES;
const INNER_ENDS: usize = BRIDGE_INTERFACES + SWITCHES * BRIDGES;
const REPEATERS: usize = INNER_ENDS + 2 * LINKS;
const SPARE_PORTS: usize = REPEATERS + LINKS;
const TRANSLATORS: usize = SPARE_PORTS + LINKS;

impl InterfaceSlot {
    /// Returns the index of the interface.
    pub fn index(self) -> u32 {
        let index = match self {
            Self::NodeInterface(interface, side) => {
                NODE_INTERFACES + 2 * interface.index() + side.index()
            }
            Self::Port(link, side) => PORTS + 2 * link.index() + side.index(),
            Self::Trunk(switch, bridge, side) => {
                TRUNKS + 2 * (switch.index() * BRIDGES + bridge) + side.index()
            }
            Self::Bridge(switch, bridge) => BRIDGE_INTERFACES + switch.index() * BRIDGES + bridge,
            Self::InnerEnd(link, side) => INNER_ENDS + 2 * link.index() + side.index(),
            Self::Repeater(link) => REPEATERS + link.index(),
            Self::SparePort(link) => SPARE_PORTS + link.index(),
            Self::Translator(pair, side) => TRANSLATORS + 2 * pair + side.index(),
        };
        u32::try_from(index).expect("the limits of a topology keep indices small")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first and the last interface of each kind, in the largest topology that is
    /// allowed.
    fn extremes() -> [[InterfaceSlot; 2]; 8] {
        let (link, switch) = (LinkId::new(LINKS - 1), SwitchId::new(SWITCHES - 1));
        let interface = InterfaceId::new(2 * LINKS - 1);
        let first = (InterfaceId::new(0), LinkId::new(0), SwitchId::new(0));
        [
            [
                InterfaceSlot::NodeInterface(first.0, Side::A),
                InterfaceSlot::NodeInterface(interface, Side::B),
            ],
            [
                InterfaceSlot::Port(first.1, Side::A),
                InterfaceSlot::Port(link, Side::B),
            ],
            [
                InterfaceSlot::Trunk(first.2, 0, Side::A),
                InterfaceSlot::Trunk(switch, BRIDGES - 1, Side::B),
            ],
            [
                InterfaceSlot::Bridge(first.2, 0),
                InterfaceSlot::Bridge(switch, BRIDGES - 1),
            ],
            [
                InterfaceSlot::InnerEnd(first.1, Side::A),
                InterfaceSlot::InnerEnd(link, Side::B),
            ],
            [
                InterfaceSlot::Repeater(first.1),
                InterfaceSlot::Repeater(link),
            ],
            [
                InterfaceSlot::SparePort(first.1),
                InterfaceSlot::SparePort(link),
            ],
            [
                InterfaceSlot::Translator(0, Side::A),
                InterfaceSlot::Translator(1, Side::B),
            ],
        ]
    }

    #[test]
    fn no_two_kinds_of_interfaces_share_an_index_in_the_largest_topology() {
        let ranges = extremes().map(|range| range.map(InterfaceSlot::index));
        // `lo` has index 1, and the kernel takes positive numbers of 31 bits (`net/core/dev.c`).
        assert!(ranges[0][0] > 1 && ranges[7][1] <= i32::MAX as u32);
        for [first, last] in ranges {
            assert!(first <= last);
        }
        for pair in ranges.windows(2) {
            assert!(pair[0][1] < pair[1][0], "{pair:?} meet");
        }
    }

    #[test]
    fn neighbours_in_a_range_differ() {
        let (switch, next) = (SwitchId::new(3), SwitchId::new(4));
        let trunk = |switch, bridge, side| InterfaceSlot::Trunk(switch, bridge, side).index();
        assert_eq!(trunk(switch, 1, Side::A) + 1, trunk(switch, 1, Side::B));
        assert_eq!(trunk(switch, 1, Side::B) + 1, trunk(switch, 2, Side::A));
        assert_eq!(
            trunk(switch, BRIDGES - 1, Side::B) + 1,
            trunk(next, 0, Side::A)
        );
        let bridge = |switch, bridge| InterfaceSlot::Bridge(switch, bridge).index();
        assert_eq!(bridge(switch, BRIDGES - 1) + 1, bridge(next, 0));
    }
}
