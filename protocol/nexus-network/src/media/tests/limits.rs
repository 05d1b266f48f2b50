//! Duty cycles, dwell times, and what restarts do not give back.

use alloc::vec::Vec;

use super::*;
use crate::lora::Modulation;

const RIGHT: InterfaceId = InterfaceId(2);
const HOUR: Duration = Duration::from_secs(3_600);
/// A frame of 500 bytes at 5 kbit/s.
const LONG: Duration = Duration::from_millis(800);

/// 1 % of an hour is 36 s of airtime: not quite 45 frames of 0.8 s, since a transmitter's clock may be slow.
#[test]
fn no_hour_has_more_airtime_than_the_duty_cycle_allows() {
    let mut media = Bench::limited(Access::Direct);
    let left = saturate(&mut media, LONG, Duration::from_secs(4 * 3_600));
    assert_eq!(most_in(HOUR, &left), 44);
    assert!(left.len() > 3 * 44, "it goes on when the hour has passed: {}", left.len());
}

#[test]
fn a_plug_that_is_pulled_gives_no_airtime_back() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 44);
    assert_eq!(media.tell(long(LEFT)), []);
    media.tell(Input::Down(LEFT));
    media.tell(Input::Up(LEFT, limited(Access::Direct)));
    assert_eq!(media.tell(long(LEFT)), []);
    let deadline = media.organ.next_timeout().unwrap();
    assert!(deadline.since(Instant::BOOT) >= HOUR);
    assert_eq!(media.timeout_at(deadline).len(), 1);
}

#[test]
fn a_frame_that_a_driver_keeps_counts_for_an_hour_from_when_it_let_it_go() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 43);
    assert_eq!(media.tell(long(LEFT)).len(), 1);
    media.now = media.now.after(Duration::from_secs(1_800));
    media.tell(Input::TxReady(LEFT));
    assert_eq!(media.tell(long(LEFT)), []);
    // The 43 are forgotten after an hour; the one that left half an hour later still counts.
    let mut sent = media.timeout_at(Instant::BOOT.after(HOUR).after(Duration::from_secs(120))).len();
    while sent > 0 && media.now < Instant::BOOT.after(HOUR.times(2)) {
        media.tell(Input::TxReady(LEFT));
        sent += 1;
        if media.tell(long(LEFT)).is_empty() {
            break;
        }
    }
    assert_eq!(sent, 44, "43 more and the one that waited");
}

#[test]
fn a_channel_is_not_sensed_before_the_duty_cycle_allows_a_frame() {
    let mut media = Bench::limited(Access::ListenBeforeTalk { slot: SLOT });
    for _ in 0..44 {
        assert_eq!(media.tell(long(LEFT)), [Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelClear(LEFT)).len(), 1);
        media.tell(Input::TxReady(LEFT));
        media.timeout_at(media.now.after(SLOT));
    }
    assert_eq!(media.tell(long(LEFT)), []);
    let deadline = media.organ.next_timeout().unwrap();
    assert_eq!(media.timeout_at(deadline), [Effect::Sense(LEFT)]);
}

#[test]
fn a_frame_that_no_hour_has_room_for_is_counted_not_sent() {
    let duty = DutyCycle::new(1).unwrap();
    let mut media = Bench::with(Profile { duty, ..profile(Access::Direct) });
    let long = Frame { bytes: vec![0; 300], ..frame(0) };
    assert_eq!(media.tell(Input::Send(long)), [], "0.48 s are more than 0.01 % of an hour");
    assert_eq!(media.organ.drops(LEFT).unwrap().too_long, 1);
    assert_eq!(media.tell(send(1)).len(), 1);
}

#[test]
fn interfaces_in_one_sub_band_share_its_airtime_and_others_do_not() {
    let in_band = |id| {
        let sub_band = Some(SubBand { id: SubBandId(id), dwell: None });
        Profile { sub_band, ..limited(Access::Direct) }
    };
    let mut media = Bench::with(in_band(2));
    media.tell(Input::Up(RIGHT, in_band(2)));
    spend(&mut media, 44);
    assert_eq!(media.tell(long(RIGHT)), [], "the other interface spent it");
    media.tell(Input::Down(RIGHT));
    media.tell(Input::Up(RIGHT, in_band(3)));
    assert_eq!(media.tell(long(RIGHT)).len(), 1, "another sub-band has its own");
}

#[test]
fn what_drivers_of_one_sub_band_have_at_once_counts_together() {
    let shared =
        Profile { sub_band: Some(SubBand { id: SubBandId(2), dwell: None }), ..limited(Access::Direct) };
    let mut media = Bench::with(shared);
    media.tell(Input::Up(RIGHT, shared));
    spend(&mut media, 43);
    assert_eq!(media.tell(long(LEFT)).len(), 1, "the last that fits is with its driver");
    assert_eq!(media.tell(long(RIGHT)), [], "and has not left");
}

