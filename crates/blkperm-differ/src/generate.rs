//! One random script.

use blkperm_qmp::play::{Endpoint, EndpointError, Stop};
use blkperm_qmp::scenario::Action;
use blkperm_qmp::transcript::Reply;

use crate::dice::Dice;
use crate::recipe::{self, RECIPES};
use crate::scene::Scene;
use crate::script::Script;
use crate::world::World;

/// Which script is meant: all of them follow from a seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The seed of the whole run.
    pub seed: u64,
    /// The script's number in the run.
    pub index: u64,
    /// How many commands the script has, unless the endpoint dies earlier.
    pub length: usize,
}

/// Of a hundred commands that are refused when the script is written, how many stay in it: a script
/// without them says more of how users overlap.
const REFUSED_KEPT: u32 = 35;

/// Writes the script that is planned, playing it to a fresh endpoint to see what comes of it.
///
/// # Errors
///
/// Fails when the endpoint does; its death is the end of the script.
pub fn generate(plan: Plan, endpoint: &mut dyn Endpoint) -> Result<Script, EndpointError> {
    let mut scene = Scene::new(Dice::new(plan.seed, plan.index));
    let mut script = Script::default();
    for action in recipe::opening(&mut scene) {
        if let Action::Image(image) = &action {
            endpoint.create_image(image)?;
            script.actions.push(action);
        } else if play(action, &mut script, &mut scene, endpoint)?.is_none() {
            return Ok(script);
        }
    }
    while script.commands().count() < plan.length {
        let Some(command) = (scene.dice.weighted(RECIPES))(&mut scene) else { continue };
        match play(Action::Command(command), &mut script, &mut scene, endpoint)? {
            Some(Reply::Error { .. }) if !scene.dice.chance(REFUSED_KEPT) => {
                script.actions.pop();
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(script)
}

/// Adds a command to the script and carries it out; gives the reply if the endpoint lives on.
fn play(
    action: Action,
    script: &mut Script,
    scene: &mut Scene,
    endpoint: &mut dyn Endpoint,
) -> Result<Option<Reply>, EndpointError> {
    let Action::Command(command) = &action else { unreachable!("images are not played") };
    let outcome = endpoint.execute(command).and_then(|reply| {
        if matches!(reply, Reply::Return(_)) {
            scene.note(command);
        }
        endpoint.settle()?;
        endpoint.take_events();
        Ok((reply, World::of(endpoint)?))
    });
    script.actions.push(action);
    match outcome {
        Ok((reply, world)) => {
            scene.see(world);
            Ok(Some(reply))
        }
        Err(Stop::Died(_)) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}
