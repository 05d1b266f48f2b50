//! A script of this crate in a process of its own, told what to do in lines of JSON.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::Value;

use crate::live::PATIENCE;

/// How a program is started: in this network, or in another.
pub type Start<'a> = &'a dyn Fn(&str) -> Command;

/// In the network of this process.
pub(crate) fn here(program: &str) -> Command {
    Command::new(program)
}

/// A running script. Ended by its own id when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    unread: VecDeque<Value>,
    directory: PathBuf,
}

impl Program {
    /// Starts a script in a directory below `home`, with this configuration, or the package's own defaults, and `args` behind it.
    ///
    /// # Panics
    /// If the package is not installed.
    pub(crate) fn start(
        start: Start<'_>,
        script: &str,
        home: &Path,
        name: &str,
        config: Option<&str>,
        args: &[&str],
    ) -> Self {
        let directory = home.join(name);
        fs::create_dir_all(&directory).expect("a directory for the stock node");
        if let Some(config) = config {
            fs::write(directory.join("config"), config).expect("a configuration for the stock node");
        }
        let complaints = fs::File::create(directory.join("complaints")).expect("a file for its complaints");
        let mut child = start(&python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script))
            .arg(&directory)
            .args(args)
            .env("HOME", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .expect("the interpreter starts");
        let stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whatever else the package may print is not for the test.
                if let Ok(said) = serde_json::from_str(&line)
                    && tell.send(said).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().expect("it was piped");
        Self { child, stdin, lines, unread: VecDeque::new(), directory }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it what to do.
    ///
    /// # Panics
    /// If it ended.
    pub fn tell(&mut self, what: &Value) {
        writeln!(self.stdin, "{what}").unwrap_or_else(|_| panic!("the stock node ended: {}", self.log()));
    }

    /// The next line that has `key`. Others are kept for later.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait(&mut self, key: &str) -> Value {
        self.wait_for(key, |_| true)
    }

    /// The next line that has `key` and `is` right.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait_for(&mut self, key: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(PATIENCE, key, is)
    }

    /// The same within a time of its own, for what the package itself takes longer for.
    ///
    /// # Panics
    /// If it says none in that time.
    pub fn wait_within(&mut self, time: Duration, key: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait_until(time, key, |line| !line[key].is_null() && is(line))
    }

    /// The next line that has this value under one of these keys.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait_any(&mut self, keys: &[&str], value: &Value) -> Value {
        self.wait_until(PATIENCE, &keys.join(" or "), |line| keys.iter().any(|key| line[*key] == *value))
    }

    /// The next line that has one of these keys.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait_either(&mut self, keys: &[&str]) -> Value {
        self.wait_until(PATIENCE, &keys.join(" or "), |line| keys.iter().any(|key| !line[*key].is_null()))
    }

    fn wait_until(&mut self, time: Duration, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + time;
        if let Some(found) = self.unread.iter().position(&is_it).and_then(|place| self.unread.remove(place)) {
            return found;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("the stock node never said {what}, but {:?}; its log: {}", self.unread, self.log())
            };
            if is_it(&line) {
                return line;
            }
            self.unread.push_back(line);
        }
    }

    /// Watches it for so long.
    ///
    /// # Panics
    /// If it says a line that has `key` meanwhile, or ends.
    pub fn stays(&mut self, for_so_long: Duration, key: &str) {
        let since = Instant::now();
        loop {
            let said = self.said(key);
            let passed = since.elapsed();
            assert!(
                said.is_empty(),
                "the stock node said {said:?} after {passed:?}; its log: {}",
                self.log()
            );
            match self.lines.recv_timeout(for_so_long.saturating_sub(passed)) {
                Ok(line) => self.unread.push_back(line),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("the stock node ended: {}", self.log()),
            }
        }
    }

    /// What it said so far with `key`, and was not waited for.
    pub fn said(&mut self, key: &str) -> Vec<Value> {
        self.unread.extend(self.lines.try_iter());
        self.unread.iter().filter(|line| !line[key].is_null()).cloned().collect()
    }

    /// The lines of its log that tell of something that went wrong, but for an interface that was spoken to before it was complete,
    /// which the package says of itself and mends: on a busy machine it may take seconds to be.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let wrong = ["[Critical]", "[Error]", "[Warning]", "Traceback", "Exception"];
        let mended = ["no attribute 'ifac_size'", "Attempting to reconnect..."];
        let has = |words: &[&str], line: &str| words.iter().any(|word| line.contains(word));
        let is_wrong = |line: &&str| has(&wrong, line) && !has(&mended, line);
        self.log().lines().filter(is_wrong).map(str::to_owned).collect()
    }

    /// Its log, and the last line of what it complained of: those before may quote source, which is closed to readers of this.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        let complaints = read("complaints");
        format!("{}{}", read("logfile"), complaints.lines().last().unwrap_or_default())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that has ended needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The interpreter of the environment into which the package is installed.
pub(crate) fn python() -> String {
    env::var("NEXUS_STOCK_PYTHON").expect(
        "NEXUS_STOCK_PYTHON is not set: run `cargo xtask test`, which installs the stock package and sets it",
    )
}
