//! The two directions of a link, which are impaired and counted each by itself.

use std::fmt;

use snowglobe_derive::{Deserialize, Serialize};

use crate::side::Side;

/// One of the two directions of a link, whose ends are a and b in the order in which the topology
/// named them.
///
/// ```
/// use snowglobe_model::impair::Direction;
///
/// assert_eq!(Direction::AToB.reverse(), Direction::BToA);
/// assert_eq!(Direction::BToA.to_string(), "b→a");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From side a to side b.
    AToB,
    /// From side b to side a.
    BToA,
}

impl Direction {
    /// Both directions, in the order of their index.
    pub const BOTH: [Direction; 2] = [Direction::AToB, Direction::BToA];

    /// Returns 0 for a to b, and 1 for b to a.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the side that sends the frames of this direction.
    pub const fn sender(self) -> Side {
        match self {
            Direction::AToB => Side::A,
            Direction::BToA => Side::B,
        }
    }

    /// Returns the side that receives the frames of this direction.
    pub const fn receiver(self) -> Side {
        match self {
            Direction::AToB => Side::B,
            Direction::BToA => Side::A,
        }
    }

    /// Returns the opposite direction.
    pub const fn reverse(self) -> Self {
        match self {
            Direction::AToB => Direction::BToA,
            Direction::BToA => Direction::AToB,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::AToB => "a→b",
            Direction::BToA => "b→a",
        })
    }
}
