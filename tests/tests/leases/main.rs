//! Addresses that come over the wire: who gets them, keeps them and loses them.

mod advertisements;
mod clients;
mod degraded;
mod grown;
mod homes;
mod moving;
mod programs;
mod v6;
mod values;

snowglobe::main!();
