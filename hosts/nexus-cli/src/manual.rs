//! `nexus completions`, `nexus man` and `nexus install-links`: what an installation lays down beside the program.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::command_line::definition;
use crate::ending::{Ending, Outcome, Refusal};
use crate::terminal::{print, print_line};

/// The names under which the program is its subcommand.
const LINKS: [&str; 3] = ["nexus-keygen", "nexus-node", "nexus-status"];

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
    /// Write a page for each command into this directory instead of printing the first
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
        clap_complete::generate(self.shell, &mut definition(), "nexus", &mut script);
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
        for name in LINKS {
            let link = self.directory.join(name);
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

/// Every page's name and text: the program's first, then one for each command.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut definition = definition();
    definition.build();
    let mut pages = Vec::new();
    collect(&definition, "nexus", &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    pages.push((name.to_owned(), String::from_utf8_lossy(&page).into_owned()));
    let shown = |part: &&clap::Command| !part.is_hide_set() && part.get_name() != "help";
    for part in command.get_subcommands().filter(shown) {
        collect(part, &format!("{name}-{}", part.get_name()), pages)?;
    }
    Ok(())
}
