//! The rules that options have to obey before a socket takes them.
//!
//! What it is not: a place that changes a value. A socket that refuses options keeps those it had. Invariant: one
//! variant a cause, and each names the field.

use std::fmt;
use std::time::Duration;

use super::options::Options;
use super::security::Security;
use super::shm::{SHM_PROPERTY, SharedMemory, Spin};

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
        self.validate_memory()?;
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
            if name.eq_ignore_ascii_case(SHM_PROPERTY) {
                return Err(OptionError::ReservedMetadataName { name: name.clone() });
            }
            total = total.saturating_add(name.len()).saturating_add(value.len());
        }
        check_length("metadata", total, Self::METADATA_LIMIT)
    }

    fn validate_memory(&self) -> Result<(), OptionError> {
        let SharedMemory {
            ring_bytes,
            pool_bytes,
            ..
        } = self.shared_memory;
        let rings = SharedMemory::RING_MIN..=SharedMemory::RING_MAX;
        if !ring_bytes.is_power_of_two() || !rings.contains(&ring_bytes) {
            return Err(OptionError::BadSize {
                option: "shared_memory.ring_bytes",
                size: ring_bytes,
                rule: "a power of two from 64 KiB to 16 MiB",
            });
        }
        if pool_bytes % SharedMemory::POOL_STEP != 0 || pool_bytes > SharedMemory::POOL_MAX {
            return Err(OptionError::BadSize {
                option: "shared_memory.pool_bytes",
                size: pool_bytes,
                rule: "0, or a multiple of 4 KiB up to 64 GiB",
            });
        }
        match self.spin {
            Spin::UpTo(time) if time > Spin::LIMIT => Err(OptionError::DurationTooLong {
                option: "spin",
                limit: Spin::LIMIT,
            }),
            _ => Ok(()),
        }
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
    /// A name in `metadata` is one that the library uses itself.
    ReservedMetadataName {
        /// The name.
        name: String,
    },
    /// The size is not one of those allowed.
    BadSize {
        /// The field.
        option: &'static str,
        /// The size, in bytes.
        size: usize,
        /// Which sizes are allowed.
        rule: &'static str,
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
            Self::ReservedMetadataName { name } => {
                write!(
                    f,
                    "option metadata: the name {name:?} is used by the library"
                )
            }
            Self::BadSize { option, size, rule } => {
                write!(f, "option {option}: {size} bytes is not {rule}")
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// What validation says to the defaults with this change.
    fn check(change: impl FnOnce(&mut Options)) -> Result<(), OptionError> {
        let mut options = Options::default();
        change(&mut options);
        options.validate()
    }

    #[test]
    fn the_defaults_are_valid_and_those_of_zeromq() {
        assert_eq!(check(|_| ()), Ok(()));
        let options = Options::default();
        assert_eq!((options.send_hwm, options.recv_hwm), (1000, 1000));
        assert_eq!((options.send_hwm_bytes, options.recv_hwm_bytes), (0, 0));
        assert_eq!(options.linger, Some(Duration::from_secs(30)));
        assert_eq!(options.reconnect_interval, Some(Duration::from_millis(100)));
        assert_eq!(options.handshake_timeout, Some(Duration::from_secs(30)));
        assert_eq!((options.backlog, options.max_message_size), (100, None));
        assert_eq!((options.send_timeout, options.recv_timeout), (None, None));
        assert_eq!(
            (options.heartbeat_interval, options.connect_timeout),
            (None, None)
        );
    }

    #[test]
    fn zero_is_refused_where_none_switches_off() {
        let zero = Some(Duration::ZERO);
        let refused = |option| Err(OptionError::ZeroDuration { option });
        assert_eq!(
            check(|o| o.reconnect_interval = zero),
            refused("reconnect_interval")
        );
        assert_eq!(
            check(|o| o.connect_timeout = zero),
            refused("connect_timeout")
        );
        assert_eq!(
            check(|o| o.handshake_timeout = zero),
            refused("handshake_timeout")
        );
        assert_eq!(
            check(|o| o.heartbeat_interval = zero),
            refused("heartbeat_interval")
        );
        assert_eq!(
            check(|o| o.heartbeat_timeout = zero),
            refused("heartbeat_timeout")
        );
        assert_eq!(
            check(|o| (o.linger, o.send_timeout, o.recv_timeout) = (zero, zero, zero)),
            Ok(())
        );
    }

    #[test]
    fn a_heartbeat_ttl_fits_its_two_bytes_on_the_wire() {
        let limit = Options::HEARTBEAT_TTL_LIMIT;
        assert_eq!(limit.as_millis() / 100, u128::from(u16::MAX));
        assert_eq!(check(|o| o.heartbeat_ttl = Some(limit)), Ok(()));
        let refused = OptionError::DurationTooLong {
            option: "heartbeat_ttl",
            limit,
        };
        assert_eq!(
            check(|o| o.heartbeat_ttl = Some(limit + Duration::from_millis(1))),
            Err(refused)
        );
    }

    #[test]
    fn names_have_one_length_byte() {
        let long = |length: usize| "n".repeat(length);
        let refused = |option| {
            Err(OptionError::TooLong {
                option,
                length: 256,
                limit: 255,
            })
        };
        assert_eq!(check(|o| o.routing_id = long(255).into()), Ok(()));
        assert_eq!(
            check(|o| o.routing_id = long(256).into()),
            refused("routing_id")
        );
        assert_eq!(check(|o| o.zap_domain = long(256)), refused("zap_domain"));
        let plain = |username, password| Security::PlainClient { username, password };
        assert_eq!(check(|o| o.security = plain(long(255), long(255))), Ok(()));
        assert_eq!(
            check(|o| o.security = plain(long(256), long(0))),
            refused("security.username")
        );
        assert_eq!(
            check(|o| o.security = plain(long(0), long(256))),
            refused("security.password")
        );
        let reserved = check(|o| o.routing_id = Bytes::from_static(b"\0abc"));
        assert_eq!(reserved, Err(OptionError::ReservedRoutingId));
    }

    #[test]
    fn metadata_names_carry_their_prefix() {
        let with = |name: &str, value: &[u8]| {
            check(|o| o.metadata = vec![(name.to_owned(), Bytes::copy_from_slice(value))])
        };
        assert_eq!(with("X-Rack", b"7"), Ok(()));
        assert_eq!(with("x-rack.2_+", b"\0\xff"), Ok(()));
        for name in [
            "",
            "X-",
            "Rack",
            "Socket-Type",
            "X-a b",
            "X-\u{e9}",
            "\u{e9}X",
        ] {
            let refused = OptionError::BadMetadataName {
                name: name.to_owned(),
            };
            assert_eq!(with(name, b""), Err(refused), "{name:?}");
        }
        let limit = Options::METADATA_LIMIT;
        assert_eq!(with("X-a", &vec![0; limit - 3]), Ok(()));
        let refused = OptionError::TooLong {
            option: "metadata",
            length: limit + 1,
            limit,
        };
        assert_eq!(with("X-a", &vec![0; limit - 2]), Err(refused));
    }

    #[test]
    fn the_property_of_shared_memory_is_not_the_users() {
        for name in ["X-Taipan-Shm", "x-taipan-shm", "X-TAIPAN-SHM"] {
            let refused = OptionError::ReservedMetadataName {
                name: name.to_owned(),
            };
            let with = check(|o| o.metadata = vec![(name.to_owned(), Bytes::new())]);
            assert_eq!(with, Err(refused));
        }
        let near = "X-Taipan-Shm2".to_owned();
        assert_eq!(check(|o| o.metadata = vec![(near, Bytes::new())]), Ok(()));
    }

    #[test]
    fn rings_are_powers_of_two_and_pools_whole_pages() {
        let ring = |bytes| check(|o| o.shared_memory.ring_bytes = bytes);
        let pool = |bytes| check(|o| o.shared_memory.pool_bytes = bytes);
        for bytes in [64 << 10, 1 << 20, 16 << 20] {
            assert_eq!(ring(bytes), Ok(()), "{bytes}");
        }
        for size in [0, 32 << 10, (64 << 10) + 1, 3 << 18, 32 << 20, usize::MAX] {
            let refused = ring(size).expect_err("not a size of a ring");
            let option = "shared_memory.ring_bytes";
            let rule = "a power of two from 64 KiB to 16 MiB";
            assert_eq!(refused, OptionError::BadSize { option, size, rule });
        }
        for bytes in [0, 4096, 12_288, SharedMemory::POOL_MAX] {
            assert_eq!(pool(bytes), Ok(()), "{bytes}");
        }
        for size in [1, 4097, SharedMemory::POOL_MAX + 4096, usize::MAX] {
            let refused = pool(size).expect_err("not a size of a pool");
            assert!(matches!(refused, OptionError::BadSize { size: told, .. } if told == size));
        }
        let text = ring(5).expect_err("too small").to_string();
        assert_eq!(
            text,
            "option shared_memory.ring_bytes: 5 bytes is not a power of two from 64 KiB to 16 MiB"
        );
    }

    #[test]
    fn spinning_has_an_end() {
        let spin = |time| check(|o| o.spin = Spin::UpTo(time));
        assert_eq!(spin(Duration::ZERO), Ok(()));
        assert_eq!(spin(Spin::LIMIT), Ok(()));
        let refused = OptionError::DurationTooLong {
            option: "spin",
            limit: Spin::LIMIT,
        };
        assert_eq!(spin(Spin::LIMIT + Duration::from_nanos(1)), Err(refused));
    }

    #[test]
    fn the_system_is_not_asked_for_what_it_cannot_do() {
        let option = "tos";
        let refused = OptionError::OutOfRange {
            option,
            value: 256,
            least: 0,
            most: 255,
        };
        assert_eq!(check(|o| o.tos = Some(256)), Err(refused));
        assert_eq!(check(|o| o.tos = Some(255)), Ok(()));
        let option = "tcp_keepalive_count";
        let refused = OptionError::OutOfRange {
            option,
            value: 0,
            least: 1,
            most: 127,
        };
        assert_eq!(check(|o| o.tcp_keepalive_count = Some(0)), Err(refused));
        let (option, limit) = ("tcp_keepalive_idle", Duration::from_secs(1));
        let refused = OptionError::DurationTooShort { option, limit };
        assert_eq!(
            check(|o| o.tcp_keepalive_idle = Some(Duration::from_millis(999))),
            Err(refused)
        );
        let (option, limit) = ("tcp_keepalive_interval", Duration::from_secs(32_767));
        let refused = OptionError::DurationTooLong { option, limit };
        assert_eq!(
            check(|o| o.tcp_keepalive_interval = Some(limit * 2)),
            Err(refused)
        );
        assert!(check(|o| o.send_buffer = Some(usize::MAX)).is_err());
        assert!(check(|o| o.backlog = u32::MAX).is_err());
        assert!(check(|o| o.tcp_max_retransmit = Some(Duration::MAX)).is_err());
    }

    #[test]
    fn a_device_has_a_name_the_system_allows() {
        let with = |name: &str| check(|o| o.bind_to_device = Some(name.to_owned()));
        assert_eq!(with("eth0"), Ok(()));
        for name in ["", "a/b", "a b", "a\0", "sixteen-letters-"] {
            let refused = OptionError::BadDevice {
                name: name.to_owned(),
            };
            assert_eq!(with(name), Err(refused), "{name:?}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let error = check(|o| o.tos = Some(300)).expect_err("not a byte");
        assert_eq!(error.to_string(), "option tos: 300 is not from 0 to 255");
    }
}