#[test]
fn in_no_twenty_seconds_is_a_channel_occupied_for_longer_than_the_dwell_time() {
    let mut media = Bench::with(dwelling());
    // 100 bytes take 160 ms: two in 20 s.
    let left = saturate(&mut media, Duration::from_millis(160), Duration::from_secs(600));
    assert_eq!(most_in(Duration::from_secs(20), &left), 2);
    assert!(left.len() > 40, "it goes on: {}", left.len());
}

#[test]
fn a_frame_longer_than_the_dwell_time_is_counted_not_sent() {
    let mut media = Bench::with(dwelling());
    let of = |bytes| Input::Send(Frame { bytes: vec![0; bytes], ..frame(0) });
    assert_eq!(media.tell(of(250)), [], "exactly 400 ms, by a clock that may be slow");
    assert_eq!(media.organ.drops(LEFT).unwrap().too_long, 1);
    assert_eq!(media.tell(of(249)).len(), 1);
}

/// 480 bytes and a tag take 0.79 s at 5 kbit/s, and an acknowledgement that rides in them 18 ms more.
#[test]
fn what_rides_in_a_frame_of_a_link_is_kept_free_for_it_and_counted_if_it_does() {
    let of_link = || {
        let under = Some(Seal::Link(LinkId(nexus_machine::Key { slot: 0, generation: 0 })));
        Input::Send(Frame { bytes: vec![7; 480], under, ..frame(0) })
    };
    let frames = |sealed: usize| {
        let mut media = Bench::limited(Access::Direct);
        let mut sent = 0;
        while !media.tell(of_link()).is_empty() {
            media.tell(Input::Sealed(LEFT, sealed));
            media.tell(Input::TxReady(LEFT));
            sent += 1;
        }
        sent
    };
    assert_eq!(frames(496), 45, "36 s hold 45 of 0.7936 s");
    assert_eq!(frames(507), 44, "and 44 of 0.8112 s");
}

#[test]
fn no_frame_leaves_before_the_disk_knows_that_its_airtime_is_spent() {
    let mut media = Bench::limited(Access::Direct);
    media.speed = Speed::WhenAsked;
    assert_eq!(media.tell(long(LEFT)), []);
    assert_eq!(media.organ.next_timeout(), None, "it waits for the disk alone");
    assert_eq!(media.sync().len(), 1);
    // A piece of the hour was claimed: the next frames wait for nothing, and before it is used up there is another.
    let mut sent = 1;
    media.tell(Input::TxReady(LEFT));
    while !media.tell(long(LEFT)).is_empty() {
        media.tell(Input::TxReady(LEFT));
        sent += 1;
    }
    assert_eq!(sent, 3, "a frame and a sixteenth of the hour: 3.05 s");
    assert_eq!(media.sync().len(), 1);
}

#[test]
fn a_process_that_starts_anew_has_what_its_predecessor_left() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 44);
    media.restart(limited(Access::Direct));
    assert_eq!(media.tell(long(LEFT)), []);
    let mut fits_at = Instant::BOOT;
    let mut sent = 0;
    while sent == 0 {
        fits_at = media.organ.next_timeout().unwrap();
        sent = media.timeout_at(fits_at).len();
    }
    assert!(fits_at.since(Instant::BOOT) >= HOUR && fits_at.since(Instant::BOOT) < HOUR.times(2));
}

#[test]
fn a_process_that_starts_after_a_little_was_spent_need_not_rest() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 10);
    media.restart(limited(Access::Direct));
    let mut sent = 0;
    while !media.tell(long(LEFT)).is_empty() {
        media.tell(Input::TxReady(LEFT));
        sent += 1;
    }
    assert!((28..=34).contains(&sent), "of 34 at most a claimed piece is lost: {sent}");
}

/// Whatever the disk had not yet, and however often: in true time, no hour has more than 36 s.
#[test]
fn restarts_in_a_loop_give_no_airtime() {
    for seed in 0..4 {
        let mut random = Seed::new([seed; 32]).fork("restarts");
        let mut media = Bench::limited(Access::Direct);
        let (mut left, mut started) = (Vec::new(), Duration::ZERO);
        while started < HOUR.times(6) {
            let life = Duration::from_secs(random.below(1_500));
            let since_start = saturate(&mut media, LONG, life);
            left.extend(since_start.iter().map(|at| at.after(started)));
            started = started.plus(life).plus(LONG);
            // Half of the time with a write on its way, and a frame that waits for it.
            if random.chance(1, 2) {
                media.speed = Speed::WhenAsked;
                media.tell(Input::TxReady(LEFT));
            }
            media.restart(limited(Access::Direct));
            media.speed = Speed::AtOnce;
        }
        assert!(most_in(HOUR, &left) <= 45, "seed {seed}: {}", most_in(HOUR, &left));
        assert!(left.len() > 44, "seed {seed}: it is not silent for good: {}", left.len());
    }
}

