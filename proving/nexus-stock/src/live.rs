//! An endpoint at a TCP connection, in frames as HDLC has them. Source: spec/reticulum.md#hdlc.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexus_wire::reticulum::{Ifac, hdlc};

use crate::endpoint::{Endpoint, Event};

/// How long anything may take before a test gives up. Nothing waits for it unless something is broken.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How far stock nodes are from what they talk to. The package begins to wait for an answer (a proof, a response) after it has sent what is to be
/// answered, and overlooks one that is faster, which on a loopback happens: `rns` 1.3.1 missed proofs in nine of 25 runs of a test without this, and in
/// none of 25 with it. Source: spec/reticulum.md#shared-instance.
pub const LATENCY: Duration = Duration::from_millis(10);
/// How often an endpoint says on links that it is there.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// The longest frame that is taken off the stream, in bytes.
const FRAME_MAX: usize = 1 << 19;

/// A port that nobody has called yet.
#[derive(Debug)]
pub struct Listening(TcpListener);

impl Listening {
    /// A free port of the loopback.
    pub fn open() -> io::Result<Self> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(Self)
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for the first that calls.
    pub fn accept(self, endpoint: Endpoint, codes: Option<Ifac>) -> io::Result<Live> {
        let (stream, _) = self.0.accept()?;
        Live::at(stream, endpoint, codes)
    }
}

/// An endpoint that runs until it is dropped.
pub struct Live {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    unread: VecDeque<Event>,
}

struct Shared {
    endpoint: Mutex<Endpoint>,
    stream: Mutex<TcpStream>,
    codes: Option<Ifac>,
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Live {
    /// Calls whoever listens at `to`.
    pub fn connect(to: SocketAddr, endpoint: Endpoint, codes: Option<Ifac>) -> io::Result<Self> {
        Self::at(TcpStream::connect(to)?, endpoint, codes)
    }

    fn at(stream: TcpStream, endpoint: Endpoint, codes: Option<Ifac>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(KEEPALIVE))?;
        let reading = stream.try_clone()?;
        let shared = Arc::new(Shared {
            endpoint: Mutex::new(endpoint),
            stream: Mutex::new(stream),
            codes,
            heard: Mutex::default(),
        });
        let (tell, events) = channel();
        let its = Arc::clone(&shared);
        std::thread::spawn(move || its.read(reading, &tell));
        Ok(Self { shared, events, unread: VecDeque::new() })
    }

    /// Lets the endpoint do something, and sends what it has to say. The time is in Unix seconds.
    pub fn with<T>(&self, act: impl FnOnce(&mut Endpoint, u64) -> T) -> T {
        let mut endpoint = self.shared.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut endpoint, unix_s());
        let packets = endpoint.take_packets();
        self.shared.send(&packets);
        done
    }

    /// Sends packets that the endpoint knows nothing of.
    pub fn inject(&self, packets: &[Vec<u8>]) {
        self.shared.send(packets);
    }

    /// Sends bytes as a frame, without access codes.
    pub fn inject_frame(&self, frame: &[u8]) {
        self.shared.put(frame);
    }

    /// All packets that came, also those that the endpoint made nothing of.
    #[must_use]
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for something that `is` makes something of. What else happens is kept for later.
    ///
    /// # Panics
    /// If it does not happen in a minute.
    pub fn wait<T>(&mut self, what: &str, is: impl Fn(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        if let Some((place, found)) =
            self.unread.iter().enumerate().find_map(|(at, event)| Some((at, is(event)?)))
        {
            self.unread.remove(place);
            return found;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left);
            let event = event.unwrap_or_else(|_| panic!("{what} did not happen, but {:?}", self.unread));
            match is(&event) {
                Some(found) => return found,
                None => self.unread.push_back(event),
            }
        }
    }

    /// The next thing that happens, if something does until then.
    pub fn next(&mut self, until: Instant) -> Option<Event> {
        self.unread
            .pop_front()
            .or_else(|| self.events.recv_timeout(until.saturating_duration_since(Instant::now())).ok())
    }

    /// What happened so far and was not waited for.
    pub fn unread(&mut self) -> &VecDeque<Event> {
        self.unread.extend(self.events.try_iter());
        &self.unread
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let stream = self.shared.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // The other side may have closed it before.
        let _closed_already = stream.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn read(&self, mut stream: TcpStream, tell: &Sender<Event>) {
        let mut deframer = hdlc::Deframer::new(FRAME_MAX);
        let mut buffer = vec![0; 1 << 16];
        let mut kept_alive = Instant::now();
        loop {
            if kept_alive.elapsed() >= KEEPALIVE {
                let mut endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
                endpoint.keep_alive();
                self.send(&endpoint.take_packets());
                kept_alive = Instant::now();
            }
            let len = match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            };
            std::thread::sleep(LATENCY);
            let mut bytes = &buffer[..len];
            while let Some(frame) = deframer.next_frame(&mut bytes) {
                let mut frame = frame.to_vec();
                let Some(packet) = self.opened(&mut frame) else { continue };
                self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(packet.to_vec());
                let mut endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
                endpoint.receive(packet, unix_s(), Instant::now());
                let (packets, events) = (endpoint.take_packets(), endpoint.take_events());
                // Sent before anybody else may send: what answers a packet follows it.
                self.send(&packets);
                drop(endpoint);
                for event in events {
                    if tell.send(event).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn opened<'a>(&self, frame: &'a mut [u8]) -> Option<&'a [u8]> {
        match &self.codes {
            Some(codes) => codes.open(frame).ok().map(|packet| &*packet),
            None => Some(frame),
        }
    }

    fn send(&self, packets: &[Vec<u8>]) {
        for packet in packets {
            match &self.codes {
                Some(codes) => {
                    let mut frame = [&vec![0; codes.tag_len().bytes()][..], packet].concat();
                    codes.seal(&mut frame).expect("an endpoint's packets are packets");
                    self.put(&frame);
                }
                None => self.put(packet),
            }
        }
    }

    fn put(&self, frame: &[u8]) {
        let mut framed = vec![0; hdlc::encoded_len(frame)];
        hdlc::encode(frame, &mut framed).expect("the buffer is as long as the frame");
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that ended says nothing more, which whoever waits finds.
        let _ended = stream.write_all(&framed);
    }
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
