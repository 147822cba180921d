//! Rules, without a wire.

mod matches;
mod rules;

use std::sync::Arc;

use crate::impair::Direction;
use crate::model::packet::testing::*;
use crate::model::packet::{Headers, PacketView, TcpFlags};
