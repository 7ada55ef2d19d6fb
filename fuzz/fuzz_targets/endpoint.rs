//! Endpoints: any text is an endpoint or a typed error, and what was parsed prints as text that parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taipan::Endpoint;

fuzz_target!(|text: &str| {
    let Ok(endpoint) = text.parse::<Endpoint>() else {
        return;
    };
    endpoint.validate().expect("what was parsed is valid");
    let printed = endpoint.to_string();
    assert_eq!(
        printed.parse::<Endpoint>().as_ref(),
        Ok(&endpoint),
        "{text:?} prints as {printed:?}"
    );
});
