//! Daemons in a line of UDP links on the loopback, and a program at the first of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nexus_daemon::api::{Channel, Channels, Earned, Status};

/// Accounts that stand still for so many looks at all nodes, each of which takes processes of their own, are those that will be.
const LOOKS: usize = 20;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The numbers of packets, of which no two are the same.
static NEXT_PACKET: AtomicU64 = AtomicU64::new(0);

const OPENED: &str = "opened.pcapng";

/// What nodes record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recording {
    Nothing,
    Everything,
}

/// Running daemons, stopped when dropped.
pub(crate) struct Line {
    homes: Vec<tempfile::TempDir>,
    /// Where programs attach, by node.
    shared: Vec<u16>,
    ids: Vec<String>,
}

impl Line {
    /// Nodes that ask these prices, and of which some trust others; each knows the last.
    pub(crate) fn of(prices: &[u64], trusting: &[(usize, usize)]) -> Self {
        Self::build(prices, trusting, Recording::Nothing, |_| Vec::new())
    }

    /// The same, each with more lines in its configuration, which are made once all have keys.
    pub(crate) fn with(
        prices: &[u64],
        trusting: &[(usize, usize)],
        more: impl FnOnce(&Self) -> Vec<String>,
    ) -> Self {
        Self::build(prices, trusting, Recording::Nothing, more)
    }

    /// The same, and each records its media, and what its links say.
    pub(crate) fn recorded(prices: &[u64], trusting: &[(usize, usize)]) -> Self {
        Self::build(prices, trusting, Recording::Everything, |_| Vec::new())
    }

    fn build(
        prices: &[u64],
        trusting: &[(usize, usize)],
        recording: Recording,
        more: impl FnOnce(&Self) -> Vec<String>,
    ) -> Self {
        let homes: Vec<_> = prices.iter().map(|_| tempfile::tempdir().unwrap()).collect();
        let (udp, shared) = (free_udp(2 * prices.len()), free_tcp(prices.len()));
        let mut line = Self { homes, shared, ids: Vec::new() };
        for n in 0..prices.len() {
            succeeds(&line.run(n, &["keygen", "new"]));
        }
        let more = more(&line);
        for (n, price) in prices.iter().enumerate() {
            let mut config = String::from("log_level = \"debug\"\n");
            if recording == Recording::Everything {
                writeln!(config, "pcap_opened = \"{}\"", line.home(n).join(OPENED).display()).unwrap();
            }
            writeln!(config, "[shared]\nlisten = \"127.0.0.1:{}\"", line.shared[n]).unwrap();
            let at = |port: usize| udp[port];
            for (port, peer) in [(2 * n, (2 * n).checked_sub(1)), (2 * n + 1, Some(2 * n + 2))] {
                let Some(peer) = peer.filter(|peer| *peer < udp.len()) else { continue };
                writeln!(config, "[[udp]]\nlisten = \"127.0.0.1:{}\"", at(port)).unwrap();
                config += "discovery_v4 = false\ndiscovery_v6 = false\n";
                writeln!(config, "price = {price}\npeers = [\"127.0.0.1:{}\"]", at(peer)).unwrap();
                if recording == Recording::Everything {
                    let beside = if port % 2 == 0 { n - 1 } else { n + 1 };
                    writeln!(config, "pcap = \"{}\"", line.wire(n, beside).display()).unwrap();
                }
            }
            config += more.get(n).map_or("", String::as_str);
            std::fs::write(line.state(n).join("nexus.toml"), config).unwrap();
        }
        for n in 0..prices.len() {
            succeeds(&line.run(n, &["node", "start"]));
            let status: Status = line.json(n, &["status", "--json"]);
            line.ids.push(status.node);
        }
        for (who, whom) in trusting {
            succeeds(&line.run(*who, &["peer", "add", &line.id(*whom)]));
        }
        line.meet();
        line
    }

    /// Until the first knows a way to all others.
    fn meet(&self) {
        Self::until("all know each other", || {
            let paths = self.run(0, &["status", "--json", "paths"]);
            let text = said(&paths.stdout);
            self.ids[1..].iter().all(|id| text.contains(id))
        });
    }

