//! A search from the command line: with a progress bar, a file, and Ctrl-C.

use super::error::Error;
use super::report::Report;
use super::subject::{WithSystem, with_system};
use blkperm_explore::{Ended, Limits, Progress, Search, Shard, Subject, System};
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a search that has a file is kept there while it runs.
const KEEP_EVERY: Duration = Duration::from_secs(300);

/// A search to be carried out.
pub(super) struct Explorer<'a> {
    pub(super) subject: &'a Subject,
    pub(super) limits: Limits,
    pub(super) file: Option<&'a Path>,
    pub(super) shard: Option<(Shard, &'a Path)>,
}

impl Explorer<'_> {
    /// Explores; there is no report of a shard, whose findings are in its file.
    pub(super) fn run(self) -> Result<Option<Report>, Error> {
        with_system(self.subject, self)
    }
}

impl WithSystem for Explorer<'_> {
    type Output = Option<Report>;

    fn run<S: System>(self, system: &S) -> Result<Option<Report>, Error> {
        let Explorer { subject, limits, file, shard } = self;
        let mut search = match file.filter(|file| file.exists()) {
            Some(file) => Search::load(system, subject, file)?,
            None => Search::new(system),
        };
        let watched = Watched::new()?;
        let mut show = watched.from(search.progress());
        if let Some((shard, part)) = shard {
            if let Some(file) = file.filter(|file| !file.exists()) {
                return Err(Error::NothingToShare(file.to_owned()));
            }
            let found =
                search.run_shard(shard, limits.bytes, show).map_err(|ended| match ended {
                    Ended::Memory => Error::ShardTooLarge,
                    _ => Error::Stopped,
                })?;
            search.save_part(subject, &found, part)?;
            return Ok(None);
        }
        let mut kept = Instant::now();
        let ended = loop {
            let due = || kept.elapsed() < KEEP_EVERY || file.is_none();
            let ended = search.run(limits, |progress| show(progress) && due());
            match ended {
                Ended::Stopped if !watched.is_stopped() => save(&search, subject, file)?,
                _ => break ended,
            }
            kept = Instant::now();
        };
        save(&search, subject, file)?;
        Report::new(subject, &search.report(), ended).map(Some)
    }
}

fn save<S: System>(
    search: &Search<'_, S>,
    subject: &Subject,
    file: Option<&Path>,
) -> Result<(), Error> {
    Ok(file.map_or(Ok(()), |file| search.save(subject, file))?)
}

/// The progress bar, and whether somebody wants the search to stop.
struct Watched {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Watched {
    fn new() -> Result<Watched, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Who asks twice does not want to wait.
            flag::register_conditional_default(signal, Arc::clone(&stop)).map_err(Error::Signal)?;
            flag::register(signal, Arc::clone(&stop)).map_err(Error::Signal)?;
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Watched { bar, stop })
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Shows how far a search is that was at `begun`; the rate is that of this run.
    fn from(&self, begun: Progress) -> impl FnMut(Progress) -> bool + use<'_> {
        move |progress| {
            let done = progress.transitions - begun.transitions;
            let seconds = (progress.elapsed - begun.elapsed).as_secs_f64().max(1e-3);
            self.bar.set_message(format!(
                "{} states, {} to expand, depth {}, {:.0} transitions/s",
                progress.states,
                progress.frontier,
                progress.depth,
                done as f64 / seconds
            ));
            !self.is_stopped()
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
