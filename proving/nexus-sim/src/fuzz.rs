//! What fuzzers drive: the link organ, whole nodes, and neighbours that pay each other, by scripts of any bytes.
//!
//! The bytes of an input decode to a bounded sequence of steps: frames made up, mutated, repeated and delivered to the wrong node;
//! time; what hosts and operators say. Genuine peers are among those who are driven, so handshakes come to their end. After every
//! step the invariants of the link organ or of the node are looked at; one that is broken panics, whatever the
//! script. What is committed to `fuzz/seeds/` is [`Driver::seeds`], and ordinary tests run it.
//!
//! Source: spec/simulation.md#fuzzed-sequences.

mod cast;
mod flights;
mod host;
mod organ;
mod payment;
mod script;

/// Says how much heap this thread holds, in bytes, relative to some fixed moment. The harness holds a machine's growth against
/// what it declared; whoever runs it brings the allocator that counts.
pub type Held = fn() -> isize;

/// What can be driven by a script.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    /// The name of its fuzz target.
    pub name: &'static str,
    /// Runs a script; panics if an invariant is broken.
    pub run: fn(&[u8], Held) -> Reached,
    /// Scripts that are worth starting from, by name.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All that can be driven.
pub const DRIVERS: [Driver; 3] = [
    Driver { name: "links", run: organ::run, seeds: organ::seeds },
    Driver { name: "node", run: host::run, seeds: host::seeds },
    Driver { name: "payment", run: payment::run, seeds: payment::seeds },
];

/// How far a script got: a script that reaches nothing proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// Links that came up.
    pub links_up: u32,
    /// Links that ended.
    pub links_down: u32,
    /// Sealed frames that were opened; of nodes, announces of others that were believed.
    pub believed: u32,
    /// Keys that were replaced inside a link.
    pub rekeys: u32,
    /// Messages that were put together from fragments; of nodes, messages for people that arrived.
    pub whole: u32,
    /// Frames that were refused; of nodes, of links and announces.
    pub refused: u64,
    /// Wins that were paid.
    pub wins: u32,
    /// Settlements that both signed.
    pub settled: u32,
    /// How often a node saw that its disk had fallen back.
    pub resumed: u32,
    /// Ends of channels.
    pub closed: u32,
}

/// Drives what is called `name`.
///
/// # Panics
/// If an invariant is broken, or nothing is called so.
pub fn drive(name: &str, script: &[u8], held: Held) {
    let driver = DRIVERS.iter().find(|driver| driver.name == name);
    (driver.unwrap_or_else(|| panic!("nothing called {name} can be driven")).run)(script, held);
}
