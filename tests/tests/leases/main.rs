//! Addresses that come over the wire: who gets them, keeps them and loses them.

mod advertisements;
mod clients;
mod grown;
mod programs;
mod v6;
mod values;

snowglobe::main!();
