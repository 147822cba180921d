//! What a bad link does to packets, as a value.

mod direction;

pub use direction::Direction;
