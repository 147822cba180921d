//! What a capture writes, read back by somebody else's parser.

mod file;
mod pcapng;
