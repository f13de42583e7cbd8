//! `blkperm completions` and `blkperm man`: the command's own description, for shells and for `man`.

use crate::error::Error;
use crate::serve;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const COMPLETIONS: &str = "\
Examples:
  blkperm completions bash > ~/.local/share/bash-completion/completions/blkperm
          For bash, from the next shell on
  blkperm completions zsh > ~/.zfunc/_blkperm
          For zsh, where ~/.zfunc is in $fpath
  blkperm completions fish > ~/.config/fish/completions/blkperm.fish
          For fish

Exit status:
  0  written
  2  bad input";

const MAN: &str = "\
Examples:
  blkperm man | man -l -
          Read the page of the command itself
  blkperm man ~/.local/share/man/man1
          Install a page for it and for each subcommand: man blkperm-compare

Exit status:
  0  written
  2  bad input, or a file cannot be written";

/// The arguments of `blkperm completions`.
#[derive(clap::Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The arguments of `blkperm man`.
#[derive(clap::Args)]
#[command(after_help = MAN)]
pub(crate) struct ManPages {
    /// Write a page for the command and for each subcommand into this directory, which is made
    /// where it is missing; by default the command's own page is printed
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Completions {
    /// Prints what the shell needs to complete `command`.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be printed.
    pub(crate) fn run(self, command: Command) -> Result<ExitCode, Error> {
        let mut command = command.mut_subcommand("serve", serve::with_options);
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "blkperm", &mut script);
        io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl ManPages {
    /// Prints or writes the pages of `command`.
    ///
    /// # Errors
    ///
    /// Fails when they cannot be printed or written.
    pub(crate) fn run(self, command: Command) -> Result<ExitCode, Error> {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        match self.directory {
            None => io::stdout().write_all(&page(&command)?)?,
            Some(directory) => {
                fs::create_dir_all(&directory)
                    .map_err(|source| Error::Write { file: directory.clone(), source })?;
                write(&directory, &command)?;
                for subcommand in command.get_subcommands() {
                    write(&directory, subcommand)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(directory: &Path, command: &Command) -> Result<(), Error> {
    let file = directory.join(Man::new(command.clone()).get_filename());
    let page = page(command)?;
    fs::write(&file, page).map_err(|source| Error::Write { file, source })
}

/// The page of a command: what `clap` knows of it, then its examples and exit statuses.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let version = concat!("blkperm ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(version).manual("blkperm's manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let own_help = command.get_name() == "serve";
    if own_help {
        literal_section("DESCRIPTION", serve::HELP.lines()).to_writer(&mut page)?;
    } else {
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let more = command.get_after_long_help().or_else(|| command.get_after_help());
    for (name, lines) in sections(&more.map(ToString::to_string).unwrap_or_default()) {
        literal_section(&name, lines.iter().map(String::as_str)).to_writer(&mut page)?;
    }
    see_also(command).to_writer(&mut page)?;
    Ok(page)
}

/// What stands behind the options of a help, by headings; what has none is a note.
fn sections(help: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    let mut after_blank = true;
    for line in help.lines() {
        let at_margin = !line.is_empty() && !line.starts_with(' ');
        match line.strip_suffix(':').filter(|_| at_margin && after_blank) {
            Some(heading) if heading.len() < 20 => {
                sections.push((heading.to_uppercase(), Vec::new()));
            }
            _ => {
                let is_note = sections.last().is_some_and(|(name, _)| name == "NOTES");
                if at_margin && after_blank && !is_note {
                    sections.push(("NOTES".to_owned(), Vec::new()));
                }
                if let Some((_, lines)) = sections.last_mut() {
                    lines.push(line.to_owned());
                }
            }
        }
        after_blank = line.is_empty();
    }
    for (_, lines) in &mut sections {
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
    }
    sections
}

/// A section whose lines stay as they are.
fn literal_section<'a>(name: &str, lines: impl Iterator<Item = &'a str>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [name]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}

/// Where to read on.
fn see_also(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let mut names: Vec<String> = vec!["qemu-storage-daemon".to_owned()];
    match command.has_subcommands() {
        true => {
            let shown = command.get_subcommands();
            names.extend(shown.map(|one| one.get_display_name().unwrap_or_default().to_owned()));
        }
        false => names.push("blkperm".to_owned()),
    }
    let mut text = Vec::new();
    for (number, name) in names.iter().enumerate() {
        text.push(roman(if number > 0 { ", " } else { "" }));
        text.push(bold(name.as_str()));
        text.push(roman("(1)"));
    }
    roff.text(text);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_is_cut_at_its_headings() {
        let help = "Examples:\n  blkperm x\n          Does x\n\nA word is:\nthis.\n\nAnd more.\n\n\
                    Exit status:\n  0  fine";
        let found = sections(help);
        let expected = [
            ("EXAMPLES", vec!["  blkperm x", "          Does x"]),
            ("A WORD IS", vec!["this."]),
            ("NOTES", vec!["And more."]),
            ("EXIT STATUS", vec!["  0  fine"]),
        ];
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|(name, lines)| (name.as_str(), lines.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(found, expected);
    }
}
