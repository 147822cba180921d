//! Daemons as they come from fixtures, each started in a node and used from another.

mod names;
mod registry;
mod stores;
mod tls;

snowglobe::main!();
