//! Captures: the frames of links and of nodes' interfaces, in one pcapng file for the whole trial.

mod pcapng;
#[cfg(test)]
mod tests;
