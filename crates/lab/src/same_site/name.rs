//! A host as a `Host` header and `--host` write it.

use std::{fmt, net::IpAddr, str::FromStr};

/// A host's name or address, and a port where one is said: `lab.example`, `lab.example:8080`, `[::1]:3000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// In lower case; an IPv6 address with its brackets.
    host: String,
    port: Option<u16>,
}

impl Name {
    /// `localhost`, or an address: no foreign page can have these as a name of its own.
    pub(super) fn is_local(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost" || address.parse::<IpAddr>().is_ok()
    }

    /// True when `other` is this name; at any port where this one has none.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.host == other.host && (self.port.is_none() || self.port == other.port)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an address that stands alone.
            Some((host, _)) if host.starts_with('[') && !host.ends_with(']') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match in_brackets {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
        };
        let port = port.map(str::parse).transpose();
        match port {
            Ok(port) if is_host => Ok(Self { host: host.to_ascii_lowercase(), port }),
            _ => Err("expected NAME or NAME:PORT, such as `lab.example` or `lab.example:8080`".to_owned()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_with_and_without_a_port() {
        for text in ["lab.example", "lab.example:8080", "127.0.0.1:3000", "[::1]", "[::1]:3000", "my_box-2"] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        assert_eq!("LocalHost:1".parse::<Name>().unwrap().to_string(), "localhost:1");
        for text in [
            "",
            ":3000",
            "a b",
            "http://lab.example",
            "lab.example/",
            "lab:70000",
            "lab:",
            "[::1",
            "[lab]",
            "::1",
            "a<b",
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_without_a_port_is_that_name_at_any() {
        let covers = |name: &str, other: &str| name.parse::<Name>().unwrap().covers(&other.parse().unwrap());
        assert!(covers("lab.example", "lab.example:8080") && covers("lab.example", "LAB.example"));
        assert!(covers("lab.example:80", "lab.example:80") && !covers("lab.example:80", "lab.example:81"));
        assert!(!covers("lab.example", "evil.lab.example") && !covers("lab.example", "lab.example.evil"));
    }
}
