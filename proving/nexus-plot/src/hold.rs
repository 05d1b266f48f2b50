//! Whether what is committed is what is drawn.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The variable of the environment which, set to `draw`, has figures written instead of compared.
pub const DRAW: &str = "NEXUS_PLOTS";

/// A committed figure is not what is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stale {
    path: PathBuf,
    why: String,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path} {}; run the test with {DRAW}=draw and look at it", self.why)
    }
}

impl std::error::Error for Stale {}

/// Compares a file with what is drawn; with [`DRAW`] set to `draw` writes it.
///
/// # Errors
/// If the file is another, cannot be read, or cannot be written.
pub fn hold(path: &Path, drawn: &str) -> Result<(), Stale> {
    if std::env::var_os(DRAW).is_some_and(|value| value == "draw") {
        let why = |error| format!("cannot be written: {error}");
        return fs::write(path, drawn).map_err(|error| Stale { path: path.to_owned(), why: why(error) });
    }
    compare(path, drawn)
}

fn compare(path: &Path, drawn: &str) -> Result<(), Stale> {
    let stale = |why: String| Stale { path: path.to_owned(), why };
    let committed = fs::read_to_string(path).map_err(|error| stale(format!("cannot be read: {error}")))?;
    if committed == drawn {
        return Ok(());
    }
    let same = committed.lines().zip(drawn.lines()).take_while(|(one, other)| one == other).count();
    Err(stale(format!("differs from what is drawn from line {} on", same + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Mark, Plot};

    fn plot(last: f64) -> String {
        let (x, y) = (Axis::new("offered load", 0.0, 2.0), Axis::new("throughput", 0.0, 1.0));
        Plot::new("a & b < c", x, y)
            .with("theory", Mark::Line, vec![(0.0, 0.0), (2.0, 0.5)])
            .with("bound", Mark::Dashes, vec![(0.0, 0.7), (2.0, 0.7)])
            .with("measured", Mark::Dots, vec![(1.0, 0.25), (2.0, last)])
            .svg()
    }

    #[test]
    fn a_figure_that_is_not_what_is_drawn_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("figure.svg");
        assert!(compare(&path, &plot(0.5)).unwrap_err().to_string().contains("cannot be read"));
        fs::write(&path, plot(0.5)).unwrap();
        compare(&path, &plot(0.5)).unwrap();
        assert!(compare(&path, &plot(0.6)).unwrap_err().to_string().contains("differs"));
    }

    #[test]
    fn titles_are_escaped_and_every_series_is_in_the_key() {
        let svg = plot(0.5);
        assert!(svg.contains("a &amp; b &lt; c"));
        for name in ["theory", "bound", "measured", "offered load", "throughput"] {
            assert!(svg.contains(name), "{name}");
        }
        assert!(svg.matches("<circle").count() >= 3);
    }
}
