//! What a node tells a Prometheus server, asked for over a socket, and read by a parser that forgives nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use crate::place::{Place, QUIET, sentence};

const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// Where a node that was started says that it tells metrics.
fn address(place: &Place) -> SocketAddr {
    let log = fs::read_to_string(place.state.log()).unwrap();
    let told = log.split("metrics are told at http://").nth(1).unwrap_or_else(|| panic!("{log}"));
    told.split('/').next().unwrap().parse().unwrap()
}

/// The answer to a request, to its end.
fn asked(address: SocketAddr, request: &str) -> (String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.to_owned(), content.to_owned())
}

fn scraped(address: SocketAddr) -> Exposition {
    let (head, content) = asked(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", content.len())), "{head}");
    Exposition::parse(&content).unwrap_or_else(|wrong| panic!("{wrong} in\n{content}"))
}

/// What was told: samples by name and labels.
#[derive(Default)]
struct Exposition {
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Exposition {
    /// The text format, version 0.0.4, as this ecosystem's conventions want it: HELP, TYPE, then all samples of a name, once.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut all, mut families) = (Self::default(), BTreeSet::new());
        let mut lines = text.strip_suffix('\n').ok_or("no end of line")?.split('\n').peekable();
        while let Some(help) = lines.next() {
            let (name, sentence) =
                help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).ok_or(help)?;
            let kind = lines.next().ok_or("no TYPE")?;
            let kind = kind.strip_prefix(&format!("# TYPE {name} ")).ok_or(kind)?;
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_lowercase())
                    && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            let ends_right = (kind == "counter") == name.ends_with("_total");
            if !is_name(name) || !ends_right || !["counter", "gauge"].contains(&kind) || sentence.is_empty() {
                return Err(format!("{name} {kind}"));
            }
            if !families.insert(name.to_owned()) {
                return Err(format!("{name} comes twice"));
            }
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                all.sample(name, line)?;
            }
        }
        Ok(all)
    }

    fn sample(&mut self, name: &str, line: &str) -> Result<(), String> {
        let rest = line.strip_prefix(name).ok_or(format!("{line} is no {name}"))?;
        let (labels, value) = match rest.strip_prefix('{') {
            None => ("", rest),
            Some(rest) => rest.rsplit_once('}').ok_or(line)?,
        };
        let value: f64 = value.strip_prefix(' ').ok_or(line)?.parse().map_err(|_| line.to_owned())?;
        let labels = Self::labels(labels).ok_or(line)?;
        if !value.is_finite() || self.samples.insert((name.to_owned(), labels), value).is_some() {
            return Err(format!("{line} is no number, or comes twice"));
        }
        Ok(())
    }

    fn labels(mut text: &str) -> Option<BTreeMap<String, String>> {
        let mut labels = BTreeMap::new();
        while !text.is_empty() {
            let (key, rest) = text.split_once("=\"")?;
            let (mut value, mut chars) = (String::new(), rest.char_indices());
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at,
                    (_, '\\') => value.push(chars.next().filter(|(_, c)| "\\\"n".contains(*c))?.1),
                    (_, c) => value.push(c),
                }
            };
            labels.insert(key.to_owned(), value).is_none().then_some(())?;
            text = rest.get(end + 1..)?;
            text = text.strip_prefix(',').unwrap_or(text);
        }
        Some(labels)
    }

    fn of(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

#[test]
fn what_left_is_told_to_the_byte_with_all_that_stands_around_it() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::that_announces(&peer);
    let config = fs::read_to_string(place.state.config()).unwrap();
    place.configure(&format!("{config}{METRICS}"));
    let status = place.start();
    let address = address(&place);
    place.announce();
    let told = scraped(address);
    let udp0 = ("interface", "udp0");
    let left = |what| told.of(what, &[udp0, ("load", "announces")]).unwrap();
    let (frames, bytes) = (left("nexus_transmitted_frames_total"), left("nexus_transmitted_bytes_total"));
    let mut datagrams = 0.0;
    let mut buffer = [0; 2_048];
    let mut read = 0.0;
    while read < frames {
        let length = u32::try_from(peer.recv(&mut buffer).unwrap()).unwrap();
        datagrams += f64::from(length) + 28.0;
        read += 1.0;
    }
    assert!(frames >= 1.0);
    assert!((bytes - datagrams).abs() < 0.5, "IPv4 and UDP have 28 bytes: {bytes} and {datagrams}");
    assert!(left("nexus_transmitted_airtime_seconds_total") > 0.0);
    let up = [udp0, ("kind", "udp"), ("mode", "reticulum")];
    assert_eq!(told.of("nexus_interface_up", &up), Some(1.0));
    for window in ["10m", "1h"] {
        let used = told.of("nexus_budget_used_ratio", &[udp0, ("window", window)]).unwrap();
        // A millionth of ten minutes at 10 Mbit/s are 750 bytes.
        assert!((0.0..0.1).contains(&used), "{used}");
    }
    assert_eq!(told.of("nexus_budget_limit_ratio", &[udp0]), Some(0.1));
    assert_eq!(told.of("nexus_build_info", &[("version", &status.version)]), Some(1.0));
    assert!(told.of("process_resident_memory_bytes", &[]).unwrap() > 0.0);
    assert_eq!(told.of("nexus_paths", &[]), Some(0.0));

    place.announce();
    let again = scraped(address);
    for ((name, labels), value) in &told.samples {
        if name.ends_with("_total") {
            let later = again.samples[&(name.clone(), labels.clone())];
            assert!(later >= *value, "{name} {labels:?} went from {value} to {later}");
        }
    }
    let frames_later = again.of("nexus_transmitted_frames_total", &[udp0, ("load", "announces")]);
    assert!(frames_later.unwrap() > frames);
}

#[test]
fn what_is_no_question_for_metrics_is_refused_and_the_next_one_answered() {
    let place = Place::with(&format!("{QUIET}{METRICS}"));
    place.start();
    let address = address(&place);
    let cases = [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        ("\u{16}\u{3}\u{1}\r\n\r\n", "400"),
    ];
    for (request, status) in cases {
        let (head, _) = asked(address, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {head}");
    }
    let (head, content) = asked(address, "HEAD /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK") && content.is_empty(), "{head}");
    assert!(!scraped(address).samples.is_empty());
}

#[test]
fn who_says_nothing_keeps_a_place_and_no_more_than_eight_do() {
    let place = Place::with(&format!("{QUIET}{METRICS}"));
    place.start();
    let address = address(&place);
    let mut silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    // Closed, or reset: its request may be underway when it is.
    let mut ninth = TcpStream::connect(address).unwrap();
    let mut nothing = Vec::new();
    let _reset = ninth.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    let mut last = silent.pop().unwrap();
    last.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn nothing_is_told_unless_somebody_says_so_and_to_this_machine_alone() {
    let place = Place::with(QUIET);
    place.start();
    assert!(!fs::read_to_string(place.state.log()).unwrap().contains("metrics"));
    let place = Place::with("[metrics]\nlisten = \"0.0.0.0:9464\"\n");
    let refusal = sentence(&place.node(&["run"]));
    assert!(
        refusal.contains("nexus.toml:2: metrics would be told at 0.0.0.0:9464 to whoever asks"),
        "{refusal}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::with(&format!("{QUIET}[metrics]\nlisten = \"{address}\"\n"));
    let refusal = sentence(&place.node(&["run"]));
    assert!(refusal.contains(&format!("metrics cannot be told at {address}")), "{refusal}");
}
