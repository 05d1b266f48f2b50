//! Our bytes against the published Reticulum package, run as a black box through its public interface.
//!
//! Real processes on loopback, on free ports. `cargo xtask test` installs the package and names its interpreter in
//! `NEXUS_STOCK_PYTHON`.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexus_crypto::{DestinationHash, NameHash, ReticulumIdentity};
use nexus_machine::Seed;
use nexus_testkit::format::hex;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Announce, MTU, Packet, PacketType, RandomHash, hdlc};
use serde_json::{Value, json};

/// How long anything may take before the test gives up. Nothing waits for it unless something is broken.
const DEADLINE: Duration = Duration::from_secs(30);
const NAMES: [&[&str]; 4] = [&["nexus", "node"], &["lxmf", "delivery"], &["a", "b", "c"], &["solitary"]];

#[test]
fn keys_and_names_have_the_addresses_that_the_stock_package_gives_them() {
    let mut random = Seed::new([0x42; 32]).fork("stock identities");
    let keys: Vec<[u8; 64]> = (0..64).map(|_| random.bytes()).collect();
    let mut child = python("names_and_keys.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let in_hex: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let question = json!({ "keys": in_hex, "names": NAMES });
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the stock package failed");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), keys.len());
    for (key, answer) in keys.iter().zip(answers) {
        let identity = ReticulumIdentity::from_private_blob(key);
        let destinations = NAMES
            .map(|name| hex(DestinationHash::of(NameHash::of(&name.join(".")), identity.hash()).as_bytes()));
        assert_eq!(answer["public"], hex(identity.public().as_bytes()));
        assert_eq!(answer["hash"], hex(identity.hash().as_bytes()));
        assert_eq!(answer["destinations"], json!(destinations));
    }
}

#[test]
fn a_stock_node_believes_our_announces_and_not_a_changed_one() {
    let mut node = StockNode::start("believes");
    let mut stream = node.connect();
    let other = ReticulumIdentity::from_private_blob(&[0x66; 64]);
    let (mut changed, _) = announce(&other, b"honest");
    *changed.last_mut().unwrap() ^= 1;
    send(&mut stream, &changed);
    // The node takes frames in order: had it believed the changed announce, it would tell of that first.
    for (seed, app_data) in [([0x01; 64], &b"first"[..]), ([0x02; 64], b"")] {
        let identity = ReticulumIdentity::from_private_blob(&seed);
        let (packet, destination) = announce(&identity, app_data);
        send(&mut stream, &packet);
        let heard = node.wait_for("announced");
        assert_eq!(heard["announced"], hex(destination.as_bytes()));
        assert_eq!(heard["app_data"], hex(app_data));
        assert_eq!(heard["public"], hex(identity.public().as_bytes()));
        assert_eq!(heard["packet_hash"], hex(Packet::decode(&packet).unwrap().hash().as_bytes()));
    }
    node.leave();
    assert!(node.rest().iter().all(|line| line["announced"].is_null()), "the changed announce was believed");
}

#[test]
fn we_believe_a_stock_nodes_announce_and_give_it_the_same_hash() {
    let mut node = StockNode::start("believed");
    let mut stream = node.connect();
    // An announce of ours that comes back as heard shows that the node has taken the connection up.
    send(&mut stream, &announce(&ReticulumIdentity::from_private_blob(&[0x03; 64]), b"").0);
    node.wait_for("announced");
    node.tell("announce");
    let own = node.wait_for("own");
    let bytes = receive(&mut stream, |packet| {
        packet.packet_type == PacketType::Announce && hex(packet.destination.as_bytes()) == own["own"]
    });
    let packet = Packet::decode(&bytes).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    announce.verify().unwrap();
    assert_eq!(hex(packet.hash().as_bytes()), own["packet_hash"]);
    assert_eq!(hex(announce.claim.public.as_bytes()), own["public"]);
    assert_eq!(announce.claim.name, NameHash::of("nexus.stock"));
    assert_eq!(announce.claim.app_data, b"from stock");
    assert!(
        announce.claim.random_hash.emitted_at().abs_diff(unix_s()) < 60,
        "the emission time is Unix seconds"
    );
    node.leave();
}

/// An announce of `identity` as `nexus.node`, and the address announced.
fn announce(identity: &ReticulumIdentity, app_data: &[u8]) -> (Vec<u8>, DestinationHash) {
    let random_hash = RandomHash::new([7; 5], unix_s());
    let name = NameHash::NEXUS_NODE;
    let signed =
        Claim { public: *identity.public(), name, random_hash, ratchet: None, app_data }.sign(identity);
    let mut buffer = [0; MTU];
    (signed.encode(Occasion::Periodic, &mut buffer).unwrap().to_vec(), signed.destination)
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn send(stream: &mut TcpStream, packet: &[u8]) {
    let mut buffer = vec![0; hdlc::encoded_len(packet)];
    stream.write_all(hdlc::encode(packet, &mut buffer).unwrap()).unwrap();
}

/// The first packet on the stream that is `wanted`.
fn receive(stream: &mut TcpStream, wanted: impl Fn(&Packet<'_>) -> bool) -> Vec<u8> {
    let (mut deframer, mut buffer, started) = (hdlc::Deframer::new(MTU), [0; 4_096], Instant::now());
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    while started.elapsed() < DEADLINE {
        let read = stream.read(&mut buffer).expect("the stock node sends its announce");
        assert!(read > 0, "the stock node closed the connection");
        let mut piece = &buffer[..read];
        while let Some(frame) = deframer.next_frame(&mut piece) {
            if Packet::decode(frame).is_ok_and(|packet| wanted(&packet)) {
                return frame.to_vec();
            }
        }
    }
    panic!("the stock node did not send what was waited for");
}

/// The interpreter of the environment in which the stock package is installed, about to run one of our scripts.
fn python(script: &str) -> Command {
    let python = std::env::var_os("NEXUS_STOCK_PYTHON").expect(
        "NEXUS_STOCK_PYTHON is not set: run `cargo xtask test`, which installs the stock package and sets it",
    );
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock").join(script));
    command
}

/// A stock node in a process and a directory of its own. Ended by its own id when dropped.
struct StockNode {
    child: Child,
    stdin: Option<ChildStdin>,
    port: u16,
    lines: Receiver<Value>,
    unread: VecDeque<Value>,
    directory: PathBuf,
}

impl StockNode {
    /// Starts a node and waits until it listens. `name` keeps the directories of tests apart.
    fn start(name: &str) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stock-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut child = python("node.py")
            .arg(&directory)
            .arg(port.to_string())
            .env("HOME", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whatever else the package may print is not for the test.
                if let Ok(said) = serde_json::from_str(&line)
                    && tell.send(said).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut node = Self { child, stdin, port, lines, unread: VecDeque::new(), directory };
        node.wait_for("ready");
        node
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a node that is ready listens")
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// The next line that has `key`. Others are kept for [`StockNode::rest`].
    fn wait_for(&mut self, key: &str) -> Value {
        let started = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(started.elapsed());
            let line =
                self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("the stock node never said {key}"));
            if !line[key].is_null() {
                return line;
            }
            self.unread.push_back(line);
        }
    }

    /// Has the node end by itself, and waits until it has said everything.
    fn leave(&mut self) {
        self.tell("leave");
        self.child.wait().unwrap();
    }

    /// What it said besides what was waited for. After [`StockNode::leave`].
    fn rest(&mut self) -> Vec<Value> {
        self.unread.drain(..).chain(self.lines.iter()).collect()
    }
}

impl Drop for StockNode {
    fn drop(&mut self) {
        // A node that has left needs neither; a test that failed leaves nothing behind.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}
