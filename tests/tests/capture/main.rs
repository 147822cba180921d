//! Captures and recordings, as a user makes them; read back by tshark.

mod kept;
mod plain;
mod recordings;
mod tls;
mod tshark;
mod wires;

snowglobe::main!();
