//! Addresses as the core holds them. Source: spec/node.md#udp.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use nexus_network::Endpoint;

/// Where nodes listen unless configured otherwise.
pub const DEFAULT_PORT: u16 = 4_777;

/// An address as an endpoint: 16 bytes of IPv6 (IPv4 is mapped) and the port, big-endian.
///
/// A link-local address means something on one network only. Its bytes 4 to 8 are always zero, so the network's index
/// travels there: two peers of the same address on two networks are two endpoints, and nothing has to be remembered.
#[must_use]
pub fn endpoint(address: SocketAddr) -> Endpoint {
    let (ip, scope) = match address {
        SocketAddr::V4(address) => (address.ip().to_ipv6_mapped(), 0),
        SocketAddr::V6(address) => (*address.ip(), address.scope_id()),
    };
    let mut bytes = [0; Endpoint::MAX_LEN];
    let (ip_bytes, port_bytes) = bytes.split_at_mut(16);
    ip_bytes.copy_from_slice(&ip.octets());
    if ip.is_unicast_link_local() {
        ip_bytes[4..8].copy_from_slice(&scope.to_be_bytes());
    }
    port_bytes.copy_from_slice(&address.port().to_be_bytes());
    Endpoint::new(&bytes).expect("it is as long as an endpoint may be")
}

/// The address of an endpoint that [`endpoint`] made; IPv4 comes out as IPv4.
#[must_use]
pub fn socket_address(endpoint: &Endpoint) -> Option<SocketAddr> {
    let bytes: &[u8; 18] = endpoint.as_bytes().try_into().ok()?;
    let (ip, port) = bytes.split_first_chunk::<16>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip = Ipv6Addr::from(*ip);
    if !ip.is_unicast_link_local() {
        return Some(SocketAddr::new(ip.to_canonical(), port));
    }
    let mut octets = ip.octets();
    let scope = u32::from_be_bytes(octets[4..8].try_into().ok()?);
    octets[4..8].fill(0);
    Some(SocketAddrV6::new(octets.into(), port, 0, scope).into())
}

/// Looks up who answers to `peer`: `host`, `host:port`, `[address]:port` or an address alone. Once, so it is to be asked
/// again when nobody answers there.
pub async fn resolve(peer: &str) -> io::Result<Vec<Endpoint>> {
    if let Ok(address) = peer.parse::<IpAddr>() {
        return Ok(vec![endpoint(SocketAddr::new(address, DEFAULT_PORT))]);
    }
    let has_port = peer.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let found: Vec<_> = if has_port {
        tokio::net::lookup_host(peer).await?.collect()
    } else {
        let host = peer.trim_start_matches('[').trim_end_matches(']');
        tokio::net::lookup_host((host, DEFAULT_PORT)).await?.collect()
    };
    Ok(found.into_iter().map(endpoint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_as_an_endpoint() {
        for text in ["192.0.2.7:4777", "[2001:db8::7]:1", "[::1]:65535", "127.0.0.1:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(socket_address(&endpoint(address)), Some(address), "{text}");
        }
        assert_eq!(socket_address(&Endpoint::new(&[1, 2]).unwrap()), None);
    }

    #[test]
    fn a_link_local_address_keeps_its_network() {
        let at = |scope| SocketAddr::V6(SocketAddrV6::new("fe80::1:2".parse().unwrap(), 4_777, 0, scope));
        assert_ne!(endpoint(at(2)), endpoint(at(3)));
        assert_eq!(socket_address(&endpoint(at(0x0102_0304))), Some(at(0x0102_0304)));
    }

    #[test]
    fn ipv4_is_written_mapped_with_the_port_behind() {
        let bytes = endpoint("192.0.2.7:4777".parse().unwrap());
        assert_eq!(bytes.as_bytes(), b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07\x12\xa9");
    }

    #[tokio::test]
    async fn a_peer_without_a_port_is_at_the_default_one() {
        for peer in ["127.0.0.1", "127.0.0.1:4777"] {
            let found = resolve(peer).await.unwrap();
            assert_eq!(found, [endpoint("127.0.0.1:4777".parse().unwrap())], "{peer}");
        }
        for peer in ["::1", "[::1]", "[::1]:4777"] {
            let found = resolve(peer).await.unwrap();
            assert_eq!(found, [endpoint("[::1]:4777".parse().unwrap())], "{peer}");
        }
    }
}
