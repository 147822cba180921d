//! Addresses that come over the wire: who gets them, keeps them and loses them.

mod advertisements;
mod clients;
mod programs;
mod values;

snowglobe::main!();
