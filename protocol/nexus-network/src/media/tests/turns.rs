//! Turns on a half-duplex channel.

use super::*;

const ACCESS: Access = Access::ListenBeforeTalk { slot: SLOT };
/// A part of a slot. Source: spec/network.md#turns.
const MOMENT: Duration = Duration::from_micros(SLOT.as_micros() / 64);

/// A frame waits, and another is with the driver.
fn sending() -> Bench {
    let mut media = Bench::new(ACCESS);
    media.tell(send(1));
    media.tell(send(2));
    assert_eq!(media.tell(Input::ChannelClear(LEFT)), [Effect::Transmit(frame(1))]);
    media.tell(Input::Sealed(LEFT, 20));
    media
}

/// How long the organ waits until something is due.
fn waits(media: &Bench) -> Duration {
    media.organ.next_timeout().unwrap().since(media.now)
}

/// A frame waits, and the channel was busy once.
fn backing_off() -> (Bench, Instant) {
    let mut media = Bench::new(ACCESS);
    media.tell(send(1));
    assert_eq!(media.tell(Input::ChannelBusy(LEFT)), []);
    let until = media.organ.next_timeout().unwrap();
    (media, until)
}

#[test]
fn an_answer_can_begin_before_whoever_asked_goes_on() {
    let mut media = sending();
    assert_eq!(
        media.tell(Input::TxReady(LEFT)),
        [],
        "it does not listen in the moment in which its own frame ended"
    );
    assert_eq!(waits(&media), MOMENT);
    assert_eq!(media.tell(send(3)), [], "nor for anything else");
    let due = media.organ.next_timeout().unwrap();
    assert_eq!(media.timeout_at(due), [Effect::Sense(LEFT)]);
    assert_eq!(media.tell(Input::ChannelClear(LEFT)), [Effect::Transmit(frame(2))]);
}

#[test]
fn whoever_had_the_channel_for_as_long_as_the_longest_frame_lets_others_begin() {
    let mut media = sending();
    // 20 bytes at 5,000 bit/s are 32 ms: the fourth is past 100 ms.
    let mut pauses = vec![];
    for n in 3..11 {
        media.tell(send(n));
        media.tell(Input::TxReady(LEFT));
        pauses.push(waits(&media));
        let due = media.organ.next_timeout().unwrap();
        assert_eq!(media.timeout_at(due), [Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelClear(LEFT)).len(), 1);
        media.tell(Input::Sealed(LEFT, 20));
    }
    for (n, pause) in (1..).zip(&pauses) {
        // All who heard the frame end have listened after five moments.
        let expected = if n % 4 == 0 { MOMENT.times(6)..=MOMENT.times(9) } else { MOMENT..=MOMENT };
        assert!(expected.contains(pause), "after frame {n}: {pause:?}");
    }
}

#[test]
fn whoever_waits_for_the_channel_listens_when_a_frame_ended() {
    let (mut media, until) = backing_off();
    assert_eq!(media.tell(Input::Heard(LEFT)), []);
    assert!(
        (MOMENT.times(2)..=MOMENT.times(5)).contains(&waits(&media)),
        "an answer to that frame is sooner"
    );
    let due = media.organ.next_timeout().unwrap();
    assert!(due < until);
    assert_eq!(media.timeout_at(due), [Effect::Sense(LEFT)]);
    assert_eq!(media.tell(Input::ChannelClear(LEFT)), [Effect::Transmit(frame(1))]);
}

#[test]
fn that_another_was_sooner_after_a_frame_is_no_attempt() {
    let (mut media, until) = backing_off();
    for _ in 0..3 * MAX_ATTEMPTS {
        media.tell(Input::Heard(LEFT));
        let due = media.organ.next_timeout().unwrap();
        if due == until {
            break;
        }
        assert_eq!(media.timeout_at(due), [Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelBusy(LEFT)), []);
        assert_eq!(media.organ.next_timeout(), Some(until), "the next attempt is when it would have been");
    }
    assert_eq!(media.timeout_at(until), [Effect::Sense(LEFT)]);
    assert_eq!(media.tell(Input::ChannelBusy(LEFT)), []);
    assert!(waits(&media) <= SLOT.times(4), "it is the second in vain");
    assert_eq!(media.organ.drops(LEFT).unwrap().jammed, 0);
}

#[test]
fn what_is_recalled_after_a_frame_was_heard_leaves_nobody_waiting() {
    let (mut media, _) = backing_off();
    media.tell(Input::Heard(LEFT));
    media.tell(Input::Recall(about(1)));
    let due = media.organ.next_timeout().unwrap();
    assert_eq!(media.timeout_at(due), []);
    assert_eq!(media.organ.next_timeout(), None);
    assert_eq!(media.tell(send(2)), [Effect::Sense(LEFT)]);
}

#[test]
fn where_nobody_has_to_listen_nobody_pauses() {
    let mut media = Bench::new(Access::Direct);
    media.tell(send(1));
    media.tell(send(2));
    assert_eq!(media.tell(Input::Heard(LEFT)), []);
    assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(2))]);
}
