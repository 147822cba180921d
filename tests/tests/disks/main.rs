//! Disks that are full, slow, broken, and that forget in a power cut what was not synced.

mod daemons;
mod faults;
mod files;
mod killed;
mod power;
mod refused;
mod support;

snowglobe::main!();