/// A node that starts every 50 minutes and has nothing to say is forgiven in time: each process notes how old the debt has become.
#[test]
fn airtime_of_predecessors_ages_across_restarts() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 44);
    for _ in 0..2 {
        media.restart(limited(Access::Direct));
        assert_eq!(media.tell(long(LEFT)), []);
        let until = Instant::BOOT.after(Duration::from_secs(50 * 60));
        while let Some(due) = media.organ.next_timeout().filter(|due| *due <= until) {
            if !media.timeout_at(due).is_empty() {
                assert!(due > Instant::BOOT, "not at once");
                return;
            }
        }
    }
    panic!("100 minutes after the airtime was spent it still counts");
}

#[test]
fn airtime_of_predecessors_ages_also_while_nobody_has_anything_to_send() {
    let mut media = Bench::limited(Access::Direct);
    spend(&mut media, 44);
    media.restart(limited(Access::Direct));
    while let Some(due) = media.organ.next_timeout() {
        media.timeout_at(due);
    }
    assert_eq!(media.tell(long(LEFT)).len(), 1, "an hour has passed since the start");
}

#[test]
fn a_damaged_account_is_an_empty_one() {
    let mut media = Bench::limited(Access::Direct);
    media.disk.apply(Write::set(AIRTIME, &[0, LEFT.0], vec![7; 3]));
    media.restart(limited(Access::Direct));
    assert_eq!(media.tell(send(1)), []);
    assert!(media.organ.next_timeout().is_some(), "it rests");
}

/// The closed form: ⌊share · 3,600 s / airtime⌋ frames of 100 bytes at 125 kHz, 4/5. Figures of an independent calculation.
#[test]
fn an_hours_budget_is_what_the_formula_says_at_each_spreading_factor() {
    let duties = [DutyCycle::TENTH_OF_A_PERCENT, DutyCycle::ONE_PERCENT, DutyCycle::TEN_PERCENT];
    for (spreading_factor, airtime_us, frames) in [
        (7, 190_720, [18, 188, 1_887]),
        (8, 328_192, [10, 109, 1_096]),
        (9, 594_944, [6, 60, 605]),
        (10, 1_107_968, [3, 32, 324]),
        (11, 2_379_776, [1, 15, 151]),
        (12, 4_431_872, [0, 8, 81]),
    ] {
        let modulation = Modulation::new(125_000, spreading_factor, 5).unwrap();
        assert_eq!(modulation.airtime(100).as_micros(), airtime_us, "SF{spreading_factor}");
        for (duty, frames) in duties.into_iter().zip(frames) {
            let radio = Profile { timing: Timing::LoRa(modulation), duty, ..profile(Access::Direct) };
            let mut media = Bench::with(radio);
            if frames == 0 {
                assert_eq!(media.tell(Input::Send(Frame { bytes: vec![7; 100], ..frame(0) })), []);
                assert_eq!(media.organ.drops(LEFT).unwrap().too_long, 1);
                continue;
            }
            let left = saturate_with(&mut media, 100, modulation.airtime(100), HOUR);
            assert_eq!(left.len(), frames, "SF{spreading_factor} at {duty}");
            // What left in the first minute is forgotten 62 minutes after that began.
            let resumes = media.organ.next_timeout().unwrap();
            assert_eq!(resumes.since(Instant::BOOT), Duration::from_secs(62 * 60), "SF{spreading_factor}");
        }
    }
}

fn dwelling() -> Profile {
    Profile { duty: DutyCycle::TWO_PERCENT, sub_band: Some(SHARED), ..profile(Access::Direct) }
}

fn long(iface: InterfaceId) -> Input {
    Input::Send(Frame { iface, bytes: vec![7; 500], ..frame(0) })
}

/// So many long frames leave at once.
fn spend(media: &mut Bench, frames: usize) {
    for _ in 0..frames {
        assert_eq!(media.tell(long(LEFT)).len(), 1);
        media.tell(Input::TxReady(LEFT));
    }
}

fn saturate(media: &mut Bench, airtime: Duration, span: Duration) -> Vec<Instant> {
    let bytes = usize::try_from(airtime.as_millis() * 5 / 8).unwrap();
    saturate_with(media, bytes, airtime, span)
}

/// Has a frame of so many bytes wait at any time from here on; when each left.
fn saturate_with(media: &mut Bench, bytes: usize, airtime: Duration, span: Duration) -> Vec<Instant> {
    let next = || Input::Send(Frame { bytes: vec![7; bytes], ..frame(0) });
    let until = media.now.after(span);
    let mut left = Vec::new();
    let mut sent = media.tell(next()).len();
    loop {
        left.extend((0..sent).map(|_| media.now));
        if sent > 0 {
            media.now = media.now.after(airtime);
            sent = media.tell(Input::TxReady(LEFT)).len() + media.tell(next()).len();
        } else {
            let due = media.organ.next_timeout().expect("it waits for time to pass");
            if due > until {
                return left;
            }
            sent = media.timeout_at(due).len();
        }
        if media.now > until {
            return left;
        }
    }
}

/// The most frames that left in any such time.
fn most_in(span: Duration, left: &[Instant]) -> usize {
    let since = |from: &Instant| left.iter().filter(|at| *at >= from && at.since(*from) < span).count();
    left.iter().map(since).max().unwrap_or(0)
}
