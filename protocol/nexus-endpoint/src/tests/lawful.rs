use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Snapshot, Stream};
use nexus_testkit::laws;

use super::world::{LIMITS, NAME, World, address, identity};
use crate::{Accepting, Announcing, Bytes, Command, Endpoint, Handle, Input, Service};

#[test]
fn an_endpoint_obeys_the_laws() {
    let others = heard_of_others();
    laws::obeyed_by(
        "endpoint",
        |seed| laws::Organ::new(Endpoint::new(identity(0), LIMITS, &Snapshot::empty(), seed)),
        |random, _| match random.below(10) {
            0 => Input::Entropy(random.bytes()),
            1 | 2 => Input::Durable(random.below(200)),
            3 => {
                let mut bytes = vec![0; usize::try_from(random.below(600)).unwrap()];
                random.fill(&mut bytes);
                Input::Packet(bytes)
            }
            4 | 5 => Input::Packet(others[below(random, others.len())].clone()),
            _ => Input::Command(command(random)),
        },
    );
}

/// What others say of themselves.
fn heard_of_others() -> Vec<Vec<u8>> {
    let mut world = World::of(6);
    for node in 1..6 {
        world.serve(node, NAME);
    }
    world.sent
}

fn command(random: &mut Stream) -> Command {
    let own = |random: &mut Stream| ["a", "b", "c", "d"][below(random, 4)];
    let handle = Handle(random.below(1_000));
    match random.below(8) {
        0 | 1 => {
            let name = String::from(own(random));
            let app_data = vec![7; below(random, 300)];
            let announcing = if random.chance(1, 2) { Announcing::Hourly } else { Announcing::WhenAsked };
            Command::Serve(Service { name, app_data, announcing, accepting: Accepting::Links })
        }
        2 => Command::Announce(address(0, own(random))),
        3 => Command::Withdraw(address(0, own(random))),
        4 => Command::Find { handle, destination: somebody(random) },
        _ => {
            let plaintext = Bytes(vec![7; below(random, 400)]);
            Command::Send { handle, to: somebody(random), plaintext }
        }
    }
}

fn somebody(random: &mut Stream) -> DestinationHash {
    address(u8::try_from(1 + random.below(8)).unwrap(), NAME)
}

fn below(random: &mut Stream, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).unwrap())).unwrap()
}
