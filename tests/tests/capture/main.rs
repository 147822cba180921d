//! Captures and recordings are made as a user makes them, and read back by tshark.

mod kept;
mod plain;
mod recordings;
mod tls;
mod tshark;
mod wires;

snowglobe::main!();
