use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Stream};
use std::sync::atomic::Ordering;

use super::*;
use crate::driver::{Carrier, Handed, News};
use crate::rig::{PATIENCE, Rig};

#[tokio::test]
async fn frames_of_any_length_cross_both_ways() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let mut caller = Rig::open(&connect(address(&listener))).unwrap();
    let calling = caller.opened().await;
    assert_eq!(calling.carrier, Carrier::Down);
    assert_eq!(caller.carrier().await, Carrier::Up);
    let answering = listener.opened().await;
    assert!(answering.name.starts_with("test/127.0.0.1:"), "{}", answering.name);
    for length in [1, 2, 19, 23, 64, usize::from(FRAME_SIZE)] {
        let frame = vec![0x7e; length];
        caller.send(&*calling.driver, None, &frame).await;
        assert_eq!(listener.received().await, (None, frame));
        let frame = vec![0x7d; length];
        listener.send(&*answering.driver, None, &frame).await;
        assert_eq!(caller.received().await, (None, frame));
    }
}

#[tokio::test]
async fn a_caller_comes_back_when_the_peer_listens_again() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let at = address(&listener);
    let mut caller = Rig::open(&connect(at)).unwrap();
    let calling = caller.opened().await;
    assert_eq!(caller.carrier().await, Carrier::Up);
    let answering = listener.opened().await;
    listener.close().await;
    drop(answering);
    assert_eq!(caller.carrier().await, Carrier::Down);

    let mut listener = Rig::open(&listen(at.port(), 8)).unwrap();
    assert_eq!(caller.carrier().await, Carrier::Up);
    let _answering = listener.opened().await;
    caller.send(&*calling.driver, None, b"again").await;
    assert_eq!(listener.received().await.1, b"again");
}

#[tokio::test]
async fn a_caller_keeps_trying_where_nobody_listens_yet() {
    let at = address(&Rig::open(&listen(0, 8)).unwrap());
    // The listener above was dropped: its port refuses until another takes it.
    let caller = Rig::open(&connect(at)).unwrap();
    tokio::time::timeout(PATIENCE, async {
        while caller.running.counters.errors.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn connections_beyond_the_bound_are_refused_and_counted() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let at = address(&listener);
    let mut kept = Vec::new();
    for _ in 0..8 {
        kept.push((Stream::connect(at).unwrap(), listener.opened().await));
    }
    let refused = tokio::task::spawn_blocking(move || {
        for _ in 0..300 {
            let mut connection = Stream::connect(at).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            // Closed at once, in one way or the other.
            assert!(!matches!(connection.read(&mut [0]), Ok(1)));
        }
    });
    refused.await.unwrap();
    assert_eq!(listener.running.counters.refused.load(Ordering::Relaxed), 300);
    // Who leaves makes room.
    let (connection, _gone) = kept.pop().unwrap();
    drop(connection);
    while !matches!(listener.next().await.1, News::Closed { .. }) {}
    kept.push((Stream::connect(at).unwrap(), listener.opened().await));
}

#[tokio::test]
async fn a_peer_that_reads_nothing_stalls_itself_alone() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let at = address(&listener);
    let _deaf = Stream::connect(at).unwrap();
    let slow = listener.opened().await;
    // Until the buffers on the way are full, the medium takes frames.
    let frame = vec![0x55; usize::from(FRAME_SIZE)];
    let mut taken = 0;
    loop {
        match slow.driver.transmit(None, frame.clone()) {
            Handed::Taken => {}
            Handed::Pending => {
                match tokio::time::timeout(Duration::from_millis(500), listener.next()).await {
                    Ok((port, News::Sent)) => assert_eq!(port, slow.port),
                    Ok((_, news)) => panic!("{news:?}"),
                    Err(_) => break,
                }
            }
            Handed::Refused => panic!("nothing waits"),
        }
        taken += 1;
        assert!(taken < 100_000, "a socket's buffers have an end");
    }
    let mut caller = Rig::open(&connect(at)).unwrap();
    let _calling = caller.opened().await;
    let quick = listener.opened().await;
    for n in 0..500u16 {
        listener.send(&*quick.driver, None, &n.to_le_bytes()).await;
        assert_eq!(caller.received().await.1, n.to_le_bytes());
    }
    // One frame waits, and no more than one.
    assert_eq!(slow.driver.transmit(None, frame), Handed::Refused);
}

#[tokio::test]
async fn frames_of_a_burst_arrive_whole_and_in_order() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let mut caller = Rig::open(&connect(address(&listener))).unwrap();
    let calling = caller.opened().await;
    assert_eq!(caller.carrier().await, Carrier::Up);
    let _answering = listener.opened().await;
    let frame = |n: u16| [&n.to_le_bytes()[..], &[0x7e; 900]].concat();
    let (mut sent, mut came) = (0, 0);
    while came < 2_000 {
        while sent < 2_000 && calling.driver.transmit(None, frame(sent)) == Handed::Taken {
            sent += 1;
        }
        if sent < 2_000 {
            // The one that waited is taken in its turn.
            sent += 1;
            while !matches!(caller.next().await.1, News::Sent) {}
        }
        while came < sent {
            assert_eq!(listener.received().await.1, frame(came), "{came}");
            came += 1;
        }
    }
}

