//! Addresses that come over the wire: who gets them, keeps them and loses them.

mod clients;
mod programs;
mod values;

snowglobe::main!();