    pub(crate) fn id(&self, n: usize) -> String {
        self.ids[n].clone()
    }

    /// What `nexus keygen show` says behind a name.
    pub(crate) fn shown(&self, n: usize, name: &str) -> String {
        let text = said(&self.run(n, &["keygen", "show"]).stdout);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        line.trim().to_owned()
    }

    /// What a node wrote into its log.
    pub(crate) fn log(&self, n: usize) -> String {
        std::fs::read_to_string(self.state(n).join("log")).unwrap()
    }

    fn state(&self, n: usize) -> PathBuf {
        self.home(n).join("state")
    }

    fn home(&self, n: usize) -> &Path {
        self.homes[n].path()
    }

    /// The recording of the medium between a node and the one beside it.
    pub(crate) fn wire(&self, n: usize, beside: usize) -> PathBuf {
        self.home(n).join(format!("wire-{beside}.pcapng"))
    }

    /// The recording of what a node's links said.
    pub(crate) fn opened(&self, n: usize) -> PathBuf {
        self.home(n).join(OPENED)
    }

    pub(crate) fn stop(&self) {
        (0..self.homes.len()).for_each(|n| succeeds(&self.run(n, &["node", "stop"])));
    }

    pub(crate) fn place(&self, name: &str) -> String {
        self.homes[0].path().join(name).display().to_string()
    }

    pub(crate) fn run(&self, n: usize, arguments: &[&str]) -> Output {
        run_in(self.homes[n].path(), arguments)
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, n: usize, arguments: &[&str]) -> T {
        let output = self.run(n, arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{cause}: {output:?}"))
    }

    pub(crate) fn restart(&self, n: usize) {
        succeeds(&self.run(n, &["node", "stop"]));
        succeeds(&self.run(n, &["node", "start"]));
        self.meet();
    }

    /// Copies a node into a file; a daemon that runs writes it.
    pub(crate) fn backup(&self, n: usize) {
        succeeds(&self.run(n, &["node", "backup", &self.copy(n)]));
    }

    /// The same of one that does not run.
    pub(crate) fn backup_at_rest(&self, n: usize) {
        succeeds(&self.run(n, &["node", "stop"]));
        self.backup(n);
        succeeds(&self.run(n, &["node", "start"]));
        self.meet();
    }

    /// Puts a node back to its copy: the machine is another, its network the same.
    pub(crate) fn restore(&self, n: usize) {
        succeeds(&self.run(n, &["node", "stop"]));
        let config = std::fs::read_to_string(self.state(n).join("nexus.toml")).unwrap();
        std::fs::remove_dir_all(self.state(n)).unwrap();
        succeeds(&self.run(n, &["node", "restore", &self.copy(n)]));
        std::fs::write(self.state(n).join("nexus.toml"), config).unwrap();
        succeeds(&self.run(n, &["node", "start"]));
        self.meet();
    }

    fn copy(&self, n: usize) -> String {
        self.home(n).join("copy").display().to_string()
    }

    /// What a node counted with its neighbours.
    pub(crate) fn income(&self, n: usize) -> Vec<Earned> {
        let Sections { income } = self.json(n, &["status", "--json", "income"]);
        income
    }

    pub(crate) fn earned(&self, n: usize, from: usize) -> Earned {
        let found = self.income(n).into_iter().find(|earned| earned.peer == self.ids[from]);
        found.unwrap_or_else(|| panic!("node {n} counted nothing with {from}: {:?}", self.income(n)))
    }

    pub(crate) fn channels(&self, n: usize) -> Vec<Channel> {
        let Channels { channels } = self.json(n, &["channel", "list", "--json"]);
        channels
    }

    pub(crate) fn channel(&self, n: usize, with: usize) -> Channel {
        let found = self.channels(n).into_iter().find(|channel| channel.peer == self.ids[with]);
        found.unwrap_or_else(|| panic!("node {n} has no channel with {with}"))
    }

    /// Whether a node's log speaks of channels.
    pub(crate) fn kinds_of_money(&self, n: usize) -> usize {
        self.log(n).lines().filter(|line| line.contains("channel with") || line.contains("paid")).count()
    }

    /// Packets to a node, as a program on the machine of another hands them over: as fast as they are carried, no faster than a relay is paid.
    pub(crate) fn send(&self, from: usize, to: usize, packets: u64, length: u64) {
        let mut program = TcpStream::connect(("127.0.0.1", self.shared[from])).unwrap();
        program.set_nodelay(true).unwrap();
        let to = destination(&self.ids[to]);
        // Packets that were sent before would be taken for repeated ones.
        let salt = NEXT_PACKET.fetch_add(packets, Ordering::Relaxed) ^ u64::from(std::process::id()) << 32;
        for number in 0..packets {
            let mut packet = vec![0x00, 0x00];
            packet.extend_from_slice(&to);
            packet.push(0x00);
            packet.extend_from_slice(&(salt.wrapping_add(number)).to_le_bytes());
            packet.resize(usize::try_from(length).unwrap(), 0x5a);
            program.write_all(&framed(&packet)).unwrap();
            if number % 10 == 9 {
                // The node is asked as often: no faster than it answers.
                self.income(from);
            }
        }
        self.until_quiet();
    }

    /// Packets, until their first relay was paid for some: how many that takes is luck. Of 1,500 a window or two win in the mean.
    pub(crate) fn send_until_paid(&self, from: usize, to: usize, relay: usize, length: u64) {
        let paid = || self.earned(from, relay).paid_unxs;
        let before = if self.channels(from).is_empty() { 0 } else { paid() };
        self.send_until(from, to, length, || paid() > before);
    }

    /// Packets, until something holds that draws decide.
    pub(crate) fn send_until(&self, from: usize, to: usize, length: u64, holds: impl Fn() -> bool) {
        let holds_then = |_| {
            self.send(from, to, 1_500, length);
            holds()
        };
        assert!((0..20).any(holds_then), "nothing is won: {:?}", self.income(from));
    }

    /// Waits until what was sent is carried, and what was due for it said: nobody's accounts change any more.
    fn until_quiet(&self) {
        let look = || (0..self.homes.len()).map(|n| format!("{:?}", self.income(n))).collect::<Vec<_>>();
        let (mut last, mut same) = (look(), 0);
        let began = Instant::now();
        while same < LOOKS {
            assert!(began.elapsed() < PATIENCE, "accounts change for a minute: {last:?}");
            let seen = look();
            same = if seen == last { same + 1 } else { 0 };
            last = seen;
        }
    }

    pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
        Self::within(PATIENCE, what, holds);
    }

