//! A far medium: what arrives does so later, in order.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep_until};

use crate::driver::{News, Report};

/// How many frames may be on their way. At the bound no more are taken in, and what the medium has no room for it loses.
const UNDERWAY: usize = 4_096;

/// Starts a delay before `reports`; where the medium's go. What is no frame passes at once; frames of a port that closes are lost.
pub(super) fn start(
    delay: Duration,
    reports: mpsc::Sender<Report>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> mpsc::Sender<Report> {
    let (entrance, mut entering) = mpsc::channel::<Report>(super::WAITING);
    tasks.push(tokio::spawn(async move {
        let mut underway: VecDeque<(Instant, Report)> = VecDeque::new();
        loop {
            let due = underway.front().map(|(due, _)| *due);
            let passes = tokio::select! {
                report = entering.recv(), if underway.len() < UNDERWAY => {
                    let Some(report) = report else { break };
                    match report.news {
                        News::Received { .. } => {
                            underway.push_back((Instant::now() + delay, report));
                            continue;
                        }
                        News::Closed { .. } => underway.retain(|(_, frame)| frame.port != report.port),
                        News::Opened(_)
                        | News::Carrier(_)
                        | News::Sent
                        | News::Lost
                        | News::Unusable(_)
                        | News::Fault(_)
                        | News::Radio(_) => {}
                    }
                    Some(report)
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    underway.pop_front().map(|(_, frame)| frame)
                }
            };
            if let Some(report) = passes
                && reports.send(report).await.is_err()
            {
                break;
            }
        }
    }));
    entrance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::PortId;

    fn frame(port: PortId, number: u8) -> Report {
        Report { port, news: News::Received { from: None, frame: vec![number] } }
    }

    const DELAY: Duration = Duration::from_millis(20);
    /// Nothing that is delayed so comes while a test runs.
    const AGES: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn frames_arrive_later_and_in_order_and_everything_else_at_once() {
        let (reports, mut heard) = mpsc::channel(8);
        let way = start(DELAY, reports, &mut Vec::new());
        let (port, began) = (PortId::fresh(), Instant::now());
        for number in 0..3 {
            way.send(frame(port, number)).await.unwrap();
        }
        way.send(Report { port, news: News::Sent }).await.unwrap();
        assert!(matches!(heard.recv().await.unwrap().news, News::Sent));
        for number in 0..3 {
            let News::Received { frame, .. } = heard.recv().await.unwrap().news else { panic!("a frame") };
            assert_eq!(frame, vec![number]);
            assert!(began.elapsed() >= DELAY);
        }
    }

    #[tokio::test]
    async fn what_is_underway_to_a_port_that_closes_is_lost() {
        let (reports, mut heard) = mpsc::channel(8);
        let way = start(DELAY, reports, &mut Vec::new());
        let (closing, staying) = (PortId::fresh(), PortId::fresh());
        way.send(frame(closing, 1)).await.unwrap();
        way.send(frame(staying, 2)).await.unwrap();
        way.send(Report { port: closing, news: News::Closed { why: "it was closed".into() } }).await.unwrap();
        assert!(matches!(heard.recv().await.unwrap().news, News::Closed { .. }));
        let Report { port, news: News::Received { .. } } = heard.recv().await.unwrap() else {
            panic!("a frame")
        };
        assert_eq!(port, staying);
    }

    #[tokio::test]
    async fn at_the_bound_no_more_is_taken_in() {
        let (reports, _heard) = mpsc::channel(8);
        let way = start(AGES, reports, &mut Vec::new());
        let port = PortId::fresh();
        for _ in 0..UNDERWAY + super::super::WAITING {
            way.send(frame(port, 1)).await.unwrap();
        }
        assert!(way.try_send(frame(port, 1)).is_err());
    }
}
