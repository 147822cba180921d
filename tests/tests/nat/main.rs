//! Address translation: behaviours as programs find them out, and what changes them.

mod behaviours;
mod changes;
mod coturn;
mod punching;
mod stun;
mod world;

snowglobe::main!();