    pub(crate) fn within(patience: Duration, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < patience, "{what}: not within {patience:?}");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for n in 0..self.homes.len() {
            let _stopped_already = self.run(n, &["node", "stop"]);
        }
    }
}

#[derive(serde::Deserialize)]
struct Sections {
    income: Vec<Earned>,
}

fn run_in(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(arguments)
        .env("NEXUS_STATE", home.join("state"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap()
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

pub(crate) fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn destination(id: &str) -> [u8; 16] {
    u128::from_str_radix(id, 16).unwrap().to_be_bytes()
}

/// HDLC, as Reticulum frames what goes over TCP.
fn framed(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x7e];
    for byte in packet {
        match byte {
            0x7e | 0x7d => frame.extend([0x7d, byte ^ 0x20]),
            other => frame.push(*other),
        }
    }
    frame.push(0x7e);
    frame
}

/// Ports that nobody has: all are held until all are chosen.
fn free_udp(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|socket| socket.local_addr().unwrap().port()).collect()
}

/// The same with the next port free too, where programs ask.
fn free_tcp(count: usize) -> Vec<u16> {
    let mut held = Vec::new();
    while held.len() < count {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        let next = port.checked_add(1).and_then(|next| TcpListener::bind(("127.0.0.1", next)).ok());
        if let Some(next) = next {
            held.push((port, one, next));
        }
    }
    held.iter().map(|(port, _, _)| *port).collect()
}
