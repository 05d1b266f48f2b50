//! Sockets, with the options that several nodes on one machine need.
//!
//! Every node hears the discovery groups on one port, which is also the default port of the main socket. A main socket
//! on all addresses therefore has to share its port with group sockets, of this node and of others; but not with another
//! main socket, which would silently take its datagrams. Since the system knows only one kind of sharing, a guard
//! (a socket on a loopback address of no other use) stands for "this port has a main socket".

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Where guards stand: in 127/8, of which systems use the first address only.
const GUARD: Ipv4Addr = Ipv4Addr::new(127, 78, 88, 83);
/// Room for bursts, in bytes; the system may give less.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A main socket, with its guard if it needs one.
pub(super) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, Option<Socket>)> {
    match main(address) {
        // A system without IPv6.
        Err(cause)
            if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                && cause.kind() != io::ErrorKind::AddrInUse =>
        {
            main(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        outcome => outcome,
    }
}

fn main(address: SocketAddr) -> io::Result<(UdpSocket, Option<Socket>)> {
    let socket = open(address)?;
    let shared = address.ip().is_unspecified();
    if let SocketAddr::V6(_) = address {
        socket.set_only_v6(!shared)?;
    }
    // The system's choice of a free port would take sharing for free.
    socket.set_reuse_address(shared && address.port() != 0)?;
    socket.bind(&address.into())?;
    socket.set_reuse_address(shared)?;
    // Groups that others on this machine joined are not its business.
    socket.set_multicast_all_v4(false)?;
    if let SocketAddr::V6(_) = address {
        socket.set_multicast_all_v6(false)?;
    }
    let _as_much_as_there_is = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let socket = UdpSocket::from(socket);
    let guard = if shared { guard(socket.local_addr()?.port())? } else { None };
    Ok((socket, guard))
}

fn guard(port: u16) -> io::Result<Option<Socket>> {
    let address = SocketAddr::new(GUARD.into(), port);
    let socket = open(address)?;
    socket.set_reuse_address(true)?;
    match socket.bind(&address.into()) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => return Err(cause),
        // A system without IPv4, or without a loopback interface that is up.
        Err(_) => return Ok(None),
    }
    // From here on nobody shares with it.
    socket.set_reuse_address(false)?;
    Ok(Some(socket))
}

/// A socket that hears an IPv4 group and nothing else, once it joined.
pub(super) fn group_v4(group: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(group.into(), port);
    let socket = open(address)?;
    socket.set_reuse_address(true)?;
    socket.set_multicast_all_v4(false)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket that hears an IPv6 group on the network with this index, and nothing else.
pub(super) fn group_v6(group: Ipv6Addr, port: u16, network: u32) -> io::Result<UdpSocket> {
    let address = SocketAddrV6::new(group, port, 0, network).into();
    let socket = open(address)?;
    socket.set_reuse_address(true)?;
    socket.set_only_v6(true)?;
    socket.bind(&address.into())?;
    socket.join_multicast_v6(&group, network)?;
    Ok(socket.into())
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
