//! LXMF as the published package speaks it: a peer in a process of its own.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Program, Start, here};
use crate::stock::{Interfaces, attached, unattached};

/// So long a stock peer may try before it gives up.
const UNTIL_IT_ENDS: Duration = Duration::from_secs(200);

/// What a stock peer asks of whoever writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// Nothing.
    Unasked,
    /// A stamp of this cost; messages without one are dropped.
    Enforced(u8),
}

/// How a stock peer is to send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// In one packet outside of links.
    Opportunistic,
    /// Over a link.
    Direct,
    /// Through a propagation node.
    Propagated,
}

impl Method {
    fn word(self) -> &'static str {
        match self {
            Self::Opportunistic => "opportunistic",
            Self::Direct => "direct",
            Self::Propagated => "propagated",
        }
    }
}

/// A stock LXMF peer. What its lines say stands at the head of `scripts/lxmf.py`.
#[derive(Debug)]
pub struct StockLxmf {
    program: Program,
    /// Its address: the hash of its delivery destination.
    pub address: String,
    /// Its public key, in hexadecimal digits.
    pub public: String,
}

impl StockLxmf {
    /// Starts one with interfaces of its own, in a directory below `home`. One that was there before is there again.
    ///
    /// # Panics
    /// If the package is not installed or does not start.
    #[must_use]
    pub fn start(home: &Path, name: &str, stamps: Stamps, interfaces: &Interfaces) -> Self {
        Self::start_by(&here, home, name, stamps, interfaces)
    }

    /// The same, by another way to start programs.
    ///
    /// # Panics
    /// If the package is not installed or does not start.
    #[must_use]
    pub fn start_by(
        start: Start<'_>,
        home: &Path,
        name: &str,
        stamps: Stamps,
        interfaces: &Interfaces,
    ) -> Self {
        let config = unattached("No", interfaces);
        let (peer, is_attached) = Self::configured(start, home, name, stamps, &config);
        assert!(!is_attached, "it has interfaces of its own");
        peer
    }

    /// Starts one that is attached to the shared instance of that name, which has to be there.
    ///
    /// # Panics
    /// If the package is not installed, does not start, or is attached to nobody.
    #[must_use]
    pub fn attached(home: &Path, name: &str, stamps: Stamps, instance: &str, more: &[&str]) -> Self {
        let (peer, is_attached) = Self::configured(&here, home, name, stamps, &attached(instance, more));
        assert!(is_attached, "it found nobody");
        peer
    }

    fn configured(start: Start<'_>, home: &Path, name: &str, stamps: Stamps, config: &str) -> (Self, bool) {
        let (cost, enforce) = match stamps {
            Stamps::Unasked => (None, false),
            Stamps::Enforced(cost) => (Some(cost), true),
        };
        let like = json!({ "name": name, "stamp_cost": cost, "enforce": enforce }).to_string();
        let mut program = Program::start(start, "lxmf.py", home, name, Some(config), &[&like]);
        let ready = program.wait("ready");
        let text = |key: &str| ready[key].as_str().expect("hexadecimal digits").to_owned();
        let (address, public) = (text("ready"), text("public"));
        (Self { program, address, public }, ready["attached"] == true)
    }

    /// Announces its address.
    pub fn announce(&mut self) {
        self.tell(&json!({ "do": "announce" }));
    }

    /// Waits until it heard of an address; the name that its announce gave.
    pub fn wait_announce(&mut self, address: &str) -> Value {
        self.wait_for("announced", |line| line["announced"] == address)
    }

    /// Hands it a text to send.
    pub fn send(&mut self, to: &str, text: &str, method: Method) {
        self.tell(&json!({ "do": "send", "to": to, "text": text, "method": method.word() }));
    }

    /// Waits until it holds a text that it sent for delivered. It tries four times, each time on a link that has to be made, a quarter of
    /// a minute after it gave up the one before.
    ///
    /// # Panics
    /// If it never does, or if it gave up.
    pub fn wait_delivered(&mut self, text: &str) -> Value {
        let ended = self.wait_within(UNTIL_IT_ENDS, "text", |line| {
            line["text"] == text && (!line["delivered"].is_null() || !line["failed"].is_null())
        });
        assert!(ended["failed"].is_null(), "{text} was not delivered: {ended}");
        ended
    }

    /// Waits for a text from somebody.
    pub fn wait_text(&mut self, text: &str) -> Value {
        self.wait_for("message", |line| line["text"] == text)
    }
}

impl Deref for StockLxmf {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for StockLxmf {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}
