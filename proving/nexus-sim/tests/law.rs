//! No node exceeds its region's limits, whatever its upper layers ask, and the judge would see one that did.

use nexus_machine::{Duration, Seed};
use nexus_network::region::{Channel, Region, Wish};
use nexus_network::{DutyCycle, Mode};
use nexus_node::{Command, Node};
use nexus_secure::{Authorship, Content, Outgoing};
use nexus_sim::actor::Actor;
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::law::Law;
use nexus_sim::layout::{Layout, Radio};
use nexus_sim::loud::Loud;
use nexus_sim::observation::{Judge as _, NodeIndex, Provenance, Verdict};
use nexus_sim::schedule::{Action, Schedule};
use nexus_sim::world::{self, Scenario};

const HOUR: Duration = Duration::from_secs(3_600);
/// The hour's sum slides: the second hour is where a rule that forgets at the full hour fails.
const LENGTH: Duration = Duration::from_secs(2 * 3_600 + 600);

fn channel(region: Region, hertz: u32, bandwidth_hz: u32, spreading_factor: u8, duty: DutyCycle) -> Channel {
    let wish = Wish {
        frequency_hz: Some(hertz),
        bandwidth_hz: Some(bandwidth_hz),
        spreading_factor: Some(spreading_factor),
        coding_rate: Some(5),
        tx_power_dbm: Some(14),
        duty,
    };
    region.channel(&wish).expect("a channel of the region")
}

/// What the judge says, and the most that any node transmitted in an hour in the stretch from `from_hz` on.
fn judged<A: Actor>(
    layout: Layout,
    schedule: Schedule,
    length: Duration,
    from_hz: u32,
) -> (Verdict, Duration) {
    let scenario = Scenario { schedule, ..Scenario::calm(Seed::new([5; 32]), layout, length) };
    let mut law = Law::default();
    let outcome = world::run::<A>(&scenario, &mut [&mut law]);
    assert_eq!(outcome.halted, None);
    (law.verdict(), law.meter().most_in_an_hour(from_hz))
}

/// The limit is kept, and nearly all of it is used: what is measured is the limit and not a node that is silent.
#[track_caller]
fn uses_its_limit_and_no_more(layout: Layout, schedule: Schedule, from_hz: u32, most: Duration) {
    let (verdict, used) = judged::<Loud>(layout, schedule, LENGTH, from_hz);
    assert_eq!(verdict, Verdict::Passed);
    assert!(used <= most, "{used:?}");
    assert!(used.times(10) >= most.times(9), "{used:?} of {most:?}");
}

#[test]
fn upper_layers_that_ask_for_a_hundred_times_a_european_limit_get_the_limit() {
    for radio in [Radio::Rnode, Radio::Transceiver] {
        for (hertz, bandwidth_hz, spreading_factor, duty, from_hz) in [
            (869_525_000, 250_000, 7, DutyCycle::TEN_PERCENT, 869_400_000),
            (868_300_000, 125_000, 7, DutyCycle::ONE_PERCENT, 868_000_000),
            (866_000_000, 125_000, 10, DutyCycle::ONE_PERCENT, 865_000_000),
            (868_950_000, 125_000, 7, DutyCycle::TENTH_OF_A_PERCENT, 868_700_000),
        ] {
            let channel = channel(Region::Eu868, hertz, bandwidth_hz, spreading_factor, duty);
            let layout = Layout::on_channel(channel, radio, 2);
            // At a tenth of a percent a frame is a good part of the hour.
            let (verdict, used) = judged::<Loud>(layout, Schedule::new(), LENGTH, from_hz);
            let most = duty.of(HOUR);
            assert_eq!(verdict, Verdict::Passed, "{channel} {radio:?}");
            assert!(used <= most && used.times(10) >= most.times(7), "{channel} {radio:?}: {used:?}");
        }
    }
}

#[test]
fn upper_layers_that_ask_for_a_hundred_times_an_american_limit_get_the_limit() {
    for radio in [Radio::Rnode, Radio::Transceiver] {
        let narrow = channel(Region::Us915, 915_000_000, 250_000, 6, DutyCycle::FOUR_PERCENT);
        let wide = channel(Region::Us915, 915_000_000, 500_000, 8, DutyCycle::UNLIMITED);
        for channel in [narrow, wide] {
            let layout = Layout::on_channel(channel, radio, 2);
            let (verdict, _) = judged::<Loud>(layout, Schedule::new(), Duration::from_secs(600), 0);
            assert_eq!(verdict, Verdict::Passed, "{channel} {radio:?}");
        }
    }
}

