//! The small formats: frame headers, commands, properties, greetings. Each is read or refused, and what is written is
//! read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taipan::internals::zmtp::Metadata;
use taipan::internals::zmtp::wire::{Command, FrameHeader, Greeting, push_header, push_property};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(command) = Command::parse(bytes) {
        assert_eq!(1 + command.name.len() + command.data.len(), bytes.len());
        let _ = command.error_reason();
        let _ = Metadata::parse("READY", command.data);
    }
    if let Ok(metadata) = Metadata::parse("READY", bytes) {
        let mut written = Vec::new();
        for (name, value) in metadata.iter() {
            push_property(name, value, &mut written);
            assert!(metadata.get(&name.to_ascii_uppercase()).is_some());
        }
        assert_eq!(Metadata::parse("READY", &written), Ok(metadata));
    }
    if let Ok(Some(header)) = FrameHeader::parse(bytes) {
        assert!(header.len <= bytes.len());
        if let Ok(size) = usize::try_from(header.size) {
            let flags = u8::from(header.more) | if header.command { 4 } else { 0 };
            let mut written = Vec::new();
            push_header(flags, size, &mut written);
            let again = FrameHeader::parse(&written)
                .expect("a header")
                .expect("a whole one");
            assert_eq!(
                (again.more, again.command, again.size),
                (header.more, header.command, header.size)
            );
        }
    }
    if bytes.len() >= 64 {
        let _ = Greeting::parse(&bytes[..64]);
    }
    let _ = Greeting::parse(bytes);
});
