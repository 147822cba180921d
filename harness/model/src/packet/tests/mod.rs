//! Headers and resets, without a wire.

mod packets;
mod resets;

use super::headers::{Headers, TcpFlags};
use super::testing::*;
