//! `stock_load <address> <packets> <payload> [process]`: two stock endpoints at a relay that listens on TCP in reticulum mode. One announces a
//! destination, the other sends it that many packets without a pause, each another one; told is what came through in what time, and what
//! processor time the relay's process spent on it.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nexus_crypto::{DestinationHash, IdentityHash, NameHash, ReticulumIdentity};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{MTU, Packet, PacketType, RandomHash, hdlc};

/// What does not come for so long is lost.
const LOST_AFTER: Duration = Duration::from_millis(1_500);
/// The announce is passed on within this.
const PATIENCE: Duration = Duration::from_secs(20);
/// So much is written at once.
const AT_ONCE: usize = 64 * 1_024;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, packets, payload, process) = match &arguments[..] {
        [address, packets, payload] => (address, packets.parse::<u64>()?, payload.parse::<usize>()?, None),
        [address, packets, payload, process] => {
            (address, packets.parse()?, payload.parse()?, Some(process.parse::<u32>()?))
        }
        _ => return Err("stock_load <address> <packets> <payload> [process]".into()),
    };
    let (mut sender, mut receiver) = (connected(address)?, connected(address)?);
    // Both are known to the relay before anything is announced.
    std::thread::sleep(Duration::from_millis(300));
    let destination = announce(&mut receiver)?;
    let relay = relay_towards(&mut sender, destination)?;
    let before = process.map(cpu_ticks).transpose()?;
    let began = Instant::now();
    let counting = std::thread::spawn(move || count(receiver, packets));
    let mut buffer = Vec::with_capacity(2 * AT_ONCE);
    for number in 0..packets {
        framed(&packet(relay, destination, payload, number), &mut buffer);
        if buffer.len() >= AT_ONCE {
            sender.write_all(&buffer)?;
            buffer.clear();
        }
    }
    sender.write_all(&buffer)?;
    let written = began.elapsed();
    let (came, last) = counting.join().map_err(|_| "the receiver failed")??;
    let took = last.duration_since(began);
    let rate = u128::from(came) * 1_000_000 / took.as_micros().max(1);
    println!(
        "{came} of {packets} packets of {payload} bytes came through in {took:?} ({rate}/s); written in {written:?}"
    );
    if let (Some(process), Some(before)) = (process, before) {
        let spent = cpu_ticks(process)?.saturating_sub(before);
        let ns = spent * 10_000_000 / came.max(1);
        println!("{}.{:02} µs of processor time a packet", ns / 1_000, ns / 10 % 100);
    }
    Ok(())
}

fn connected(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Announces a destination that nobody had before.
fn announce(stream: &mut TcpStream) -> Result<DestinationHash, Box<dyn Error>> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let mut seed = [7; 64];
    seed[..16].copy_from_slice(&now.as_nanos().to_le_bytes());
    let identity = ReticulumIdentity::from_private_blob(&seed);
    let claim = Claim {
        public: *identity.public(),
        name: NameHash::of("stock.load"),
        random_hash: RandomHash::new([1, 2, 3, 4, 5], now.as_secs()),
        ratchet: None,
        app_data: b"load",
    };
    let announce = claim.sign(&identity);
    let (mut packet, mut buffer) = ([0; MTU], Vec::new());
    framed(announce.encode(Occasion::Periodic, &mut packet)?, &mut buffer);
    stream.write_all(&buffer)?;
    Ok(announce.destination)
}

/// The relay by which a destination's announce comes.
fn relay_towards(
    stream: &mut TcpStream,
    destination: DestinationHash,
) -> Result<IdentityHash, Box<dyn Error>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut deframer, mut buffer) = (hdlc::Deframer::new(16_384), [0; 4_096]);
    loop {
        let len = stream.read(&mut buffer)?;
        let mut rest = buffer.get(..len).filter(|read| !read.is_empty()).ok_or("the relay closed")?;
        while let Some(frame) = deframer.next_frame(&mut rest) {
            let Ok(packet) = Packet::decode(frame) else { continue };
            if packet.packet_type == PacketType::Announce && packet.destination == destination {
                return packet.transport.ok_or_else(|| "nobody relayed the announce".into());
            }
        }
    }
}

fn packet(relay: IdentityHash, to: DestinationHash, payload: usize, number: u64) -> Vec<u8> {
    let mut packet = vec![0; 35 + payload];
    packet[0] = 0x50;
    packet[2..18].copy_from_slice(relay.as_bytes());
    packet[18..34].copy_from_slice(to.as_bytes());
    packet[35..43].copy_from_slice(&number.to_le_bytes());
    // As ciphertext is: every byte occurs.
    for (at, byte) in packet[43..].iter_mut().enumerate() {
        let mixed = u64::try_from(at).unwrap_or(0).wrapping_mul(0x9e37_79b9).wrapping_add(number);
        *byte = mixed.to_le_bytes()[0];
    }
    packet
}

fn framed(frame: &[u8], buffer: &mut Vec<u8>) {
    let at = buffer.len();
    buffer.resize(at + hdlc::encoded_len(frame), 0);
    hdlc::encode(frame, &mut buffer[at..]).expect("there is room");
}

/// Counts the packets that come, until all came or none comes any more; when the last one did.
fn count(mut stream: TcpStream, packets: u64) -> std::io::Result<(u64, Instant)> {
    stream.set_read_timeout(Some(LOST_AFTER))?;
    let (mut deframer, mut buffer) = (hdlc::Deframer::new(16_384), vec![0; 256 * 1_024]);
    let (mut came, mut last) = (0, Instant::now());
    while came < packets {
        let Ok(len @ 1..) = stream.read(&mut buffer) else { break };
        let mut rest = &buffer[..len];
        while let Some(frame) = deframer.next_frame(&mut rest) {
            if frame.first() == Some(&0x00) {
                came += 1;
                last = Instant::now();
            }
        }
    }
    Ok((came, last))
}

/// What a process spent so far, in hundredths of a second.
fn cpu_ticks(process: u32) -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let behind_name = stat.rsplit_once(") ").ok_or("no such process")?.1;
    let fields: Vec<&str> = behind_name.split(' ').collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}
