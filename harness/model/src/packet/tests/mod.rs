//! Headers and resets, without a wire.

mod packets;
mod reference;
mod resets;

use super::testing::*;
use super::{Headers, TcpFlags};
