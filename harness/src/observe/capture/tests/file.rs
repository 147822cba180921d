//! The file, as it grows and when it is complete.

use std::path::Path;

use pcap_parser::{Block, parse_block_le};

use super::super::capture_file::CaptureFile;
use super::super::location;
use super::super::packet_batch::PacketBatch;
use super::super::pcapng::{self, PacketBlock};

/// A directory of one's own below the target directory, removed at the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let directory = location::directory().expect("a target directory");
        let path = directory.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn begin(scratch: &Scratch) -> CaptureFile {
    let (file, path) = location::create(&scratch.0, "a::trial").expect("a file");
    let mut header = Vec::new();
    pcapng::section_header(&mut header, "");
    let mut file = CaptureFile::begin(file, path, &header).expect("a header");
    let mut interface = Vec::new();
    pcapng::interface(&mut interface, "first", "");
    file.describe(&interface).expect("an interface");
    file
}

fn batch(times: &[u64]) -> PacketBatch {
    let mut batch = PacketBatch::default();
    for time in times {
        batch.push(&PacketBlock {
            interface: 0,
            time: *time,
            outbound: true,
            frame: &vec![*time as u8; 60 + (*time as usize % 5)],
            comment: "",
        });
    }
    batch
}

/// Returns the blocks of the file in short: `S`ection, `I`nterface, `K`eys, `L`osses, and the times
/// of packets.
#[track_caller]
fn blocks(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("the file");
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (after, block) = parse_block_le(rest).expect("a whole block");
        rest = after;
        found.push(match block {
            Block::SectionHeader(_) => "S".to_owned(),
            Block::InterfaceDescription(_) => "I".to_owned(),
            Block::DecryptionSecrets(_) => "K".to_owned(),
            Block::InterfaceStatistics(_) => "L".to_owned(),
            Block::EnhancedPacket(packet) => {
                let frame = &packet.data[..packet.caplen as usize];
                assert!(frame.iter().all(|byte| u32::from(*byte) == packet.ts_low));
                packet.ts_low.to_string()
            }
            other => panic!("{other:?}"),
        });
    }
    found.join(" ")
}

#[test]
fn a_batch_is_written_in_the_order_of_time() {
    let scratch = Scratch::new("order");
    let mut file = begin(&scratch);
    assert!(file.write(batch(&[3, 1, 2])).expect("written"));
    assert!(file.write(batch(&[])).expect("written"));
    assert!(file.write(batch(&[4])).expect("written"));
    assert_eq!(blocks(file.path()), "S I 1 2 3 4");
}

#[test]
fn a_complete_file_is_in_order_and_goes_on() {
    let scratch = Scratch::new("complete");
    let mut file = begin(&scratch);
    file.write(batch(&[5, 6])).expect("written");
    file.write(batch(&[1, 7])).expect("written");
    let mut interface = Vec::new();
    pcapng::interface(&mut interface, "second", "");
    file.describe(&interface).expect("an interface");
    file.write(batch(&[8])).expect("written");
    assert_eq!(blocks(file.path()), "S I 5 6 1 7 I 8");

    let mut losses = Vec::new();
    pcapng::statistics(&mut losses, 0, 9, 5, 1);
    file.complete(b"key\n", &losses).expect("complete");
    assert_eq!(blocks(file.path()), "S I I K 1 5 6 7 8 L");

    file.write(batch(&[9])).expect("written");
    file.complete(b"key\n", &[]).expect("complete");
    assert_eq!(blocks(file.path()), "S I I K 1 5 6 7 8 L 9");

    file.write_keys(b"more\n").expect("written");
    file.write_keys(b"").expect("written");
    file.write(batch(&[2])).expect("written");
    assert_eq!(blocks(file.path()), "S I I K 1 5 6 7 8 L 9 K 2");
    file.complete(b"key\nmore\n", &[]).expect("complete");
    assert_eq!(blocks(file.path()), "S I I K 1 2 5 6 7 8 9");
}

#[test]
fn two_runs_of_a_trial_have_a_file_each() {
    let scratch = Scratch::new("twice");
    let mut first = begin(&scratch);
    let second = begin(&scratch);
    assert!(first.path().ends_with("a.trial.pcapng"));
    assert!(second.path().ends_with("a.trial-2.pcapng"));
    // A third file gets a name of its own, also when the first one was written anew meanwhile.
    first.complete(b"key\n", &[]).expect("complete");
    let third = begin(&scratch);
    assert!(third.path().ends_with("a.trial-3.pcapng"));
    drop(first);
    let (_, path) = location::create(&scratch.0, "a::trial").expect("a file");
    assert!(path.ends_with("a.trial.pcapng"));
    assert_eq!(blocks(&path), "", "what an earlier run left is gone");
}
