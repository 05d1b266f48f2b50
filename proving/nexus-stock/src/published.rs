//! Programs that are published and run by people, started as people start them: `lxmd`, `nomadnet`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::live::PATIENCE;
use crate::program::{Start, python};

/// How often it is looked whether something was said.
const LOOK: Duration = Duration::from_millis(50);

/// A running program of a user, with whatever configuration that user's home has. Ended by its own id when dropped.
#[derive(Debug)]
pub struct Published {
    child: Child,
    home: PathBuf,
    said: PathBuf,
}

impl Published {
    /// Starts a program that is installed beside the interpreter.
    ///
    /// # Panics
    /// If it is not installed.
    #[must_use]
    pub fn start_by(start: Start<'_>, home: &Path, program: &str, args: &[&str]) -> Self {
        let said = home.join(format!("{program}.said"));
        let out = fs::File::create(&said).expect("a file for what it says");
        let complaints = out.try_clone().expect("the same for its complaints");
        let child = start(&beside_python(program))
            .args(args)
            .env("HOME", home)
            // What it says is waited for.
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(complaints)
            .spawn()
            .unwrap_or_else(|cause| panic!("{program} does not start: {cause}"));
        Self { child, home: home.to_owned(), said }
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// The address that it says behind these words, between angle brackets.
    ///
    /// # Panics
    /// If it never does, or ends.
    pub fn wait_address(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            let address = || Some(said.split_once(words)?.1.split_once('<')?.1.split_once('>')?.0);
            if let Some(address) = address() {
                return address.to_owned();
            }
            let has_ended = self.child.try_wait().is_ok_and(|ended| ended.is_some());
            assert!(!has_ended && Instant::now() < deadline, "it never said {words:?}, but: {said}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until a file below this directory of its home has a text.
    ///
    /// # Panics
    /// If none ever does.
    pub fn until_kept(&self, text: &str, directory: &str) {
        let directory = self.home.join(directory);
        let deadline = Instant::now() + PATIENCE;
        while !has_below(&directory, text.as_bytes()) {
            assert!(
                Instant::now() < deadline,
                "{text:?} is in no file below {}: {}",
                directory.display(),
                self.said()
            );
            thread::sleep(LOOK);
        }
    }
}

/// Whether a file below a directory has these bytes in it.
fn has_below(directory: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().map_while(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return has_below(&path, bytes);
        }
        fs::read(path).is_ok_and(|kept| kept.windows(bytes.len()).any(|window| window == bytes))
    })
}

impl Drop for Published {
    fn drop(&mut self) {
        // A program that has ended needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a program of a user to its end, as [`Published::start_by`] starts it.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn run_by(start: Start<'_>, home: &Path, program: &str, args: &[&str]) -> Output {
    let mut command = start(&beside_python(program));
    command.args(args).env("HOME", home).current_dir(home).stdin(Stdio::null());
    command.output().unwrap_or_else(|cause| panic!("{program} does not start: {cause}"))
}

fn beside_python(program: &str) -> String {
    Path::new(&python()).with_file_name(program).to_string_lossy().into_owned()
}
