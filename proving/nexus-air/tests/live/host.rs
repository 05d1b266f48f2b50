//! A host at its end of a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nexus_air::live::Address;
use nexus_wire::reticulum::kiss::Deframer;
use nexus_wire::reticulum::rnode::{
    AirtimeLimit, DETECT_SEQUENCE, FromDevice, Hertz, RadioState, Setting, ToDevice,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long anything may take before a test gives up. Nothing waits for it unless something is broken.
const DEADLINE: Duration = Duration::from_secs(30);

/// The fastest channel that there is: tests are not to wait for the air.
const SETTINGS: [Setting; 8] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(500_000)),
    Setting::TxPower(7),
    Setting::SpreadingFactor(5),
    Setting::CodingRate(5),
    Setting::ShortAirtimeLimit(AirtimeLimit(0)),
    Setting::LongAirtimeLimit(AirtimeLimit(0)),
    Setting::RadioState(RadioState::ON),
];

enum End {
    Terminal(File),
    Tcp(TcpStream),
}

/// A program with an RNode.
pub(crate) struct Host {
    end: End,
    deframer: Deframer,
    unread: Vec<u8>,
}

impl Host {
    pub(crate) fn open(address: &Address) -> Self {
        Self::try_open(address).unwrap()
    }

    pub(crate) fn try_open(address: &Address) -> io::Result<Self> {
        let end = match address {
            Address::Terminal(path) => End::Terminal(OpenOptions::new().read(true).write(true).open(path)?),
            Address::Tcp(address) => End::Tcp(TcpStream::connect(address)?),
        };
        Ok(Self { end, deframer: Deframer::new(508), unread: Vec::new() })
    }

    /// Detects the modem, sets it up as it should be, and switches it on.
    pub(crate) fn bring_up(&mut self) {
        self.bring_up_with(&SETTINGS);
    }

    /// The same with these settings.
    pub(crate) fn bring_up_with(&mut self, settings: &[Setting]) {
        self.write(&DETECT_SEQUENCE);
        self.wait_for(|said| matches!(said, FromDevice::Detected).then_some(()));
        self.wait_for(|said| matches!(said, FromDevice::Firmware(_)).then_some(()));
        for setting in settings.iter().copied() {
            self.say(&ToDevice::Set(setting));
            let echo = self.wait_for(|said| match said {
                FromDevice::Echo(echo) => Some(*echo),
                _ => None,
            });
            assert!(setting.is_met_by(&echo), "{setting:?} is echoed as {echo:?}");
        }
    }

    pub(crate) fn send(&mut self, packet: &[u8]) {
        self.say(&ToDevice::Data(packet));
    }

    /// Waits until the modem has sent a packet and takes the next.
    pub(crate) fn wait_until_sent(&mut self) {
        self.wait_for(|said| matches!(said, FromDevice::Ready(_)).then_some(()));
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        self.wait_for(|said| match said {
            FromDevice::Data(packet) => Some(packet.to_vec()),
            _ => None,
        })
    }

    /// Reads until the line is dead.
    pub(crate) fn wait_for_hang_up(&mut self) {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            match self.read() {
                Ok(bytes) if bytes.is_empty() => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        panic!("the line never hung up");
    }

    fn say(&mut self, message: &ToDevice<'_>) {
        let mut buffer = [0; 1_100];
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        self.write(&bytes);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match &mut self.end {
            End::Terminal(file) => file.write_all(bytes).unwrap(),
            End::Tcp(stream) => stream.write_all(bytes).unwrap(),
        }
    }

    /// The first message that is `wanted`; those before it are passed over.
    fn wait_for<R>(&mut self, wanted: impl Fn(&FromDevice<'_>) -> Option<R>) -> R {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            let unread = std::mem::take(&mut self.unread);
            let mut stream = &unread[..];
            while let Some(frame) = self.deframer.next_frame(&mut stream) {
                if let Some(found) = wanted(&FromDevice::decode(frame).unwrap()) {
                    self.unread = stream.to_vec();
                    return found;
                }
            }
            self.unread = self.read().expect("the line is up");
            assert!(!self.unread.is_empty(), "the line hung up");
        }
        panic!("the modem never said what was waited for");
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let timeout = Timespec::try_from(DEADLINE).unwrap();
        let descriptor = match &self.end {
            End::Terminal(file) => file.as_fd(),
            End::Tcp(stream) => stream.as_fd(),
        };
        let ready = poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], Some(&timeout))?;
        assert!(ready > 0, "nothing came for {DEADLINE:?}");
        let mut buffer = vec![0; 4_096];
        let length = match &mut self.end {
            End::Terminal(file) => file.read(&mut buffer)?,
            End::Tcp(stream) => stream.read(&mut buffer)?,
        };
        buffer.truncate(length);
        Ok(buffer)
    }
}
