//! What is handed on, and in which order.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::reticulum::channel::End;

use super::world::{DATA_LEN, World};
use crate::channel::{Command, Event, Failure, Message, Refusal, Write};
use crate::resource::Compression;
use crate::{Bytes, Handle};

const FAST: Duration = Duration::from_millis(20);

fn message(number: u16) -> Message {
    Message { kind: 0x0101, data: Bytes(number.to_be_bytes().to_vec()) }
}

/// Sends messages from one end, fewer at once than may wait, and lets all arrive.
fn send(world: &mut World, end: usize, count: u16) {
    for first in (0..count).step_by(32) {
        for number in first..count.min(first.saturating_add(32)) {
            world.command(end, Command::Send(Handle(number.into()), message(number)));
        }
        world.run();
    }
}

fn messages(events: &[Event]) -> Vec<Message> {
    let message = |event: &Event| match event {
        Event::Message(message) => Some(message.clone()),
        Event::Sent(_) | Event::NotSent(..) | Event::Stream { .. } => None,
    };
    events.iter().filter_map(message).collect()
}

fn sent(events: &[Event]) -> Vec<Handle> {
    let sent = |event: &Event| if let Event::Sent(handle) = event { Some(*handle) } else { None };
    events.iter().filter_map(sent).collect()
}

fn stream_of(events: &[Event], of: u16) -> (Vec<u8>, Vec<End>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for event in events {
        if let Event::Stream { stream, data, end } = event
            && *stream == of
        {
            bytes.extend_from_slice(&data.0);
            ends.push(*end);
        }
    }
    (bytes, ends)
}

#[test]
fn messages_arrive_once_and_in_order_over_a_link_that_loses_repeats_and_reorders() {
    let mut world = World::new(FAST, 5, Duration::from_millis(30));
    send(&mut world, 0, 500);
    send(&mut world, 1, 300);
    assert_eq!(world.torn_down, []);
    for (end, count) in [(0, 500), (1, 300)] {
        let came = messages(&world.events[1 - end]);
        assert!(came == (0..count).map(message).collect::<Vec<_>>(), "{} came, in some order", came.len());
        assert_eq!(sent(&world.events[end]), (0..count).map(|n| Handle(n.into())).collect::<Vec<_>>());
    }
    assert!(world.said > 800, "something was lost and said again");
}

#[test]
fn sequence_numbers_wrap() {
    let mut world = World::new(FAST, 0, Duration::ZERO);
    send(&mut world, 0, u16::MAX);
    send(&mut world, 0, 100);
    let came = messages(&world.events[1]);
    assert_eq!(came.len(), 65_635);
    assert!(came[65_535..] == (0..100).map(message).collect::<Vec<_>>()[..], "in another order");
}

#[test]
fn the_window_goes_with_the_round_trip() {
    for (millis, most) in [(20, 48), (400, 12), (2_000, 5)] {
        let mut world = World::new(Duration::from_millis(millis), 0, Duration::ZERO);
        for number in 0..60 {
            world.command(0, Command::Send(Handle(number), message(1)));
        }
        assert_eq!(world.said, 2, "two at first");
        world.run();
        assert!(world.most <= 2 * most && world.most >= most.min(12), "{millis} ms: {} at once", world.most);
        assert_eq!(messages(&world.events[1]).len(), 60);
    }
}

#[test]
fn what_is_not_proved_five_times_ends_the_channel_and_everybody_hears_of_it() {
    let mut world = World::new(FAST, 100, Duration::ZERO);
    for number in 0..5 {
        world.command(0, Command::Send(Handle(number), message(1)));
    }
    world.run();
    assert_eq!(world.torn_down, [(0, Failure::Silent)]);
    assert_eq!(world.said, 10, "two of them five times");
    world.command(0, Command::Send(Handle(5), message(1)));
    let ended: Vec<_> = (0..6).map(|number| Event::NotSent(Handle(number), Refusal::Ended)).collect();
    assert_eq!(world.events[0], ended);
}

#[test]
fn streams_of_any_length_arrive_whole_beside_each_other_and_end() {
    let mut world = World::new(FAST, 5, Duration::from_millis(10));
    let bytes: Vec<u8> = (0..30_000_u32).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
    let write = |stream, data: &[u8], end, compression| Write {
        stream,
        data: Bytes(data.to_vec()),
        end,
        compression,
    };
    world.command(0, Command::Write(Handle(1), write(1, &bytes, End::GoesOn, Compression::Tried)));
    world.command(0, Command::Write(Handle(2), write(2, &vec![7; 40_000], End::Last, Compression::Tried)));
    world.command(0, Command::Write(Handle(3), write(1, b"the end", End::Last, Compression::None)));
    world.command(0, Command::Write(Handle(4), write(3, b"", End::Last, Compression::None)));
    world.run();
    let (first, ends) = stream_of(&world.events[1], 1);
    assert!(first == [&bytes[..], b"the end"].concat(), "other bytes came");
    assert_eq!(ends.iter().filter(|end| **end == End::Last).count(), 1);
    assert_eq!(ends.last(), Some(&End::Last));
    let (second, ends) = stream_of(&world.events[1], 2);
    assert!(second == vec![7; 40_000], "other bytes came");
    assert!(ends.len() < 30, "{} pieces: nothing was compressed", ends.len());
    assert_eq!(stream_of(&world.events[1], 3), (vec![], vec![End::Last]));
    assert_eq!(sent(&world.events[0]), [1, 2, 3, 4].map(Handle));
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    let mut world = World::new(FAST, 0, Duration::ZERO);
    let long = usize::try_from(DATA_LEN).unwrap() - 6;
    let write = |stream, len| Write {
        stream,
        data: Bytes(vec![0; len]),
        end: End::GoesOn,
        compression: Compression::None,
    };
    let send = |kind, len| Command::Send(Handle(9), Message { kind, data: Bytes(vec![0; len]) });
    for (command, why) in [
        (send(0xf000, 1), Refusal::Reserved),
        (send(1, long + 1), Refusal::TooLong),
        (Command::Write(Handle(9), write(1 << 14, 1)), Refusal::Reserved),
        (Command::Write(Handle(9), write(1, (1 << 17) + 1)), Refusal::Busy),
    ] {
        world.command(0, command);
        assert_eq!(world.events[0].pop(), Some(Event::NotSent(Handle(9), why)));
    }
    world.command(0, send(0xefff, long));
    world.run();
    assert_eq!(sent(&world.events[0]), [Handle(9)]);
    for number in 0..70 {
        world.command(0, Command::Send(Handle(number), message(1)));
    }
    let refused =
        world.events[0].iter().filter(|event| matches!(event, Event::NotSent(_, Refusal::Busy))).count();
    assert!(refused > 0, "seventy wait at once");
}
