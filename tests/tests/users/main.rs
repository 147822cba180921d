//! A trial's body, and programs in nodes, as other users than root; a trial's home and name.

mod daemons;
mod labs;
mod ordinary;
mod surroundings;

snowglobe::main!();
