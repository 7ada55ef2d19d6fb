//! Between JSON and the values of calls.

use taipan::rpc::Value;

use crate::failure::Failure;

/// A value from JSON text.
pub fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

/// JSON text of a value. Bytes become arrays of numbers.
pub fn text(value: &Value) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::because("the result is no JSON", error))
}
