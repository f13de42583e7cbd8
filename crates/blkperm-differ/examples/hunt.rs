//! Scratch driver: hunt SEED FROM TO [LENGTH]
use blkperm_baseline::Baseline;
use blkperm_differ::*;
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::{Endpoint, EndpointError};
use std::num::NonZero;

fn main() {
    let arg = |n: usize, d: u64| std::env::args().nth(n).map_or(d, |a| a.parse().expect("number"));
    let programs = Programs::find().expect("qemu");
    let left = || -> Result<Box<dyn Endpoint>, EndpointError> {
        Ok(Box::new(MonitorEndpoint::new(Baseline, Completion::Stepwise)))
    };
    let right = || -> Result<Box<dyn Endpoint>, EndpointError> {
        Ok(Box::new(Daemon::start_with_patience(&programs, std::time::Duration::from_secs(6))?))
    };
    let contest = Contest { left: &left, right: &right, scope: Scope::Everything };
    let plan = Hunt {
        seed: arg(1, 1),
        scripts: arg(2, 0)..arg(3, 100),
        length: arg(4, 25) as usize,
        deadline: None,
        threads: NonZero::new(3).expect("3"),
    };
    let start = std::time::Instant::now();
    let (mut tally, mut agreed, mut differed, mut failed) = (Tally::default(), 0, 0, 0);
    hunt(&plan, &contest, &left, &mut |progress| match progress {
        Progress::Agreed(t) => {
            agreed += 1;
            tally.add(&t)
        }
        Progress::Differed(t, found) => {
            differed += 1;
            tally.add(&t);
            if let Some(found) = found {
                println!("== script {}", found.plan.index);
                for d in &found.finding.differences {
                    println!("   {d}");
                }
                print!("{}", found.script);
                println!();
            }
        }
        Progress::Failed { plan, script, error } => {
            failed += 1;
            println!("== script {} FAILED: {error}", plan.index);
            let mut e: Option<&dyn std::error::Error> = error.source();
            while let Some(s) = e {
                println!("   {s}");
                e = s.source();
            }
            print!("{script}");
        }
    });
    println!("agreed {agreed} differed {differed} failed {failed} in {:?}", start.elapsed());
    for (name, c) in &tally.0 {
        println!("{name:28} {:7} {:7} {:5}", c.accepted, c.refused, c.fatal);
    }
}
