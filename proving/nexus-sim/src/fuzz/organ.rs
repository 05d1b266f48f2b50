//! Three link organs on two media, under a script.
//!
//! Looked at after every step:
//!
//! * memory stays below what was declared, and an input has few effects;
//! * a wake-up at its deadline moves the deadline forward;
//! * only a frame that a genuine node sealed for this one is opened, as it was sealed, and once; a link comes up with whoever
//!   sent the frame that made it, never with oneself; a sealed frame that is not authentic changes nothing at all;
//! * a node has at most one link with a peer on an interface;
//! * no counter comes twice under a key.

mod bench;
mod seeds;

use nexus_machine::Duration;
use nexus_network::links::{Input, Policy};

use super::cast::{NODES, address, interface, node_id};
use super::script::Script;
use super::{Held, Reached};
use bench::{Bench, IFACES, profile};
pub(super) use seeds::seeds;

/// What a step does, by its number modulo the number of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Run,
    Jump,
    WakeEarly,
    DeliverOne,
    Lose,
    Replay,
    Mutate,
    MadeUp,
    Say,
    HoldFrames,
    Up,
    Down,
    Dial,
    Undial,
    SetPolicy,
    Entropy,
    ClocksParted,
    Restart,
}

const ACTS: [Act; 18] = [
    Act::Run,
    Act::Jump,
    Act::WakeEarly,
    Act::DeliverOne,
    Act::Lose,
    Act::Replay,
    Act::Mutate,
    Act::MadeUp,
    Act::Say,
    Act::HoldFrames,
    Act::Up,
    Act::Down,
    Act::Dial,
    Act::Undial,
    Act::SetPolicy,
    Act::Entropy,
    Act::ClocksParted,
    Act::Restart,
];

/// Runs a script. The first byte chooses the media.
pub(super) fn run(bytes: &[u8], held: Held) -> Reached {
    let mut script = Script::new(bytes);
    let mut bench = Bench::new(script.byte(), held);
    while let Some(number) = script.step() {
        if bench.is_weary() {
            break;
        }
        step(&mut bench, ACTS[usize::from(number) % ACTS.len()], &mut script);
    }
    bench.reached()
}

fn step(bench: &mut Bench, act: Act, script: &mut Script<'_>) {
    match act {
        Act::Run => bench.run(script.span()),
        Act::Jump => bench.jump(script.span()),
        Act::WakeEarly => bench.wake(script.below(NODES)),
        Act::DeliverOne => bench.deliver_one(script.byte()),
        Act::Lose => bench.flights().lose(script.byte()),
        Act::Replay => {
            let bytes = bench.flights().flown(script.byte());
            arrive_anywhere(bench, script, &bytes);
        }
        Act::Mutate => {
            let mut bytes = bench.flights().flown(script.byte());
            mutate(&mut bytes, script);
            arrive_anywhere(bench, script, &bytes);
        }
        Act::MadeUp => {
            let bytes = script.bytes();
            arrive_anywhere(bench, script, bytes);
        }
        Act::Say => {
            let (node, nth, repeat) = (script.below(NODES), script.byte(), script.below(4));
            bench.say(node, nth, &script.bytes().repeat(1 + repeat));
        }
        Act::HoldFrames => bench.hold(script.byte()),
        Act::Up => {
            let (node, iface, profile) = (script.below(NODES), script.below(IFACES), profile(script.byte()));
            bench.tell(node, &Input::Up(interface(iface), profile));
        }
        Act::Down => {
            let (node, iface) = (script.below(NODES), script.below(IFACES));
            bench.tell(node, &Input::Down(interface(iface)));
        }
        Act::Dial => {
            let (node, iface, to, expected) =
                (script.below(NODES), script.below(IFACES), script.byte(), script.below(NODES + 1));
            let expected = (expected < NODES).then(|| node_id(expected));
            bench.tell(node, &Input::Dial { iface: interface(iface), to: address(to % 5), expected });
        }
        Act::Undial => {
            let (node, iface, to) = (script.below(NODES), script.below(IFACES), script.byte());
            bench.tell(node, &Input::Undial { iface: interface(iface), to: address(to % 5) });
        }
        Act::SetPolicy => {
            let (node, kind) = (script.below(NODES), script.byte());
            let some = (0..NODES).filter(|peer| kind >> (2 + peer) & 1 == 1).map(node_id).collect();
            let policy = match kind & 3 {
                0 | 1 => Policy::Anyone,
                2 => Policy::Only(some),
                3.. => Policy::AllBut(some),
            };
            bench.tell(node, &Input::Policy(policy));
        }
        Act::Entropy => bench.entropy(script.byte()),
        Act::ClocksParted => {
            let node = script.below(NODES);
            bench.tell(node, &Input::ClocksParted);
        }
        Act::Restart => bench.restart(script.below(NODES)),
    }
}

/// A frame arrives where the script says, from whom it says.
fn arrive_anywhere(bench: &mut Bench, script: &mut Script<'_>, bytes: &[u8]) {
    let (node, iface, from) = (script.below(NODES), script.below(IFACES + 1), script.byte());
    let from = (from % 6 != 5).then(|| address(from % 6));
    bench.arrive(node, iface, from, bytes);
}

/// Flips bits, cuts, or appends.
pub(super) fn mutate(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    match script.below(4) {
        0 | 1 => {
            let at = script.wide_below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= script.byte().max(1);
            }
        }
        2 => bytes.truncate(script.wide_below(bytes.len() + 1)),
        _ => bytes.extend_from_slice(script.bytes()),
    }
}

/// The longest that a [`Act::Run`] lasts.
const RUN_MAX: Duration = Duration::from_secs(3 * 3_600);
