//! Three whole nodes, each with four interfaces, a disk and a clock, under a script.
//!
//! Looked at after every step:
//!
//! * memory stays below what was declared, and an input has few outputs;
//! * a wake-up at its deadline moves the deadline forward;
//! * a link comes up with whoever sent the frame that made it, and there is at most one with a peer on an interface;
//! * a destination is reported as reached only with an emission that its owner made;
//! * a message is shown once, to whom it was sent, as from its sender, and is delivered only if it was shown;
//! * counters of sealed frames grow, where the medium says whose they are.

mod bench;
mod seeds;

use nexus_machine::Duration;
use nexus_network::{InterfaceId, Policy};
use nexus_node::{Authorship, Command, Content, Input};

use super::cast::{NODES, address, node_id};
use super::organ::mutate;
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
    Write,
    Ping,
    Announce,
    Forget,
    Up,
    Down,
    Dial,
    Undial,
    SetPolicy,
    Entropy,
    Disk,
    WallClock,
    Driver,
    OutOfTurn,
    Restart,
}

const ACTS: [Act; 23] = [
    Act::Run,
    Act::Jump,
    Act::WakeEarly,
    Act::DeliverOne,
    Act::Lose,
    Act::Replay,
    Act::Mutate,
    Act::MadeUp,
    Act::Write,
    Act::Ping,
    Act::Announce,
    Act::Forget,
    Act::Up,
    Act::Down,
    Act::Dial,
    Act::Undial,
    Act::SetPolicy,
    Act::Entropy,
    Act::Disk,
    Act::WallClock,
    Act::Driver,
    Act::OutOfTurn,
    Act::Restart,
];

/// Runs a script. The first byte says which media there are.
pub(super) fn run(bytes: &[u8], held: Held) -> Reached {
    let mut script = Script::new(bytes);
    let mut bench = Bench::new(script.byte(), held);
    while let Some(number) = script.step() {
        if bench.is_weary() {
            break;
        }
        let act = ACTS[usize::from(number) % ACTS.len()];
        match act {
            Act::Run => bench.run(script.span()),
            Act::Jump => bench.jump(script.span()),
            Act::WakeEarly => bench.wake(script.below(NODES)),
            Act::DeliverOne => bench.deliver_one(script.byte()),
            Act::Lose => bench.flights().lose(script.byte()),
            Act::Replay | Act::Mutate | Act::MadeUp => forge(&mut bench, act, &mut script),
            Act::Driver => bench.drivers(script.byte()),
            Act::Disk => bench.disks(script.byte()),
            Act::Entropy => bench.entropy(script.byte()),
            Act::WallClock => bench.set_clock(script.below(NODES), script.byte()),
            Act::Restart => bench.restart(script.below(NODES)),
            Act::Write
            | Act::Ping
            | Act::Announce
            | Act::Forget
            | Act::Up
            | Act::Down
            | Act::Dial
            | Act::Undial
            | Act::SetPolicy
            | Act::OutOfTurn => told(&mut bench, act, &mut script),
        }
    }
    bench.reached()
}

/// A frame arrives where the script says, from whom it says: an earlier one, one that was changed, or one made up.
fn forge(bench: &mut Bench, act: Act, script: &mut Script<'_>) {
    let mut bytes =
        if act == Act::MadeUp { script.bytes().to_vec() } else { bench.flights().flown(script.byte()) };
    if act == Act::Mutate {
        mutate(&mut bytes, script);
    }
    let (node, iface, from) = (script.below(NODES), script.below(IFACES + 1), script.byte());
    let from = (from % 6 != 5).then(|| address(from % 6));
    bench.forged(node, iface, from, &bytes);
}

/// What a host or an operator says to a node.
fn told(bench: &mut Bench, act: Act, script: &mut Script<'_>) {
    let (node, nth) = (script.below(NODES), script.below(IFACES));
    let iface = InterfaceId(u8::try_from(nth).expect("a few interfaces"));
    let choice = script.byte();
    let input = match act {
        Act::Write => {
            let authorship = if choice & 1 == 0 { Authorship::Signed } else { Authorship::Anonymous };
            return bench.write(node, usize::from(choice >> 1), authorship, script.span(), script.byte());
        }
        Act::Ping => {
            let content = if choice < 128 { Content::Ping { padding: 0 } } else { Content::Trace };
            return bench.send(node, usize::from(choice), content, Duration::from_secs(30));
        }
        Act::Announce => Input::Command(Command::Announce),
        Act::Forget => Input::Command(Command::Forget { through: choice.into() }),
        Act::Up => Input::Up { iface, profile: profile(choice) },
        Act::Down => Input::Down { iface },
        Act::Dial => {
            let expected = (choice / 5 % 2 == 1).then(|| node_id(usize::from(choice / 10) % NODES));
            Input::Command(Command::Dial { iface, to: address(choice % 5), expected })
        }
        Act::Undial => Input::Command(Command::Undial { iface, to: address(choice % 5) }),
        Act::OutOfTurn => match choice % 4 {
            0 => Input::TxReady { iface },
            1 => Input::ChannelBusy { iface },
            2 => Input::ChannelClear { iface },
            _ if choice < 64 => Input::Command(Command::Start),
            _ if choice < 128 => Input::Command(Command::Save),
            _ => Input::Command(Command::Price { iface, price: u64::from(choice) << (choice % 57) }),
        },
        Act::SetPolicy => {
            let some = (0..NODES).filter(|peer| choice >> (2 + peer) & 1 == 1).map(node_id).collect();
            Input::Command(Command::Policy(match choice & 3 {
                0 | 1 => Policy::Anyone,
                2 => Policy::Only(some),
                3.. => Policy::AllBut(some),
            }))
        }
        Act::Run
        | Act::Jump
        | Act::WakeEarly
        | Act::DeliverOne
        | Act::Lose
        | Act::Replay
        | Act::Mutate
        | Act::MadeUp
        | Act::Entropy
        | Act::Disk
        | Act::WallClock
        | Act::Driver
        | Act::Restart => unreachable!("these are not said to one interface of a node"),
    };
    bench.tell(node, &input);
}
