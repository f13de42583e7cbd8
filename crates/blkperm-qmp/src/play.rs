//! Plays a scenario to an endpoint and writes down what it answers.

use crate::scenario::{Action, Image, Line, Scenario};
use crate::transcript::{Death, Event, GraphDump, Job, Reply, Step, Transcript};
use serde::Deserialize;
use serde_json::{Value, json};
use std::slice;

/// Why an endpoint could not do what it was asked: I/O, a timeout, an answer that is not QMP.
pub type EndpointError = Box<dyn std::error::Error + Send + Sync>;

/// Why an endpoint gives no answer.
#[derive(Debug)]
pub enum Stop {
    /// It died, which is an outcome like any other.
    Died(Death),
    /// It failed at its task.
    Failed(EndpointError),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(Box::new(error))
    }
}

/// Something that speaks QMP: a real daemon, our monitor, or a recording.
pub trait Endpoint {
    /// Makes an image in the directory in which the endpoint looks for relative filenames.
    ///
    /// # Errors
    ///
    /// Fails when there cannot be such an image.
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError>;

    /// Carries out one command and gives its reply; jobs need not have settled.
    ///
    /// # Errors
    ///
    /// Stops when the endpoint dies before it replies, or fails.
    fn execute(&mut self, command: &Value) -> Result<Reply, Stop>;

    /// Carries out commands in a row and gives their replies. Where commands have a way to go, all
    /// are sent before a reply is waited for.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::execute`], for any of them.
    fn execute_all(&mut self, commands: &[Value]) -> Result<Vec<Reply>, Stop> {
        commands.iter().map(|command| self.execute(command)).collect()
    }

    /// Waits until no job moves by itself, and all that follows from it was done.
    ///
    /// # Errors
    ///
    /// Stops when the endpoint dies of what a job does, or fails, as when a job never settles.
    fn settle(&mut self) -> Result<(), Stop>;

    /// Takes the events since the last call, oldest first, also those before a death.
    fn take_events(&mut self) -> Vec<Event>;

    /// The jobs, by `query-jobs`.
    ///
    /// # Errors
    ///
    /// Stops when the endpoint dies, fails, or returns something else.
    fn jobs(&mut self) -> Result<Vec<Job>, Stop> {
        let value = query(self, "query-jobs")?;
        Ok(Vec::<Job>::deserialize(&value)?)
    }

    /// The graph, by `x-debug-query-block-graph`.
    ///
    /// # Errors
    ///
    /// Stops when the endpoint dies, fails, or returns something else.
    fn graph(&mut self) -> Result<GraphDump, Stop> {
        let value = query(self, "x-debug-query-block-graph")?;
        Ok(GraphDump::from_return(&value)?)
    }

    /// The jobs that can neither be completed nor cancelled; QEMU dies before it has any.
    fn stuck(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A query was refused, which no endpoint may do.
#[derive(Debug, thiserror::Error)]
#[error("'{query}' was refused: {reply}")]
struct QueryRefused {
    query: &'static str,
    reply: Reply,
}

fn query<E: Endpoint + ?Sized>(endpoint: &mut E, query: &'static str) -> Result<Value, Stop> {
    match endpoint.execute(&json!({"execute": query}))? {
        Reply::Return(value) => Ok(value),
        reply => Err(QueryRefused { query, reply }.into()),
    }
}

/// A scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
#[error("failed to play line {line} of '{scenario}'")]
pub struct Error {
    /// The scenario's name.
    pub scenario: String,
    /// The line at which it ended.
    pub line: usize,
    /// What the endpoint failed at.
    #[source]
    pub source: EndpointError,
}

/// Plays a whole scenario; it ends early when the endpoint dies.
///
/// # Errors
///
/// Fails when the endpoint does.
pub fn play<E: Endpoint + ?Sized>(
    endpoint: &mut E,
    scenario: &Scenario,
) -> Result<Transcript, Error> {
    let steps = Play::new(endpoint, scenario).collect::<Result<_, _>>()?;
    Ok(Transcript { steps })
}

/// Plays a scenario command by command: an iterator over the steps of its transcript.
///
/// It ends after the last command, after the step in which the endpoint died, and after an error.
#[derive(Debug)]
pub struct Play<'a, E: ?Sized> {
    endpoint: &'a mut E,
    scenario: &'a Scenario,
    lines: slice::Iter<'a, Line>,
}

impl<'a, E: Endpoint + ?Sized> Play<'a, E> {
    /// Will play `scenario` to `endpoint`.
    pub fn new(endpoint: &'a mut E, scenario: &'a Scenario) -> Play<'a, E> {
        Play { endpoint, scenario, lines: scenario.lines.iter() }
    }

    /// The endpoint, for a look at it between two steps.
    pub fn endpoint(&mut self) -> &mut E {
        self.endpoint
    }

    fn observe(&mut self, line: usize, command: &Value) -> Result<Step, EndpointError> {
        let mut step = Step::new(line, command.clone());
        match self.gather(&mut step) {
            Ok(()) => {}
            Err(Stop::Died(death)) => step.death = Some(death),
            Err(Stop::Failed(error)) => return Err(error),
        }
        step.events = self.endpoint.take_events();
        Ok(step)
    }

    fn gather(&mut self, step: &mut Step) -> Result<(), Stop> {
        step.reply = Some(self.endpoint.execute(&step.command)?);
        self.endpoint.settle()?;
        let (jobs, graph) = (self.endpoint.jobs()?, self.endpoint.graph()?);
        (step.jobs, step.graph, step.stuck) = (jobs, Some(graph), self.endpoint.stuck());
        Ok(())
    }
}

impl<E: Endpoint + ?Sized> Iterator for Play<'_, E> {
    type Item = Result<Step, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, outcome) = loop {
            let line = self.lines.next()?;
            match &line.action {
                Action::Image(image) => match self.endpoint.create_image(image) {
                    Ok(()) => {}
                    Err(error) => break (line.number, Err(error)),
                },
                Action::Command(command) => {
                    break (line.number, self.observe(line.number, command));
                }
            }
        };
        if outcome.as_ref().map_or(true, |step| step.death.is_some()) {
            self.lines = [].iter();
        }
        Some(outcome.map_err(|source| Error { scenario: self.scenario.name.clone(), line, source }))
    }
}

#[cfg(test)]
mod tests;
