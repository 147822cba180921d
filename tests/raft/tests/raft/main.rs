//! A Raft of the ecosystem under fire: what a user does to test a Raft of their own.
//!
//! | file | role |
//! |---|---|
//! | `cluster` | three members, and the faults |
//! | `rounds` | drives the members, round by round |
//! | `elections` | who leads and who voted: roles of faults |
//! | `clients` | clients that read and write, and are recorded |
//! | `register` | the trial, on a service without a bug and with each of the two |
//! | `found` | runs the trials with many seeds, over the command line |

mod clients;
mod cluster;
mod elections;
mod found;
mod register;
mod rounds;

snowglobe::main!();
