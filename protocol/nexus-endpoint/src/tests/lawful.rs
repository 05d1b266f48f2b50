use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Machine, MemoryBound, Snapshot, Stream};
use nexus_testkit::{heap, laws};
use nexus_wire::reticulum::LinkId;

use super::world::{LIMITS, NAME, World, address, endpoint, identity};
use crate::{
    Accepting, Announcing, Bytes, Command, Effect, Endpoint, Event, Handle, Input, Question, Service, Supply,
    resource,
};

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
            4 => Input::Packet(others[below(random, others.len())].clone()),
            5 => {
                let announce = others[below(random, others.len())].clone();
                let announce = random.chance(1, 2).then_some(announce);
                Input::Recalled { destination: somebody(random), announce }
            }
            _ => Input::Command(command(random)),
        },
    );
}

#[test]
fn as_many_links_as_may_be_with_all_that_may_wait_on_them_stay_within_the_bound() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    for _ in 0..LIMITS.links {
        world.command(0, Command::Open { handle: Handle(0), to: destination });
    }
    let up = |event: &Event| if let Event::LinkUp { up, .. } = event { Some(up.link) } else { None };
    let links: Vec<_> = world.events(1).iter().filter_map(up).collect();
    assert_eq!(links.len(), LIMITS.links);
    world.relay = super::world::Relay::Swallows;
    for link in links {
        for _ in 0..40 {
            let (handle, plaintext) = (Handle(0), Bytes(vec![7; 8_000]));
            world.command(1, Command::Say { handle, link, plaintext });
            let data = Bytes(vec![0xc0]);
            let question = Question { path: String::from("/"), data, within: Duration::from_secs(1) };
            world.command(1, Command::Request { handle, link, question });
        }
    }
    let told = core::mem::take(&mut world.nodes[1].told);
    let (endpoint, held) = heap::growth_of(|| {
        let mut endpoint = endpoint(1, &Snapshot::empty(), 0);
        for (cx, input) in told.iter().cloned() {
            endpoint.handle(cx, input, &mut VecDeque::<Effect>::new());
        }
        endpoint
    });
    let bound = endpoint.memory_bound();
    assert!(usize::try_from(held).unwrap() <= bound, "{held} bytes held, {bound} declared");
}

/// What others say of themselves, and how they ask for links.
fn heard_of_others() -> Vec<Vec<u8>> {
    let mut world = World::of(6);
    for node in 1..6 {
        world.serve(node, NAME);
    }
    for own in ["a", "b", "c", "d"] {
        world.nodes[0].endpoint = endpoint(0, &Snapshot::empty(), 0);
        let destination = world.serve(0, own);
        for node in 1..6 {
            world.command(node, Command::Open { handle: Handle(0), to: destination });
        }
    }
    world.sent
}

fn command(random: &mut Stream) -> Command {
    let own = |random: &mut Stream| ["a", "b", "c", "d"][below(random, 4)];
    let handle = Handle(random.below(1_000));
    match random.below(10) {
        0 | 1 => {
            let name = String::from(own(random));
            let app_data = vec![7; below(random, 300)];
            let announcing = if random.chance(1, 2) { Announcing::Hourly } else { Announcing::WhenAsked };
            Command::Serve(Service { name, app_data, announcing, accepting: Accepting::Links })
        }
        2 => Command::Announce(address(0, own(random))),
        3 => Command::Withdraw(address(0, own(random))),
        4 => {
            let link = LinkId([7; 16]);
            match random.below(6) {
                4 => Command::Transfer { link, command: resource::Command::Accept(resource::Arrival(1)) },
                5 => Command::Supply { link, supply: Supply::Read(handle, None) },
                0 => Command::Open { handle, to: somebody(random) },
                1 => Command::Say { handle, link, plaintext: Bytes(vec![7; 100]) },
                2 => Command::Identify { link },
                _ => Command::Close { link },
            }
        }
        5 => Command::Find { handle, destination: somebody(random) },
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
