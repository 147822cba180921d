//! Feeds garbage to the reader of DNS messages, and answers what is a question.

#![no_main]

use snowglobe_model::dns::message::{ParsedMessage, hear};
use snowglobe_model::dns::{DnsSpec, Zone, catalog::Catalog, lab_names::LabNames};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let zone = Zone::new("example.org").record("*.dev CNAME www").record("www A 192.0.2.80");
    let catalog = Catalog::new(&DnsSpec::new().zone(zone), "lab", LabNames::default());
    if let ParsedMessage::Question(question) = hear(bytes) {
        let reply = question.reply(&catalog, [], [192, 0, 2, 1].into(), bytes.len() % 2 == 0);
        // Every question has an answer, with its number.
        assert_eq!(reply.bytes.expect("an answer")[..2], bytes[..2]);
    }
});
