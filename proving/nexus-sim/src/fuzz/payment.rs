//! Three neighbours that pay each other, each to each, under a script: channels and lottery as nodes have them, with disks.
//!
//! Looked at after every step:
//!
//! * nobody signs two bodies of a channel at one number, also not after a crash or with an older disk;
//! * two states with one number that both signed are one state, and all balances of a channel make the same sum;
//! * memory stays below what was declared, and an input has few effects.
//!
//! Every script ends with everything healed and settled: then both ends of a channel hold one state, nothing waits, and in each
//! direction in which there is something to pay with a win is paid again. Some scripts let words be changed on their way, as a
//! neighbour that cheats may say them; what a cheat is paid afterwards is not asked.

mod bench;
mod seeds;

use nexus_node::economy::Amount;
use nexus_node::economy::layer::Command;

use super::cast::NODES;
use super::organ::mutate;
use super::script::Script;
use super::{Held, Reached};
use bench::Bench;
pub(super) use seeds::seeds;

/// What a step does, by its number modulo the number of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Run,
    Jump,
    Carry,
    CarryInVain,
    Deliver,
    Lose,
    Replay,
    Mutate,
    Sync,
    Crash,
    CrashAfterWrite,
    Image,
    Reload,
    LinkDown,
    LinkUp,
    Open,
    Settle,
    Close,
    CloseAlone,
    Certify,
}

const ACTS: [Act; 20] = [
    Act::Run,
    Act::Jump,
    Act::Carry,
    Act::CarryInVain,
    Act::Deliver,
    Act::Lose,
    Act::Replay,
    Act::Mutate,
    Act::Sync,
    Act::Crash,
    Act::CrashAfterWrite,
    Act::Image,
    Act::Reload,
    Act::LinkDown,
    Act::LinkUp,
    Act::Open,
    Act::Settle,
    Act::Close,
    Act::CloseAlone,
    Act::Certify,
];

/// What one lends another at most, in thousands of µNXS.
const LINES: u64 = 4;

/// Runs a script. The first byte says whether words are changed on their way.
pub(super) fn run(bytes: &[u8], held: Held) -> Reached {
    let mut script = Script::new(bytes);
    let honest = script.byte() & 1 == 0;
    let mut bench = Bench::new(held);
    while let Some(number) = script.step() {
        if bench.is_weary() {
            break;
        }
        let act = ACTS[usize::from(number) % ACTS.len()];
        if !(honest && act == Act::Mutate) {
            step(&mut bench, act, &mut script);
        }
    }
    let reached = bench.reached();
    bench.heal();
    bench.settle_all();
    // Whoever changes the key of its proofs on the way is paid nothing, and that is right.
    if honest {
        bench.pay_all();
    }
    reached
}

fn step(bench: &mut Bench, act: Act, script: &mut Script<'_>) {
    match act {
        Act::Run => bench.run(script.span()),
        Act::Jump => bench.jump(script.span()),
        Act::Carry | Act::CarryInVain => {
            let (from, to) = pair(script);
            bench.carry(from, to, 1 + script.below(255), act == Act::Carry);
        }
        Act::Deliver => bench.deliver(script.byte()),
        Act::Lose => bench.lose(script.byte()),
        Act::Replay => bench.replay(script.byte()),
        Act::Mutate => {
            let Some(mut word) = bench.word(script.byte()) else { return };
            mutate(&mut word.body, script);
            bench.arrive(word);
        }
        Act::Sync => bench.sync(script.below(NODES)),
        Act::Crash => bench.crash(script.below(NODES)),
        Act::CrashAfterWrite => {
            let node = script.below(NODES);
            bench.write_one(node);
            bench.crash(node);
        }
        Act::Image => bench.image(),
        Act::Reload => bench.reload(),
        Act::LinkDown => {
            let (one, other) = pair(script);
            bench.link_down(one, other);
        }
        Act::LinkUp => {
            let (one, other) = pair(script);
            bench.link_up(one, other);
        }
        Act::Open => {
            let (from, to) = pair(script);
            let amount = |byte: u8| Amount::from_micros(u64::from(byte) * LINES * 1_000);
            let (line, deposit) = (amount(script.byte()), amount(script.byte()));
            bench.command(from, to, Command::Open { line, deposit });
        }
        Act::Settle | Act::Close | Act::CloseAlone => {
            let (from, to) = pair(script);
            let command = match act {
                Act::Settle => Command::Settle,
                Act::Close => Command::Close,
                _ => Command::CloseAlone,
            };
            bench.command(from, to, command);
        }
        Act::Certify => {
            let (one, other) = pair(script);
            bench.certify(one, other);
        }
    }
}

/// Two nodes that are not one.
fn pair(script: &mut Script<'_>) -> (usize, usize) {
    let (one, step) = (script.below(NODES), 1 + script.below(NODES - 1));
    (one, (one + step) % NODES)
}
