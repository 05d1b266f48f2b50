use super::*;
use nexus_machine::Stream;

const TEXTS: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];

#[test]
fn whatever_is_lost_repeated_or_reordered_each_message_is_shown_once_and_acknowledged() {
    for run in 0..60 {
        let mut world = World::new();
        let mut random = Seed::new([8; 32]).fork_index("air", run).fork("whims");
        for (handle, text) in (0..).zip(TEXTS) {
            world.send(handle, text, Authorship::Signed);
        }
        run_to_the_end(&mut world, &mut random);
        is_right(&world, &format_args!("run {run}"));
    }
}

#[test]
fn a_crash_at_any_output_loses_nothing_that_was_acknowledged_and_shows_nothing_twice() {
    let mut boundaries = 0;
    for air in 0..8 {
        for crash_in in 0.. {
            let mut world = World::new();
            world.crash_in = Some(crash_in);
            let mut random = Seed::new([9; 32]).fork_index("air", air).fork("whims");
            for (handle, text) in (0..).zip(TEXTS) {
                let authorship = if handle % 2 == 0 { Authorship::Signed } else { Authorship::Anonymous };
                world.send(handle, text, authorship);
            }
            run_to_the_end(&mut world, &mut random);
            is_right(&world, &format_args!("air {air}, crash before job {crash_in}"));
            if world.parties[BOB].starts == 1 {
                break;
            }
            boundaries += 1;
        }
    }
    assert!(boundaries > 200, "only {boundaries} crashes happened");
}

/// Carries packets through an unreliable air until Ann waits for nothing.
fn run_to_the_end(world: &mut World, random: &mut Stream) {
    for _ in 0..2_000 {
        if world.parties[ANN].layer.correspondence().outgoing() == 0 {
            return;
        }
        if world.air.is_empty() {
            world.wait();
            continue;
        }
        let pick = usize::try_from(random.below(u64::try_from(world.air.len()).unwrap())).unwrap();
        let (to, packet) = world.air.remove(pick).unwrap();
        if random.chance(1, 4) {
            continue;
        }
        if random.chance(1, 4) {
            world.air.push_back((to, packet.clone()));
        }
        world.tell(to, Input::Arrived(packet, Class::Interactive, None));
    }
    panic!("it does not end");
}

fn is_right(world: &World, what: &core::fmt::Arguments<'_>) {
    let mut shown = world.texts(BOB);
    shown.sort_unstable();
    let mut expected = TEXTS;
    expected.sort_unstable();
    assert_eq!(shown, expected, "{what}");
    assert_eq!(world.ends().len(), TEXTS.len(), "{what}");
    assert!(world.ends().iter().all(|end| matches!(end, Effect::Delivered { .. })), "{what}");
}
