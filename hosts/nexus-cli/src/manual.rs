//! `nexus completions`, `nexus man` and `nexus install-links`: what an installation lays down beside the program.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::command_line::definition;
use crate::ending::{Ending, Outcome, Refusal};
use crate::terminal::{print, print_line};

/// The parts that have a name of their own, where there is such a part.
const PARTS: [&str; 4] = ["keygen", "node", "status", "peer"];

/// The options of `completions`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus completions bash > /usr/share/bash-completion/completions/nexus
  nexus completions zsh > /usr/share/zsh/site-functions/_nexus
  nexus completions fish > ~/.config/fish/completions/nexus.fish")]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

/// The options of `man`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus man | man -l -
  nexus man /usr/local/share/man/man1")]
pub(crate) struct Manual {
    /// Write all pages into this directory instead of printing the first
    directory: Option<PathBuf>,
}

/// The options of `install-links`.
#[derive(Debug, Args)]
pub(crate) struct InstallLinks {
    /// Where to make them
    directory: PathBuf,
}

impl Completions {
    pub(crate) fn run(&self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut shown(&definition()), "nexus", &mut script);
        print(&String::from_utf8_lossy(&script));
        Outcome::Done
    }
}

impl Manual {
    pub(crate) fn run(&self) -> Ending {
        let pages = pages().map_err(|cause| Refusal::Cannot(format!("no page can be made: {cause}")))?;
        let Some(directory) = &self.directory else {
            print(pages.first().map_or("", |(_, text)| text));
            return Ok(Outcome::Done);
        };
        for (name, text) in pages {
            let path = directory.join(format!("{name}.1"));
            fs::create_dir_all(directory)
                .and_then(|()| fs::write(&path, text))
                .map_err(|cause| Refusal::Cannot(format!("{} cannot be written: {cause}", path.display())))?;
            print_line(&path.display().to_string());
        }
        Ok(Outcome::Done)
    }
}

impl InstallLinks {
    pub(crate) fn run(&self) -> Ending {
        let program = std::env::current_exe()
            .map_err(|cause| Refusal::Cannot(format!("where this program lies is not known: {cause}")))?;
        let definition = definition();
        for part in PARTS.iter().filter(|part| definition.find_subcommand(part).is_some()) {
            let link = self.directory.join(format!("nexus-{part}"));
            lay(&program, &link)
                .map_err(|cause| Refusal::Cannot(format!("{} cannot be made: {cause}", link.display())))?;
            print_line(&format!("{} -> {}", link.display(), program.display()));
        }
        Ok(Outcome::Done)
    }
}

/// Makes a symbolic link, unless it is there already and right. What else is there is never removed.
fn lay(program: &Path, link: &Path) -> io::Result<()> {
    match fs::read_link(link) {
        Ok(target) if target == program => Ok(()),
        Ok(_) | Err(_) => symlink(program, link),
    }
}

/// The definition without what is hidden: completions would offer it.
fn shown(definition: &clap::Command) -> clap::Command {
    let parts = definition.get_subcommands().filter(|part| !part.is_hide_set()).cloned();
    clap::Command::new("nexus").version(env!("CARGO_PKG_VERSION")).subcommands(parts)
}

/// Every page's name and text: the program's first, then one for each command.
fn pages() -> io::Result<Vec<(String, String)>> {
    // Without the command `help`, which has no page: whoever reads one needs none.
    let mut definition = definition().disable_help_subcommand(true);
    definition.build();
    let mut pages = Vec::new();
    collect(&definition, "nexus", &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    pages.push((name.to_owned(), String::from_utf8_lossy(&page(command, name)?).into_owned()));
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        collect(part, &format!("{name}-{}", part.get_name()), pages)?;
    }
    Ok(())
}

fn page(command: &clap::Command, name: &str) -> io::Result<Vec<u8>> {
    let source = concat!("nexus ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(source).manual("NEXUS");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_long_help() {
        // Line by line: examples are not to be filled into a paragraph.
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.to_string().lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
        section.to_writer(&mut page)?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page_in_roff() {
        let pages = pages().unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"nexus") && names.contains(&"nexus-keygen-passphrase"), "{names:?}");
        assert!(!names.contains(&"nexus-demo-node"), "{names:?}");
        for (name, text) in &pages {
            assert!(text.contains(&format!(".TH {}", name.to_uppercase())), "{name}: {text}");
            for section in ["NAME", "SYNOPSIS"] {
                assert!(text.contains(&format!(".SH {section}")), "{name} has no {section}");
            }
            for line in text.lines().filter(|line| line.starts_with('.')) {
                let macros = [
                    ".TH", ".SH", ".SS", ".TP", ".IP", ".PP", ".RS", ".RE", ".br", ".nf", ".fi", ".ie", ".el",
                ];
                assert!(macros.iter().any(|known| line.starts_with(known)), "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_link_that_is_something_else_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (program, link) = (directory.path().join("nexus"), directory.path().join("nexus-status"));
        lay(&program, &link).unwrap();
        lay(&program, &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), program);
        fs::remove_file(&link).unwrap();
        fs::write(&link, "mine").unwrap();
        assert!(lay(&program, &link).is_err());
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
    }
}