#[test]
fn two_radios_of_a_node_in_one_sub_band_have_its_limit_together() {
    let at = |hertz| channel(Region::Eu868, hertz, 125_000, 7, DutyCycle::ONE_PERCENT);
    let mut layout = Layout::on_channel(at(868_100_000), Radio::Rnode, 2);
    layout.media.extend(Layout::on_channel(at(868_400_000), Radio::Transceiver, 2).media);
    uses_its_limit_and_no_more(layout, Schedule::new(), 868_000_000, Duration::from_secs(36));
}

#[test]
fn a_node_that_starts_again_and_again_has_its_limit_once() {
    for radio in [Radio::Rnode, Radio::Transceiver] {
        let channel = channel(Region::Eu868, 868_300_000, 125_000, 7, DutyCycle::ONE_PERCENT);
        let crash = |minute: u64| {
            let down_for = Duration::from_secs(2);
            let crash = Action::Crash { node: NodeIndex(0), down_for, disk: Provenance::Kept };
            (WorldTime::from_start(Duration::from_secs(60 * minute)), crash)
        };
        let schedule: Schedule = (1..30).map(|number| crash(4 * number + number % 3)).collect();
        let layout = Layout::on_channel(channel, radio, 2);
        uses_its_limit_and_no_more(layout, schedule, 868_000_000, Duration::from_secs(36));
    }
}

/// A message, a ping and an announce at once every eight seconds, which is a hundred times what the limit holds, on links and in clear.
#[test]
fn a_whole_node_that_is_asked_for_everything_at_once_keeps_the_limit() {
    let length = Duration::from_secs(80 * 60);
    for (mode, radio) in
        [(Mode::Nexus, Radio::Rnode), (Mode::Nexus, Radio::Transceiver), (Mode::Reticulum, Radio::Rnode)]
    {
        let channel = channel(Region::Eu868, 868_300_000, 125_000, 10, DutyCycle::ONE_PERCENT);
        let mut layout = Layout::on_channel(channel, radio, 3);
        layout.media[0].profile.mode = mode;
        let scenario = Scenario::calm(Seed::new([5; 32]), layout.clone(), length);
        let identities = scenario.identities();
        let mut schedule = Schedule::new();
        for second in (60..length.as_secs()).step_by(8) {
            let at = WorldTime::from_start(Duration::from_secs(second));
            for node in 0..3 {
                let to = identities[(usize::try_from(node).expect("a few nodes") + 1) % 3].node_id();
                let send = |handle, content| {
                    let lifetime = Duration::from_secs(60);
                    Command::Send(Outgoing { handle, to, content, lifetime, policy: None, class: None })
                };
                let text = vec![b'x'; Content::MAX_TEXT];
                let message = Content::Message { text, authorship: Authorship::Signed };
                for command in [
                    Command::Announce,
                    send(2 * second, Content::Ping { padding: 0 }),
                    send(2 * second + 1, message),
                ] {
                    schedule.push((at, Action::Tell(NodeIndex(node), command)));
                }
            }
        }
        let (verdict, used) = judged::<Node>(layout, schedule, length, 868_000_000);
        assert_eq!(verdict, Verdict::Passed, "{mode:?} {radio:?}");
        assert!(used > Duration::from_secs(9), "{mode:?} {radio:?}: it did transmit: {used:?}");
    }
}

/// The same nodes on channels of the operator's own, for which no rule is looked up: each is caught.
#[test]
fn a_radio_that_knows_no_rule_is_caught() {
    for (hertz, bandwidth_hz, spreading_factor, says) in [
        (868_300_000, 125_000, 7, "where 36000000 µs are allowed"),
        (869_525_000, 250_000, 7, "where 360000000 µs are allowed"),
        (868_650_000, 125_000, 7, "where none is allowed"),
        (915_000_000, 125_000, 8, "where 400000 µs are allowed"),
    ] {
        let channel = channel(Region::Custom, hertz, bandwidth_hz, spreading_factor, DutyCycle::UNLIMITED);
        for radio in [Radio::Rnode, Radio::Transceiver] {
            let layout = Layout::on_channel(channel, radio, 2);
            let (verdict, _) = judged::<Loud>(layout, Schedule::new(), HOUR, 0);
            let Verdict::Failed(failure) = verdict else { panic!("{channel} {radio:?} is not caught") };
            assert!(failure.reason.contains(says), "{}", failure.reason);
        }
    }
}