#[tokio::test]
async fn what_is_said_to_a_stock_caller_at_once_reaches_it_later() {
    let mut settings = listen(0, 8);
    settings.speech = Speech::new(Mode::Reticulum);
    let mut listener = Rig::open(&settings).unwrap();
    let mut connection = Stream::connect(address(&listener)).unwrap();
    let answering = listener.opened().await;
    listener.send(&*answering.driver, None, b"first").await;
    connection.set_nonblocking(true).unwrap();
    let silence = connection.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(silence, Err(std::io::ErrorKind::WouldBlock), "it is not ready to listen");
    connection.set_nonblocking(false).unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut frame = [0; 7];
        connection.read_exact(&mut frame).map(|()| frame)
    });
    assert_eq!(read.await.unwrap().unwrap(), *b"\x7efirst\x7e");
}

#[test]
fn answers_wait_for_stock_programs_of_this_machine_alone() {
    let of = |mode, peer: &str| Speech::new(mode).answers_to(peer.parse().unwrap());
    assert_eq!(of(Mode::Reticulum, "127.0.0.1:4242"), Answers::Wait);
    assert_eq!(of(Mode::Reticulum, "[::1]:4242"), Answers::Wait);
    assert_eq!(of(Mode::Reticulum, "192.0.2.1:4242"), Answers::Leave);
    assert_eq!(of(Mode::Nexus, "127.0.0.1:4242"), Answers::Leave);
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_let_go() {
    let mut settings = listen(0, 8);
    settings.speech.patience = Patience { first: Duration::from_millis(50), idle: Duration::MAX };
    let mut listener = Rig::open(&settings).unwrap();
    let mut connection = Stream::connect(address(&listener)).unwrap();
    std::io::Write::write_all(&mut connection, &[0x7e, 0x01, 0x02]).unwrap();
    let _answering = listener.opened().await;
    let (_, News::Closed { why }) = listener.next().await else { panic!("half a frame is none") };
    assert_eq!(why, "the peer sent no frame for too long");
}

#[tokio::test]
async fn too_long_and_badly_framed_input_is_counted_and_the_rest_arrives() {
    let mut listener = Rig::open(&listen(0, 8)).unwrap();
    let mut connection = Stream::connect(address(&listener)).unwrap();
    let mut bytes = vec![0x7e; 1];
    bytes.extend(vec![0x11; usize::from(FRAME_SIZE) + 1]);
    bytes.extend([0x7e, 0x7d, 0x00, 0x7e, 0x42, 0x7e]);
    std::io::Write::write_all(&mut connection, &bytes).unwrap();
    let _answering = listener.opened().await;
    let (mut unusable, mut frames) = (0, Vec::new());
    while unusable < 2 || frames.is_empty() {
        match listener.next().await.1 {
            News::Unusable(pieces) => unusable += pieces,
            News::Received { frame, .. } => frames.push(frame),
            news => panic!("{news:?}"),
        }
    }
    assert_eq!((unusable, frames), (2, vec![vec![0x42]]));
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_a_sentence() {
    let listener = Rig::open(&listen(0, 8)).unwrap();
    let at = address(&listener);
    let Err(refusal) = Rig::open(&listen(at.port(), 8)) else { panic!("{at} is in use") };
    let refusal = refusal.to_string();
    assert!(refusal.starts_with(&format!("test cannot use {at}: ")), "{refusal}");
}

fn listen(port: u16, connections: usize) -> Listen {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Listen { address, speech: Speech::new(Mode::Nexus), connections }
}

fn connect(at: SocketAddr) -> Connect {
    let millis = Duration::from_millis;
    let backoff = Backoff { first: millis(5), most: millis(20), lasted: millis(1_000) };
    Connect { peer: at.to_string(), speech: Speech::new(Mode::Nexus), backoff }
}

fn address(rig: &Rig) -> SocketAddr {
    rig.running.address.unwrap()
}
