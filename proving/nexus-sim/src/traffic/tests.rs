use super::*;

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);

fn ids() -> Vec<NodeId> {
    (0..4).map(|node| NodeId([node; 16])).collect()
}

fn second(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

fn flow(demand: Demand) -> Flow {
    Flow { from: second(100), until: second(3_700), demand }
}

/// Everything that a flow offers by itself.
fn offered(flow: &Flow, seed: u8) -> Vec<(WorldTime, Outgoing)> {
    let mut source = Source::new(3, flow, &Seed::new([seed; 32]));
    let mut next = Some(source.begins(flow)).filter(|first| *first < flow.until);
    let mut all = Vec::new();
    while let Some(now) = next {
        let offers;
        (offers, next) = source.due(now, flow, &ids());
        for offer in offers {
            let Command::Send(outgoing) = offer.command else { panic!("{:?} sends nothing", offer.command) };
            all.push((now, outgoing));
        }
    }
    all
}

fn length(outgoing: &Outgoing) -> usize {
    match &outgoing.content {
        Content::Message { text, .. } => text.len(),
        Content::Ping { .. } | Content::Trace | Content::Probe { .. } => 0,
    }
}

fn messages() -> Flow {
    let among = (0..4).map(NodeIndex).collect();
    let lifetime = Duration::from_secs(60);
    flow(Demand::Messages { among, apart: Duration::from_secs(2), bytes: (20, 120), lifetime })
}

#[test]
fn a_parcel_is_known_again_by_its_text_and_by_its_handle() {
    let mut random = Seed::new([1; 32]).fork("text");
    for parcel in [Parcel { flow: 0, number: 0 }, Parcel { flow: u16::MAX, number: u32::MAX }] {
        let text = parcel.text(30, &mut random);
        assert_eq!((text.len(), Parcel::of_text(&text)), (30, Some(parcel)));
        assert_eq!(Parcel::of_handle(parcel.handle()), Some(parcel));
    }
    assert_eq!(Parcel::of_text(b"short"), None);
    assert_eq!(Parcel::of_text(b"******** more"), None, "no label has an asterisk");
    assert_eq!(Parcel::of_handle(u64::MAX), None);
}

#[test]
fn messages_are_a_poisson_process_between_pairs_of_different_nodes() {
    let all = offered(&messages(), 1);
    assert!((1_700..1_900).contains(&all.len()), "{} in an hour, one every two seconds", all.len());
    assert!(all.iter().all(|(_, outgoing)| (20..=120).contains(&length(outgoing))));
    // The variance of a Poisson count is its mean: counts of minutes, of which 30 are expected.
    let counts: Vec<u64> = (0..60)
        .map(|minute| (second(100 + 60 * minute), second(160 + 60 * minute)))
        .map(|(from, to)| all.iter().filter(|(at, _)| *at >= from && *at < to).count())
        .map(|count| u64::try_from(count).unwrap())
        .collect();
    let variance = counts.iter().map(|count| count.abs_diff(30).pow(2)).sum::<u64>() / 60;
    assert!((15..60).contains(&variance), "{variance}");
    let mut source = Source::new(0, &messages(), &Seed::new([1; 32]));
    for _ in 0..200 {
        let (offers, _) = source.due(second(200), &messages(), &ids());
        let Command::Send(outgoing) = &offers[0].command else { panic!("a message is sent") };
        assert_ne!(outgoing.to, ids()[offers[0].from.place()]);
    }
}

#[test]
fn a_seed_draws_its_own_traffic() {
    assert_eq!(offered(&messages(), 1), offered(&messages(), 1));
    assert_ne!(offered(&messages(), 1), offered(&messages(), 2));
}

#[test]
fn telemetry_comes_at_equal_distances_within_its_time() {
    let every = Duration::from_secs(600);
    let demand =
        Demand::Telemetry { source: A, sink: B, every, bytes: 24, lifetime: Duration::from_secs(60) };
    let all = offered(&flow(demand), 1);
    assert_eq!(all.len(), 6);
    assert!(all.windows(2).all(|pair| pair[1].0.since(pair[0].0) == every));
    assert!(all.iter().all(|(at, outgoing)| *at >= second(100) && length(outgoing) == 24));
}

#[test]
fn speech_is_in_spurts_of_packets_at_equal_distances() {
    let packet = Duration::from_millis(60);
    let (spurt, pause) = (Duration::from_millis(1_200), Duration::from_millis(1_800));
    let all = offered(&flow(Demand::Voice { from: A, to: B, packet, bytes: 9, spurt, pause }), 1);
    // Somebody speaks for two fifths of the time, and begins 1,200 spurts an hour; each begun packet is sent.
    assert!((21_500..28_000).contains(&all.len()), "{} packets in an hour", all.len());
    let gaps: Vec<Duration> = all.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(gaps.iter().all(|gap| *gap >= packet));
    let pauses = gaps.iter().filter(|gap| **gap > packet).count();
    assert!((1_000..1_400).contains(&pauses), "{pauses} pauses");
    assert!(all.iter().all(|(_, outgoing)| length(outgoing) == 17 && outgoing.lifetime == Duration::ZERO));
}

#[test]
fn a_volume_goes_in_pieces_so_many_at_once_and_what_is_lost_again_after_a_rest() {
    let demand = Demand::Bulk { from: A, to: B, volume: 1_000, at_once: 3, lifetime: Duration::ZERO };
    let flow = flow(demand);
    let mut source = Source::new(0, &flow, &Seed::new([1; 32]));
    let count = |source: &mut Source| source.due(second(100), &flow, &ids()).0.len();
    assert_eq!((count(&mut source), count(&mut source)), (3, 0), "three of 326 bytes are on their way");
    assert_eq!(source.ended(second(101), &flow, Fate::Arrived), Some(second(101)));
    assert_eq!(count(&mut source), 1, "the last 22 bytes");
    assert_eq!(source.ended(second(102), &flow, Fate::Lost), Some(second(103)));
    assert_eq!(count(&mut source), 1);
    assert_eq!(source.cut_off(second(104), &flow), Some(second(105)));
    assert_eq!(count(&mut source), 3, "nobody knows what became of the three");
    for _ in 0..3 {
        source.ended(second(106), &flow, Fate::Arrived);
    }
    assert_eq!(count(&mut source), 0, "all is there");
}
