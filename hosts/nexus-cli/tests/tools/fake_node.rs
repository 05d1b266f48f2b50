//! A stand-in for the daemon: it answers requests on the control socket as a test says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use nexus_daemon::api::{
    Answer, Budget, ClassOfQueue, Code, Earned, Failure, Held, Income, Interface, Interfaces, Link, Links,
    Metered, Path, PathPolicy, Paths, Pressed, Queue, Queues, Reply, Request, Share, Sharer, Span, Status,
    Sum, Traffic, VERSION, Verb,
};
use serde::Serialize;

/// The stand-in's own id.
pub(crate) const NODE: &str = "00000000000000000000000000000001";
/// Two others, whose ids begin alike.
pub(crate) const ANNA: &str = "abcdef00000000000000000000000002";
pub(crate) const BERT: &str = "abcdef11000000000000000000000003";

/// What it knows.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) status: Status,
    pub(crate) paths: Paths,
    pub(crate) budget: Budget,
    pub(crate) queues: Queues,
    pub(crate) income: Vec<Earned>,
}

/// A stand-in, and a home for whoever asks it.
pub(crate) struct FakeNode {
    pub(crate) home: tempfile::TempDir,
}

impl FakeNode {
    /// A stand-in that answers what concerns its world from it, and everything else as `words` says.
    pub(crate) fn start(world: World, words: impl Fn(&Verb) -> Vec<Answer> + Send + Sync + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("state")).unwrap();
        let listener = UnixListener::bind(home.path().join("state/control.sock")).unwrap();
        let (world, words) = (Arc::new(world), Arc::new(words));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (world, words) = (Arc::clone(&world), Arc::clone(&words));
                std::thread::spawn(move || serve(stream, &world, &*words));
            }
        });
        Self { home }
    }

    /// A stand-in with an ordinary world that says no more.
    pub(crate) fn quiet() -> Self {
        Self::start(World::small(), |_| vec![refusal(Code::UnknownVerb, "the stand-in does not know that")])
    }

    /// The program, to be run in this home.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
        command
            .args(arguments)
            .env("NEXUS_STATE", self.home.path().join("state"))
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

/// Two destinations at a time: less than there are, as with a daemon that knows many.
fn page(paths: &[Path], after: Option<&str>) -> Paths {
    let rest = paths.iter().skip_while(|path| after.is_some_and(|after| path.destination != after));
    let rest: Vec<Path> = rest.skip(usize::from(after.is_some())).cloned().collect();
    let next = rest.get(2).and(rest.get(1)).map(|last| last.destination.clone());
    Paths { paths: rest.into_iter().take(2).collect(), next }
}

fn serve(stream: UnixStream, world: &World, words: &dyn Fn(&Verb) -> Vec<Answer>) {
    let mut replies = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let request: Request = serde_json::from_str(&line).unwrap();
        assert_eq!(request.v, VERSION);
        let answers = match &request.verb {
            Verb::Status => vec![ok(&world.status)],
            Verb::Interfaces => vec![ok(&Interfaces { interfaces: world.status.interfaces.clone() })],
            Verb::Budget => vec![ok(&world.budget)],
            Verb::Queues => vec![ok(&world.queues)],
            Verb::Income => vec![ok(&Income { neighbours: world.income.clone() })],
            Verb::Balances { .. } => vec![refusal(Code::NotFound, "this node keeps no books")],
            Verb::Links => vec![ok(&Links { links: world.status.links.clone() })],
            Verb::Paths { after } => vec![ok(&page(&world.paths.paths, after.as_deref()))],
            other => words(other),
        };
        for answer in answers {
            let mut reply = serde_json::to_vec(&Reply { v: VERSION, id: request.id, answer }).unwrap();
            reply.push(b'\n');
            if replies.write_all(&reply).is_err() {
                return;
            }
        }
    }
}

pub(crate) fn ok(value: &impl Serialize) -> Answer {
    Answer::Ok(serde_json::to_value(value).unwrap())
}

pub(crate) fn refusal(code: Code, sentence: &str) -> Answer {
    Answer::Error(Failure { code, sentence: sentence.to_owned() })
}

pub(crate) fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl World {
    /// Nobody is there.
    pub(crate) fn empty() -> Self {
        let status = Status {
            node: NODE.to_owned(),
            identity: "1".repeat(32),
            label: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: 3_725,
            state: "/var/lib/nexus".to_owned(),
            lxmf: None,
            config: None,
            log: None,
            policy: "all_but".to_owned(),
            relaying: true,
            memory_bytes: 12_345_678,
            emission: Some(1_795_375_233),
            interfaces: vec![],
            links: vec![],
            path_policy: PathPolicy::Balanced,
            paths: 0,
            messages: 2,
            path_requests: BTreeMap::new(),
            refusals: BTreeMap::new(),
        };
        Self {
            status,
            paths: Paths { paths: vec![], next: None },
            budget: Budget { interfaces: vec![] },
            queues: Queues { interfaces: vec![] },
            income: vec![],
        }
    }

    /// Anna is a neighbour, Bert lies behind her.
    pub(crate) fn small() -> Self {
        let mut world = Self::empty();
        world.status.interfaces = vec![interface("udp0")];
        world.status.links = vec![link(ANNA, "udp0")];
        world.paths.paths = vec![path(ANNA, None), path(BERT, Some("2".repeat(32)))];
        world.status.paths = 2;
        world.budget.interfaces = vec![metered("udp0")];
        world.queues.interfaces = vec![crowded("udp0")];
        world.income = vec![earned(ANNA)];
        world
    }
}

