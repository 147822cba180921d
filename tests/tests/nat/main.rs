//! Address translation: behaviours as programs find them out, and what changes them.

mod behaviours;
mod changes;
mod coturn;
mod forwards;
mod lookups;
mod punching;
mod simultaneous;
mod stun;
mod two_levels;
mod world;

snowglobe::main!();
