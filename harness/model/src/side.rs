//! The two sides of a link.

use std::fmt;
use std::ops::{Index, IndexMut};

/// One of the two sides of a link. The topology names the end on side A first.
///
/// A side is an index of an array of two:
///
/// ```
/// use snowglobe_model::side::Side;
///
/// let ends = ["alice", "bob"];
/// assert_eq!(ends[Side::A], "alice");
/// assert_eq!(ends[Side::A.other()], "bob");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The side of the end that is named first.
    A,
    /// The side of the end that is named second.
    B,
}

impl Side {
    /// Both sides, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Returns 0 for side A and 1 for side B.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the opposite side.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Returns the name of the side in texts and in interface names.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl<T> Index<Side> for [T; 2] {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        let [a, b] = self;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }
}

impl<T> IndexMut<Side> for [T; 2] {
    fn index_mut(&mut self, side: Side) -> &mut T {
        let [a, b] = self;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }
}
