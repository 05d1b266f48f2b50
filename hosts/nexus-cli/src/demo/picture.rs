//! What the demo shows: a table that is drawn again in place on a terminal, and lines as things happen elsewhere.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};

use super::nodes::{Seen, SeenNode};
use super::{Mail, letter};

/// The demo's account on standard output.
#[derive(Debug)]
pub(super) struct Picture {
    place: Place,
    /// What was said already, where things are said once.
    said: BTreeSet<String>,
    /// Lines that the last table took.
    lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Hidden,
    Lines,
    Terminal,
}

impl Picture {
    pub(super) const fn hidden() -> Self {
        Self { place: Place::Hidden, said: BTreeSet::new(), lines: 0 }
    }

    pub(super) fn on_standard_output() -> Self {
        let place = if io::stdout().is_terminal() { Place::Terminal } else { Place::Lines };
        Self { place, said: BTreeSet::new(), lines: 0 }
    }

    /// Says something once.
    pub(super) fn say(&mut self, line: &str) {
        if self.place != Place::Hidden && self.said.insert(line.to_owned()) {
            print(&format!("{line}\n"));
        }
    }

    /// Shows all nodes as they are.
    pub(super) fn draw(&mut self, seen: &Seen, mail: &Mail) {
        match self.place {
            Place::Hidden => {}
            Place::Lines => self.tell(seen, mail),
            Place::Terminal => {
                let table = table(seen, mail);
                // Up over the last table, and each line cleared before it is written.
                let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
                self.lines = table.lines().count();
                let lines: Vec<String> = table.lines().map(|line| format!("\x1b[2K{line}\n")).collect();
                print(&format!("{up}{}", lines.concat()));
            }
        }
    }

    fn tell(&mut self, seen: &Seen, mail: &Mail) {
        for ((a, b), medium) in seen.links() {
            self.say(&format!("{} and {} are linked over {}", letter(a), letter(b), medium.name()));
        }
        for (index, node) in seen.nodes.iter().enumerate() {
            for (to, way) in node.reached() {
                let hops = if way.hops == 1 { "hop" } else { "hops" };
                self.say(&format!("{} can reach {}, {} {hops}", letter(index), letter(to), way.hops));
            }
        }
        if mail.sent() > 0 {
            self.say(&format!("{} of {} messages delivered", mail.delivered(), mail.sent()));
        }
    }

    /// The last word.
    pub(super) fn close(sentence: &str) {
        print(&format!("{sentence}\n"));
    }
}

/// One row for each node, and one for the mail.
fn table(seen: &Seen, mail: &Mail) -> String {
    let mut rows =
        vec!["node  links                       paths (hops)     frames in/out  bytes in/out".to_owned()];
    rows.extend(seen.nodes.iter().enumerate().map(|(index, node)| row(index, node)));
    let slowest = mail.slowest().map_or(String::new(), |slowest| {
        format!(", slowest receipt {}.{} ms", slowest.as_millis(), slowest.as_micros() / 100 % 10)
    });
    rows.push(format!("messages: {} of {} delivered{slowest}    Ctrl-C ends", mail.delivered(), mail.sent()));
    rows.join("\n")
}

fn row(index: usize, node: &SeenNode) -> String {
    let links: Vec<String> = node
        .linked()
        .map(|(peer, link)| {
            let over = node.medium(link).map_or(String::new(), |medium| format!(" {}", medium.name()));
            let rtt = link.rtt_us.map_or(String::new(), |us| match us {
                10_000.. => format!(" {}ms", us / 1_000),
                _ => format!(" {}.{}ms", us / 1_000, us / 100 % 10),
            });
            format!("{}{over}{rtt}", letter(peer))
        })
        .collect();
    let mut paths: Vec<String> =
        node.reached().map(|(to, way)| format!("{}:{}", letter(to), way.hops)).collect();
    paths.sort();
    let sum = |count: fn(&nexus_daemon::api::Interface) -> u64| -> u64 {
        node.status.interfaces.iter().map(count).sum()
    };
    format!(
        "{:<4}  {:<26}  {:<15}  {:>6}/{:<6}  {:>6}/{:<6}",
        letter(index),
        links.join(", "),
        paths.join(" "),
        sum(|interface| interface.received.frames),
        sum(|interface| interface.sent.frames),
        sum(|interface| interface.received.bytes),
        sum(|interface| interface.sent.bytes),
    )
}

/// A reader that went away is noticed by the demo's end, not here.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