/// A neighbour that pays.
pub(crate) fn earned(peer: &str) -> Earned {
    Earned {
        peer: peer.to_owned(),
        trusted: false,
        due_grains: 2_560_000,
        owed_grains: 0,
        released: 9,
        windows: 9,
        wins: 2,
        expected_grains: 2_304_000,
        actual_unxs: 2_000,
        paid_unxs: 7,
    }
}

/// A queue that is three quarters full of what Anna brings.
pub(crate) fn crowded(name: &str) -> Queue {
    let waiting = Held { frames: 90, bytes: 45_000 };
    let (left, left_bytes, waited_mean_us) = (2_000, 1_000_000, 450_000);
    let waited_us = left * waited_mean_us;
    let bulk = ClassOfQueue {
        waiting,
        left,
        left_bytes,
        waited_mean_us,
        waited_us,
        waited_longest_us: 900_000,
        late: 0,
    };
    let voice = ClassOfQueue { left: 50, waited_mean_us: 1_500, late: 3, ..ClassOfQueue::default() };
    Queue {
        interface: name.to_owned(),
        room: Held { frames: 256, bytes: 60_000 },
        control: Held::default(),
        news: Held { frames: 2, bytes: 400 },
        classes: BTreeMap::from([("bulk".to_owned(), bulk), ("real_time".to_owned(), voice)]),
        sharers: vec![Sharer {
            peer: Some(ANNA.to_owned()),
            interface: Some(name.to_owned()),
            weight: 3,
            waiting,
        }],
        pressed: vec![Pressed {
            peer: Some(BERT.to_owned()),
            severity: "severe".to_owned(),
            limit_bps: 400_000,
        }],
        told: BTreeMap::from([("moderate".to_owned(), 4)]),
        price_raised_percent: 56,
        drops: BTreeMap::from([("late".to_owned(), 3)]),
    }
}

pub(crate) fn interface(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        kind: "udp".to_owned(),
        mode: "nexus".to_owned(),
        up: true,
        peers: None,
        address: "[::]:4777".to_owned(),
        bandwidth_bps: 10_000_000,
        price_unxs_per_kib: 0,
        sent: Traffic { frames: 3, bytes: 1_234 },
        received: Traffic { frames: 4, bytes: 2_345_678 },
        drops: BTreeMap::new(),
        fault: None,
        radio: None,
        broadcast: None,
    }
}

/// Announces and gossip of the second tier, and packets.
pub(crate) fn metered(name: &str) -> Metered {
    let share = |bytes, ppm| Share { bytes, airtime_us: 8 * bytes, share_ppm: Some(ppm) };
    let span = |factor: u64| Span {
        together_ppm: Some(45_000 / factor),
        loads: [
            ("traffic".to_owned(), share(90_000, 600_000 / factor)),
            ("announces".to_owned(), share(4_500, 30_000 / factor)),
            ("gossip_payment".to_owned(), share(2_250, 15_000 / factor)),
        ]
        .into(),
    };
    Metered {
        interface: name.to_owned(),
        measured_bps: 9_600,
        limit_ppm: 100_000,
        ten_minutes: span(1),
        hour: span(6),
        total: [("announces".to_owned(), Sum { frames: 9, bytes: 4_500, airtime_us: 36_000 })].into(),
    }
}

pub(crate) fn link(peer: &str, interface: &str) -> Link {
    Link {
        peer: peer.to_owned(),
        interface: interface.to_owned(),
        endpoint: Some("192.0.2.7:4777".to_owned()),
        up_s: 7_300,
        heard_s: 4,
        rtt_us: Some(12_345),
        rekeys: 2,
        sent: Traffic { frames: 30, bytes: 3_000 },
        received: Traffic { frames: 40, bytes: 4_000 },
    }
}

pub(crate) fn path(destination: &str, via: Option<String>) -> Path {
    Path {
        destination: destination.to_owned(),
        node: true,
        hops: if via.is_some() { 2 } else { 1 },
        interface: "udp0".to_owned(),
        via,
        cost: None,
        reliability_percent: None,
        others: 0,
        emission: 1_795_375_233,
        age_s: 61,
        expires_in_s: 5_339,
    }
}
