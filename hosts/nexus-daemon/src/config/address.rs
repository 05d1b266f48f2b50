//! Addresses as operators write them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use nexus_crypto::NodeId;
use thiserror::Error;

use super::{NotANodeId, node_id};

/// A host's name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Somebody with whom a link is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where.
    pub at: HostPort,
    /// Who must answer, if that is known.
    pub expected: Option<NodeId>,
}

/// What is no address.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum NotAnAddress {
    /// It is not of the form.
    #[error("{0:?} is no address: one is written `host:port`, with an IPv6 address in brackets")]
    Form(String),
    /// What stands behind the `#` is no node id.
    #[error(transparent)]
    Node(#[from] NotANodeId),
}

impl FromStr for HostPort {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refused = || NotAnAddress::Form(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse().map_err(|_| refused())?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(inner)) if inner.parse::<Ipv6Addr>().is_ok() => inner,
            None if is_name(host) => host,
            _ => return Err(refused()),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A name or an IPv4 address.
fn is_name(host: &str) -> bool {
    let letters = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(letters)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Peer {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (at, expected) = match text.split_once('#') {
            Some((at, node)) => (at, Some(node_id(node)?)),
            None => (text, None),
        };
        Ok(Self { at: at.parse()?, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["node.example:4777", "192.0.2.1:1", "[2001:db8::1]:4777", "localhost:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for wrong in
            ["", "node.example", "node.example:", ":4777", "2001:db8::1:4777", "[::1]", "a b:1", "a:70000"]
        {
            assert!(wrong.parse::<HostPort>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_peer_may_say_who_must_answer() {
        let id = "00112233445566778899aabbccddeeff";
        let peer: Peer = format!("a:1#{id}").parse().unwrap();
        assert_eq!(peer.expected.unwrap().to_string(), id);
        assert_eq!("a:1".parse::<Peer>().unwrap().expected, None);
        let refusal = "a:1#0011".parse::<Peer>().unwrap_err().to_string();
        assert_eq!(refusal, "\"0011\" is no node id: one has 32 hexadecimal digits");
    }
}
