//! Envelopes of calls: any bytes are read or refused, what is read lies within the bytes, and what is written is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taipan::rpc::wire::{Envelope, Header};
use taipan::rpc::{MsgPack, Payload, Raw, Value};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::read(bytes) {
        let written = match &envelope {
            Envelope::Call { id, method, params, header } => {
                decode(&bytes[params.clone()]);
                Envelope::write_call(*id, method, &bytes[params.clone()], header)
            }
            Envelope::Signal { method, params, header } => Envelope::write_signal(method, &bytes[params.clone()], header),
            Envelope::Answer { id, outcome } => {
                Envelope::write_answer(*id, outcome.as_ref().map(|result| &bytes[result.clone()]))
            }
            Envelope::Item { id, to, value } => Envelope::write_item(*id, *to, &bytes[value.clone()]),
            Envelope::End { id, complete, .. } => Envelope::write_end(*id, *complete),
            Envelope::Credit { id, to, count } => Envelope::write_credit(*id, *to, *count),
            Envelope::Cancel { id } => Envelope::write_cancel(*id),
            Envelope::Hello { instance, .. } => Envelope::write_hello(instance),
        };
        Envelope::read(&written).expect("what is written can be read");
    }
    // As arguments: whatever they are, a call with them is taken apart at the same places or refused.
    let call = Envelope::write_call(7, "a.b", bytes, &Header::default());
    if let Ok(Envelope::Call { params, .. }) = Envelope::read(&call) {
        assert_eq!(&call[params], bytes);
    }
    decode(bytes);
});

/// Arguments of a peer: decoded or refused.
fn decode(bytes: &[u8]) {
    let payload = Payload { body: bytes.into(), attachments: vec![[7; 600].as_slice().into()] };
    let _ = payload.decode::<MsgPack, Value>();
    let _ = payload.decode::<MsgPack, (u64, String, Vec<Raw>)>();
}
