//! The ways to part a set of nodes.

use super::dice::FaultDice;
use crate::fault::fault::Fault;
use crate::fault::refs::NodeRef;

/// A way to part a set of nodes. A nemesis draws who is on which side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Two halves. Of an odd number of nodes, one half has one more.
    Halves,
    /// One node, and all others.
    One,
    /// A minority of any size, and all others.
    Minority,
    /// At most a third of the nodes, and all others.
    MinorityThird,
    /// Each node hears a majority, and no two nodes hear the same one. Takes four nodes.
    MajoritiesRing,
    /// Two halves, and one node that hears both and is heard by both.
    Bridge,
    /// The nodes that have a role, each by itself, and all others.
    PrimariesOnly(
        /// The role.
        String,
    ),
    /// One node that is not heard by the others, or does not hear them.
    OneWay,
}

impl Split {
    /// Returns the number of nodes that it takes.
    pub(super) fn least(&self) -> usize {
        match self {
            Self::Halves | Self::One | Self::OneWay | Self::PrimariesOnly(_) => 2,
            Self::Minority | Self::MinorityThird | Self::Bridge => 3,
            Self::MajoritiesRing => 4,
        }
    }

    /// Draws a partition of nodes, of which there are enough.
    pub(super) fn draw(&self, nodes: &[NodeRef], dice: &mut FaultDice) -> Fault {
        let shuffled = dice.shuffled(nodes);
        let number = shuffled.len();
        let at = |size: usize| {
            let (left, right) = shuffled.split_at(size);
            Fault::partition(left, right)
        };
        match self {
            Self::Halves => at(number / 2),
            Self::One => at(1),
            // A majority is more than the half, so that a minority is less.
            Self::Minority => at(1 + dice.place((number - 1) / 2)),
            Self::MinorityThird => at(number / 3),
            Self::MajoritiesRing => ring(&shuffled),
            Self::Bridge => {
                let (left, right) = shuffled[1..].split_at((number - 1) / 2);
                Fault::partition(left, right)
            }
            Self::PrimariesOnly(role) => Fault::primaries_only(NodeRef::role(role)),
            Self::OneWay => {
                let (one, others) = shuffled.split_at(1);
                match dice.below(2) {
                    0 => Fault::partition_one_way(one, others),
                    _ => Fault::partition_one_way(others, one),
                }
            }
        }
    }
}

/// Lets each node hear only its neighbours on a ring, as many of them as make a majority with it.
fn ring(nodes: &[NodeRef]) -> Fault {
    let number = nodes.len();
    let others_of_a_majority = number / 2;
    let reach = others_of_a_majority.div_ceil(2);
    let far = |a: usize, b: usize| (b - a).min(number - (b - a)) > reach;
    let pairs = (0..number).flat_map(|a| (a + 1..number).map(move |b| (a, b)));
    let severed = pairs.filter(|(a, b)| far(*a, *b));
    Fault::Sever {
        pairs: severed
            .map(|(a, b)| [nodes[a].clone(), nodes[b].clone()])
            .collect(),
    }
}
