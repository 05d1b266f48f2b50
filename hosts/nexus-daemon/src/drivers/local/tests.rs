use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;
use crate::rig::Rig;

fn anywhere() -> Shared {
    Shared { place: Place::Tcp("127.0.0.1:0".parse().unwrap()), programs: 2 }
}

#[tokio::test]
async fn each_program_is_an_interface_that_ends_with_it() {
    let mut rig = Rig::open(&anywhere()).unwrap();
    let at = rig.running.address.unwrap();
    let mut one = TcpStream::connect(at).await.unwrap();
    let first = rig.opened().await;
    let mut other = TcpStream::connect(at).await.unwrap();
    let second = rig.opened().await;
    assert_eq!([&first.name[..], &second.name[..]], ["test/1", "test/2"]);
    one.write_all(b"\x7eof one\x7e").await.unwrap();
    assert_eq!(rig.received().await.1, b"of one");
    rig.send(&*second.driver, None, b"to two").await;
    let mut heard = [0; 8];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"\x7eto two\x7e");
    drop(one);
    let (port, news) = rig.next().await;
    assert!(port == first.port && matches!(news, News::Closed { .. }), "{news:?}");
    rig.close().await;
}

#[tokio::test]
async fn an_answer_does_not_overtake_the_program_that_waits_for_it() {
    let mut rig = Rig::open(&anywhere()).unwrap();
    let mut program = TcpStream::connect(rig.running.address.unwrap()).await.unwrap();
    let interface = rig.opened().await;
    let (data, proof) = ([0; 20], [[3; 1].as_slice(), &[0; 19]].concat());
    let mut heard = [0; 22];
    // The program settles first.
    rig.send(&*interface.driver, None, &data).await;
    program.read_exact(&mut heard).await.unwrap();
    let sent = Instant::now();
    // What is behind an answer stays behind it.
    rig.send(&*interface.driver, None, &proof).await;
    rig.send(&*interface.driver, None, &data).await;
    for expected in [&proof[..], &data] {
        program.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard[1..21], expected);
        assert!(sent.elapsed() >= Duration::from_millis(10), "{:?}", sent.elapsed());
    }
    rig.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_instance_that_another_process_holds_is_told_in_a_sentence() {
    let place = Place::named(&format!("nexus-test-{}", std::process::id()));
    let held = place.bind().unwrap();
    let shared = Shared { place, programs: 1 };
    let Err(refused) = Rig::open(&shared) else { panic!("it is held") };
    let told = refused.to_string();
    assert!(
        told.starts_with("test cannot be the shared instance at the socket \\0rns/nexus-test-"),
        "{told}"
    );
    assert!(told.contains("rnsd"), "{told}");
    drop(held);
    Rig::open(&shared).unwrap().close().await;
}

#[tokio::test]
async fn programs_beyond_the_bound_are_turned_away_and_counted() {
    let mut rig = Rig::open(&Shared { programs: 1, ..anywhere() }).unwrap();
    let at = rig.running.address.unwrap();
    let _one = TcpStream::connect(at).await.unwrap();
    rig.opened().await;
    let mut other = TcpStream::connect(at).await.unwrap();
    assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is hung up on");
    assert_eq!(rig.running.counters.refused.load(std::sync::atomic::Ordering::Relaxed), 1);
    rig.close().await;
}
