//! The rules that options have to obey before a socket takes them.
//!
//! What it is not: a place that changes a value. A socket that refuses options keeps those it had. Invariant: one
//! variant a cause, and each names the field.

use std::fmt;
use std::time::Duration;

use super::options::Options;
use super::security::Security;

impl Options {
    /// The longest routing id, user name, password, property name and domain, in bytes: their length is one byte on
    /// the wire.
    pub const SHORT_LIMIT: usize = 255;

    /// The longest [`Options::heartbeat_ttl`]: 65535 steps of 100 ms, and what is cut off the last one.
    pub const HEARTBEAT_TTL_LIMIT: Duration = Duration::from_millis(6_553_599);

    /// The most that names and values of [`Options::metadata`] may have together, in bytes: half of what a handshake
    /// takes in one command, so that the properties of the socket itself always fit too.
    pub const METADATA_LIMIT: usize = 32 * 1024;

    /// The longest name of a network device, in bytes, on Linux.
    const DEVICE_LIMIT: usize = 15;

    /// Checks the values and the rules between them.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.validate_times()?;
        self.validate_names()?;
        self.validate_metadata()?;
        self.validate_system()
    }

    fn validate_times(&self) -> Result<(), OptionError> {
        let not_zero = [
            ("reconnect_interval", self.reconnect_interval),
            ("connect_timeout", self.connect_timeout),
            ("handshake_timeout", self.handshake_timeout),
            ("heartbeat_interval", self.heartbeat_interval),
            ("heartbeat_timeout", self.heartbeat_timeout),
        ];
        for (option, value) in not_zero {
            if value == Some(Duration::ZERO) {
                return Err(OptionError::ZeroDuration { option });
            }
        }
        match self.heartbeat_ttl {
            Some(ttl) if ttl > Self::HEARTBEAT_TTL_LIMIT => Err(OptionError::DurationTooLong {
                option: "heartbeat_ttl",
                limit: Self::HEARTBEAT_TTL_LIMIT,
            }),
            _ => Ok(()),
        }
    }

    fn validate_names(&self) -> Result<(), OptionError> {
        check_length("routing_id", self.routing_id.len(), Self::SHORT_LIMIT)?;
        check_length("zap_domain", self.zap_domain.len(), Self::SHORT_LIMIT)?;
        if self.routing_id.first() == Some(&0) {
            return Err(OptionError::ReservedRoutingId);
        }
        if let Security::PlainClient { username, password } = &self.security {
            check_length("security.username", username.len(), Self::SHORT_LIMIT)?;
            check_length("security.password", password.len(), Self::SHORT_LIMIT)?;
        }
        Ok(())
    }

    fn validate_metadata(&self) -> Result<(), OptionError> {
        let mut total = 0_usize;
        for (name, value) in &self.metadata {
            check_length("metadata", name.len(), Self::SHORT_LIMIT)?;
            // RFC 37: name = 1*255name-char, name-char = ALPHA | DIGIT | "-" | "_" | "." | "+"
            let allowed = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
            let prefixed = name
                .get(..2)
                .is_some_and(|prefix| prefix.eq_ignore_ascii_case("X-"));
            if !allowed || !prefixed || name.len() < 3 {
                return Err(OptionError::BadMetadataName { name: name.clone() });
            }
            total = total.saturating_add(name.len()).saturating_add(value.len());
        }
        check_length("metadata", total, Self::METADATA_LIMIT)
    }

    fn validate_system(&self) -> Result<(), OptionError> {
        let int_max = i32::MAX as usize;
        check_length("send_buffer", self.send_buffer.unwrap_or(0), int_max)?;
        check_length("recv_buffer", self.recv_buffer.unwrap_or(0), int_max)?;
        check_number("backlog", self.backlog, 0, i32::MAX as u32)?;
        check_number("tos", self.tos.unwrap_or(0), 0, 255)?;
        check_number(
            "tcp_keepalive_count",
            self.tcp_keepalive_count.unwrap_or(1),
            1,
            127,
        )?;
        let in_units = [
            (
                "tcp_keepalive_idle",
                self.tcp_keepalive_idle,
                Duration::from_secs(1),
                32_767,
            ),
            (
                "tcp_keepalive_interval",
                self.tcp_keepalive_interval,
                Duration::from_secs(1),
                32_767,
            ),
            (
                "tcp_max_retransmit",
                self.tcp_max_retransmit,
                Duration::from_millis(1),
                i32::MAX as u32,
            ),
        ];
        for (option, value, unit, most) in in_units {
            let Some(value) = value else { continue };
            if value < unit {
                return Err(OptionError::DurationTooShort {
                    option,
                    limit: unit,
                });
            }
            if value > unit * most {
                return Err(OptionError::DurationTooLong {
                    option,
                    limit: unit * most,
                });
            }
        }
        match &self.bind_to_device {
            Some(name) if !is_device(name) => Err(OptionError::BadDevice { name: name.clone() }),
            _ => Ok(()),
        }
    }
}

