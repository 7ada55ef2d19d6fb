//! Values on the command line that have a unit: durations, sizes and rates.
//!
//! What it is not: a general parser of units. A number without a unit means seconds, or bytes (a second).

use std::time::Duration;

use taipan::Spin;

/// `500us`, `250ms`, `5s`, `2m` or a plain number of seconds (`1.5`).
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit of time `{unit}` (us, ms, s, m, h)")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "expected a duration such as 500ms, 2s or 1.5".to_owned())?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

/// `64`, `1k`, `64KiB`, `1M`: bytes, with units of 1024.
pub fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let scale: usize = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(format!("unknown unit of size `{unit}` (k, M, G)")),
    };
    let number: usize = number
        .parse()
        .map_err(|_| "expected a size such as 64, 1k or 1MiB".to_owned())?;
    number
        .checked_mul(scale)
        .filter(|size| *size <= 1 << 32)
        .ok_or_else(|| "more than 4 GiB".to_owned())
}

/// `50MB`, `1.5GB/s`, `64KiB`, `10000`: bytes a second, with units of 1000 (kB) and of 1024 (KiB).
pub fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text.strip_suffix("/s").unwrap_or(text));
    let scale: f64 = match unit {
        "" | "B" => 1.0,
        "k" | "kB" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => {
            return Err(format!(
                "unknown unit of rates `{unit}` (kB, MB, GB, KiB, MiB, GiB)"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "expected bytes a second such as 50MB, 64KiB or 1.5GB/s".to_owned())?;
    match (number * scale).round() {
        rate if rate < 1.0 => Err("less than a byte a second".to_owned()),
        rate if rate > 1e15 => Err("more than a million GB/s".to_owned()),
        rate => Ok(rate as u64),
    }
}

/// `auto`, `never`, or a time.
pub fn spin(text: &str) -> Result<Spin, String> {
    match text {
        "auto" => Ok(Spin::Auto),
        "never" => Ok(Spin::Never),
        time => match duration(time)? {
            Duration::ZERO => Ok(Spin::Never),
            time if time > Spin::LIMIT => Err(format!("more than {:?}", Spin::LIMIT)),
            time => Ok(Spin::UpTo(time)),
        },
    }
}

/// As [`spin`] reads it.
pub fn spin_name(spin: Spin) -> String {
    match spin {
        Spin::Auto => "auto".to_owned(),
        Spin::UpTo(time) => format!("{}us", time.as_secs_f64() * 1e6),
        _ => "never".to_owned(),
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("-1s").is_err());
        assert!(duration("s").is_err());
        assert!(duration("5 parsecs").unwrap_err().contains("parsecs"));
    }

    #[test]
    fn spinning_is_a_word_or_a_time() {
        for (text, read, written) in [
            ("auto", Spin::Auto, "auto"),
            ("never", Spin::Never, "never"),
            ("0", Spin::Never, "never"),
            ("20us", Spin::UpTo(Duration::from_micros(20)), "20us"),
            ("1ms", Spin::UpTo(Duration::from_millis(1)), "1000us"),
        ] {
            assert_eq!(spin(text), Ok(read), "{text}");
            assert_eq!(spin_name(read), written);
        }
        assert_eq!(spin("2s").unwrap_err(), "more than 1s");
        assert!(spin("always").is_err());
    }

    #[test]
    fn rates_have_units() {
        assert_eq!(rate("10000"), Ok(10_000));
        assert_eq!(rate("50MB"), Ok(50_000_000));
        assert_eq!(rate("50M/s"), Ok(50_000_000));
        assert_eq!(rate("1.5GB/s"), Ok(1_500_000_000));
        assert_eq!(rate("64KiB"), Ok(65_536));
        assert_eq!(rate("2GiB"), Ok(2 << 30));
        assert_eq!(rate("0").unwrap_err(), "less than a byte a second");
        assert!(rate("5 parsecs").unwrap_err().contains("parsecs"));
        assert!(rate("fast").is_err());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("64"), Ok(64));
        assert_eq!(size("1k"), Ok(1024));
        assert_eq!(size("64KiB"), Ok(65536));
        assert_eq!(size("1M"), Ok(1 << 20));
        assert_eq!(size("5G").unwrap_err(), "more than 4 GiB");
        assert!(size("1.5k").is_err());
        assert!(size("").is_err());
    }
}
