//! Blocks, one by one.

use pcap_parser::{Block, OptionCode, PcapNGOption, SecretsType, parse_block_le};

use super::super::pcapng::{self, BlockHead, PacketBlock};

const TIME: u64 = 1_700_000_000_123_456_789;

/// Returns the only block of `bytes`.
#[track_caller]
fn only(bytes: &[u8]) -> Block<'_> {
    let (rest, block) = parse_block_le(bytes).expect("a block");
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
    assert_eq!(bytes.len() % 4, 0);
    block
}

fn text<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a str> {
    let found = options.iter().find(|option| option.code.0 == code)?;
    Some(found.as_str().expect("UTF-8"))
}

fn packet(frame: &[u8], outbound: bool, comment: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let block = PacketBlock {
        interface: 3,
        time: TIME,
        outbound,
        frame,
        comment,
    };
    pcapng::packet(&mut out, &block);
    out
}

#[test]
fn a_section_says_who_wrote_it_and_about_what() {
    let mut out = Vec::new();
    pcapng::section_header(&mut out, "trial `a::b`");
    let Block::SectionHeader(header) = only(&out) else {
        panic!("{out:x?}")
    };
    assert_eq!((header.major_version, header.minor_version), (1, 0));
    assert_eq!(header.section_len, -1);
    assert_eq!(text(&header.options, 1), Some("trial `a::b`"));
    let program = text(&header.options, 4).expect("a program");
    assert!(program.starts_with("snowglobe "), "{program}");
}

#[test]
fn an_interface_has_name_description_and_nanoseconds() {
    let mut out = Vec::new();
    pcapng::interface(&mut out, "alice–bob", "outbound is from alice to bob");
    let Block::InterfaceDescription(interface) = only(&out) else {
        panic!("{out:x?}")
    };
    assert_eq!(interface.linktype, pcap_parser::Linktype::ETHERNET);
    assert_eq!(interface.snaplen, 0);
    assert_eq!(interface.if_name(), Some(Ok("alice–bob")));
    assert_eq!(
        interface.if_description(),
        Some(Ok("outbound is from alice to bob"))
    );
    assert_eq!(interface.ts_resolution(), Some(1_000_000_000));
}

#[test]
fn packets_of_every_length_come_back_with_time_direction_and_comment() {
    for (length, outbound, comment) in [
        (14, true, ""),
        (15, false, "lost: queue"),
        (16, true, "ümläut"),
        (17, false, "a"),
        (65_549, true, ""),
    ] {
        let frame: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let out = packet(&frame, outbound, comment);
        let Block::EnhancedPacket(packet) = only(&out) else {
            panic!("{length}")
        };
        assert_eq!(packet.if_id, 3);
        assert_eq!(packet.origlen as usize, length);
        assert_eq!(&packet.data[..packet.caplen as usize], frame);
        let (seconds, fraction) = packet.decode_ts(0, 1_000_000_000);
        assert_eq!((seconds, fraction), (1_700_000_000, 123_456_789));
        let flags = packet
            .options
            .iter()
            .find(|option| option.code == OptionCode(2))
            .expect("flags");
        let direction = if outbound { 2 } else { 1 };
        assert_eq!(flags.as_u32_le().expect("a number"), direction);
        assert_eq!(text(&packet.options, 1).unwrap_or_default(), comment);
    }
}

#[test]
fn a_key_log_is_embedded_byte_for_byte() {
    for log in [&b"CLIENT_RANDOM 00 11\n"[..], b"odd\n\n", b""] {
        let mut out = Vec::new();
        pcapng::tls_keys(&mut out, log);
        let Block::DecryptionSecrets(secrets) = only(&out) else {
            panic!("{out:x?}")
        };
        assert_eq!(secrets.secrets_type, SecretsType::TlsKeyLog);
        assert_eq!(&secrets.data[..secrets.secrets_len as usize], log);
    }
}

#[test]
fn statistics_tell_what_was_seen_and_lost() {
    let mut out = Vec::new();
    pcapng::statistics(&mut out, 2, TIME, 1000, 7);
    let Block::InterfaceStatistics(statistics) = only(&out) else {
        panic!("{out:x?}")
    };
    assert_eq!(statistics.if_id, 2);
    let number = |code| {
        let mut options = statistics.options.iter();
        let option = options.find(|option| option.code == OptionCode(code));
        option.expect("an option").as_u64_le().expect("a number")
    };
    assert_eq!((number(4), number(5)), (1000, 7));
}

#[test]
fn a_comment_too_long_for_its_length_is_cut() {
    let out = packet(&[0; 60], true, &"x".repeat(70_000));
    let Block::EnhancedPacket(packet) = only(&out) else {
        panic!("no packet")
    };
    assert_eq!(text(&packet.options, 1).map(str::len), Some(65_535));
}

#[test]
fn the_head_of_a_block_tells_its_length_and_a_packets_time() {
    let head = |bytes: &[u8]| BlockHead::read(bytes[..BlockHead::LENGTH].try_into().expect("20"));
    let out = packet(&[7; 61], false, "hm");
    let of_packet = head(&out);
    assert_eq!(
        (of_packet.length, of_packet.time),
        (out.len() as u64, Some(TIME))
    );
    let mut out = Vec::new();
    pcapng::interface(&mut out, "lo", "");
    let of_interface = head(&out);
    assert_eq!(
        (of_interface.length, of_interface.time),
        (out.len() as u64, None)
    );
}