/// Whether this can be the name of a network device (Linux: `dev_valid_name`).
fn is_device(name: &str) -> bool {
    (1..=Options::DEVICE_LIMIT).contains(&name.len())
        && !name
            .bytes()
            .any(|byte| byte == 0 || byte == b'/' || byte == b':' || byte.is_ascii_whitespace())
}

fn check_length(option: &'static str, length: usize, limit: usize) -> Result<(), OptionError> {
    if length > limit {
        Err(OptionError::TooLong {
            option,
            length,
            limit,
        })
    } else {
        Ok(())
    }
}

fn check_number(
    option: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), OptionError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(OptionError::OutOfRange {
            option,
            value,
            least,
            most,
        })
    }
}

/// Why options are refused. Every variant names the field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionError {
    /// The value has too many bytes.
    TooLong {
        /// The field.
        option: &'static str,
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The number is not in its range.
    OutOfRange {
        /// The field.
        option: &'static str,
        /// Its value.
        value: u32,
        /// The smallest value allowed.
        least: u32,
        /// The largest value allowed.
        most: u32,
    },
    /// The time must not be zero: `None` is how to switch it off.
    ZeroDuration {
        /// The field.
        option: &'static str,
    },
    /// The time is shorter than its unit.
    DurationTooShort {
        /// The field.
        option: &'static str,
        /// The shortest time allowed.
        limit: Duration,
    },
    /// The time is too long.
    DurationTooLong {
        /// The field.
        option: &'static str,
        /// The longest time allowed.
        limit: Duration,
    },
    /// `routing_id` begins with a zero byte: those are for ids that a ROUTER makes up.
    ReservedRoutingId,
    /// A name in `metadata` is not `X-` and letters, digits, `-`, `_`, `.` or `+`.
    BadMetadataName {
        /// The name.
        name: String,
    },
    /// `bind_to_device` cannot be the name of a network device.
    BadDevice {
        /// The name.
        name: String,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong {
                option,
                length,
                limit,
            } => {
                write!(f, "option {option}: {length} bytes, the limit is {limit}")
            }
            Self::OutOfRange {
                option,
                value,
                least,
                most,
            } => {
                write!(f, "option {option}: {value} is not from {least} to {most}")
            }
            Self::ZeroDuration { option } => {
                write!(f, "option {option}: must not be zero; None switches it off")
            }
            Self::DurationTooShort { option, limit } => {
                write!(f, "option {option}: shorter than {limit:?}")
            }
            Self::DurationTooLong { option, limit } => {
                write!(f, "option {option}: longer than {limit:?}")
            }
            Self::ReservedRoutingId => {
                f.write_str("option routing_id: must not begin with a zero byte")
            }
            Self::BadMetadataName { name } => write!(
                f,
                "option metadata: {name:?} is not X- followed by letters, digits, '-', '_', '.' or '+'"
            ),
            Self::BadDevice { name } => {
                write!(
                    f,
                    "option bind_to_device: {name:?} is not the name of a network device"
                )
            }
        }
    }
}

impl std::error::Error for OptionError {}
