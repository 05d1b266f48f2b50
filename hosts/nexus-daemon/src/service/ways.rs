//! What the daemon answers of ways.

use nexus_crypto::DestinationHash;
use nexus_node::Command;

use super::Service;
use super::answers::{LIST_ROOM, length};
use super::sight::{self, Reading};
use crate::api::{Code, Dropped, Found, PathPolicy, Paths};
use crate::config::destination;
use crate::control::Replier;

/// Clients that wait for ways to be found, at most.
const MAX_FINDING: usize = 256;

impl Service {
    /// The destinations behind one, as many as fit a line.
    pub(super) async fn paths(&self, replier: Replier, after: Option<&str>) {
        let after = match after.map(destination).transpose() {
            Ok(after) => after,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let see = move |view: &crate::HostView<'_>| {
            let (mut paths, mut next, mut room) = (Vec::new(), None, LIST_ROOM);
            let mut last = None;
            sight::paths(view, after.as_ref(), |destination, path| {
                let Some(left) = room.checked_sub(length(&path)) else {
                    next = last.take();
                    return Reading::Ends;
                };
                room = left;
                last = Some(destination.to_string());
                paths.push(path);
                Reading::GoesOn
            });
            Paths { paths, next }
        };
        self.see(replier, see).await;
    }

    pub(super) async fn path(&self, replier: Replier, to: &str, policy: Option<PathPolicy>) {
        let to = match destination(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        match self.handle.ask(move |view| sight::ways(view, &to, policy)).await {
            Ok(Some(ways)) => replier.ok(&ways),
            Ok(None) if to == self.node.into() => replier.fail(Code::NotFound, "that is this node itself"),
            Ok(None) => {
                let sentence = "nothing is known of it: no announce of it was heard";
                replier.fail(Code::NotFound, sentence);
            }
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    /// Forgets the ways to a destination: the next packet there goes by what others say from here on.
    pub(super) async fn drop_paths(&self, replier: Replier, to: &str) {
        let to = match destination(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let dropped = self.handle.ask(move |view| {
            let ways = view.node().routing(view.now()).candidates(&to).len();
            if ways > 0 {
                view.command(Command::ForgetPaths { destination: to });
            }
            u64::try_from(ways).unwrap_or(u64::MAX)
        });
        match dropped.await {
            Ok(0) => replier.fail(Code::NotFound, "there is no way to it that could be dropped"),
            Ok(ways) => replier.ok(&Dropped { ways }),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    pub(super) async fn find_path(&mut self, replier: Replier, to: &str) {
        let to = match destination(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        if to == self.node.into() {
            return replier.fail(Code::BadValue, "that is this node itself");
        }
        if self.finding.values().map(Vec::len).sum::<usize>() >= MAX_FINDING {
            return replier.fail(Code::Busy, format!("{MAX_FINDING} ways are being looked for already"));
        }
        self.finding.entry(to).or_default().push(replier);
        if self.handle.ask(move |view| view.command(Command::FindPath { destination: to })).await.is_err() {
            for replier in self.finding.remove(&to).unwrap_or_default() {
                replier.fail(Code::Stopping, "the daemon ends");
            }
        }
    }

    /// There is a way: whoever waits for it is told.
    pub(super) fn path_found(&mut self, destination: &DestinationHash, hops: u8, after_ms: u64) {
        tracing::debug!("a way to {destination} was found after {after_ms} ms, hops: {hops}");
        for replier in self.finding.remove(destination).unwrap_or_default() {
            replier.ok(&Found { hops, after_ms });
        }
    }

    /// Nobody who was asked knows a way.
    pub(super) fn path_not_found(&mut self, destination: &DestinationHash) {
        tracing::debug!("{destination} was looked for in vain");
        for replier in self.finding.remove(destination).unwrap_or_default() {
            replier.fail(Code::NoPath, "it was looked for in vain: nobody who was asked knows a way");
        }
    }
}
