//! Where the files of a run are put.

use super::{ArgumentCode, ArgumentProblem, Arguments};
use crate::flows::template::Template;
use crate::flows::template::path::RelativePath;

/// The most files that a run is given.
const MOST_FILES: usize = 500;

/// Files that get in each other's way, and callers who would replace a file of the template by their own.
pub(super) fn misplaced(template: &Template, arguments: &Arguments) -> Vec<ArgumentProblem> {
    let mut problems = Vec::new();
    let mut taken: Vec<(&str, &RelativePath)> = Vec::new();
    for (name, value) in arguments.iter() {
        for file in value.files() {
            if taken.len() >= MOST_FILES {
                problems.push(ArgumentProblem {
                    code: ArgumentCode::InvalidArgument,
                    parameter: name.to_owned(),
                    message: format!("there are more than {MOST_FILES} files in all"),
                });
                return problems;
            }
            let target = &file.target;
            let clashes = |other: &RelativePath| target.is_within(other) || other.is_within(target);
            let of_template = template.files.iter().map(|it| &it.target);
            let mut of_template = of_template.filter(|other| clashes(other));
            let outputs = template
                .workflow
                .steps
                .iter()
                .flat_map(|step| &step.outputs);
            let outputs = outputs.chain(template.outputs.iter().map(|output| &output.source));
            let message = if let Some((other, _)) = taken.iter().find(|it| clashes(it.1)) {
                Some(format!("{target} is where {other:?} is put"))
            } else if file.is_own_target
                && let Some(other) = of_template.next()
            {
                Some(format!(
                    "{other} is a file of the workflow, and cannot be replaced"
                ))
            } else if file.is_own_target
                && let Some(other) = outputs.into_iter().find(|other| clashes(other))
            {
                Some(format!("{other} is a file that the workflow makes"))
            } else {
                None
            };
            if let Some(message) = message {
                problems.push(ArgumentProblem {
                    code: ArgumentCode::InvalidArgument,
                    parameter: name.to_owned(),
                    message,
                });
                break;
            }
            taken.push((name, target));
        }
    }
    problems
}
