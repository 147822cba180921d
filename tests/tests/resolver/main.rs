//! Name servers of labs: what they answer, to whom, and what breaks them.

mod clients;
mod faults;
mod input;
mod life;
mod names;
mod query;

snowglobe::main!();
